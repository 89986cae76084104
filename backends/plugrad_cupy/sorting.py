"""Sorting, which is CuPy's."""

from __future__ import annotations

import cupy
import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy.arrays import HALVES, new, zeros
from plugrad_cupy.choice import INT64
from plugrad_cupy.indexing import along
from plugrad_cupy.joining import flip
from plugrad_cupy.strided import axes, axes_layout, cast_to, contiguous, launch, steps


@kernel
def sort(x, dim, descending, stable):
    order = _order(x, dim, descending)
    return along("sort", x, order, dim).take(x), order


@kernel
def argsort(x, dim, descending, stable):
    return _order(x, dim, descending)


_REFLECT = f"2P2q{axes_layout(1)}"


def _order(x, dim, descending):
    if not x.ndim or not x.size:
        return zeros(x.shape, INT64, x)
    keys = x
    if x.dtype in HALVES:
        keys = cast_to(x, np.dtype(np.float32))  # holds every half-precision number
    elif x.dtype.kind == "b":
        keys = cast_to(x, np.dtype(np.uint8))
    if not descending:
        return contiguous(cupy.argsort(contiguous(keys), axis=dim))
    # Reversed before and after: equal elements keep their order, and NaN comes first.
    order = cupy.argsort(flip(keys, (dim,)), axis=dim)
    out = new(x.shape, INT64, x)
    back = list(steps(order))
    first = order.data.ptr + (x.shape[dim] - 1) * order.strides[dim]
    back[dim] = -back[dim]
    size, last = x.size, x.shape[dim] - 1
    walk = axes("sort", x.shape, back)
    launch("ordering.cu", "reflect", (), _REFLECT, size, out.data.ptr, first, size, last, *walk)
    return out
