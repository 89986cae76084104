"""Memory of a device: CuPy's pool, counted.

CuPy's pool knows no peaks, and what it says where there is no room is not what a reader needs. So
its allocator is wrapped: each block that it gives out is held by an owner, whose end is counted.
What a program allocates by CuPy itself comes from the same pool and counts too.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any, final

import cupy

from plugrad.errors import OutOfMemoryError
from plugrad.hooks import MemoryStatistics, kernel
from plugrad_cupy.devices import enter

_UNIT = 512  # bytes: the pool gives out whole units


@final
class _Ledger:
    """What one device's arrays hold. The lock is reentrant, because a block may end wherever Python
    collects garbage, even inside.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.allocated = 0
        self.peak = 0
        self.reserved_peak = 0
        self.blocks = 0

    def add(self, size: int, blocks: int) -> None:
        with self.lock:
            self.allocated += size
            self.blocks += blocks
            if self.allocated > self.peak:
                self.peak = self.allocated


@final
class _Owner:
    """Keeps a block of the pool as long as an array needs it."""

    __slots__ = ("ledger", "pointer", "size")

    def __init__(self, pointer: Any, size: int, ledger: _Ledger) -> None:
        self.pointer = pointer
        self.size = size
        self.ledger = ledger
        ledger.add(size, 1)

    def __del__(self) -> None:
        self.ledger.add(-self.size, -1)


_ledgers: defaultdict[int, _Ledger] = defaultdict(_Ledger)
_from_pool = cupy.cuda.get_allocator()


def _allocate(size: int) -> Any:
    """CuPy's allocator, with the figures kept. The pool has tried all that helps before it raises:
    it gave back what nobody uses, and collected garbage.
    """
    if not size:
        return _from_pool(0)
    index = cupy.cuda.get_device_id()
    ledger = _ledgers[index]
    try:
        pointer = _from_pool(size)
    except cupy.cuda.memory.OutOfMemoryError as error:
        figures = memory_statistics(index)
        raise OutOfMemoryError(
            f"cuda:{index}",
            asked=size,
            allocated=figures.allocated,
            reserved=figures.reserved,
            free=figures.free,
            total=figures.total,
        ) from error
    owner = _Owner(pointer, -(-size // _UNIT) * _UNIT, ledger)
    memory = cupy.cuda.UnownedMemory(pointer.ptr, size, owner, index)
    return cupy.cuda.MemoryPointer(memory, 0)


cupy.cuda.set_allocator(_allocate)


@kernel
def memory_statistics(index: int) -> MemoryStatistics:
    """The wrapper's own figures, the pool's and the driver's."""
    enter(index)
    ledger = _ledgers[index]
    reserved = cupy.get_default_memory_pool().total_bytes()
    # The pool grows until it is told to release: looking then and now misses no peak.
    ledger.reserved_peak = max(ledger.reserved_peak, reserved)
    free, total = cupy.cuda.runtime.memGetInfo()
    return MemoryStatistics(
        allocated=ledger.allocated,
        peak_allocated=ledger.peak,
        reserved=reserved,
        peak_reserved=ledger.reserved_peak,
        free=free,
        total=total,
        arrays=ledger.blocks,
    )


@kernel
def memory_reset_peak(index: int) -> bool:
    """From what is there now."""
    enter(index)
    ledger = _ledgers[index]
    with ledger.lock:
        ledger.peak = ledger.allocated
        ledger.reserved_peak = cupy.get_default_memory_pool().total_bytes()
    return True


@kernel
def memory_release(index: int) -> bool:
    """The pool's free blocks, of all streams."""
    memory_statistics(index)  # sees the peak before it goes
    cupy.get_default_memory_pool().free_all_blocks()
    return True
