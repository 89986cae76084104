"""Memory: blocks between guard bytes, filled with 0xFF, each of one device; and their pool."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from cupy.cuda import runtime
from cupy.cuda.device import Device
from cupy.cuda.stream import Stream, get_current_stream, work

_GUARD = 512
_GUARD_BYTE = 0xC7
FRESH_BYTE = 0xFF


class OutOfMemoryError(MemoryError):
    """No room: bytes asked for, and those held so far."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        super().__init__(f"Out of memory allocating {size:,} bytes (allocated so far: {total:,})")


class BaseMemory:
    ptr: int
    size: int
    device_id: int

    @property
    def device(self) -> Device:
        return Device(self.device_id)


class UnownedMemory(BaseMemory):
    """Memory that something else keeps alive."""

    def __init__(self, ptr: int, size: int, owner: object, device_id: int = -1) -> None:
        if device_id < 0:
            raise NotImplementedError("stand-in: name the device")
        self.ptr, self.size, self.device_id, self._owner = ptr, size, device_id, owner


class _Block(BaseMemory):
    """A block of the pool; gives it back, and looks at its guards, when it is collected."""

    def __init__(self, size: int, device_id: int, pool: MemoryPool) -> None:
        self.size, self.device_id, self._pool = size, device_id, pool
        self._raw = np.full(size + 3 * _GUARD, _GUARD_BYTE, np.uint8)
        address = self._raw.__array_interface__["data"][0]
        self._start = _GUARD + -address % _GUARD
        self.ptr = address + self._start if size else 0
        self._raw[self._start : self._start + size] = FRESH_BYTE

    def __del__(self) -> None:
        self._pool.give_back(self.size, self.device_id)
        raw, start, stop = self._raw, self._start, self._start + self.size
        if (raw[:start] != _GUARD_BYTE).any() or (raw[stop:] != _GUARD_BYTE).any():
            raise AssertionError(f"stand-in: a kernel wrote outside a block of {self.size} bytes")


def rounded(size: int) -> int:
    """As CuPy's pool does: whole units of 512 bytes."""
    return -(-size // 512) * 512


class MemoryPool:
    """Counts as CuPy's pool does; the memory itself is fresh every time."""

    def __init__(self) -> None:
        self._used: Counter[int] = Counter()
        self._kept: Counter[int] = Counter()

    def malloc(self, size: int) -> MemoryPointer:
        index = runtime.getDevice()
        work(index)
        need = rounded(size)
        if self._used[index] + need > runtime.total_bytes():
            raise OutOfMemoryError(need, self.total_bytes())
        self._kept[index] = max(0, self._kept[index] - need)
        self._used[index] += need
        return MemoryPointer(_Block(size, index, self), 0)

    def give_back(self, size: int, index: int) -> None:
        """No method of CuPy's: what a block says when it goes."""
        self._used[index] -= rounded(size)
        self._kept[index] += rounded(size)

    def used_bytes(self) -> int:
        return self._used[runtime.getDevice()]

    def free_bytes(self) -> int:
        return self._kept[runtime.getDevice()]

    def total_bytes(self) -> int:
        return self.used_bytes() + self.free_bytes()

    def free_all_blocks(self, stream: Stream | None = None) -> None:
        self._kept[runtime.getDevice()] = 0


class MemoryPointer:
    """A place in a block."""

    def __init__(self, mem: BaseMemory, offset: int) -> None:
        if not mem.ptr and offset:
            raise AssertionError("an offset into nothing")
        self.mem, self.ptr, self.device_id = mem, mem.ptr + offset, mem.device_id

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.ptr - self.mem.ptr + offset)

    __radd__ = __add__

    def _own(self, size: int) -> np.ndarray[Any, Any]:
        if not self.mem.ptr <= self.ptr <= self.ptr + size <= self.mem.ptr + self.mem.size:
            raise AssertionError(f"stand-in: {size} bytes reach out of {self.mem.size}")
        return _bytes_at(self.ptr, size)

    def memset_async(self, value: int, size: int, stream: Stream | None = None) -> None:
        if size:
            work(self.device_id, stream)
            self._own(size)[:] = value

    def copy_from_host_async(self, mem: Any, size: int, stream: Stream | None = None) -> None:
        if size:
            work(self.device_id, stream)
            self._own(size)[:] = _bytes_at(_address(mem), size)

    def copy_to_host_async(self, mem: Any, size: int, stream: Stream | None = None) -> None:
        if size:
            work(self.device_id, stream)
            arrived, target = self._own(size).copy(), _bytes_at(_address(mem), size)
            target[:] = 0xDD
            on = get_current_stream() if stream is None else stream
            on.later(lambda: np.copyto(target, arrived))

    def copy_from_device_async(
        self, src: MemoryPointer, size: int, stream: Stream | None = None
    ) -> None:
        if size:
            work(None, stream)
            self._own(size)[:] = src._own(size).copy()


def _address(mem: Any) -> int:
    return mem if isinstance(mem, int) else mem.value


def _bytes_at(address: int, size: int) -> np.ndarray[Any, Any]:
    return np.ndarray(size, np.uint8, (ctypes.c_uint8 * size).from_address(address))


default_pool = MemoryPool()
_allocators: list[Callable[[int], MemoryPointer]] = [default_pool.malloc]


def alloc(size: int) -> MemoryPointer:
    return _allocators[-1](size)


def set_allocator(allocator: Callable[[int], MemoryPointer]) -> None:
    _allocators[-1] = allocator


def get_allocator() -> Callable[[int], MemoryPointer]:
    return _allocators[-1]
