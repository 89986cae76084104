"""Systems of linear equations, in the standard's arithmetic.

The standard solves square systems, but knows no triangular ones, and does not say which pivot is 0:
so those go by halves, and elimination is written out, all matrices of a batch at once. What has a
body (solve, inverse, determinant) comes from these.
"""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels

_TERMS = 18  # of the exponential's series: 1/19! is less than float64 resolves


class Systems(Kernels):
    """Matrices stand in the last two axes."""

    @kernel
    def solve_triangular(self, a, b, upper, unitriangular):
        if not a.shape[-1]:
            return self.xp.zeros(self.xp.matmul(a, b).shape, dtype=b.dtype)
        return self._solved(a, b, upper, unitriangular)

    def _solved(self, a: Array, b: Array, upper: bool, unitriangular: bool) -> Array:
        size = a.shape[-1]
        if size == 1:
            return b / (self.xp.ones_like(a) if unitriangular else a)
        top, bottom = slice(size // 2), slice(size // 2, size)
        first, last = (bottom, top) if upper else (top, bottom)
        known = self._solved(a[..., first, first], b[..., first, :], upper, unitriangular)
        rest = b[..., last, :] - self.xp.matmul(a[..., last, first], known)
        found = self._solved(a[..., last, last], rest, upper, unitriangular)
        return self.xp.concat([found, known] if upper else [known, found], axis=-2)

    @kernel
    def lu_factor(self, x):
        xp = self.xp
        *batch, rows, columns = x.shape
        a, pivots = self.copy(x), [xp.zeros((*batch, 0), dtype=xp.int64)]
        info = xp.zeros(tuple(batch), dtype=xp.int32)
        for j in range(min(rows, columns)):
            chosen = xp.argmax(self._sizes(a[..., j:, j]), axis=-1, keepdims=True) + j
            pivots.append(chosen + 1)
            order = xp.expand_dims(self._exchanged(rows, j, chosen), axis=-1)
            a = xp.take_along_axis(a, xp.broadcast_to(order, a.shape), axis=-2)
            pivot = a[..., j : j + 1, j : j + 1]
            none = pivot == self.like(0, x)
            first = none[..., 0, 0] & (info == self.like(0, info))
            info = xp.where(first, self.like(j + 1, info), info)
            below = a[..., j + 1 :, j : j + 1] / xp.where(none, self.like(1, x), pivot)
            a[..., j + 1 :, j : j + 1] = below
            a[..., j + 1 :, j + 1 :] -= below * a[..., j : j + 1, j + 1 :]
        return a, xp.astype(xp.concat(pivots, axis=-1), xp.int32), info

    def _sizes(self, x: Array) -> Array:
        """As LAPACK measures pivots."""
        xp = self.xp
        return xp.abs(xp.real(x)) + xp.abs(xp.imag(x)) if self.kind(x) == "complex" else xp.abs(x)

    @kernel
    def permutation_of_pivots(self, pivots, size):
        xp = self.xp
        *batch, steps = pivots.shape
        chosen = xp.astype(pivots, xp.int64) - 1
        order = self.copy(xp.broadcast_to(xp.arange(size, dtype=xp.int64), (*batch, size)))
        for i in range(steps):
            exchanged = self._exchanged(size, i, chosen[..., i : i + 1])
            order = xp.take_along_axis(order, exchanged, axis=-1)
        return order

    def _exchanged(self, size: int, i: int, other: Array) -> Array:
        """The positions from 0 with the i-th and another one, an axis of length 1, exchanged."""
        xp = self.xp
        places = xp.arange(size, dtype=xp.int64)
        return xp.where(places == i, other, xp.where(places == other, self.like(i, other), places))

    @kernel
    def matrix_exp(self, x):
        # exp(x) = exp(x / 2^s)^(2^s), with s so that the norm is at most 1.
        xp = self.xp
        if 0 in x.shape:
            return self.copy(x)
        norm = xp.max(xp.sum(xp.abs(x), axis=-2, keepdims=True), axis=-1, keepdims=True)
        one, nothing = self.like(1, norm), self.like(0, norm)
        large = xp.isfinite(norm) & (norm > one)
        steps = xp.where(large, xp.ceil(xp.log2(xp.where(large, norm, one))), nothing)
        small = x * xp.astype(xp.pow(self.like(2, norm), -steps), x.dtype)
        identity = xp.eye(x.shape[-1], dtype=x.dtype)
        out = identity
        for k in range(_TERMS, 0, -1):
            out = identity + xp.matmul(small, out) / k
        for step in range(int(xp.max(steps))):
            out = xp.where(steps > step, xp.matmul(out, out), out)
        return out
