"""Signs, exponents, neighbours and divisors of numbers."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Kernels


class Numbers(Kernels):
    """How numbers are made."""

    @kernel
    def signbit(self, x):
        if self.kind(x) == "float":
            return self.xp.signbit(x)
        return self.xp.less(self.ordered(x), self.like(0, self.ordered(x)))

    @kernel
    def nextafter(self, x, y):
        return self.xp.nextafter(x, y)

    @kernel
    def binary_exponent(self, x):
        xp = self.xp
        usual = xp.isfinite(x) & (x != self.like(0, x))
        size = xp.where(usual, xp.abs(x), self.like(1, x))
        # Out of the range below the normal numbers, so that powers of two stay inside.
        steps = 128.0 if x.dtype == xp.float64 else 32.0
        low = size < self.like(2.0**-100, x)
        size = xp.where(low, size * self.like(2.0**steps, x), size)
        # The logarithm may be rounded to the next integer: the mantissa tells.
        guess = xp.floor(xp.log2(size))
        mantissa = size / xp.pow(self.like(2, x), guess)
        guess = xp.where(mantissa < self.like(1, x), guess - self.like(1, x), guess)
        guess = xp.where(mantissa >= self.like(2, x), guess + self.like(1, x), guess)
        exponent = xp.where(low, guess - self.like(steps, x), guess) + self.like(1, x)
        return xp.where(usual, exponent, self.like(0, x))

    @kernel
    def gcd(self, x, y):
        xp = self.xp
        x, y = xp.broadcast_arrays(x, y)
        x, y = self.copy(x), self.copy(y)
        nothing = self.like(0, x)
        while bool(xp.any(y != nothing)):
            going = y != nothing
            rest = xp.remainder(x, xp.where(going, y, self.like(1, y)))
            x, y = xp.where(going, y, x), xp.where(going, rest, nothing)
        return xp.where(x < nothing, nothing - x, x)
