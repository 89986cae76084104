"""Bessel functions of order 0 and 1, and Airy's, which is one of order 1/3. Each is a composite, in
ranges of x: a smooth function given by a polynomial (`bessel_series`), and next to it what is not
smooth.

M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, chapter 9, has the identities.
"""

from __future__ import annotations

import math

from plugrad.families import elementwise
from plugrad.ops import bessel_series as series
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import abs, clamp_max, clamp_min, cos, exp, log, sign, sin, sqrt
from plugrad.ops.precision import in_double, polynomial

REAL = "bool int float"
_FAR = 8  # from here on the functions of 1 / x
_FAR_K = 2
_FAR_LEFT = 4


# of the first and second kind ---------------------------------------------------------------------


@elementwise(result="float", takes=REAL, body=True)
def bessel_j0(x, /):
    """The Bessel function of the first kind of order 0."""
    return in_double(_j0, x)


bessel_j0.vjp(x=lambda g, x: -g * bessel_j1(x))


@elementwise(result="float", takes=REAL, body=True)
def bessel_j1(x, /):
    """The Bessel function of the first kind of order 1."""
    return in_double(_j1, x)


bessel_j1.vjp(x=lambda g, x, out: g * (bessel_j0(x) - _over(out, x, 0.5)))


@elementwise(result="float", takes=REAL, body=True)
def bessel_y0(x, /):
    """The Bessel function of the second kind of order 0: -inf at 0, NaN below."""
    return in_double(_y0, x)


bessel_y0.vjp(x=lambda g, x: -g * bessel_y1(x))


@elementwise(result="float", takes=REAL, body=True)
def bessel_y1(x, /):
    """The Bessel function of the second kind of order 1: -inf at 0, NaN below."""
    return in_double(_y1, x)


bessel_y1.vjp(x=lambda g, x, out: g * (bessel_y0(x) - out / x))


# modified, scaled so that they do not overflow ----------------------------------------------------


@elementwise(result="float", takes=REAL, body=True)
def i0e(x, /):
    """`exp(-|x|)` times the modified Bessel function of the first kind of order 0."""
    return in_double(_i0e, x)


i0e.vjp(x=lambda g, x, out: g * (i1e(x) - sign(x) * out))


@elementwise(result="float", takes=REAL, body=True)
def i1e(x, /):
    """`exp(-|x|)` times the modified Bessel function of the first kind of order 1."""
    return in_double(_i1e, x)


i1e.vjp(x=lambda g, x, out: g * (i0e(x) - sign(x) * out - _over(out, x, 0.5)))


@elementwise(result="float", takes=REAL, body=True)
def scaled_modified_bessel_k0(x, /):
    """`exp(x)` times the modified Bessel function of the second kind of order 0: inf at 0, NaN
    below.
    """
    return in_double(_k0e, x)


scaled_modified_bessel_k0.vjp(x=lambda g, x, out: g * (out - scaled_modified_bessel_k1(x)))


@elementwise(result="float", takes=REAL, body=True)
def scaled_modified_bessel_k1(x, /):
    """`exp(x)` times the modified Bessel function of the second kind of order 1: inf at 0, NaN
    below.
    """
    return in_double(_k1e, x)


scaled_modified_bessel_k1.vjp(
    x=lambda g, x, out: g * (out - scaled_modified_bessel_k0(x) - out / x)
)


# of Airy ------------------------------------------------------------------------------------------


@elementwise(result="float", takes=REAL, body=True)
def airy_ai(x, /):
    """Airy's function Ai, which for positive `x` fades and for negative swings."""
    return in_double(_airy, x)


# the formulas, in double precision ----------------------------------------------------------------


def _j0(x):
    size = abs(x)
    return where(size < _FAR, _j0_near(clamp_max(size, _FAR)), _waves(size, _first, 0))


def _j1(x):
    size = abs(x)
    far = _waves(size, _first, 1) * sign(x)
    return where(size < _FAR, _j1_near(_within(x, _FAR)), far)


def _y0(x):
    near = clamp_max(x, _FAR)
    smooth = polynomial(series.Y0_NEAR, near * near / 32 - 1)
    return where(
        x < _FAR,
        smooth + 2 / math.pi * log(near) * _j0_near(near),
        _waves(x, _second, 0),
    )


def _y1(x):
    near = where(x == 0, 1, clamp_max(x, _FAR))
    smooth = near * polynomial(series.Y1_NEAR, near * near / 32 - 1)
    out = smooth + 2 / math.pi * (log(near) * _j1_near(near) - 1 / near)
    return where(x == 0, -math.inf, where(x < _FAR, out, _waves(x, _second, 1)))


