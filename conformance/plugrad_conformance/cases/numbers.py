"""Signs, exponents, neighbours and divisors of numbers."""

from __future__ import annotations

import numpy as np

from plugrad.ops import numbers as ops
from plugrad_conformance.case import (
    EXACT,
    FLOATS,
    INTEGERS,
    REAL,
    Case,
    call,
    each,
    reals,
    small,
    stepped,
    wide,
)
from plugrad_conformance.cases.patterns import binary, unary


def _exponent(x):
    return np.where(np.isfinite(x), np.frexp(x)[1], 0).astype(float)


def _signbit(x):
    return np.signbit(x) if x.dtype.kind == "f" else x < 0


CASES = (
    unary(ops.signbit, _signbit, EXACT, REAL, stepped, differentiable=False),
    unary(ops.binary_exponent, _exponent, EXACT, FLOATS, wide, differentiable=False),
    # The reference computes in float64, where the neighbours are others: it is given none.
    Case(
        ops.nextafter,
        each(rows=call(reals(3, 4), reals(3, 4)), outer=call(reals(3, 1), reals(1, 4))),
        None,
        EXACT,
        FLOATS,
        differentiable=False,
    ),
    binary(ops.gcd, np.gcd, EXACT, INTEGERS, y=small, differentiable=False, special=False),
)
