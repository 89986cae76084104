"""Memory of the host: what is freed stays with the process, for the next array.

Left to itself, the C library of Linux returns a large block to the system as soon as it is free,
and the next result of that size pays for fresh pages: `exp` of 16 MB takes twice as long, a
training step of a transformer a quarter longer. `PLUGRAD_KEEP_MEMORY=0` leaves it to itself. Other
C libraries are left alone.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from plugrad.hooks import MemoryStatistics, kernel
from plugrad_numpy import layout

# Numbers of glibc's malloc.h.
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4
# What Linux tells of a process, and what makes it forget the most pages that the process had.
_STATUS, _FORGET, _PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs"), "5"
_SYSTEM = Path("/proc/meminfo")


class _Heap(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def keep_freed() -> bool:
    """Have blocks of any size come from the heap, and the heap never shrink by itself; whether the
    C library can.
    """
    mallopt = _of_c_library("mallopt")
    if mallopt is None:
        return False
    mallopt.argtypes = ctypes.c_int, ctypes.c_int
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))


@kernel
def memory_statistics(index):
    """Of the whole process, as Linux and glibc tell; no array is counted by itself."""
    mallinfo = _of_c_library("mallinfo2")
    if mallinfo is None or not _STATUS.exists():
        return None
    mallinfo.restype = _Heap
    heap, process, system = mallinfo(), _kibibytes(_STATUS), _kibibytes(_SYSTEM)
    return MemoryStatistics(
        allocated=heap.uordblks + heap.hblkhd,
        peak_allocated=None,
        reserved=process["VmRSS"],
        peak_reserved=process["VmHWM"],
        free=system["MemAvailable"],
        total=system["MemTotal"],
        arrays=None,
    )


@kernel
def memory_reset_peak(index):
    """From the pages that the process has now."""
    if not _FORGET.exists():
        return None
    _FORGET.write_text(_PEAK)
    return True


@kernel
def memory_release(index):
    """The heap's free pages, and this thread's scratch arrays."""
    layout.forget_scratch()
    malloc_trim = _of_c_library("malloc_trim")
    if malloc_trim is not None:
        malloc_trim.argtypes = (ctypes.c_size_t,)
        malloc_trim(0)
    return True


def _of_c_library(name: str) -> Any:
    """A function of the C library that this process runs on, `None` if it has none of that name."""
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows has no library without a name
        return None


def _kibibytes(file: Path) -> dict[str, int]:
    """In bytes, what a file of Linux lists in kibibytes."""
    split = [line.split() for line in file.read_text().splitlines()]
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in split if words[-1:] == ["kB"]}


if os.environ.get("PLUGRAD_KEEP_MEMORY") != "0":
    keep_freed()
