"""The incomplete gamma function: composites that are computed in double precision and rounded
once, by quadrature, which knows no bad region of the two operands.
"""

from __future__ import annotations

import math

from plugrad.families import elementwise
from plugrad.ops.comparison import where
from plugrad.ops.creation import arange
from plugrad.ops.elementwise import (
    abs,
    clamp,
    clamp_max,
    clamp_min,
    cosh,
    exp,
    expm1,
    log,
    log1p,
    minimum,
    sinh,
    sqrt,
)
from plugrad.ops.precision import in_double, polynomial
from plugrad.ops.reduction import sum
from plugrad.ops.special import STEPS, STIRLING, lgamma
from plugrad.ops.views import reshape


@elementwise(takes="float", body=True)
def igamma(a, x, /):
    """The regularized lower incomplete gamma function, the integral of t^(a - 1) exp(-t) from 0 to
    `x` over gamma(a); NaN where either is negative, or both are 0 or both infinite. It has a
    derivative in `x` alone.
    """
    return in_double(lambda a, x: _incomplete(a, x, 0), a, x)


igamma.vjp(x=lambda g, a, x: g * _gamma_density(a, x))


@elementwise(takes="float", body=True)
def igammac(a, x, /):
    """`1 - igamma(a, x)` without cancellation: the integral from `x` up."""
    return in_double(lambda a, x: _incomplete(a, x, 1), a, x)


igammac.vjp(x=lambda g, a, x: -g * _gamma_density(a, x))


def _gamma_density(a, x):
    return exp((a - 1) * log(x) - x - lgamma(a))


def _incomplete(a, x, upper):
    """Either of the two: the one that is not near 1 is an integral, the other 1 minus that.

    With t = x exp(y) the integrals are x^a exp(-x) times that of exp(-|b - x| y - x excess(±y))
    over y from 0, where b is the order and excess(y) = exp(y) - 1 - y. The lower one is taken for
    order a + 1, where it falls at a rate of at least 1, and brought back by recurrence.
    """
    void = (a < 0) | (x < 0) | ((a == 0) & (x == 0))
    void = void | ((a == math.inf) & (x == math.inf))
    none, whole = (x == 0) | (a == math.inf), ((a == 0) & (x > 0)) | (x == math.inf)
    barred = void | none | whole
    a, x = where(barred, 1, a), where(barred, 1, x)
    low = (x < a) | (x < 1)
    order = where(low, a + 1, a)
    distance = abs(order - x)
    # Up to here the integrand falls at least to exp(-_FALL): where one of its factors has.
    third = _FALL / 3
    reach = where(
        low,
        (third + sqrt(third * third + 2 * _FALL * x)) / x,
        minimum(sqrt(2 * _FALL / x), 1 + log1p(_FALL / x)),
    )
    reach = minimum(reach, _FALL / distance)
    integral = reach * _falling(distance, x, where(low, -reach, reach))
    # x^a exp(-x) / gamma(a), with x^a exp(-x) = a^a exp(-a) exp(-a excess(log(x / a))).
    ratio = (x - a) / a
    near = abs(ratio) < 0.5
    size = where(near, log1p(where(near, ratio, 0)), log(x) - log(a))
    density = _at_its_peak(a) * exp(-a * _excess(size))
    part = where(low, density / a * (1 + x * integral), density * integral)
    out = where(low, 1 - part, part) if upper else where(low, part, 1 - part)
    out = where(none, upper, where(whole, 1 - upper, out))
    return where(void, math.nan, out)


def _falling(distance, x, reach):
    """The integral over s from 0 to 1 of exp(-distance |y| - x excess(y)), y = reach s, by the rule
    of H. Takahasi and M. Mori (1974), whose nodes crowd at both ends.
    """
    v = arange(-_NODES * _SPACING, _SPACING, 2 * _NODES + 1, x.spec.dtype, x.spec.device)
    turned = exp(-math.pi * sinh(v))
    nodes = 1 / (1 + turned)
    weights = (_SPACING * math.pi) * cosh(v) * nodes * nodes * turned
    distance, x, reach = [reshape(each, (*each.shape, 1)) for each in (distance, x, reach)]
    y = reach * nodes
    return sum(weights * exp(-distance * abs(y) - x * _excess(y)), -1)


def _at_its_peak(a):
    """`a^a exp(-a) / gamma(a)`."""
    far = clamp_min(a, STEPS)
    near = clamp_max(a, STEPS)
    by_series = sqrt(far / (2 * math.pi)) * exp(-polynomial(STIRLING, 1 / (far * far)) / far)
    return where(a < STEPS, exp(near * log(near) - near - lgamma(near)), by_series)


def _excess(y):
    """`exp(y) - 1 - y` without cancellation."""
    small = clamp(y, -1, 1)
    return where(abs(y) < 1, small * small * polynomial(_EXPONENTIAL, small), expm1(y) - y)


_FALL = 40.0
_NODES = 48
_SPACING = 3.4 / _NODES
_EXPONENTIAL = tuple([1 / math.factorial(k) for k in range(17, 1, -1)])
