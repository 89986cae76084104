"""Fourier transforms: pocketfft, through NumPy."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import quietly


@kernel
@quietly
def fft_c2c(x, dim, norm, inverse):
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=dim, norm=norm)


@kernel
@quietly
def fft_r2c(x, dim, norm):
    return np.fft.rfft(x, axis=dim, norm=norm)


@kernel
@quietly
def fft_c2r(x, dim, norm, size):
    return np.fft.irfft(x, size, axis=dim, norm=norm)
