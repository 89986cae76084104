"""The incomplete gamma function; references sum its series."""

from __future__ import annotations

import math

import numpy as np

from plugrad.ops import incomplete_gamma as ops
from plugrad_conformance.case import COMPOSED, FLOATS, Array, Case, call, each

_gamma = np.vectorize(math.gamma, otypes=[float])


def _lower(a, x):
    # The series of M. Abramowitz, I. A. Stegun, 6.5.29.
    term = x**a * np.exp(-x) / _gamma(a + 1)
    total = term
    for k in range(1, 80):
        term = term * x / (a + k)
        total = total + term
    return total


def _spread(*shape):
    """Between 0.5 and 6."""
    return Array(shape, lambda draw, shape, dtype: draw.uniform(0.5, 6, shape))


def _case(function, reference):
    made = each(rows=call(_spread(3, 4), _spread(3, 4)), outer=call(_spread(3, 1), _spread(4)))
    return Case(function, made, reference, COMPOSED, FLOATS, constants=("a",))


CASES = (
    _case(ops.igamma, _lower),
    _case(ops.igammac, lambda a, x: 1 - _lower(a, x)),
)
