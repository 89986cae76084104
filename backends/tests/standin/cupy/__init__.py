"""A stand-in for CuPy: NOT CUDA, NumPy on the CPU. See README.md beside this package."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from shim.raw import RawModule as RawModule

from cupy import cuda as cuda
from cupy import fft as fft
from cupy._array import ndarray as ndarray
from cupy.cuda import memory as _memory
from cupy.cuda.stream import work as _work

__version__ = "stand-in (NOT CUDA: NumPy on the CPU)"

print("stand-in for cupy: NOT CUDA, NumPy on the CPU", file=sys.stderr)


def get_default_memory_pool() -> _memory.MemoryPool:
    """The pool that the default allocator takes from."""
    return _memory.default_pool


def argsort(a: ndarray, axis: int = -1, kind: str | None = None) -> ndarray:
    """Positions in ascending order, equal elements in the order that they had."""
    if kind not in (None, "stable"):
        raise ValueError("kind can only be None or stable")
    if a.ndim == 0:
        raise ValueError("Sorting arrays with the rank of zero is not supported")
    if a.dtype.kind not in "biuf":
        raise NotImplementedError(f"sorting {a.dtype}")
    _work(a.data.device_id)
    return _from_host(np.argsort(a.host(), axis=axis, kind="stable"))


def argwhere(a: ndarray) -> ndarray:
    """The positions of nonzero elements, a row each."""
    if a.dtype.kind not in "biufc":
        raise NotImplementedError(f"argwhere of {a.dtype}")
    _work(a.data.device_id)
    return _from_host(np.argwhere(a.host()))


def asarray(a: Any) -> ndarray:
    """A copy of a NumPy array, or of what can become one, on the current device."""
    if isinstance(a, ndarray):
        return a
    if hasattr(a, "__cuda_array_interface__"):
        raise NotImplementedError("the stand-in adopts no foreign device memory")
    _work()
    return _from_host(np.asarray(a))


def _from_host(array: np.ndarray[Any, Any]) -> ndarray:
    out = ndarray(array.shape, array.dtype)
    out.host()[...] = array
    return out
