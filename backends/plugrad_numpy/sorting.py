"""Sorting, searching, and the largest of several."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, quietly
from plugrad_numpy.indexing import combine_at, scattered


@kernel
def sort(x, dim, descending, stable):
    order = _order(x, dim, descending, stable)
    return np.take_along_axis(x, order, dim), order


@kernel
def argsort(x, dim, descending, stable):
    return _order(x, dim, descending, stable)


@kernel
def topk(x, k, dim, largest):
    keys, size = _keys(x), x.shape[dim]
    if not 0 < k < size:
        return None
    # A partition costs a tenth of a sort.
    edge = size - k if largest else k - 1
    part = np.argpartition(keys, edge, axis=dim)
    taken = slice(edge, None) if largest else slice(k)
    part = part[(slice(None),) * dim + (taken,)]
    order = _order(np.take_along_axis(keys, part, dim), dim, largest, True)
    part = np.take_along_axis(part, order, dim)
    return np.take_along_axis(x, part, dim), part


@kernel
def searchsorted(edges, x, right):
    if edges.ndim > 1:
        return None
    side = "right" if right else "left"
    return np.asarray(np.searchsorted(_keys(edges), _keys(x), side), np.int64)


@kernel
@quietly
def scatter_max(x, index, source, dim):
    return scattered(np.array(x, order="C"), index, source, dim, "scatter_max", _largest_at)


def _largest_at(flat, places, values):
    combine_at(np.maximum, flat, places, values)


def _order(x, dim, descending, stable):
    keys = _keys(x)
    kind = "stable" if stable else None
    if not descending:
        return np.argsort(keys, axis=dim, kind=kind)
    # Reversed before and after: equal elements keep their order, and NaN comes first.
    order = np.argsort(np.flip(keys, dim), axis=dim, kind=kind)
    return x.shape[dim] - 1 - np.flip(order, dim)


def _keys(x):
    # ml_dtypes orders NaN nowhere; float32 holds every half-precision number.
    return x.astype(np.float32) if x.dtype in HALVES else x
