"""Arrays as the loops of kernels want them: without gaps, the axis that matters told apart.

An array may lie in memory with its axes in any order, as a transposed one does. Kernels then work
along memory, and the result keeps that order: nothing is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Order = tuple[int, ...]

FLOATS = "fd"


def memory_order(x: Array) -> Order | None:
    """The axes from the slowest to the fastest in memory; None if the elements leave gaps."""
    if x.flags.c_contiguous:
        return tuple(range(x.ndim))
    strides = x.strides
    order = tuple(sorted(range(x.ndim), key=lambda axis: -strides[axis]))
    return order if x.transpose(order).flags.c_contiguous else None


def back(x: Array, order: Sequence[int]) -> Array:
    """Undo `x.transpose(order)`."""
    return x.transpose(sorted(range(len(order)), key=order.__getitem__))


def folded(dim: int, *operands: Array) -> tuple[Order, list[Array]]:
    """The operands as (outer, n, inner) around an axis, and the order of the first one's memory in
    which their axes now are. What lies in another order, or has gaps, is copied.
    """
    x = operands[0]
    order = memory_order(x) or tuple(range(x.ndim))
    place = order.index(dim)
    sizes = [x.shape[axis] for axis in order]
    shape = (prod(sizes[:place]), sizes[place], prod(sizes[place + 1 :]))
    return order, [np.ascontiguousarray(each.transpose(order)).reshape(shape) for each in operands]


def unfolded(x: Array, order: Order, shape: tuple[int, ...]) -> Array:
    """Back from any folding to `shape`, the axes of which were put in `order`."""
    return back(x.reshape([shape[axis] for axis in order]), order)


def run_along(dim: int, rows: Any, columns: Any, *operands: Array) -> Array | None:
    """A new array of the operands' shape and dtype, from a kernel that goes along an axis.

    Where the axis is the fastest in memory, `rows` gets the operands and the result as (outer, n),
    else `columns` gets them as (outer, n, inner). Operands in another order than the first are
    copied. Declines what is not float32 or float64, and arrays with gaps.
    """
    x = operands[0]
    order = memory_order(x)
    if x.dtype.char not in FLOATS or not x.ndim or order is None:
        return None
    place = order.index(dim)
    sizes = [x.shape[axis] for axis in order]
    inner = prod(sizes[place + 1 :])
    shape = (-1, sizes[place]) if inner == 1 else (-1, sizes[place], inner)
    if not x.size:
        return np.empty_like(x)
    out = np.empty(sizes, x.dtype)
    folded = [each.transpose(order).reshape(shape) for each in operands]
    (rows if inner == 1 else columns)(x.size, *folded, out.reshape(shape))
    return back(out, order)
