"""Comparisons, logic and bits."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels


class Comparison(Kernels):
    """Results are bools, or integers of the operands' dtype."""

    @kernel
    def eq(self, x, y):
        return self.xp.equal(x, y)

    @kernel
    def ne(self, x, y):
        return self.xp.not_equal(x, y)

    @kernel
    def lt(self, x, y):
        return self.xp.less(self.ordered(x), self.ordered(y))

    @kernel
    def le(self, x, y):
        return self.xp.less_equal(self.ordered(x), self.ordered(y))

    @kernel
    def gt(self, x, y):
        return self.xp.greater(self.ordered(x), self.ordered(y))

    @kernel
    def ge(self, x, y):
        return self.xp.greater_equal(self.ordered(x), self.ordered(y))

    @kernel
    def logical_not(self, x):
        return self.xp.logical_not(self.truth(x))

    @kernel
    def logical_and(self, x, y):
        return self.xp.logical_and(self.truth(x), self.truth(y))

    @kernel
    def logical_or(self, x, y):
        return self.xp.logical_or(self.truth(x), self.truth(y))

    @kernel
    def logical_xor(self, x, y):
        return self.xp.logical_xor(self.truth(x), self.truth(y))

    @kernel
    def isnan(self, x):
        return self.xp.isnan(x) if self._inexact(x) else self._everywhere(x, False)

    @kernel
    def isfinite(self, x):
        return self.xp.isfinite(x) if self._inexact(x) else self._everywhere(x, True)

    @kernel
    def isinf(self, x):
        return self.xp.isinf(x) if self._inexact(x) else self._everywhere(x, False)

    @kernel
    def bitwise_not(self, x):
        return self.xp.bitwise_invert(x)

    @kernel
    def bitwise_and(self, x, y):
        return self.xp.bitwise_and(x, y)

    @kernel
    def bitwise_or(self, x, y):
        return self.xp.bitwise_or(x, y)

    @kernel
    def bitwise_xor(self, x, y):
        return self.xp.bitwise_xor(x, y)

    @kernel
    def bitwise_left_shift(self, x, y):
        return self.xp.bitwise_left_shift(x, y)

    @kernel
    def bitwise_right_shift(self, x, y):
        return self.xp.bitwise_right_shift(x, y)

    @kernel
    def where(self, condition, x, y):
        return self.xp.where(condition, x, y)

    def _inexact(self, x: Array) -> bool:
        return self.kind(x) in ("float", "complex")

    def _everywhere(self, x: Array, answer: bool) -> Array:
        return self.xp.full(x.shape, answer, dtype=self.xp.bool)
