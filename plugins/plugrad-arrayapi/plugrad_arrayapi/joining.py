"""Putting arrays together, and reversing them."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Kernels


class Joining(Kernels):
    """Results own their memory."""

    @kernel
    def cat(self, tensors, dim):
        return self.copy(tensors[0]) if len(tensors) == 1 else self.xp.concat(tensors, axis=dim)

    @kernel
    def flip(self, x, dims):
        return self.copy(self.xp.flip(x, axis=dims) if dims else x)
