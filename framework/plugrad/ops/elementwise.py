"""Arithmetic and functions of each element. Derivatives are written without a word on broadcasting
or dtypes: the engine brings every cotangent to its operand's shape and dtype.
"""

from __future__ import annotations

import math

from plugrad.families import elementwise, in_place
from plugrad.ops.comparison import where

NUMBERS = "int float complex"
REAL = "bool int float"
ORDERED = "int float"


# arithmetic ---------------------------------------------------------------------------------------


@elementwise()
def add(x, y, /):
    """Sum; of bools, their disjunction."""


add.vjp(x=lambda g: g, y=lambda g: g)


@elementwise(takes=NUMBERS)
def sub(x, y, /):
    """Difference."""


sub.vjp(x=lambda g: g, y=lambda g: -g)


@elementwise()
def mul(x, y, /):
    """Product; of bools, their conjunction."""


mul.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)


@elementwise(result="float")
def div(x, y, /):
    """True quotient: integers give the default float dtype."""


# The square of y alone could overflow, or vanish.
div.vjp(x=lambda g, y: g / y, y=lambda g, x, y: -g * (x / y / y))


@elementwise(takes=ORDERED)
def floor_divide(x, y, /):
    """Quotient rounded down. An integer divided by zero is an error of the backend's arithmetic, a
    float infinite.
    """


floor_divide.vjp(x=lambda g: g * 0, y=lambda g: g * 0)


@elementwise(takes=ORDERED)
def remainder(x, y, /):
    """What `x - y * floor(x / y)` leaves: it has the divisor's sign."""


remainder.vjp(x=lambda g: g, y=lambda g, x, y: -g * floor_divide(x, y))


@elementwise(takes=ORDERED)
def fmod(x, y, /):
    """What `x - y * trunc(x / y)` leaves: it has the dividend's sign."""


fmod.vjp(x=lambda g: g, y=lambda g, x, y: -g * trunc(x / y))


@elementwise(takes=NUMBERS)
def pow(x, y, /):
    """`x` to the power `y`."""


pow.vjp(
    # At y = 0 the power is constant in x, also at x = 0, where x ** -1 is infinite.
    x=lambda g, x, y: g * where(y == 0, 0, y * pow(x, y - 1)),
    # At x = 0 and y >= 0 the limit of x ** y * log(x) is 0.
    y=lambda g, x, y, out: g * where((x == 0) & _not_negative(y), 0, out * log(x)),
)


@elementwise(takes=NUMBERS)
def neg(x, /):
    """The additive inverse."""


neg.vjp(x=lambda g: -g)


@elementwise(takes="bool int float complex", result="real", holomorphic=False)
def abs(x, /):
    """Absolute value; of a complex number its modulus, which is real."""


# At 0 the subgradient 0 is chosen, as sgn(0) is 0.
abs.vjp(x=lambda g, x: g * sgn(x))


@elementwise(takes=REAL)
def sign(x, /):
    """-1, 0 or 1; of NaN 0."""


sign.vjp(x=lambda g: g * 0)


@elementwise(holomorphic=False)
def sgn(x, /):
    """`sign` for real numbers; a complex number divided by its modulus, 0 for 0."""


sgn.vjp(x=lambda g, x, out: _sgn_vjp(g, x, out) if x.dtype.is_complex else g * 0)


@elementwise(takes=NUMBERS)
def square(x, /):
    """The element times itself."""


square.vjp(x=lambda g, x: g * x * 2)


@elementwise(takes=REAL)
def maximum(x, y, /):
    """The larger of the two; NaN if either is."""


# At a tie each operand gets half; where one is NaN both get all.
maximum.vjp(
    x=lambda g, x, y: where(x == y, g / 2, where(x < y, 0, g)),
    y=lambda g, x, y: where(x == y, g / 2, where(y < x, 0, g)),
)


@elementwise(takes=REAL)
def minimum(x, y, /):
    """The smaller of the two; NaN if either is."""


minimum.vjp(
    x=lambda g, x, y: where(x == y, g / 2, where(x > y, 0, g)),
    y=lambda g, x, y: where(x == y, g / 2, where(y > x, 0, g)),
)


@elementwise(takes=REAL, body=True)
def clamp(x, low, high, /):
    """`x` kept between `low` and `high`; where low > high, `high`."""
    return minimum(maximum(x, low), high)


# At a bound the whole cotangent passes, as in PyTorch.
clamp.vjp(
    x=lambda g, x, low, high: where((x >= low) & (x <= high), g, 0),
    low=lambda g, x, low, high: where((x < low) & (low < high), g, 0),
    high=lambda g, x, low, high: where((x > high) | (low > high), g, 0),
)


