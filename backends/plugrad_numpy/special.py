"""The error function, which NumPy lacks.

W. J. Cody, Rational Chebyshev approximations for the error function, Mathematics of Computation 23
(1969): three ranges of |x|, each a quotient of polynomials good to about 1e-16.
"""

from __future__ import annotations

import numpy as np

# Coefficients from the highest power down.
_NEAR_P = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_NEAR_Q = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_MIDDLE_P = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_MIDDLE_Q = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)
_FAR_P = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_FAR_Q = (
    1.0,
    2.56852019228982242e0,
    1.87295284992346725e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)
_NEAR, _FAR = 0.46875, 4.0


def erf(x):
    """2/sqrt(pi) times the integral of exp(-t²) from 0 to x; float64 in and out."""
    size = np.abs(x)
    near = size <= _NEAR
    return np.where(near, _erf_near(np.where(near, x, 0)), np.copysign(1 - _erfc_tail(size), x))


def erfc(x):
    """1 - erf(x), accurate where that is tiny; float64 in and out."""
    size = np.abs(x)
    near = size <= _NEAR
    tail = _erfc_tail(size)
    return np.where(near, 1 - _erf_near(np.where(near, x, 0)), np.where(x < 0, 2 - tail, tail))


def _ratio(p, q, z):
    return np.polyval(p, z) / np.polyval(q, z)


def _erf_near(x):
    return x * _ratio(_NEAR_P, _NEAR_Q, x * x)


def _erfc_tail(size):
    """erfc of numbers not below 0.46875; what it gives for smaller ones is not used."""
    middle = np.clip(size, _NEAR, _FAR)
    far = np.maximum(size, _FAR)
    inverse = 1 / (far * far)
    tail = (1 / np.sqrt(np.pi) - inverse * _ratio(_FAR_P, _FAR_Q, inverse)) / far
    factor = np.where(size <= _FAR, _ratio(_MIDDLE_P, _MIDDLE_Q, middle), tail)
    # exp(-size²) with the square split in two: the first part is exact, so its rounding is not
    # magnified.
    coarse = np.trunc(np.minimum(size, 32) * 16) / 16
    rest = (size - coarse) * (size + coarse)
    decay = np.exp(-coarse * coarse) * np.exp(-rest)
    return np.where(np.isnan(size), size, np.where(size > 30, 0, decay * factor))


# erf(x) / x as a quotient of polynomials in x², fitted for the least relative error (2e-8) where
# |x| < 3.925.
_SINGLE_P = (
    2.045965081696474e-06,
    0.00028483616788181604,
    0.0037724715254053194,
    0.05276905512777565,
    0.1905926889798875,
    1.128379145824046,
)
_SINGLE_Q = (
    3.804673803421212e-05,
    0.0011638278827213416,
    0.014983051731532667,
    0.1141821861511931,
    0.5022411046991275,
    1.0,
)
_ONE_FROM = 3.925  # beyond, erf rounds to 1 in single precision


def erf_single(x):
    """`erf` of float32, good to 4e-7, in float32 arithmetic."""
    x = np.clip(x, np.float32(-_ONE_FROM), np.float32(_ONE_FROM))
    square = x * x
    out = _polynomial(_SINGLE_P, square)
    out *= x
    out /= _polynomial(_SINGLE_Q, square)
    return out


def _polynomial(coefficients, x):
    first, second, *others = coefficients
    out = x * np.float32(first)
    out += np.float32(second)
    for each in others:
        out *= x
        out += np.float32(each)
    return out
