"""Factors of matrices: the library's own.

The standard says neither which triangle of a symmetric matrix is read nor what is raised where an
algorithm fails: the lower one is mirrored, and both what NumPy raises and what PyTorch does are
understood. Eigenvalues of general matrices, which came to it in 2025.12 only, are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from plugrad.errors import LinAlgError
from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels

_FAILURES = (ValueError, RuntimeError)  # the bases of NumPy's and PyTorch's `LinAlgError`


def _converging(function: Callable[..., Any]) -> Callable[..., Any]:
    """Failures as plugrad names them; shapes and dtypes were checked before."""

    @wraps(function)
    def run(self: Kernels, *arguments: Any) -> Any:
        try:
            return function(self, *arguments)
        except _FAILURES as error:
            raise LinAlgError(
                function.__name__,
                "input",
                expected="matrices on which the algorithm converges",
                got=f"some on which it does not ({error})",
                hint="look for NaN and infinities",
            ) from error

    return run


class Decomposition(Kernels):
    """Matrices stand in the last two axes."""

    @kernel
    def cholesky(self, x):
        xp = self.xp
        try:
            return xp.linalg.cholesky(self._mirrored(x)), xp.zeros(x.shape[:-2], dtype=xp.int32)
        except _FAILURES:
            return self._by_columns(x)

    def _by_columns(self, x: Array) -> tuple[Array, Array]:
        """What the standard does not tell: at which order a matrix fails."""
        xp = self.xp
        info, factor = xp.zeros(x.shape[:-2], dtype=xp.int32), xp.zeros_like(x)
        rest = self.copy(x)
        for j in range(x.shape[-1]):
            pivot = rest[..., j : j + 1, j : j + 1]
            pivot = xp.real(pivot) if self.kind(x) == "complex" else pivot
            good = pivot > self.like(0, pivot)
            first = ~good[..., 0, 0] & (info == self.like(0, info))
            info = xp.where(first, self.like(j + 1, info), info)
            root = xp.astype(xp.sqrt(xp.where(good, pivot, self.like(1, pivot))), x.dtype)
            below = rest[..., j:, j : j + 1] / root
            factor[..., j:, j : j + 1] = below
            rest[..., j:, j:] -= xp.matmul(below, self._adjoint(below))
        return factor, info

    def _adjoint(self, x: Array) -> Array:
        turned = self.xp.matrix_transpose(x)
        return self.xp.conj(turned) if self.kind(x) == "complex" else turned

    def _mirrored(self, x: Array) -> Array:
        """The Hermitian matrix with this lower triangle."""
        return self.xp.tril(x) + self._adjoint(self.xp.tril(x, k=-1))

    @kernel
    @_converging
    def eigh(self, x):
        return tuple(self.xp.linalg.eigh(self._mirrored(x)))

    @kernel
    @_converging
    def eig(self, x):
        values, vectors = np.linalg.eig(np.from_dlpack(x))
        dtype = np.result_type(values.dtype, np.complex64)
        return tuple([self.xp.from_dlpack(each.astype(dtype)) for each in (values, vectors)])

    @kernel
    def qr(self, x, complete):
        return tuple(self.xp.linalg.qr(x, mode="complete" if complete else "reduced"))

    @kernel
    @_converging
    def svd(self, x, full):
        return tuple(self.xp.linalg.svd(x, full_matrices=full))
