"""Between the host and a device, and from one device to another, in the order of the streams.

Large copies go by way of pinned memory, from and to which a device copies by itself; small ones the
driver stages just as fast.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import cupy
import numpy as np

from plugrad.dtypes import DType
from plugrad.hooks import kernel
from plugrad_cupy.arrays import NATIVE, PORTABLE, new_on
from plugrad_cupy.devices import current_stream, enter
from plugrad_cupy.positions import check
from plugrad_cupy.strided import contiguous

# Bytes from which pinned memory pays: the driver copies up to 64 KiB of other memory without it.
_LARGE = 1 << 16

# Pinned memory that a copy to a device still reads, with the event that ends it.
_in_flight: deque[tuple[Any, Any]] = deque()
_flying = threading.Lock()


def _to_device(data: Any, out: Any) -> Any:
    """Start copying the host's bytes into an array of the current device; the host may change them
    at once.
    """
    source = np.frombuffer(data, np.uint8)
    if source.nbytes < _LARGE:
        # Copied to the driver's own memory before the call returns.
        out.data.copy_from_host_async(source.ctypes.data, source.nbytes)
        return out
    pinned = cupy.cuda.alloc_pinned_memory(source.nbytes)
    np.frombuffer(pinned, np.uint8, source.nbytes)[:] = source
    out.data.copy_from_host_async(pinned.ptr, source.nbytes)
    event = cupy.cuda.Event(disable_timing=True)
    event.record()
    with _flying:
        while _in_flight and _in_flight[0][0].done:
            _in_flight.popleft()
        _in_flight.append((event, pinned))
    return out


def _to_host(array: Any, target: Any, address: int) -> Any:
    """Copy an array's elements in C order to an address of the host, and wait."""
    array = contiguous(array)
    stream = current_stream(array.data.device_id)
    array.data.copy_to_host_async(address, array.nbytes)
    stream.synchronize()
    check()
    return target


@kernel
def array_from_host(
    data: memoryview, dtype: DType, shape: tuple[int, ...], index: int | None
) -> Any:
    """Asynchronous: the bytes are out of the caller's hands when it returns."""
    out = new_on(index or 0, shape, NATIVE[dtype])
    return _to_device(data, out) if out.size else out


@kernel
def array_to_host(array: Any) -> memoryview:
    """In pinned memory where that pays."""
    if array.nbytes < _LARGE:
        return array_to_numpy(array).reshape(-1).view(np.uint8).data
    pinned = cupy.cuda.alloc_pinned_memory(array.nbytes)
    return _to_host(array, np.frombuffer(pinned, np.uint8, array.nbytes), pinned.ptr).data


@kernel
def array_to_numpy(array: Any) -> Any:
    """A copy, in memory that pages like any other, since nobody knows for how long it is kept."""
    out = np.empty(array.shape, array.dtype)
    return _to_host(array, out, out.ctypes.data) if out.size else out


@kernel
def array_adopt(value: Any, index: int | None) -> Any:
    """CuPy's arrays shared, other device arrays too where CuPy can share them; NumPy's copied."""
    index = index or 0
    if isinstance(value, np.ndarray | np.generic):
        return _adopt_host(np.asarray(value), index)
    if not isinstance(value, cupy.ndarray):
        if not hasattr(value, "__cuda_array_interface__"):
            return None
        enter(index)
        value = cupy.asarray(value)
    if value.dtype not in PORTABLE:
        return None
    if value.data.device_id != index:
        return _to_other_device(value, index)
    return contiguous(value) if any(stride < 0 for stride in value.strides) else value


def _adopt_host(value: Any, index: int) -> Any:
    native = value.dtype.newbyteorder("=") if value.dtype not in PORTABLE else value.dtype
    if native not in PORTABLE:
        return None
    value = np.ascontiguousarray(value.astype(native, copy=False)).reshape(value.shape)
    out = new_on(index, value.shape, native)
    return _to_device(value.reshape(-1).view(np.uint8).data, out) if out.size else out


@kernel
def to_device(x: Any, device: Any) -> Any:
    """From one CUDA device to another without the host."""
    return _to_other_device(x, device.index) if device.type == "cuda" else None


def _to_other_device(x: Any, index: int) -> Any:
    x = contiguous(x)
    source = current_stream(x.data.device_id)
    ready = source.record(cupy.cuda.Event(disable_timing=True))
    out = new_on(index, x.shape, x.dtype)
    target = current_stream(index)
    target.wait_event(ready)
    out.data.copy_from_device_async(x.data, x.nbytes, target)
    copied = target.record(cupy.cuda.Event(disable_timing=True))
    enter(x.data.device_id)
    source.wait_event(copied)  # the memory of x may be given to another array only then
    return out
