"""Pooling, window by window, in whatever order memory has: (outer, *spatial, inner), three spatial
axes. Where `inner` is 1 a window gives a number, else a run of numbers, many times as fast: arrays
in C order, (N, C, *spatial), are first brought into the order of `plugrad_numpy.layout`, in which
the results stay, unless the batch is small.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import rows
from plugrad_numba.compiling import compiled, inlined
from plugrad_numba.layout import FLOATS, Array, Order, memory_order, unfolded
from plugrad_numpy.layout import batch_last
from plugrad_numpy.pooling import window_counts, window_outputs

# Batches from which the numbers of a run are worth bringing together.
_BATCH = 8


def _folded(*operands: Array) -> tuple[Order, list[Array]]:
    """The operands as (outer, *spatial, inner), and the order in memory of the first one's axes;
    what lies otherwise is copied.
    """
    x = operands[0]
    spatial = tuple(range(2, x.ndim))
    order = memory_order(x)
    if order is None or spatial not in (order[:-2], order[1:-1], order[2:]):
        order = tuple(range(x.ndim))
    last = (*range(1, x.ndim), 0)
    if order[-1] == x.ndim - 1 and len(x) >= _BATCH:
        order = last
    place = order.index(2)
    found: list[Array] = []
    for each in operands:
        moved = batch_last(each) if order == last else np.ascontiguousarray(each.transpose(order))
        outer, inner = prod(moved.shape[:place]), prod(moved.shape[place + len(spatial) :])
        found.append(moved.reshape(outer, *_three(each.shape[2:], 1), inner))
    return order, found


def _three(values: tuple[int, ...], neutral: int) -> tuple[int, ...]:
    """Of one to three axes as of three."""
    return (*[neutral] * (3 - len(values)), *values)


@inlined
def _reach(place, size, kernel, stride, padding, dilation):
    """What a window sees of an axis: from where, and up to where, in steps of the dilation."""
    first = place * stride - padding
    last = min(size, first + kernel * dilation)
    return (first - first // dilation * dilation if first < 0 else first), last


# maximum ------------------------------------------------------------------------------------------


@kernel
def max_pool(x, kernel, stride, padding, dilation, ceil_mode):
    if x.dtype.char not in FLOATS:
        return None
    sizes = window_outputs(x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    order, (folds,) = _folded(x)
    outer, inner = folds.shape[0], folds.shape[4]
    shape = (outer, *_three(sizes, 1), inner)
    values, places = np.empty(shape, x.dtype), np.empty(shape, np.int64)
    windows = (_three(kernel, 1), _three(stride, 1), _three(padding, 0), _three(dilation, 1))
    work = values.size * prod(kernel)
    if inner == 1:
        _max_pool_numbers(work, *[each[..., 0] for each in (folds, values, places)], *windows)
    else:
        _max_pool_runs(work, folds, values, places, *windows)
    shape = (*x.shape[:2], *sizes)
    return unfolded(values, order, shape), unfolded(places, order, shape)


@compiled
def _max_pool_numbers(x, values, places, kernel, stride, padding, dilation):
    _, depth, height, width = x.shape
    for line in prange(values.shape[0] * values.shape[1] * values.shape[2]):
        above, j = line // values.shape[2], line % values.shape[2]
        block, i = above // values.shape[1], above % values.shape[1]
        a_first, a_last = _reach(i, depth, kernel[0], stride[0], padding[0], dilation[0])
        b_first, b_last = _reach(j, height, kernel[1], stride[1], padding[1], dilation[1])
        for k in range(values.shape[3]):
            c_first, c_last = _reach(k, width, kernel[2], stride[2], padding[2], dilation[2])
            best, place = x.dtype.type(-np.inf), (a_first * height + b_first) * width + c_first
            for a in range(a_first, a_last, dilation[0]):
                for b in range(b_first, b_last, dilation[1]):
                    for c in range(c_first, c_last, dilation[2]):
                        number = x[block, a, b, c]
                        better = (number > best) | np.isnan(number)
                        best = number if better else best
                        place = (a * height + b) * width + c if better else place
            values[block, i, j, k], places[block, i, j, k] = best, place


@compiled
def _max_pool_runs(x, values, places, kernel, stride, padding, dilation):
    _, depth, height, width, inner = x.shape
    for line in prange(values.shape[0] * values.shape[1] * values.shape[2]):
        above, j = line // values.shape[2], line % values.shape[2]
        block, i = above // values.shape[1], above % values.shape[1]
        a_first, a_last = _reach(i, depth, kernel[0], stride[0], padding[0], dilation[0])
        b_first, b_last = _reach(j, height, kernel[1], stride[1], padding[1], dilation[1])
        for k in range(values.shape[3]):
            c_first, c_last = _reach(k, width, kernel[2], stride[2], padding[2], dilation[2])
            best, place = values[block, i, j, k], places[block, i, j, k]
            rows.fill(best, -np.inf)
            rows.fill(place, (a_first * height + b_first) * width + c_first)
            for a in range(a_first, a_last, dilation[0]):
                for b in range(b_first, b_last, dilation[1]):
                    for c in range(c_first, c_last, dilation[2]):
                        seen, at = x[block, a, b, c], (a * height + b) * width + c
                        for n in range(inner):
                            better = (seen[n] > best[n]) | np.isnan(seen[n])
                            best[n] = seen[n] if better else best[n]
                            place[n] = at if better else place[n]


@kernel
def max_pool_backward(g, indices, input_size):
    if g.dtype.char not in FLOATS:
        return None
    order, (coming, places) = _folded(g, indices)
    outer, inner = coming.shape[0], coming.shape[4]
    out = np.zeros((outer, prod(input_size), inner), g.dtype)
    wrong = np.zeros(1, np.bool_)
    count = prod(g.shape[2:])
    arrays = [each.reshape(outer, count, inner) for each in (coming, places)]
    _max_pool_backward(2 * g.size, *arrays, out, wrong)
    if wrong[0]:
        return None  # NumPy's kernel says so
    return unfolded(out, order, (*g.shape[:2], *input_size))


@compiled
def _max_pool_backward(g, places, out, wrong):
    for block in prange(g.shape[0]):
        for i in range(g.shape[1]):
            for n in range(g.shape[2]):
                at = places[block, i, n]
                if 0 <= at < out.shape[1]:
                    out[block, at, n] += g[block, i, n]
                else:
                    wrong[0] = True


# mean ---------------------------------------------------------------------------------------------


@kernel
def avg_pool(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    if x.dtype.char not in FLOATS:
        return None
    dense = (1,) * len(kernel)
    sizes = window_outputs(x.shape[2:], kernel, stride, padding, dense, ceil_mode)
    order, (folds,) = _folded(x)
    counts = _elements(
        x, x.shape[2:], sizes, kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )
    out = np.empty((folds.shape[0], *counts.shape, folds.shape[4]), x.dtype)
    windows = (_three(kernel, 1), _three(stride, 1), _three(padding, 0))
    work = out.size * prod(kernel)
    if out.shape[4] == 1:
        _avg_pool_numbers(work, folds[..., 0], counts, out[..., 0], *windows)
    else:
        _avg_pool_runs(work, folds, counts, out, *windows)
    return unfolded(out, order, (*x.shape[:2], *sizes))


@compiled
def _avg_pool_numbers(x, counts, out, kernel, stride, padding):
    _, depth, height, width = x.shape
    for line in prange(out.shape[0] * out.shape[1] * out.shape[2]):
        above, j = line // out.shape[2], line % out.shape[2]
        block, i = above // out.shape[1], above % out.shape[1]
        a_first, a_last = _reach(i, depth, kernel[0], stride[0], padding[0], 1)
        b_first, b_last = _reach(j, height, kernel[1], stride[1], padding[1], 1)
        for k in range(out.shape[3]):
            c_first, c_last = _reach(k, width, kernel[2], stride[2], padding[2], 1)
            total = x.dtype.type(0)
            for a in range(a_first, a_last):
                for b in range(b_first, b_last):
                    for c in range(c_first, c_last):
                        total += x[block, a, b, c]
            out[block, i, j, k] = total / counts[i, j, k]


@compiled
def _avg_pool_runs(x, counts, out, kernel, stride, padding):
    _, depth, height, width, inner = x.shape
    for line in prange(out.shape[0] * out.shape[1] * out.shape[2]):
        above, j = line // out.shape[2], line % out.shape[2]
        block, i = above // out.shape[1], above % out.shape[1]
        a_first, a_last = _reach(i, depth, kernel[0], stride[0], padding[0], 1)
        b_first, b_last = _reach(j, height, kernel[1], stride[1], padding[1], 1)
        for k in range(out.shape[3]):
            c_first, c_last = _reach(k, width, kernel[2], stride[2], padding[2], 1)
            total = out[block, i, j, k]
            rows.fill(total, 0)
            for a in range(a_first, a_last):
                for b in range(b_first, b_last):
                    for c in range(c_first, c_last):
                        seen = x[block, a, b, c]
                        for n in range(inner):
                            total[n] += seen[n]
            for n in range(inner):
                total[n] /= counts[i, j, k]


@kernel
def avg_pool_backward(
    g, input_size, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    if g.dtype.char not in FLOATS:
        return None
    order, (coming,) = _folded(g)
    counts = _elements(
        g, input_size, g.shape[2:], kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )
    out = np.zeros((len(coming), *_three(input_size, 1), coming.shape[4]), g.dtype)
    windows = (_three(kernel, 1), _three(stride, 1), _three(padding, 0))
    work = g.size * prod(kernel)
    if out.shape[4] == 1:
        _avg_pool_backward_numbers(work, coming[..., 0], counts, out[..., 0], *windows)
    else:
        _avg_pool_backward_runs(work, coming, counts, out, *windows)
    return unfolded(out, order, (*g.shape[:2], *input_size))


@compiled
def _avg_pool_backward_numbers(g, counts, out, kernel, stride, padding):
    _, depth, height, width = out.shape
    for block in prange(g.shape[0]):
        for i, j, k in np.ndindex(counts.shape):
            a_first, a_last = _reach(i, depth, kernel[0], stride[0], padding[0], 1)
            b_first, b_last = _reach(j, height, kernel[1], stride[1], padding[1], 1)
            c_first, c_last = _reach(k, width, kernel[2], stride[2], padding[2], 1)
            share = g[block, i, j, k] / counts[i, j, k]
            for a in range(a_first, a_last):
                for b in range(b_first, b_last):
                    for c in range(c_first, c_last):
                        out[block, a, b, c] += share


@compiled
def _avg_pool_backward_runs(g, counts, out, kernel, stride, padding):
    _, depth, height, width, inner = out.shape
    for block in prange(g.shape[0]):
        share = np.empty(inner, g.dtype)
        for i, j, k in np.ndindex(counts.shape):
            a_first, a_last = _reach(i, depth, kernel[0], stride[0], padding[0], 1)
            b_first, b_last = _reach(j, height, kernel[1], stride[1], padding[1], 1)
            c_first, c_last = _reach(k, width, kernel[2], stride[2], padding[2], 1)
            coming = g[block, i, j, k]
            for n in range(inner):
                share[n] = coming[n] / counts[i, j, k]
            for a in range(a_first, a_last):
                for b in range(b_first, b_last):
                    for c in range(c_first, c_last):
                        result = out[block, a, b, c]
                        for n in range(inner):
                            result[n] += share[n]


def _elements(x, sizes, out, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """What the sum of each window is divided by, for three axes."""
    counts = divisor or window_counts(
        sizes, out, kernel, stride, padding, ceil_mode, count_include_pad, x.dtype
    )
    found = np.empty((*out, 1), x.dtype)
    found[...] = counts
    return found.reshape(_three(out, 1))
