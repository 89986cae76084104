"""The gamma function's family, inverses of the error function, and the zeta function: composites
that are computed in double precision and rounded once.
"""

from __future__ import annotations

import math

from plugrad.families import elementwise
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import (
    abs,
    clamp,
    clamp_max,
    clamp_min,
    erf,
    erfc,
    exp,
    floor,
    log,
    log1p,
    pow,
    round,
    sigmoid,
    sign,
    sin,
    sqrt,
    tan,
    trunc,
)
from plugrad.ops.precision import in_double, polynomial

REAL = "bool int float"


@elementwise(takes="float complex", body=True)
def logaddexp(x, y, /):
    """`log(exp(x) + exp(y))` without overflow."""
    if x.dtype.is_complex:
        first = x.real >= y.real
        larger, smaller = where(first, x, y), where(first, y, x)
        return larger + log1p(exp(smaller - larger))
    distance = where(x == y, 0, abs(x - y))  # of equal infinities, too
    larger = where(x < y, y, x)
    return larger + log1p(exp(-distance))


logaddexp.vjp(x=lambda g, x, y: g * sigmoid(x - y), y=lambda g, x, y: g * sigmoid(y - x))


# the gamma function -------------------------------------------------------------------------------

# Stirling's series, M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, 6.1.41: what
# log(gamma(x)) has beyond (x - 1/2) log(x) - x + log(2 pi) / 2, and, derived, 6.3.18; in powers of
# 1 / x². From 8 on they are good to 1e-17; smaller numbers get there by recurrence.
STIRLING = (
    -3617 / 122400,
    1 / 156,
    -691 / 360360,
    1 / 1188,
    -1 / 1680,
    1 / 1260,
    -1 / 360,
    1 / 12,
)
_STIRLING_SLOPE = (
    -3617 / 8160,
    1 / 12,
    -691 / 32760,
    1 / 132,
    -1 / 240,
    1 / 252,
    -1 / 120,
    1 / 12,
)
STEPS = 8


@elementwise(result="float", takes=REAL, body=True)
def lgamma(x, /):
    """The logarithm of the absolute value of the gamma function; inf at 0 and at negative
    integers.
    """
    return in_double(_lgamma, x)


lgamma.vjp(x=lambda g, x: g * digamma(x))


@elementwise(result="float", takes=REAL, body=True)
def digamma(x, /):
    """The derivative of `lgamma`: -inf at 0, NaN at negative integers."""
    return in_double(_digamma, x)


digamma.vjp(x=lambda g, x: g * polygamma(1, x))


@elementwise(result="float", takes=REAL, body=True)
def zeta(x, q, /):
    """The Hurwitz zeta function, the sum of `(q + k) ** -x` over k from 0 up; NaN for x < 1 and for
    negative q that is no integer.
    """
    return in_double(_zeta, x, q)


zeta.vjp(q=lambda g, x, q: -g * x * zeta(x + 1, q))


def polygamma(n, x):
    """The derivative of order `n`, at least 1, of `digamma`, by reflection for negative numbers."""
    low = x < 0
    sign = (-1) ** (n + 1)
    out = zeta(n + 1, where(low, 1 - x, x)) * (sign * math.factorial(n))
    # psi(1 - x) - psi(x) = pi cot(pi x), differentiated n times
    whole = x == floor(x)
    cotangent = 1 / tan(math.pi * where(low & ~whole, x - round(x), 0.25))
    turned = polynomial(_slopes_of_cotangent(n), cotangent) * math.pi ** (n + 1)
    reflected = where(whole, sign * math.inf, -sign * out - turned)
    return where(low, where(x == -math.inf, math.nan, reflected), out)


def _slopes_of_cotangent(n):
    """The derivative of order `n` of the cotangent c as a polynomial in c; the first is -1 - c²."""
    powers = [0, 1]
    for _ in range(n):
        slope = [k * each for k, each in enumerate(powers)][1:]
        powers = [-a - b for a, b in zip([*slope, 0, 0], [0, 0, *slope], strict=True)]
    return powers[::-1]


def _lgamma(x):
    # By reflection gamma(x) gamma(1 - x) = pi / sin(pi x).
    low = x <= 0
    high = where(low, 1 - x, x)
    infinite = abs(x) == math.inf
    high = where(infinite, 1, high)
    near = high < STEPS
    product = where(near, high, 1)
    for k in range(1, STEPS):
        product = product * where(near, high + k, 1)
    far = where(near, high + STEPS, high)
    rest = polynomial(STIRLING, 1 / (far * far)) / far
    out = (far - 0.5) * (log(far) - 1) + (rest + _HALF_LOG_TWO_PI - 0.5) - log(product)
    sine = abs(sin(math.pi * where(low & ~infinite, x - round(x), 0.5)))
    return where(infinite, math.inf, where(low, math.log(math.pi) - log(sine) - out, out))


_HALF_LOG_TWO_PI = math.log(2 * math.pi) / 2


