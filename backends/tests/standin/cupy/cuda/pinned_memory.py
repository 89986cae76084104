"""Page-locked memory of the host: here any memory."""

from __future__ import annotations

import ctypes


class PinnedMemoryPointer(bytearray):
    """Offers its bytes as a buffer, and their address."""

    ptr: int


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    memory = PinnedMemoryPointer(max(size, 1))
    memory.ptr = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return memory
