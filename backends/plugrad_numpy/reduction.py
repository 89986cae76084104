"""Reductions along axes, and running sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALF_CHARS, ieee, in_single, quietly

_add: Any = np.add.reduce


@kernel
def sum(x, dim, keepdim):
    # Halves are summed in float32. Positional: keywords cost a tenth of a small sum.
    if x.dtype.char in HALF_CHARS:
        return ieee.run(_add, x, dim, np.float32, None, keepdim).astype(x.dtype)
    return ieee.run(_add, x, dim, None, None, keepdim)


@kernel
@in_single
@quietly
def prod(x, dim, keepdim):
    return np.multiply.reduce(x, axis=dim, keepdims=keepdim)


@kernel
@quietly
def amax(x, dim, keepdim):
    return np.maximum.reduce(x, axis=dim, keepdims=keepdim)


@kernel
@quietly
def amin(x, dim, keepdim):
    return np.minimum.reduce(x, axis=dim, keepdims=keepdim)


@kernel
def any(x, dim, keepdim):
    return np.logical_or.reduce(x, axis=dim, keepdims=keepdim)


@kernel
def all(x, dim, keepdim):
    return np.logical_and.reduce(x, axis=dim, keepdims=keepdim)


@kernel
def argmax(x, dim, keepdim):
    return _position(np.argmax, x, dim, keepdim)


@kernel
def argmin(x, dim, keepdim):
    return _position(np.argmin, x, dim, keepdim)


@kernel
@in_single
@quietly
def cumsum(x, dim):
    return np.cumsum(x, axis=dim if x.ndim else None, dtype=x.dtype).reshape(x.shape)


@kernel
@in_single
@quietly
def cumprod(x, dim):
    return np.cumprod(x, axis=dim if x.ndim else None, dtype=x.dtype).reshape(x.shape)


@kernel
@in_single
@quietly
def logcumsumexp(x, dim):
    return np.logaddexp.accumulate(x, axis=dim) if x.ndim else x.copy()


@kernel
@quietly
def cummax(x, dim):
    return _running(np.maximum, x, dim)


@kernel
@quietly
def cummin(x, dim):
    return _running(np.minimum, x, dim)


def _running(extreme, x, dim):
    values = extreme.accumulate(x, axis=dim)
    place = np.arange(x.shape[dim]).reshape(-1, *(1,) * (x.ndim - 1 - dim))
    marks = np.where((x == values) | (x != x), place, 0)
    return values, np.maximum.accumulate(marks, axis=dim)


def _position(find, x, dim, keepdim):
    return np.asarray(find(x, axis=dim if np.ndim(x) else None, keepdims=keepdim), dtype=np.int64)