def _digamma(x):
    low = x <= 0
    high = where(low, 1 - x, x)
    near = high < STEPS
    total = 0 * high
    for k in range(STEPS):
        total = total + where(near, 1 / (high + k), 0)
    far = where(near, high + STEPS, high)
    inverse = 1 / (far * far)
    out = log(far) - 0.5 / far - inverse * polynomial(_STIRLING_SLOPE, inverse)
    out = where(high == math.inf, high, out - total)
    # psi(1 - x) - psi(x) = pi / tan(pi x)
    whole = x == floor(x)
    slope = tan(math.pi * where(low & ~whole, x - round(x), 0.25))
    reflected = where(whole, math.nan, out - math.pi / slope)
    reflected = where(x == 0, -1 / where(x == 0, x, 1), reflected)
    return where(low, reflected, out)


# B(2k) / (2k)! of the formula by Euler and Maclaurin, Abramowitz and Stegun 23.1.30.
_BERNOULLI = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
    -3617 / 10670622842880000,
    43867 / 5109094217170944000,
)
_TERMS = 10
_LARGEST_ORDER = 1e15  # stands for infinity: all terms but that of q = 1 are 0 or infinite


def _zeta(x, q):
    poles = (x == 1) | ((q <= 0) & (q == floor(q)))
    outside = (x < 1) | ((q < 0) & ~poles)
    barred = poles | outside
    x, q = where(barred, 2, clamp_max(x, _LARGEST_ORDER)), where(barred, 1, q)
    total = pow(q, -x)
    for k in range(1, _TERMS):
        total = total + pow(q + k, -x)
    far = q + _TERMS
    last = pow(far, -x)
    total = total + pow(far, 1 - x) / (x - 1) + last * 0.5
    factor = x * last / far
    for k, each in enumerate(_BERNOULLI):
        total = total + each * factor
        factor = factor * (x + (2 * k + 1)) / far * ((x + (2 * k + 2)) / far)
    return where(outside, math.nan, where(poles, math.inf, total))


# the error function -------------------------------------------------------------------------------

_ROOT_PI = math.sqrt(math.pi)


@elementwise(result="float", takes=REAL, body=True)
def erfinv(x, /):
    """The inverse of `erf`: infinite at -1 and 1, NaN outside."""
    return in_double(lambda x: sign(x) * _inverse(abs(x), 1 - abs(x)), x)


erfinv.vjp(x=lambda g, out: g * exp(out * out) * (_ROOT_PI / 2))


@elementwise(result="float", takes=REAL, body=True)
def ndtri(x, /):
    """Below which number a standard normal variable lies with probability `x`; NaN outside
    [0, 1].
    """
    return in_double(_ndtri, x)


ndtri.vjp(x=lambda g, out: g * exp(out * out * 0.5) * math.sqrt(2 * math.pi))


@elementwise(result="float", takes=REAL, body=True)
def erfcx(x, /):
    """`exp(x * x) * erfc(x)`, which does not vanish for large `x`."""
    return in_double(_erfcx, x)


erfcx.vjp(x=lambda g, x, out: g * (2 * x * out - 2 / _ROOT_PI))


def _ndtri(x):
    low = x < 0.5
    tail = where(low, x, 1 - x)
    return where(low, -1, 1) * _inverse(1 - 2 * tail, 2 * tail) * math.sqrt(2)


def _inverse(x, tail):
    """The inverse of erf at `x`, which is not negative, and `tail`, 1 - x without cancellation."""
    end = (tail == 0) | (tail == 1)
    left = where(end, 0.5, tail)
    # S. Winitzki, A handy approximation for the error function and its inverse, 2008: good to 1 in
    # 500. Then Newton's method, in the tail for the logarithm of erfc.
    size = log(left * (2 - left))
    middle = 2 / (math.pi * _WINITZKI) + size * 0.5
    y = sqrt(-size / _WINITZKI / (sqrt(middle * middle - size / _WINITZKI) + middle))
    for _ in range(3):
        rest = clamp_min(erfc(y), 5e-324)
        slope = exp(clamp_max(y * y, 700)) * (_ROOT_PI / 2)
        missing = where(left > 0.5, x - erf(y), rest * log(rest / left))
        y = y + missing * slope
    return where(tail == 0, math.inf, where(tail == 1, x * (_ROOT_PI / 2), y))


_WINITZKI = 0.147


def _erfcx(x):
    near = clamp(x, -27, _FRACTION_FROM)  # whose exponential overflows at the low end
    # The square is split in two, the first part exact, so that its rounding is not magnified.
    coarse = trunc(near * 16) / 16
    square = exp(coarse * coarse) * exp((near - coarse) * (near + coarse))
    far = clamp_min(x, _FRACTION_FROM)
    # The continued fraction, Abramowitz and Stegun 7.1.14.
    fraction = far
    for k in range(_DEPTH, 0, -1):
        fraction = far + k / 2 / fraction
    return where(x < _FRACTION_FROM, square * erfc(near), 1 / (_ROOT_PI * fraction))


_FRACTION_FROM = 6
_DEPTH = 14
