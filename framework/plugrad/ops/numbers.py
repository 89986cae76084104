"""Questions about how a number is made: its sign, its exponent, its neighbours, its divisors."""

from __future__ import annotations

from plugrad.families import elementwise

REAL = "bool int float"


@elementwise(result="bool", takes=REAL)
def signbit(x, /):
    """Whether the element bears a minus, as -0.0 does."""


@elementwise(takes="float")
def binary_exponent(x, /):
    """The integer e for which `|x| = m * 2**e` with 1/2 <= m < 1; of 0, infinities and NaN 0."""


@elementwise(takes="float")
def nextafter(x, y, /):
    """The number of the dtype that follows `x` on the way to `y`."""


@elementwise(takes="int")
def gcd(x, y, /):
    """The greatest common divisor, which is not negative; of 0 and 0 it is 0."""
