"""Fourier transforms: cuFFT, through CuPy."""

from __future__ import annotations

import cupy
import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy.arrays import index_of, new, zeros
from plugrad_cupy.devices import enter
from plugrad_cupy.strided import contiguous, copied, copy_into


@kernel
def fft_c2c(x, dim, norm, inverse):
    x = _ready(x)
    if not x.size:  # cuFFT plans no transform of nothing
        return copied(x)
    return (cupy.fft.ifftn if inverse else cupy.fft.fftn)(x, axes=dim, norm=norm)


@kernel
def fft_r2c(x, dim, norm):
    if not x.size:
        half = (*x.shape[:dim], x.shape[dim] // 2 + 1, *x.shape[dim + 1 :])
        return new(half, np.dtype(x.dtype.char.upper()), x)
    return cupy.fft.rfft(_ready(x), axis=dim, norm=norm)


@kernel
def fft_c2r(x, dim, norm, size):
    if not x.size:
        whole = (*x.shape[:dim], size, *x.shape[dim + 1 :])
        return new(whole, np.dtype(x.dtype.char.lower()), x)
    # cuFFT does not promise to leave out the imaginary parts that have no meaning.
    x = copied(_ready(x))
    for place in {0, size // 2} if size % 2 == 0 else {0}:
        _clear_imaginary(x, dim, place)
    return cupy.fft.irfft(x, size, axis=dim, norm=norm)


def _ready(x):
    enter(index_of(x))
    return contiguous(x)


def _clear_imaginary(x, dim, place):
    real = np.dtype(x.dtype.char.lower())
    shape, strides = list(x.shape), list(x.strides)
    start = place * strides[dim] + real.itemsize
    del shape[dim], strides[dim]
    parts = cupy.ndarray(tuple(shape), real, x.data + start, tuple(strides))
    copy_into(parts, zeros(parts.shape, real, x))
