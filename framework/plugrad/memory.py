"""The memory of devices, in bytes: of the host's, what the whole process has of it."""

from __future__ import annotations

from typing import Any

from plugrad.backends import backend, loaded, resolve_device
from plugrad.devices import Device
from plugrad.errors import UnsupportedError
from plugrad.hooks import MemoryStatistics


def memory_allocated(device: Device | str | None = None) -> int:
    """Bytes that arrays hold; on the host, all that the process has asked its C library for."""
    return _statistics("memory_allocated", device).allocated


def max_memory_allocated(device: Device | str | None = None) -> int:
    """The most bytes that arrays held at any time since `reset_peak_memory_stats`. Nobody counts
    them on the host: `max_memory_reserved` does.
    """
    peak = _statistics("max_memory_allocated", device).peak_allocated
    if peak is None:
        raise _untold("max_memory_allocated", device)
    return peak


def memory_reserved(device: Device | str | None = None) -> int:
    """Bytes that the backend holds: those of arrays, and what it keeps for new ones. On the host,
    the process's pages in memory.
    """
    return _statistics("memory_reserved", device).reserved


def max_memory_reserved(device: Device | str | None = None) -> int:
    """The most bytes that the backend held at any time since `reset_peak_memory_stats`."""
    return _statistics("max_memory_reserved", device).peak_reserved


def mem_get_info(device: Device | str | None = None) -> tuple[int, int]:
    """Bytes that are free on the device, and its total, whoever uses it."""
    found = _statistics("mem_get_info", device)
    return found.free, found.total


def memory_stats(device: Device | str | None = None) -> dict[str, int]:
    """The figures that are known, under PyTorch's names."""
    found = _statistics("memory_stats", device)
    named = {
        "active.all.current": found.arrays,
        "allocated_bytes.all.current": found.allocated,
        "allocated_bytes.all.peak": found.peak_allocated,
        "reserved_bytes.all.current": found.reserved,
        "reserved_bytes.all.peak": found.peak_reserved,
    }
    return {name: figure for name, figure in named.items() if figure is not None}


def reset_peak_memory_stats(device: Device | str | None = None) -> None:
    """Count the peaks from now on."""
    _ask("reset_peak_memory_stats", "memory_reset_peak", device)


def empty_cache() -> None:
    """Give memory that no array needs back to the devices in use, the host among them."""
    for each in loaded():
        release = each.resolve("memory_release")
        if release is not None:
            numbered = each.manifest.numbered
            for index in range(each.service("device_count")()) if numbered else (None,):
                release(index)


def memory_summary(device: Device | str | None = None) -> str:
    """The figures as a table to print."""
    where = resolve_device(device)
    found = _statistics("memory_summary", where)
    model = backend(where.type).resolve("device_name")
    lines = [
        f"{where}: {model(where.index)}" if model else str(where),
        f"{'':<22}{'now':>14}{'peak':>14}",
        f"{'in arrays':<22}{_mebibytes(found.allocated)}{_mebibytes(found.peak_allocated)}",
        f"{'reserved':<22}{_mebibytes(found.reserved)}{_mebibytes(found.peak_reserved)}",
        f"{'free on the device':<22}{_mebibytes(found.free)}",
        f"{'in all':<22}{_mebibytes(found.total)}",
    ]
    if found.arrays is not None:
        lines.append(f"{'arrays':<22}{found.arrays:>14,}")
    return "\n".join(lines)


def _mebibytes(count: int | None) -> str:
    return f"{'unknown':>14}" if count is None else f"{count / 2**20:>10,.1f} MiB"


def _statistics(caller: str, device: Device | str | None) -> MemoryStatistics:
    return _ask(caller, "memory_statistics", device)


def _ask(caller: str, service: str, device: Device | str | None) -> Any:
    where = resolve_device(device)
    asked = backend(where.type).resolve(service)
    answer = None if asked is None else asked(where.index)
    if answer is None:
        raise _untold(caller, where)
    return answer


def _untold(caller: str, device: Device | str | None) -> UnsupportedError:
    return UnsupportedError(
        caller, "device", expected="one that counts this", got=resolve_device(device)
    )
