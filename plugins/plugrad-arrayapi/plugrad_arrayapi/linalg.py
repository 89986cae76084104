"""Products of matrices and vectors."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels


class Linalg(Kernels):
    """The library's own BLAS."""

    @kernel
    def matmul(self, x, y):
        if self.kind(x) == "bool":  # the standard multiplies numbers only
            return self.truth(self.xp.matmul(self._counts(x), self._counts(y)))
        return self.xp.matmul(x, y)

    def _counts(self, x: Array) -> Array:
        return self.xp.astype(x, self.xp.int64)
