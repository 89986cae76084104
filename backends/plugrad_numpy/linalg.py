"""Products of matrices and vectors: BLAS, through NumPy."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, ieee, in_single


def _product(x, y):
    """One call of BLAS where all matrices of `x` meet the same one, for which NumPy makes many."""
    if y.ndim == 2 < x.ndim and x.size and x.flags.c_contiguous:
        rows = x.reshape(-1, x.shape[-1])
        return ieee.run(np.matmul, rows, y).reshape(*x.shape[:-1], y.shape[-1])
    return ieee.run(np.matmul, x, y)


@kernel
@in_single
def matmul(x, y):
    return _product(x, y)


@kernel
def linear(x, weight, bias):
    if weight.ndim != 2 or x.dtype in HALVES:
        return None
    out = _product(x, weight.T)
    return out if bias is None else ieee.run(np.add, out, bias, out)
