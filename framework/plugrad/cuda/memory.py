"""The memory of devices, in bytes."""

from __future__ import annotations

from plugrad.backends import backend
from plugrad.cuda.devices import device_count
from plugrad.cuda.where import CUDA, AnyDevice, resolve, service
from plugrad.hooks import MemoryStatistics


def memory_allocated(device: AnyDevice = None) -> int:
    """Bytes that arrays hold."""
    return _statistics("memory_allocated", device).allocated


def max_memory_allocated(device: AnyDevice = None) -> int:
    """The most bytes that arrays held at any time since `reset_peak_memory_stats`."""
    return _statistics("max_memory_allocated", device).peak_allocated


def memory_reserved(device: AnyDevice = None) -> int:
    """Bytes that the backend holds: those of arrays, and what it keeps for new ones."""
    return _statistics("memory_reserved", device).reserved


def max_memory_reserved(device: AnyDevice = None) -> int:
    """The most bytes that the backend held at any time since `reset_peak_memory_stats`."""
    return _statistics("max_memory_reserved", device).peak_reserved


def mem_get_info(device: AnyDevice = None) -> tuple[int, int]:
    """Bytes that are free on the device, and its total, whoever uses it."""
    found = _statistics("mem_get_info", device)
    return found.free, found.total


def memory_stats(device: AnyDevice = None) -> dict[str, int]:
    """The figures under PyTorch's names."""
    found = _statistics("memory_stats", device)
    return {
        "active.all.current": found.arrays,
        "allocated_bytes.all.current": found.allocated,
        "allocated_bytes.all.peak": found.peak_allocated,
        "reserved_bytes.all.current": found.reserved,
        "reserved_bytes.all.peak": found.peak_reserved,
    }


def reset_peak_memory_stats(device: AnyDevice = None) -> None:
    """Count the peaks from now on."""
    where = resolve("reset_peak_memory_stats", device)
    service(where, "memory_reset_peak")(where.index)


def empty_cache() -> None:
    """Give memory that no array needs back to every device; nothing where there is none."""
    for index in range(device_count()):
        backend(CUDA).service("memory_release")(index)


def memory_summary(device: AnyDevice = None) -> str:
    """The figures as a table to print."""
    where = resolve("memory_summary", device)
    found: MemoryStatistics = service(where, "memory_statistics")(where.index)
    lines = [
        f"{where}: {service(where, 'device_name')(where.index)}",
        f"{'':<22}{'now':>14}{'peak':>14}",
        f"{'in arrays':<22}{_mebibytes(found.allocated)}{_mebibytes(found.peak_allocated)}",
        f"{'reserved':<22}{_mebibytes(found.reserved)}{_mebibytes(found.peak_reserved)}",
        f"{'free on the device':<22}{_mebibytes(found.free)}",
        f"{'in all':<22}{_mebibytes(found.total)}",
        f"{'arrays':<22}{found.arrays:>14,}",
    ]
    return "\n".join(lines)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:>10,.1f} MiB"


def _statistics(caller: str, device: AnyDevice) -> MemoryStatistics:
    where = resolve(caller, device)
    return service(where, "memory_statistics")(where.index)
