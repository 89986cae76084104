"""Bessel functions. References are integrals by the trapezoidal rule, which for these converges as
fast as a power series, and Neumann's series.
"""

from __future__ import annotations

import math

import numpy as np

from plugrad.ops import bessel as ops
from plugrad_conformance.case import (
    COMPOSED,
    FLOATS,
    INTEGRAL,
    Array,
    Case,
    call,
    each,
    positive,
    reals,
    steep,
)

_EULER = 0.57721566490153286061


def _mean(integrand, x):
    angles = (np.arange(1024.0) + 0.5) * (math.pi / 1024)
    return np.mean(integrand(np.asarray(x)[..., None], angles), -1)


def _j(order):
    return lambda x: _mean(lambda x, angle: np.cos(order * angle - x * np.sin(angle)), x)


def _i(order):
    def integrand(x, angle):
        return np.cos(order * angle) * np.exp(x * np.cos(angle) - np.abs(x))

    return lambda x: _mean(integrand, x)


def _k(order):
    # The integrand falls so fast that what lies beyond 8 does not count.
    times = np.linspace(0, 8, 1025)
    weights = np.where(times == 0, 0.5, 1) * times[1]

    def integral(x):
        x = np.asarray(x)[..., None]
        fall = np.exp(-2 * x * np.sinh(times / 2) ** 2)
        return np.sum(weights * np.cosh(order * times) * fall, -1)

    return integral


def _y0(x):
    total, term, harmonic = 0 * x, 0 * x + 1, 0.0
    for k in range(1, 40):
        harmonic += 1 / k
        term = term * (-x * x / 4) / (k * k)
        total = total + harmonic * term
    return 2 / math.pi * ((np.log(x / 2) + _EULER) * _j(0)(x) - total)


def _y1(x):
    # By the Wronskian: J1 Y0 - J0 Y1 = 2 / (pi x); where J0 is near 0 from the derivative's series.
    total, term, harmonic = 0 * x, 0 * x + 1, 0.0
    for k in range(1, 40):
        harmonic += 1 / k
        term = term * (-x * x / 4) / (k * k)
        total = total + harmonic * term * 2 * k / x
    return -2 / math.pi * (_j(0)(x) / x - (np.log(x / 2) + _EULER) * _j(1)(x) - total)


def _airy(x):
    # The two series of M. Abramowitz, I. A. Stegun, 10.4.2.
    x = np.longdouble(x)
    first, second = 0 * x + 1, x
    total = _AIRY[0] * first - _AIRY[1] * second
    for k in range(3, 150, 3):
        first, second = first * x**3 / (k * (k - 1)), second * x**3 / (k * (k + 1))
        total = total + _AIRY[0] * first - _AIRY[1] * second
    return total.astype(float)


# Ai and -Ai' at 0.
_AIRY = np.longdouble("0.355028053887817239260"), np.longdouble("0.258819403792806798405")


def _both_sides(*shape):
    """Between -6 and 3."""
    return Array(shape, lambda draw, shape, dtype: draw.uniform(-6, 3, shape))


def _case(function, reference, x, **variants):
    made = each(rows=call(x(3, 4)), line=call(x(37)), **variants)
    return Case(function, made, reference, COMPOSED, FLOATS, as_float=True, also=INTEGRAL)


def _everywhere(function, reference):
    return _case(function, reference, reals, far=call(steep(37)))


CASES = (
    _everywhere(ops.bessel_j0, _j(0)),
    _everywhere(ops.bessel_j1, _j(1)),
    _case(ops.bessel_y0, _y0, positive),
    _case(ops.bessel_y1, _y1, positive),
    _everywhere(ops.i0e, _i(0)),
    _everywhere(ops.i1e, _i(1)),
    _case(ops.airy_ai, _airy, _both_sides),
    _case(ops.scaled_modified_bessel_k0, _k(0), positive),
    _case(ops.scaled_modified_bessel_k1, _k(1), positive),
)
