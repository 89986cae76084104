"""Fourier transforms."""

from __future__ import annotations

import numpy as np

from plugrad import dtypes
from plugrad.ops import fourier as ops
from plugrad_conformance.case import COMPLEX, Case, Tolerance, call, each, reals

# Rounding grows with the logarithm of the size.
TRANSFORMED = Tolerance("transformed", own=4, steps=16)
REAL = (dtypes.float32, dtypes.float64)


def _c2c(x, dim, norm, inverse):
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=dim, norm=norm)


CASES = (
    Case(
        ops.fft_c2c,
        each(
            one=call(reals(3, 8), dim=(1,), norm="backward", inverse=False),
            back=call(reals(5, 2), dim=(0,), norm="backward", inverse=True),
            two=call(reals(2, 3, 4), dim=(0, 2), norm="ortho", inverse=False),
            forward=call(reals(7, 3), dim=(0, 1), norm="forward", inverse=True),
        ),
        _c2c,
        TRANSFORMED,
        COMPLEX,
    ),
    Case(
        ops.fft_r2c,
        each(
            even=call(reals(3, 8), dim=1, norm="backward"),
            odd=call(reals(5, 2), dim=0, norm="ortho"),
            single=call(reals(2, 1), dim=1, norm="forward"),
        ),
        lambda x, dim, norm: np.fft.rfft(x, axis=dim, norm=norm),
        TRANSFORMED,
        REAL,
    ),
    Case(
        ops.fft_c2r,
        each(
            even=call(reals(3, 5), dim=1, norm="backward", size=8),
            odd=call(reals(3, 2), dim=0, norm="ortho", size=5),
            single=call(reals(2, 1), dim=1, norm="forward", size=1),
        ),
        lambda x, dim, norm, size: np.fft.irfft(x, size, axis=dim, norm=norm),
        TRANSFORMED,
        COMPLEX,
    ),
)
