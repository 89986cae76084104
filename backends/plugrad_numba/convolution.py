"""Convolution where NumPy's way, matrix products of filters and blocks of columns, is not at its
best: filters of one channel, which make no product worth the name; filters of some, which
`plugrad_numba.direct` applies without columns; and columns so few that they fit the level-2 cache
together, and are made in one call.

Memory is in the order of `plugrad_numpy.layout`, with three spatial axes, the last of them one with
the batch: (C, D, H, W * N). Where the stride is 1 what a tap sees of a row is one run.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numba import prange

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_numba import direct, rows
from plugrad_numba.compiling import Compiled, compiled, inlined
from plugrad_numba.layout import FLOATS, Array
from plugrad_numpy.arrays import quietly
from plugrad_numpy.layout import batch_first, batch_last, scratch

# Elements of columns up to which one call beats several of NumPy's.
_FEW = 1 << 16
# Up to so many filters of a channel loops over runs beat matrix products, if the runs are so long,
# or the multiplications so few.
_SEVERAL, _RUN, _BRIEF = 4, 128, 1 << 15

Sizes = tuple[int, ...]


@kernel
@quietly
def convolution(x, weight, bias, stride, padding, dilation, groups):
    if x.dtype.char not in FLOATS or not x.size or not weight.size:
        return None
    axes = zip(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    sizes = tuple([window_count(*axis) for axis in axes])
    geometry = _geometry(weight.shape[2:], stride, padding, dilation)
    if _is_thin(weight.shape, groups, (len(x), len(weight), *sizes)):
        out = np.empty((len(weight), *sizes, len(x)), x.dtype)
        out[...] = 0 if bias is None else _level(bias, out)
        _thin(_forward, x, weight, batch_first(out), geometry)
        return batch_first(out)
    filters = len(weight) // groups, weight.shape[1]
    if direct.serves(x, filters, weight.shape[2:], sizes, stride):
        return batch_first(direct.convolve(x, weight, bias, sizes, geometry, groups))
    columns = _columns(x, sizes, geometry, groups)
    if columns is None:
        return None
    filters = weight.reshape(groups, len(weight) // groups, -1)
    out = np.matmul(filters, columns).reshape(len(weight), *sizes, len(x))
    if bias is not None:
        out += _level(bias, out)
    return batch_first(out)


@kernel
@quietly
def convolution_weight_gradient(y, x, kernel, stride, padding, dilation, groups):
    if x.dtype.char not in FLOATS or not x.size or not y.size:
        return None
    count, share = y.shape[1], x.shape[1] // groups
    geometry = _geometry(kernel, stride, padding, dilation)
    if _is_thin((count, share, *kernel), groups, y.shape):
        weight = np.zeros((count, share, *kernel), x.dtype)
        _thin(_for_weight, x, weight, y, geometry)
        return weight
    if direct.sums_serve(x, (count // groups, share), kernel, y.shape[2:], stride):
        weight = direct.weight_gradient(y, x, share, geometry, groups)
        return weight.reshape(count, share, *kernel)
    columns = _columns(x, y.shape[2:], geometry, groups)
    if columns is None:
        return None
    coming = batch_last(y).reshape(groups, count // groups, -1)
    return np.matmul(coming, columns.swapaxes(1, 2)).reshape(count, share, *kernel)


@kernel
def convolution_input_gradient(y, weight, input_size, stride, padding, dilation, groups):
    if y.dtype.char not in FLOATS or not y.size or not weight.size:
        return None
    geometry = _geometry(weight.shape[2:], stride, padding, dilation)
    if not _is_thin(weight.shape, groups, y.shape):
        filters = weight.shape[1], len(weight) // groups
        if max(stride) > 1 or not direct.serves(y, filters, weight.shape[2:], input_size, stride):
            return None
        out = direct.input_gradient(y, weight, input_size, geometry, groups)
        return None if out is None else batch_first(out)
    out = np.zeros((groups, *input_size, len(y)), y.dtype)
    _thin(_for_input, batch_first(out), weight, y, geometry)
    return batch_first(out)


def _is_thin(weight: Sizes, groups: int, y: Sizes) -> bool:
    """Whether loops serve best, by the shapes of the weight and of the output."""
    if weight[1] > 1 or weight[0] > _SEVERAL * groups:
        return False
    return y[0] * y[-1] >= _RUN or prod(y) * prod(weight[2:]) <= _BRIEF


def _level(bias: Array, out: Array) -> Array:
    """(O,) so that it broadcasts against (O, *out, N)."""
    return bias.reshape(-1, *(1,) * (out.ndim - 1))


def _geometry(kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> tuple[Sizes, ...]:
    """The same for three axes."""
    lead = 3 - len(kernel)
    ones, zeros = (1,) * lead, (0,) * lead
    return (*ones, *kernel), (*ones, *stride), (*zeros, *padding), (*ones, *dilation)


def _lines(x: Array) -> Array:
    """(C, *spatial, N) as (C, D, H, W * N)."""
    *lead, width, batch = x.shape[1:]
    return x.reshape(len(x), *(1,) * (2 - len(lead)), *lead, width * batch)


@inlined
def _windows(tap, size, count, stride, padding, dilation):
    """The windows, from first to last, that see an element of an axis with a tap; and where the
    window 0 would see one.
    """
    origin = tap * dilation - padding
    low = max(0, -(origin // stride))
    return low, max(low, min(count, (size - 1 - origin) // stride + 1)), origin


# columns ------------------------------------------------------------------------------------------


def _columns(x: Array, sizes: Sizes, geometry: tuple[Sizes, ...], groups: int) -> Array | None:
    """What each filter sees, as (groups, C / groups * kernel, places); None if that is much, or the
    input itself.
    """
    taps, batch = prod(geometry[0]), len(x)
    lines, places = x.shape[1] * taps, prod(sizes) * batch
    if taps == 1 or lines * places > _FEW:
        return None
    columns = scratch((lines, places), x.dtype, "columns")
    depth, height = (1, 1, *sizes)[-3:-1]
    seen = columns.reshape(lines, depth, height, -1)
    _fill_columns(columns.size, _lines(batch_last(x)), seen, batch, *geometry)
    return columns.reshape(groups, lines // groups, places)


@compiled
def _fill_columns(x, columns, batch, kernel, stride, padding, dilation):
    _, depth, height, length = x.shape
    width, count = length // batch, columns.shape[3] // batch
    taps = kernel[0] * kernel[1] * kernel[2]
    for line in prange(columns.shape[0]):
        channel, tap = line // taps, line % taps
        above, c = tap // kernel[2], tap % kernel[2]
        a, b = above // kernel[1], above % kernel[1]
        low, high, origin = _windows(c, width, count, stride[2], padding[2], dilation[2])
        for i in range(columns.shape[1]):
            z = i * stride[0] + a * dilation[0] - padding[0]
            for j in range(columns.shape[2]):
                y = j * stride[1] + b * dilation[1] - padding[1]
                out = columns[line, i, j]
                if not (0 <= z < depth and 0 <= y < height):
                    rows.fill(out, 0)
                    continue
                rows.fill(out[: low * batch], 0)
                rows.fill(out[high * batch :], 0)
                seen = x[channel, z, y]
                # A stride of 1 gives one run.
                size = (high - low) * batch if stride[2] == 1 else batch
                for k in range(low, high, max(1, high - low) if stride[2] == 1 else 1):
                    start = (k * stride[2] + origin) * batch
                    rows.copy_into(out[k * batch : k * batch + size], seen[start : start + size])


# one channel per filter ---------------------------------------------------------------------------

# The output, the input's gradient and the weight's come from the same walk over runs.


def _thin(kernel, x, weight, y, geometry):
    """Let a kernel change one of x, weight and y by means of the others; what changes lies in the
    order of memory that is asked for.
    """
    filters = np.ascontiguousarray(weight).reshape(len(weight), -1)
    arrays = (_lines(batch_last(x)), filters, _lines(batch_last(y)))
    kernel(y.size * filters.shape[1], *arrays, len(x), *geometry)


def _over_runs(step: Any) -> Compiled:
    def loop(x, filters, out, batch, kernel, stride, padding, dilation):
        channels, depth, height, length = x.shape
        width, count, several = length // batch, out.shape[3] // batch, len(out) // channels
        for channel in prange(channels):
            for place in range(several * out.shape[1] * out.shape[2]):
                above, j = place // out.shape[2], place % out.shape[2]
                filter, i = above // out.shape[1], above % out.shape[1]
                filter += channel * several
                for tap in range(filters.shape[1]):
                    above, c = tap // kernel[2], tap % kernel[2]
                    a, b = above // kernel[1], above % kernel[1]
                    z = i * stride[0] + a * dilation[0] - padding[0]
                    y = j * stride[1] + b * dilation[1] - padding[1]
                    if not (0 <= z < depth and 0 <= y < height):
                        continue
                    low, high, origin = _windows(
                        c, width, count, stride[2], padding[2], dilation[2]
                    )
                    whole = stride[2] == 1
                    size = (high - low) * batch if whole else batch
                    for k in range(low, high, max(1, size // batch)):
                        start = (k * stride[2] + origin) * batch
                        run = out[filter, i, j, k * batch : k * batch + size]
                        step(x[channel, z, y, start : start + size], filters, filter, tap, run)

    return Compiled(loop, name=f"{__name__}.{step.__name__}")


@_over_runs
@inlined
def _forward(x, filters, filter, tap, y):
    for i in range(x.size):
        y[i] += filters[filter, tap] * x[i]


@_over_runs
@inlined
def _for_input(x, filters, filter, tap, y):
    for i in range(x.size):
        x[i] += filters[filter, tap] * y[i]


@_over_runs
@inlined
def _for_weight(x, filters, filter, tap, y):
    filters[filter, tap] += rows.dot(x, y)
