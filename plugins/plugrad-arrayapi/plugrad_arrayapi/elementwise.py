"""Arithmetic and functions of each element."""

from __future__ import annotations

import math

from plugrad.hooks import kernel
from plugrad_arrayapi import special
from plugrad_arrayapi.kernels import Array, Kernels


class Elementwise(Kernels):
    """The standard's functions, and those that it lacks."""

    # arithmetic

    @kernel
    def add(self, x, y):
        return self.added(x, y)

    @kernel
    def sub(self, x, y):
        return self.xp.subtract(x, y)

    @kernel
    def mul(self, x, y):
        return self.multiplied(x, y)

    @kernel
    def div(self, x, y):
        return self.xp.divide(x, y)

    @kernel
    def floor_divide(self, x, y):
        return self.xp.floor_divide(x, y)

    @kernel
    def remainder(self, x, y):
        xp = self.xp
        if self.kind(x) == "int":
            return xp.remainder(x, y)
        rest, zero = self.fmod(x, y), self.like(0, x)
        opposite = (rest != zero) & ((rest < zero) != (y < zero))
        return xp.where(opposite, rest + y, xp.where(rest == zero, xp.copysign(rest, y), rest))

    @kernel
    def fmod(self, x, y):
        xp = self.xp
        if self.kind(x) == "float":
            return xp.copysign(self._rest(xp.abs(x), xp.abs(y)), x)
        rest, zero = xp.remainder(x, y), self.like(0, x)
        opposite = (rest != zero) & ((rest < zero) != (x < zero))
        return xp.where(opposite, rest - y, rest)

    @kernel
    def pow(self, x, y):
        xp = self.xp
        if self.kind(x) != "int":
            return xp.pow(x, y)
        # Negative powers of integers are refused by some libraries; they are 0 but for 1 and -1.
        zero, one = self.like(0, x), self.like(1, x)
        power = xp.pow(x, xp.where(y < zero, zero, y))
        if not self.portable[x.dtype].is_signed:
            return power
        odd = xp.bitwise_and(y, one) == one
        inverse = xp.where(x == one, one, xp.where(x == -one, xp.where(odd, -one, one), zero))
        return xp.where(y < zero, inverse, power)

    @kernel
    def neg(self, x):
        return self.xp.negative(x)

    @kernel
    def reciprocal(self, x):
        return self.xp.divide(self.like(1, x), x)

    @kernel
    def abs(self, x):
        return self.copy(x) if self.kind(x) == "bool" else self.xp.abs(x)

    @kernel
    def sign(self, x):
        if self.kind(x) == "bool":
            return self.copy(x)
        out = self.xp.sign(x)
        return out if self.kind(x) != "float" else self.xp.where(x == x, out, self.like(0, x))

    @kernel
    def sgn(self, x):
        return self.sign(x)

    @kernel
    def square(self, x):
        return self.xp.multiply(x, x)

    @kernel
    def maximum(self, x, y):
        return self.xp.logical_or(x, y) if self.kind(x) == "bool" else self.xp.maximum(x, y)

    @kernel
    def minimum(self, x, y):
        return self.xp.logical_and(x, y) if self.kind(x) == "bool" else self.xp.minimum(x, y)

    # exponentials and powers

    @kernel
    def exp(self, x):
        return self.xp.exp(x)

    @kernel
    def expm1(self, x):
        return self.xp.expm1(x)

    @kernel
    def exp2(self, x):
        return self.xp.pow(self.like(2, x), x)

    @kernel
    def log(self, x):
        return self.xp.log(x)

    @kernel
    def log1p(self, x):
        return self.xp.log1p(x)

    @kernel
    def log2(self, x):
        return self.xp.log2(x)

    @kernel
    def log10(self, x):
        return self.xp.log10(x)

    @kernel
    def sqrt(self, x):
        return self.xp.sqrt(x)

    # trigonometry

    @kernel
    def sin(self, x):
        return self.xp.sin(x)

    @kernel
    def cos(self, x):
        return self.xp.cos(x)

    @kernel
    def tan(self, x):
        return self.xp.tan(x)

    @kernel
    def asin(self, x):
        return self.xp.asin(x)

    @kernel
    def acos(self, x):
        return self.xp.acos(x)

    @kernel
    def atan(self, x):
        return self.xp.atan(x)

    @kernel
    def atan2(self, x, y):
        return self.xp.atan2(x, y)

    @kernel
    def hypot(self, x, y):
        return self.xp.hypot(x, y)

    @kernel
    def sinh(self, x):
        return self.xp.sinh(x)

    @kernel
    def cosh(self, x):
        return self.xp.cosh(x)

    @kernel
    def tanh(self, x):
        return self.xp.tanh(x)

    @kernel
    def asinh(self, x):
        return self.xp.asinh(x)

    @kernel
    def acosh(self, x):
        return self.xp.acosh(x)

    @kernel
    def atanh(self, x):
        return self.xp.atanh(x)

    # special functions

    @kernel
    def erf(self, x):
        return self._in_double(special.erf, x)

    @kernel
    def erfc(self, x):
        return self._in_double(special.erfc, x)

    # rounding

    @kernel
    def floor(self, x):
        return self._rounded(self.xp.floor, x)

    @kernel
    def ceil(self, x):
        return self._rounded(self.xp.ceil, x)

    @kernel
    def trunc(self, x):
        return self._rounded(self.xp.trunc, x)

    @kernel
    def round(self, x):
        return self._rounded(self.xp.round, x)

    # complex numbers

    @kernel
    def conj(self, x):
        return self.xp.conj(x) if self.kind(x) == "complex" else self.copy(x)

    @kernel
    def angle(self, x):
        xp = self.xp
        if self.kind(x) == "complex":
            return xp.atan2(xp.imag(x), xp.real(x))
        half_turn = xp.where(x < self.like(0, x), self.like(math.pi, x), self.like(0, x))
        return xp.where(xp.isnan(x), x, half_turn)

    def _rest(self, x: Array, y: Array) -> Array:
        """What numbers that are not negative leave, modulo others: exact."""
        xp = self.xp
        out = xp.remainder(x, y)
        lost = xp.isnan(out) & xp.isfinite(x) & (y > self.like(0, y))
        if bool(xp.any(lost)):
            # Some libraries divide first, and the quotient overflows (PyTorch's vectorised kernel
            # then gives NaN): take large multiples of the divisor away before.
            step = self.like(2.0 ** (1000 if x.dtype == xp.float64 else 120), y)
            for divisor in (y * step * step, y * step):
                x = xp.where(lost, xp.remainder(x, divisor), x)
            out = xp.remainder(x, y)
        return out

    def _rounded(self, function, x: Array) -> Array:
        # Of integers the standard lets a function return its argument.
        return self.copy(x) if self.kind(x) == "int" else function(x)

    def _in_double(self, function, x: Array) -> Array:
        wide = self.xp.astype(x, self.xp.float64)
        return self.xp.astype(function(self.xp, wide), x.dtype)