@elementwise(takes=REAL, body=True)
def clamp_min(x, low, /):
    """`x`, but at least `low`."""
    return maximum(x, low)


clamp_min.vjp(x=lambda g, x, low: where(x >= low, g, 0), low=lambda g, x, low: where(x < low, g, 0))


@elementwise(takes=REAL, body=True)
def clamp_max(x, high, /):
    """`x`, but at most `high`."""
    return minimum(x, high)


clamp_max.vjp(
    x=lambda g, x, high: where(x <= high, g, 0), high=lambda g, x, high: where(x > high, g, 0)
)


# exponentials and powers --------------------------------------------------------------------------


@elementwise(result="float")
def exp(x, /):
    """The exponential function."""


exp.vjp(x=lambda g, out: g * out)


@elementwise(result="float")
def expm1(x, /):
    """`exp(x) - 1` without cancellation near 0."""


expm1.vjp(x=lambda g, out: g * (out + 1))


@elementwise(result="float")
def exp2(x, /):
    """2 to the power `x`."""


exp2.vjp(x=lambda g, out: g * out * math.log(2))


@elementwise(result="float")
def log(x, /):
    """Natural logarithm: -inf at 0, NaN below."""


log.vjp(x=lambda g, x: g / x)


@elementwise(result="float")
def log1p(x, /):
    """`log(1 + x)` without cancellation near 0."""


log1p.vjp(x=lambda g, x: g / (x + 1))


@elementwise(result="float")
def log2(x, /):
    """Logarithm to base 2."""


log2.vjp(x=lambda g, x: g / (x * math.log(2)))


@elementwise(result="float")
def log10(x, /):
    """Logarithm to base 10."""


log10.vjp(x=lambda g, x: g / (x * math.log(10)))


@elementwise(result="float")
def sqrt(x, /):
    """Square root; NaN below 0."""


sqrt.vjp(x=lambda g, out: g / (out * 2))


@elementwise(result="float", body=True)
def rsqrt(x, /):
    """One over the square root."""
    return 1 / sqrt(x)


rsqrt.vjp(x=lambda g, out: g * out * out * out * -0.5)


@elementwise(result="float")
def reciprocal(x, /):
    """One over `x`."""


reciprocal.vjp(x=lambda g, out: -g * out * out)


# trigonometric and hyperbolic ---------------------------------------------------------------------


@elementwise(result="float")
def sin(x, /):
    """Sine of an angle in radians."""


sin.vjp(x=lambda g, x: g * cos(x))


@elementwise(result="float")
def cos(x, /):
    """Cosine of an angle in radians."""


cos.vjp(x=lambda g, x: -g * sin(x))


@elementwise(result="float")
def tan(x, /):
    """Tangent of an angle in radians."""


tan.vjp(x=lambda g, out: g * (out * out + 1))


@elementwise(result="float")
def asin(x, /):
    """Arcsine, in radians; NaN outside [-1, 1]."""


asin.vjp(x=lambda g, x: g * rsqrt(1 - x * x))


@elementwise(result="float")
def acos(x, /):
    """Arccosine, in radians; NaN outside [-1, 1]."""


acos.vjp(x=lambda g, x: -g * rsqrt(1 - x * x))


@elementwise(result="float")
def atan(x, /):
    """Arctangent, in radians."""


atan.vjp(x=lambda g, x: g / (x * x + 1))


@elementwise(result="float", takes="float")
def atan2(x, y, /):
    """The angle of the point (y, x), in radians from -pi to pi."""


atan2.vjp(
    x=lambda g, x, y: g * y * _by_square(x, y),
    y=lambda g, x, y: -g * x * _by_square(x, y),
)


@elementwise(takes="float")
def hypot(x, y, /):
    """The length of the hypotenuse over legs of these lengths, without overflow in between."""


hypot.vjp(x=lambda g, x, out: g * _share(x, out), y=lambda g, y, out: g * _share(y, out))


@elementwise(result="float")
def sinh(x, /):
    """Hyperbolic sine."""


sinh.vjp(x=lambda g, x: g * cosh(x))


@elementwise(result="float")
def cosh(x, /):
    """Hyperbolic cosine."""


cosh.vjp(x=lambda g, x: g * sinh(x))


@elementwise(result="float")
def tanh(x, /):
    """Hyperbolic tangent."""


tanh.vjp(x=lambda g, out: tanh_backward(g, out))


@elementwise(result="float")
def asinh(x, /):
    """Inverse hyperbolic sine."""


