"""The length of vectors along axes."""

from __future__ import annotations

from math import inf

import numpy as np

from plugrad.ops import norm as ops
from plugrad_conformance.case import COMPOSED, INEXACT, Case, call, each, nonzero, reals


def _norm(x, p, dim, keepdim):
    size = np.abs(x)
    if abs(p) == inf:
        return (np.max if p > 0 else np.min)(size, axis=dim, keepdims=keepdim)
    if p == 0:
        return np.sum(size != 0, axis=dim, keepdims=keepdim).astype(size.dtype)
    return np.sum(size**p, axis=dim, keepdims=keepdim) ** (1 / p)


CASES = (
    Case(
        ops.vector_norm,
        each(
            two=call(reals(3, 4), p=2.0, dim=(1,), keepdim=False),
            one=call(nonzero(2, 3, 4), p=1.0, dim=(0, 2), keepdim=True),
            three=call(nonzero(3, 4), p=3.0, dim=(0, 1), keepdim=False),
            half=call(nonzero(4, 3), p=0.5, dim=(0,), keepdim=False),
            zero=call(nonzero(3, 4), p=0.0, dim=(1,), keepdim=False),
            largest=call(nonzero(3, 4), p=inf, dim=(1,), keepdim=False),
            smallest=call(nonzero(3, 4), p=-inf, dim=(0,), keepdim=True),
            empty=call(reals(0, 4), p=2.0, dim=(0,), keepdim=False),
        ),
        _norm,
        COMPOSED,
        INEXACT,
        expands=False,
    ),
)
