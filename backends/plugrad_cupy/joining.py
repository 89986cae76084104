"""Putting arrays together, and reversing them."""

from __future__ import annotations

import cupy

from plugrad.hooks import kernel
from plugrad_cupy.arrays import new
from plugrad_cupy.strided import copied, copy_into


@kernel
def cat(tensors, dim):
    first = tensors[0]
    sizes = [x.shape[dim] for x in tensors]
    out = new((*first.shape[:dim], sum(sizes), *first.shape[dim + 1 :]), first.dtype, first)
    start = 0
    for x, size in zip(tensors, sizes):
        if x.size:
            copy_into(out[(slice(None),) * dim + (slice(start, start + size),)], x)
        start += size
    return out


@kernel
def flip(x, dims):
    if not x.size:
        return copied(x)
    strides, back = list(x.strides), 0
    for dim in {dim % x.ndim for dim in dims}:
        back += (x.shape[dim] - 1) * strides[dim]
        strides[dim] = -strides[dim]
    return copied(cupy.ndarray(x.shape, x.dtype, x.data + back, tuple(strides)))
