"""The parts of `cupy.cuda` that the backend uses."""

from __future__ import annotations

from cupy.cuda import device as device
from cupy.cuda import memory as memory
from cupy.cuda import pinned_memory as pinned_memory
from cupy.cuda import runtime as runtime
from cupy.cuda import stream as stream
from cupy.cuda.device import Device as Device
from cupy.cuda.device import get_cublas_handle as get_cublas_handle
from cupy.cuda.device import get_device_id as get_device_id
from cupy.cuda.memory import MemoryPointer as MemoryPointer
from cupy.cuda.memory import MemoryPool as MemoryPool
from cupy.cuda.memory import UnownedMemory as UnownedMemory
from cupy.cuda.memory import alloc as alloc
from cupy.cuda.memory import get_allocator as get_allocator
from cupy.cuda.memory import set_allocator as set_allocator
from cupy.cuda.pinned_memory import PinnedMemoryPointer as PinnedMemoryPointer
from cupy.cuda.pinned_memory import alloc_pinned_memory as alloc_pinned_memory
from cupy.cuda.stream import Event as Event
from cupy.cuda.stream import Stream as Stream
from cupy.cuda.stream import get_current_stream as get_current_stream
from cupy.cuda.stream import get_elapsed_time as get_elapsed_time


def is_available() -> bool:
    """Whether there is a device."""
    try:
        return runtime.getDeviceCount() > 0
    except runtime.CUDARuntimeError:
        return False


def __getattr__(name: str) -> object:
    # As CuPy does: cuBLAS is loaded where it is asked for.
    if name == "cublas":
        from cupy_backends.cuda.libs import cublas

        return cublas
    raise AttributeError(name)
