"""How the conformance kit tests the new operator: one case, like those of plugrad's own."""

from __future__ import annotations

import numpy as np

from plugrad_conformance.case import COMPOSED, REAL, Case, call, each, reals
from plugrad_fastmath.operators import squareplus


def _squareplus(x, b):
    return (x + np.sqrt(x * x + b)) / 2


CASES = (
    Case(
        squareplus,
        each(
            rows=call(reals(3, 4), b=4.0),
            sharp=call(reals(2, 3), b=0.25),
            scalar=call(reals(), b=4.0),
            empty=call(reals(0, 3), b=4.0),
        ),
        _squareplus,
        COMPOSED,
        REAL,
        as_float=True,
    ),
)
