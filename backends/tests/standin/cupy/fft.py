"""`cupy.fft`, as far as the backend uses it: NumPy's on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cupy._array import ndarray
from cupy.cuda.stream import work as _work


def _transformed(function: Callable[..., Any], a: ndarray, *arguments: Any, **options: Any) -> Any:
    if not isinstance(a, ndarray):
        raise TypeError("The input array a must be a cupy.ndarray")
    if not a.size:
        raise ValueError("stand-in: cuFFT plans no transform of nothing")
    _work(a.data.device_id)
    found = function(a.host(), *arguments, **options)
    out = ndarray(found.shape, found.dtype)
    out.host()[...] = found
    return out


def fftn(a: ndarray, s: Any = None, axes: Any = None, norm: Any = None) -> ndarray:
    return _transformed(np.fft.fftn, a, s, axes, norm)


def ifftn(a: ndarray, s: Any = None, axes: Any = None, norm: Any = None) -> ndarray:
    return _transformed(np.fft.ifftn, a, s, axes, norm)


def rfft(a: ndarray, n: Any = None, axis: int = -1, norm: Any = None) -> ndarray:
    return _transformed(np.fft.rfft, a, n, axis, norm)


def irfft(a: ndarray, n: Any = None, axis: int = -1, norm: Any = None) -> ndarray:
    return _transformed(np.fft.irfft, a, n, axis, norm)