asinh.vjp(x=lambda g, x: g * rsqrt(x * x + 1))


@elementwise(result="float")
def acosh(x, /):
    """Inverse hyperbolic cosine; NaN below 1."""


acosh.vjp(x=lambda g, x: g * rsqrt(x - 1) * rsqrt(x + 1))


@elementwise(result="float")
def atanh(x, /):
    """Inverse hyperbolic tangent: infinite at -1 and 1, NaN outside."""


atanh.vjp(x=lambda g, x: g / (1 - x * x))


@elementwise(body=True)
def tanh_backward(g, out, /):
    """The cotangent of tanh's operand, from that of its result."""
    return g * (1 - out * out)


# special functions --------------------------------------------------------------------------------


@elementwise(result="float", takes=REAL)
def erf(x, /):
    """The error function, 2/sqrt(pi) times the integral of exp(-t²) from 0 to `x`."""


erf.vjp(x=lambda g, x: g * exp(-x * x) * (2 / math.sqrt(math.pi)))


@elementwise(result="float", takes=REAL)
def erfc(x, /):
    """`1 - erf(x)` without cancellation for large `x`."""


erfc.vjp(x=lambda g, x: g * exp(-x * x) * (-2 / math.sqrt(math.pi)))


@elementwise(result="float", body=True)
def sigmoid(x, /):
    """`1 / (1 + exp(-x))`."""
    if x.dtype.is_complex:
        return 1 / (1 + exp(-x))
    # exp of a negative number cannot overflow: both branches stay finite.
    decay = exp(-abs(x))
    return where(x >= 0, 1, decay) / (1 + decay)


sigmoid.vjp(x=lambda g, out: sigmoid_backward(g, out))


@elementwise(body=True)
def sigmoid_backward(g, out, /):
    """The cotangent of sigmoid's operand, from that of its result."""
    return g * out * (1 - out)


# rounding -----------------------------------------------------------------------------------------


@elementwise(takes=ORDERED)
def floor(x, /):
    """The largest integer not above `x`."""


@elementwise(takes=ORDERED)
def ceil(x, /):
    """The smallest integer not below `x`."""


@elementwise(takes=ORDERED)
def trunc(x, /):
    """The integer part, towards 0."""


@elementwise(takes=ORDERED)
def round(x, /):
    """The nearest integer; halves go to the even one."""


for _step in (floor, ceil, trunc, round):
    _step.vjp(x=lambda g: g * 0)


# complex numbers ----------------------------------------------------------------------------------


@elementwise(holomorphic=False)
def conj(x, /):
    """Complex conjugate; a real number is its own."""


conj.vjp(x=lambda g: conj(g))


@elementwise(result="float real", holomorphic=False)
def angle(x, /):
    """The argument of a complex number, in radians; of a real one 0 or pi."""


angle.vjp(
    x=lambda g, x: g * sgn(x) * 1j / where(x == 0, 1, abs(x)) if x.dtype.is_complex else g * 0
)


add_ = in_place(add)
sub_ = in_place(sub)
mul_ = in_place(mul)
div_ = in_place(div)
pow_ = in_place(pow)
floor_divide_ = in_place(floor_divide)
remainder_ = in_place(remainder)
neg_ = in_place(neg)
abs_ = in_place(abs)
exp_ = in_place(exp)
log_ = in_place(log)
sqrt_ = in_place(sqrt)
tanh_ = in_place(tanh)
sigmoid_ = in_place(sigmoid)
clamp_ = in_place(clamp)
clamp_min_ = in_place(clamp_min)
clamp_max_ = in_place(clamp_max)
floor_ = in_place(floor)
ceil_ = in_place(ceil)
round_ = in_place(round)
trunc_ = in_place(trunc)
square_ = in_place(square)
rsqrt_ = in_place(rsqrt)
reciprocal_ = in_place(reciprocal)


def _share(x, out):
    # At (0, 0) the subgradient 0 is chosen.
    return x / where(out == 0, 1, out)


def _by_square(x, y):
    # At (0, 0), where the angle jumps, the gradient 0 is chosen.
    square = x * x + y * y
    return where(square == 0, 0, 1 / where(square == 0, 1, square))


def _not_negative(y):
    return y.real >= 0 if y.dtype.is_complex else y >= 0


def _sgn_vjp(g, x, out):
    # d(x/|x|) for PyTorch's convention: (g - out * Re(conj(out) g)) / |x|, 0 where x is 0.
    modulus = abs(x)
    along = (conj(out) * g).real
    return where(modulus == 0, 0, (g - out * along) / where(modulus == 0, 1, modulus))