def _j0_near(x):
    return polynomial(series.J0_NEAR, x * x / 32 - 1)


def _j1_near(x):
    return x * polynomial(series.J1_NEAR, x * x / 32 - 1)


def _waves(x, kind, order):
    """Either kind from 8 on: waves of slowly changing size and phase."""
    infinite = x == math.inf
    x = where(infinite, _FAR, clamp_min(x, _FAR))
    z = _FAR / x
    t = 2 * z * z - 1
    p, q = ((series.P0, series.Q0), (series.P1, series.Q1))[order]
    p, q = polynomial(p, t), z * polynomial(q, t)
    # Cosine and sine of x - pi / 4, or of x - 3 pi / 4, times sqrt(2).
    cosine, sine = cos(x) + sin(x), sin(x) - cos(x)
    if order:
        cosine, sine = sine, -cosine
    return where(infinite, 0, kind(p, q, cosine, sine) / sqrt(math.pi * x))


def _first(p, q, cosine, sine):
    return p * cosine - q * sine


def _second(p, q, cosine, sine):
    return p * sine + q * cosine


def _i0e(x):
    size = abs(x)
    near = polynomial(series.I0_NEAR, clamp_max(size, _FAR) / 4 - 1)
    return where(size < _FAR, near, _fading(series.I0_FAR, size, _FAR))


def _i1e(x):
    size = abs(x)
    near = _within(x, _FAR) * polynomial(series.I1_NEAR, clamp_max(size, _FAR) / 4 - 1)
    return where(size < _FAR, near, _fading(series.I1_FAR, size, _FAR) * sign(x))


def _k0e(x):
    near = clamp_max(x, _FAR_K)
    smooth = polynomial(series.K0_NEAR, near * near / 2 - 1)
    out = exp(near) * (smooth - log(near / 2) * exp(near) * _i0e(near))
    return where(x < _FAR_K, out, _fading(series.K0_FAR, x, _FAR_K))


def _k1e(x):
    near = where(x == 0, 1, clamp_max(x, _FAR_K))
    smooth = polynomial(series.K1_NEAR, near * near / 2 - 1)
    out = exp(near) * (smooth / near + log(near / 2) * exp(near) * _i1e(near))
    out = where(x < _FAR_K, out, _fading(series.K1_FAR, x, _FAR_K))
    return where(x == 0, math.inf, out)


def _fading(coefficients, x, start):
    """A polynomial in 1 / x over the square root of x."""
    far = clamp_min(x, start)
    return polynomial(coefficients, 2 * start / far - 1) / sqrt(far)


def _within(x, bound):
    return clamp_max(clamp_min(x, -bound), bound)


def _over(out, x, at_zero):
    """`out / x`, and its limit at 0."""
    return where(x == 0, at_zero, out / where(x == 0, 1, x))


def _airy(x):
    near = clamp_max(clamp_min(x, -_FAR_LEFT), _FAR_K)
    out = polynomial(series.AI_NEAR, (near + 1) / 3)
    return where(x > _FAR_K, _airy_fading(x), where(x < -_FAR_LEFT, _airy_waves(-x), out))


def _airy_fading(x):
    x = clamp_min(x, _FAR_K)
    size, root = _airy_phase(x)
    smooth = polynomial(series.AI_DECAY, 2 * (2 / 3 * _FAR_K**1.5) / size - 1)
    return exp(-size) * smooth / (2 * math.sqrt(math.pi) * root)


def _airy_waves(x):
    infinite = x == math.inf
    x = where(infinite, _FAR_LEFT, clamp_min(x, _FAR_LEFT))
    size, root = _airy_phase(x)
    ratio = (2 / 3 * _FAR_LEFT**1.5) / size
    t = 2 * ratio * ratio - 1
    p, q = polynomial(series.AI_P, t), ratio * polynomial(series.AI_Q, t)
    # Cosine and sine of the phase less pi / 4, times sqrt(2).
    cosine, sine = cos(size) + sin(size), sin(size) - cos(size)
    return where(infinite, 0, (p * cosine + q * sine) / (math.sqrt(2 * math.pi) * root))


def _airy_phase(x):
    """`2/3 x^(3/2)` and the fourth root of x."""
    root = sqrt(x)
    return 2 / 3 * (x * root), sqrt(root)
