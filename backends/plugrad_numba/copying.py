"""Copies into C order of what lies in another, such as a transposed matrix: by tiles, which are
read and written in whole cache lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba.compiling import compiled
from plugrad_numba.layout import memory_order

# What moves is bits.
_BITS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_TILE = 32
# Below, NumPy is done before a kernel is called.
_SMALL = 1 << 14


@kernel
def clone(x):
    bits = _BITS.get(x.itemsize)
    if bits is None or x.size < _SMALL or x.flags.c_contiguous or x.ndim > 4:
        return None
    order = memory_order(x)
    if order is None or order[-1] == x.ndim - 1:
        return None
    out = np.empty(x.shape, x.dtype)
    # The axis that is fastest in memory and the one that will be, last; the others before them.
    axes = [axis for axis in range(x.ndim - 1) if axis != order[-1]] + [order[-1], x.ndim - 1]
    x_flat, out_flat = [each.view(bits).reshape(-1) for each in (x.transpose(order), out)]
    shape = _four(x.shape, axes, 1)
    strides, steps = [
        _four([step // x.itemsize for step in each.strides], axes, 0) for each in (x, out)
    ]
    _transpose(x.size, x_flat, out_flat, shape, strides, steps)
    return out


def _four(values: Sequence[int], axes: list[int], neutral: int) -> tuple[int, ...]:
    """In this order, of up to four axes as of four."""
    return (*[neutral] * (4 - len(axes)), *[values[axis] for axis in axes])


@compiled
def _transpose(x, out, shape, strides, steps):
    first, second, rows, columns = shape
    across = -(-columns // _TILE)
    for strip in prange(first * second * across):
        above, place = strip // across, strip % across
        i, j = above // second, above % second
        left = place * _TILE
        width = min(_TILE, columns - left)
        tile = np.empty((_TILE, _TILE), x.dtype)
        for top in range(0, rows, _TILE):
            height = min(_TILE, rows - top)
            for column in range(width):
                start = i * strides[0] + j * strides[1] + top + (left + column) * strides[3]
                source = x[start : start + height]
                for row in range(height):
                    tile[column, row] = source[row]
            for row in range(height):
                start = i * steps[0] + j * steps[1] + (top + row) * steps[2] + left
                target = out[start : start + width]
                for column in range(width):
                    target[column] = tile[column, row]
