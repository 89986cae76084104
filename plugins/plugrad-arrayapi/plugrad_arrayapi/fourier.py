"""Fourier transforms: the library's own."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Kernels


class Fourier(Kernels):
    """The standard's extension `fft`."""

    @kernel
    def fft_c2c(self, x, dim, norm, inverse):
        fft = self.xp.fft
        return (fft.ifftn if inverse else fft.fftn)(x, axes=dim, norm=norm)

    @kernel
    def fft_r2c(self, x, dim, norm):
        return self.xp.fft.rfft(x, axis=dim, norm=norm)

    @kernel
    def fft_c2r(self, x, dim, norm, size):
        return self.xp.fft.irfft(x, n=size, axis=dim, norm=norm)
