"""What every kernel module needs: dtypes both ways, and new arrays on the right device.

A kernel that allocates does so by `new`, `zeros` or `contiguous`, which make the device of their
operand current; one that only writes calls `devices.enter` first.
"""

from __future__ import annotations

from typing import Any

import cupy
import ml_dtypes
import numpy as np

from plugrad import dtypes
from plugrad_cupy.devices import enter

NATIVE: dict[dtypes.DType, np.dtype[Any]] = {
    dtype: np.dtype(ml_dtypes.bfloat16 if dtype is dtypes.bfloat16 else dtype.name)
    for dtype in dtypes.ALL
}
PORTABLE = {native: dtype for dtype, native in NATIVE.items()}
HALVES = (NATIVE[dtypes.float16], NATIVE[dtypes.bfloat16])


def index_of(x: Any) -> int:
    """The index of the device that holds an array."""
    return x.data.device_id


def new(shape: tuple[int, ...], dtype: np.dtype[Any], x: Any) -> Any:
    """An array of anything in C order, on the device of `x`."""
    enter(x.data.device_id)
    return cupy.ndarray(shape, dtype)


def new_on(index: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """An array of anything in C order, on the device of that index."""
    enter(index)
    return cupy.ndarray(shape, dtype)


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any], x: Any) -> Any:
    """An array of zeros in C order, on the device of `x`."""
    out = new(shape, dtype, x)
    out.data.memset_async(0, out.nbytes)
    return out


def view(x: Any, shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> Any:
    """Other axes over the memory of `x`, from its first element on; strides in bytes, C order if
    not given.
    """
    return cupy.ndarray(shape, x.dtype, x.data, strides)


def summed_in(x: Any) -> np.dtype[Any]:
    """The dtype of sums that are not yet whole: halves are added up in float32, rounded once."""
    return np.dtype(np.float32) if x.dtype in HALVES else x.dtype
