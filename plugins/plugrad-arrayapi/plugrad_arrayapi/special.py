"""The error function, which the standard lacks, of float64 arrays of any library.

W. J. Cody, Rational Chebyshev approximations for the error function, Mathematics of Computation 23
(1969): three ranges of |x|, each a quotient of polynomials good to about 1e-16.
"""

from __future__ import annotations

import math
from typing import Any

Array = Any

# Coefficients from the highest power down.
_NEAR = (
    (
        (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2),
        (3.77485237685302021e2, 3.20937758913846947e3),
    ),
    (
        (1.0, 2.36012909523441209e1, 2.44024637934444173e2),
        (1.28261652607737228e3, 2.84423683343917062e3),
    ),
)
_MIDDLE = (
    (
        (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594),
        (6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2),
        (1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    ),
    (
        (1.0, 1.57449261107098347e1, 1.17693950891312499e2),
        (5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3),
        (4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
    ),
)
_FAR = (
    (
        (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1),
        (1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    ),
    (
        (1.0, 2.56852019228982242, 1.87295284992346725),
        (5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
    ),
)
_NEAR_END, _FAR_BEGIN, _ZERO_BEYOND = 0.46875, 4.0, 30.0


def erf(xp: Any, x: Array) -> Array:
    """2/sqrt(pi) times the integral of exp(-t²) from 0 to x."""
    size = xp.abs(x)
    far = xp.copysign(1 - _tail(xp, size), x)
    return xp.where(size <= _NEAR_END, _erf_near(xp, x), far)


def erfc(xp: Any, x: Array) -> Array:
    """1 - erf(x), accurate where that is tiny."""
    size = xp.abs(x)
    tail = _tail(xp, size)
    far = xp.where(x < 0, 2 - tail, tail)
    return xp.where(size <= _NEAR_END, 1 - _erf_near(xp, x), far)


def _erf_near(xp: Any, x: Array) -> Array:
    near = xp.clip(x, -_NEAR_END, _NEAR_END)
    return near * _ratio(_NEAR, near * near)


def _tail(xp: Any, size: Array) -> Array:
    """erfc of numbers not below 0.46875; what it gives for smaller ones is not used."""
    middle = xp.clip(size, _NEAR_END, _FAR_BEGIN)
    far = xp.clip(size, _FAR_BEGIN, _ZERO_BEYOND)
    inverse = 1 / (far * far)
    beyond = (1 / math.sqrt(math.pi) - inverse * _ratio(_FAR, inverse)) / far
    factor = xp.where(size <= _FAR_BEGIN, _ratio(_MIDDLE, middle), beyond)
    # exp(-size²) with the square split in two: the first part is exact, so its rounding is not
    # magnified.
    finite = xp.clip(size, 0.0, _ZERO_BEYOND)
    coarse = xp.trunc(finite * 16) / 16
    decay = xp.exp(-coarse * coarse) * xp.exp(-(finite - coarse) * (finite + coarse))
    out = xp.where(size > _ZERO_BEYOND, xp.zeros_like(size), decay * factor)
    return xp.where(xp.isnan(size), size, out)


def _ratio(quotient: Any, z: Array) -> Array:
    above, below = quotient
    return _polynomial(above, z) / _polynomial(below, z)


def _polynomial(rows: Any, z: Array) -> Array:
    first, *others = [number for row in rows for number in row]
    out = z * 0 + first
    for each in others:
        out = out * z + each
    return out
