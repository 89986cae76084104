"""Convolution as matrix products of filters and columns, and its two gradients."""

from __future__ import annotations

from itertools import product
from math import gcd, prod

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_numpy.arrays import in_single, quietly
from plugrad_numpy.columns import BLOCK, Plan, columns_of, plan_for
from plugrad_numpy.layout import Array, Sizes, batch_first, batch_last, scratch, seen_by_taps


def _convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    out: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """From and to (C, *spatial, N); `padding` is that on the left, `out` the sizes to arrive at."""
    count, kernel, batch = weight.shape[0], weight.shape[2:], x.shape[-1]
    plan = plan_for(x.shape, out, kernel, stride, padding, dilation, groups, x.itemsize)
    filters = _row_by_row(weight, plan, groups)[:, None]
    y = np.empty((count, *out, batch), x.dtype)
    rows = _rows(y, plan, groups)
    if bias is not None:
        bias = bias.reshape(groups, 1, -1, 1)
    for some, lines, places, columns in columns_of(x, plan, groups):
        piece = rows[some, lines, :, places]
        np.matmul(filters[some], columns, out=piece)
        if bias is not None:
            piece += bias[some]
    return y


def _row_by_row(weight: Array, plan: Plan, groups: int) -> Array:
    """Filters in the order of the columns, (groups, O / groups, kernel[0] * C * kernel[1:])."""
    count, share = weight.shape[:2]
    parts = weight.reshape(groups, count // groups, share, plan.kernel[0], -1)
    return np.ascontiguousarray(parts.swapaxes(2, 3)).reshape(groups, count // groups, -1)


def _rows(y: Array, plan: Plan, groups: int) -> Array:
    """(O, *out, N) seen as (groups, rows, O / groups, places)."""
    lines = 1 if plan.pointwise else plan.out[0]
    return y.reshape(groups, len(y) // groups, lines, y[0].size // lines).swapaxes(1, 2)


@kernel
@in_single
@quietly
def convolution(x, weight, bias, stride, padding, dilation, groups):
    x = batch_last(x)
    axes = zip(x.shape[1:-1], weight.shape[2:], stride, padding, dilation)
    out = tuple([window_count(*axis) for axis in axes])
    return batch_first(_convolve(x, weight, bias, out, stride, padding, dilation, groups))


@kernel
@in_single
@quietly
def convolution_weight_gradient(y, x, kernel, stride, padding, dilation, groups):
    x, y = batch_last(x), batch_last(y)
    count, share = len(y), len(x) // groups
    plan = plan_for(x.shape, y.shape[1:-1], kernel, stride, padding, dilation, groups, x.itemsize)
    rows = _rows(y, plan, groups)
    weight = np.zeros((groups, count // groups, share * prod(kernel)), x.dtype)
    for some, lines, places, columns in columns_of(x, plan, groups):
        parts = np.matmul(rows[some, lines, :, places], columns.swapaxes(2, 3))
        weight[some] += parts.sum(1)
    weight = weight.reshape(groups, count // groups, plan.kernel[0], share, -1).swapaxes(2, 3)
    return weight.reshape(count, share, *kernel)


@kernel
@in_single
@quietly
def convolution_input_gradient(y, weight, input_size, stride, padding, dilation, groups):
    count, channels = weight.shape[0], weight.shape[1] * groups
    # Gathering copies columns of `y`, scattering adds columns of the result, which is dearer.
    gather = count <= channels * (2 if max(stride) == 1 else 1)
    pull = _gather if gather else _scatter
    return batch_first(pull(batch_last(y), weight, input_size, stride, padding, dilation, groups))


def _scatter(
    y: Array,
    weight: Array,
    input_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """What each output gives to its window, as columns, added up tap by tap (col2im)."""
    count, share, *kernel = weight.shape
    batch, out = y.shape[-1], y.shape[1:-1]
    filters = weight.reshape(groups, count // groups, -1).swapaxes(1, 2)
    x = np.zeros((share * groups, *input_size, batch), y.dtype)
    row = filters[:, :, 0].size * prod(out[1:]) * batch * y.itemsize
    height = max(1, BLOCK // max(1, row))
    for top in range(0, out[0], height):
        piece = y[:, top : top + height]
        sizes = piece.shape[1:]
        columns = scratch((groups, filters.shape[1], prod(sizes)), y.dtype, "columns")
        np.matmul(filters, piece.reshape(groups, count // groups, -1), out=columns)
        columns = columns.reshape(len(x), *kernel, *sizes)
        margins = (padding[0] - top * stride[0], *padding[1:])
        rest = (tuple(kernel), stride, margins, dilation)
        for tap, within, seen in seen_by_taps(input_size, sizes[:-1], *rest):
            x[seen] += columns[(slice(None), *tap, *within[1:])]
    return x


def _gather(
    y: Array,
    weight: Array,
    input_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """Each phase of the input by itself: a convolution of `y`, without a stride, with those taps
    that fall on the phase, in reverse order.
    """
    count, share, *kernel = weight.shape
    turned = weight.reshape(groups, count // groups, share, *kernel).swapaxes(1, 2)
    turned = turned.reshape(groups * share, count // groups, *kernel)
    axes = zip(input_size, kernel, stride, padding, dilation)
    phases = [[_phase(*axis, at) for at in range(axis[2])] for axis in axes]
    x = None if max(stride) == 1 else np.zeros((len(turned), *input_size, y.shape[-1]), y.dtype)
    ones = (1,) * len(stride)
    for parts in product(*phases):
        where, taps, out, margins, steps = zip(*parts)
        # BLAS takes no negative strides, which a reshape alone may leave.
        filters = np.ascontiguousarray(turned[(..., *taps)])
        if x is None:  # the only phase
            return _convolve(y, filters, None, out, ones, margins, steps, groups)
        if min(out) > 0 and filters.size:
            part = _convolve(y, filters, None, out, ones, margins, steps, groups)
            x[(slice(None), *where)] = part
    assert x is not None
    return x


def _phase(
    size: int, kernel: int, stride: int, padding: int, dilation: int, phase: int
) -> tuple[slice, slice, int, int, int]:
    """One axis of the input's gradient, at the padded positions of one remainder.

    Gives the elements there, the taps that fall on them (reversed), how many elements those are,
    and the left padding and the dilation with which to convolve the output's cotangent.
    """
    step = stride // gcd(stride, dilation)  # taps on the same phase are so far apart
    taps = [tap for tap in range(kernel) if tap * dilation % stride == phase]
    first = -((phase - padding) // stride)  # the first position of the phase inside the input
    start = first * stride + phase - padding
    count = max(0, -(-(size - start) // stride))
    where = slice(start, size, stride)
    if not taps:
        return where, slice(0, 0), count, 0, 1
    last = taps[-1] * dilation // stride  # the position of the last tap, for the first output
    backwards = slice(taps[-1], taps[0] - 1 if taps[0] else None, -step)
    return where, backwards, count, last - first, dilation // gcd(stride, dilation)
