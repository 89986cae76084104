"""Reductions along axes, and running sums."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels


class Reduction(Kernels):
    """`dim` is a tuple of axes; of a position or a running sum, one axis."""

    @kernel
    def sum(self, x, dim, keepdim):
        x = self._countable(x)
        return self.xp.sum(x, axis=dim, dtype=x.dtype, keepdims=keepdim)

    @kernel
    def prod(self, x, dim, keepdim):
        x = self._countable(x)
        return self.xp.prod(x, axis=dim, dtype=x.dtype, keepdims=keepdim)

    @kernel
    def amax(self, x, dim, keepdim):
        if self.kind(x) == "bool":
            return self.any(x, dim, keepdim)
        return self.xp.max(x, axis=dim, keepdims=keepdim)

    @kernel
    def amin(self, x, dim, keepdim):
        if self.kind(x) == "bool":
            return self.all(x, dim, keepdim)
        return self.xp.min(x, axis=dim, keepdims=keepdim)

    @kernel
    def any(self, x, dim, keepdim):
        return self._own(self.xp.any(self.truth(x), axis=dim, keepdims=keepdim), dim)

    @kernel
    def all(self, x, dim, keepdim):
        return self._own(self.xp.all(self.truth(x), axis=dim, keepdims=keepdim), dim)

    @kernel
    def argmax(self, x, dim, keepdim):
        return self._position(self.xp.argmax, x, dim, keepdim)

    @kernel
    def argmin(self, x, dim, keepdim):
        return self._position(self.xp.argmin, x, dim, keepdim)

    @kernel
    def cumsum(self, x, dim):
        if not x.ndim:
            return self.copy(x)
        return self.xp.cumulative_sum(x, axis=dim, dtype=x.dtype)

    def _own(self, found: Array, dim: tuple[int, ...]) -> Array:
        # A reduction over no axis may hand its operand back.
        return found if dim else self.copy(found)

    def _countable(self, x: Array) -> Array:
        # The frontend has cast integers to int64 already, but not what it counts: bools.
        counts = self.kind(x) in ("bool", "int")
        return self.xp.astype(x, self.xp.int64) if counts else x

    def _position(self, find, x: Array, dim: int | None, keepdim: bool) -> Array:
        if dim is None or not x.ndim:
            found = find(self.xp.reshape(x, (-1,)), axis=0)
            found = self.xp.reshape(found, (1,) * x.ndim if keepdim else ())
        else:
            found = find(x, axis=dim, keepdims=keepdim)
        return self.xp.astype(found, self.xp.int64)
