"""Attention, fused: the matrix of scores is never in memory."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import new
from plugrad_cupy.layouts import collapse
from plugrad_cupy.modules import CTYPES
from plugrad_cupy.normalization import address
from plugrad_cupy.strided import broadcast_steps

_AXES, _ROWS, _COLUMNS = 4, 32, 128  # as in sources/attention.cu
_ATTENTION = f"6P5q{_AXES}q{5 * _AXES}q10qd2i"


@kernel
def attention(query, key, value, mask, kept, causal, scale):
    L, S, E, V = query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1]
    arrays = query, key, value, mask, kept
    lead = np.broadcast_shapes(*[x.shape[:-2] for x in arrays if x is not None])
    steps = [_steps(x, len(lead)) for x in arrays]
    axes = collapse(lead, *[each[:-2] for each in steps])
    if len(axes) > _AXES:
        return None
    out = new((*lead, L, V), query.dtype, query)
    if out.size:
        tiles = -(-L // _ROWS)
        spare = _AXES - len(axes)
        sizes = [size for size, *_ in axes] + [1] * spare
        # Sizes and strides are walked from the last axis on: the spare ones stand for one element.
        strides = [n for _, *each in axes for n in each] + [0] * (5 * spare)
        run = modules.kernel("attention.cu", "attention", (CTYPES[query.dtype],), _ATTENTION)
        run(
            (prod(lead) * tiles, 1, -(-V // _COLUMNS)),
            (256, 1, 1),
            *[address(x) for x in (out, *arrays)],
            *(L, S, E, V, tiles),
            *sizes,
            *strides,
            *[n for each in steps for n in each[-2:]],
            scale,
            causal,
            mask is not None and mask.dtype == np.bool_,
        )
    return out


def _steps(x: Any, lead: int) -> tuple[int, ...]:
    """Strides in elements, for so many axes of batches and heads and the last two, 0 where the
    array is broadcast.
    """
    return (0,) * (lead + 2) if x is None else broadcast_steps(x, lead + 2)
