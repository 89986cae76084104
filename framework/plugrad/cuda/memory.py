"""The memory of CUDA devices, in bytes: `plugrad.memory` with the current one as default."""

from __future__ import annotations

from plugrad import memory
from plugrad.backends import backend
from plugrad.cuda.devices import device_count
from plugrad.cuda.where import CUDA, AnyDevice, resolve


def memory_allocated(device: AnyDevice = None) -> int:
    """Bytes that arrays hold."""
    return memory.memory_allocated(resolve("memory_allocated", device))


def max_memory_allocated(device: AnyDevice = None) -> int:
    """The most bytes that arrays held at any time since `reset_peak_memory_stats`."""
    return memory.max_memory_allocated(resolve("max_memory_allocated", device))


def memory_reserved(device: AnyDevice = None) -> int:
    """Bytes that the backend holds: those of arrays, and what it keeps for new ones."""
    return memory.memory_reserved(resolve("memory_reserved", device))


def max_memory_reserved(device: AnyDevice = None) -> int:
    """The most bytes that the backend held at any time since `reset_peak_memory_stats`."""
    return memory.max_memory_reserved(resolve("max_memory_reserved", device))


def mem_get_info(device: AnyDevice = None) -> tuple[int, int]:
    """Bytes that are free on the device, and its total, whoever uses it."""
    return memory.mem_get_info(resolve("mem_get_info", device))


def memory_stats(device: AnyDevice = None) -> dict[str, int]:
    """The figures under PyTorch's names."""
    return memory.memory_stats(resolve("memory_stats", device))


def reset_peak_memory_stats(device: AnyDevice = None) -> None:
    """Count the peaks from now on."""
    memory.reset_peak_memory_stats(resolve("reset_peak_memory_stats", device))


def empty_cache() -> None:
    """Give memory that no array needs back to every device; nothing where there is none."""
    for index in range(device_count()):
        backend(CUDA).service("memory_release")(index)


def memory_summary(device: AnyDevice = None) -> str:
    """The figures as a table to print."""
    return memory.memory_summary(resolve("memory_summary", device))
