"""Convolution straight from the input: each output is a sum over taps whose places in memory are
known by their distance from the window's begin, so that no columns are copied.

Memory is in the order of `plugrad_numpy.layout`, with three spatial axes, the last of them one with
the batch: (C, D, H, W * N). Where the stride is 1 the windows of a row are one run of neighbours,
else the samples of one window are. Padding is copied, the input with it, once.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numba import prange

from plugrad_numba import tiles
from plugrad_numba.compiling import compiled, inlined
from plugrad_numba.layout import Array
from plugrad_numpy.layout import batch_last, scratch

Sizes = tuple[int, ...]

_ROWS, _COLUMNS = tiles.ROWS, tiles.COLUMNS
# Taps taken together: what they see, and the filters' numbers for them, stay in the first-level
# cache.
_TAPS = 144
# Channels up to which matrix products are no faster, bytes of a run from which sums over it are,
# and what the taps must see in all to be worth the preparations.
_CHANNELS, _RUN, _MANY = 64, 1 << 10, 1 << 13

_three_fresh = tiles.weighted(_COLUMNS, wide=True, fresh=True)
_three = tiles.weighted(_COLUMNS, wide=True, fresh=False)
_two = tiles.weighted(2, wide=True, fresh=True)
_one = tiles.weighted(1, wide=True, fresh=True)
_number = tiles.weighted(1, wide=False, fresh=True)
_three_products = tiles.products(_COLUMNS, wide=True)
_one_product = tiles.products(1, wide=True)
_product_of_numbers = tiles.products(1, wide=False)


def serves(x: Array, filters: Sizes, kernel: Sizes, sizes: Sizes, stride: Sizes) -> bool:
    """Whether this is faster than a product of matrices, as measured: with several taps, some
    filters, channels that are not many, and windows in runs of at least a vector; by the input (N,
    C, *spatial), a group's filters and their channels, and the output's sizes.
    """
    count, share = filters
    if prod(kernel) == 1 or stride[-1] > 1 or share > _CHANNELS or count < _ROWS - 1:
        return False
    return len(x) * sizes[-1] >= tiles.lanes(x.itemsize) and x.size * prod(kernel) >= _MANY


def sums_serve(x: Array, filters: Sizes, kernel: Sizes, sizes: Sizes, stride: Sizes) -> bool:
    """The same for the weight's gradient, which sums over each run anew: they must be long."""
    return len(x) * sizes[-1] * x.itemsize >= _RUN and serves(x, filters, kernel, sizes, stride)


def convolve(
    x: Array, weight: Array, bias: Array | None, sizes: Sizes, geometry: Any, groups: int
) -> Array:
    """(N, C, *spatial) to (O, *sizes, N)."""
    count, share, *_ = weight.shape
    batch, (kernel, stride, _, _) = len(x), geometry
    out_sizes = (1, 1, *sizes)[-3:]
    x, offsets = _seen(x, out_sizes, share, geometry)
    each = count // groups
    blocks = -(-each // _ROWS)
    taps = share * prod(kernel)
    filters = np.zeros((groups, blocks, _ROWS, taps), x.dtype)
    begin = np.zeros((groups, blocks * _ROWS), x.dtype)
    filters.reshape(groups, -1, taps)[:, :each] = weight.reshape(groups, each, taps)
    if bias is not None:
        begin[:, :each] = bias.reshape(groups, each)
    filters = np.ascontiguousarray(filters.swapaxes(2, 3)).reshape(-1, taps, _ROWS)
    out = np.empty((groups, blocks * _ROWS, *out_sizes[:2], out_sizes[2] * batch), x.dtype)
    begin = begin.reshape(-1, _ROWS)
    _convolve(out.size * taps // 16, x, offsets, filters, begin, out, batch, stride, share)
    return out[:, :each].reshape(count, *sizes, batch)


def input_gradient(
    y: Array, weight: Array, sizes: Sizes, geometry: Any, groups: int
) -> Array | None:
    """(N, O, *out) to (C, *sizes, N), where the stride is 1: a convolution of what comes with the
    filters turned round. `None` where there was more padding than filter.
    """
    kernel, stride, padding, dilation = geometry
    around = [(k - 1) * d - p for k, d, p in zip(kernel, dilation, padding, strict=True)]
    if any([each < 0 for each in around]):
        return None
    count, share, *taps = weight.shape
    turned = weight.reshape(groups, count // groups, share, -1)[..., ::-1].swapaxes(1, 2)
    turned = turned.reshape(groups * share, count // groups, *taps)
    geometry = kernel, stride, tuple(around), dilation
    return convolve(y, turned, None, sizes, geometry, groups)


def weight_gradient(y: Array, x: Array, share: int, geometry: Any, groups: int) -> Array:
    """(N, O, *out) and (N, C, *spatial) to (O, C / groups, kernel's taps)."""
    batch, count, *sizes = y.shape
    kernel, stride, _, _ = geometry
    out_sizes = (1, 1, *sizes)[-3:]
    x, offsets = _seen(x, out_sizes, share, geometry)
    each = count // groups
    blocks = -(-each // _ROWS)
    y = batch_last(y).reshape(groups, each, *out_sizes[:2], out_sizes[2] * batch)
    if each % _ROWS:
        whole = np.zeros((groups, blocks * _ROWS, *y.shape[2:]), y.dtype)
        whole[:, :each] = y
        y = whole
    taps = share * prod(kernel)
    out = np.zeros((groups * blocks, _ROWS, taps), x.dtype)
    _sum_products(y.size * taps // 16, x, offsets, y, out, batch, stride, share)
    return out.reshape(groups, -1, taps)[:, :each].reshape(count, share, -1)


def _seen(x: Array, sizes: Sizes, share: int, geometry: Any) -> tuple[Array, Array]:
    """The input with its padding, (C, D, H, W * N), and how far each tap of a group's channels lies
    from the first.
    """
    kernel, stride, padding, dilation = geometry
    batch, channels = len(x), x.shape[1]
    x = batch_last(x)
    x = x.reshape(channels, *(1, 1, *x.shape[1:-1])[-3:], batch)
    need = [
        (count - 1) * s + (k - 1) * d + 1
        for count, s, k, d in zip(sizes, stride, kernel, dilation, strict=True)
    ]
    if any([p or n > size for p, n, size in zip(padding, need, x.shape[1:-1], strict=True)]):
        x = _padded(x, padding, need)
    depth, height, width = x.shape[1:-1]
    offsets = _offsets(share, depth, height, width, batch, kernel, dilation)
    return x.reshape(channels, depth, height, width * batch), offsets


@lru_cache(1 << 8)
def _offsets(
    share: int,
    depth: int,
    height: int,
    width: int,
    batch: int,
    kernel: Sizes,
    dilation: Sizes,
) -> Array:
    a, b, c = [np.arange(k) * d for k, d in zip(kernel, dilation, strict=True)]
    planes = np.arange(share)[:, None] * depth + a
    lines = planes[..., None] * height + b
    return ((lines[..., None] * width + c) * batch).reshape(-1)


def _padded(x: Array, padding: Sizes, need: list[int]) -> Array:
    """Zeros around it, as much as the windows see."""
    out = scratch((len(x), *need, x.shape[-1]), x.dtype, "padded")
    within: list[slice] = [slice(None)]
    seen: list[slice] = [slice(None)]
    for p, n, size in zip(padding, need, x.shape[1:-1], strict=True):
        end = min(n, p + size)
        out[(*within, slice(0, p))] = 0
        out[(*within, slice(end, n))] = 0
        within.append(slice(p, end))
        seen.append(slice(0, end - p))
    out[tuple(within)] = x[tuple(seen)]
    return out


@inlined
def _runs(line, x, out, batch, stride, share):
    """Of a row of the output: its group and place there; where its first window begins; how many
    runs it is made of, how long each, and how far apart two begin in the input.
    """
    depth, height = out.shape[2], out.shape[3]
    group, place = line // (depth * height), line % (depth * height)
    i, j = place // height * stride[0], place % height * stride[1]
    start = ((group * share * x.shape[1] + i) * x.shape[2] + j) * x.shape[3]
    if stride[2] == 1:
        return group, place, start, 1, out.shape[4], 0
    return group, place, start, out.shape[4] // batch, batch, stride[2] * batch


@compiled
def _convolve(x, offsets, filters, begin, out, batch, stride, share):
    flat, result = x.reshape(-1), out.reshape(-1)
    area, length = out.shape[2] * out.shape[3], out.shape[4]
    blocks, taps = out.shape[1] // _ROWS, len(offsets)
    lanes = 32 // x.itemsize
    step = area * length
    for line in prange(out.shape[0] * area):
        group, place, start, runs, size, apart = _runs(line, x, out, batch, stride, share)
        for run in range(runs):
            origin = start + run * apart
            into = (group * blocks * _ROWS * area + place) * length + run * size
            at = 0
            while at + 3 * lanes <= size:
                for low in range(0, taps, _TAPS):
                    high = min(low + _TAPS, taps)
                    for block in range(blocks):
                        number = group * blocks + block
                        first = into + block * _ROWS * step + at
                        if low:
                            _three(
                                *(flat, origin + at, offsets, low, high),
                                *(filters[number], begin[number], result, first, step),
                            )
                        else:
                            _three_fresh(
                                *(flat, origin + at, offsets, low, high),
                                *(filters[number], begin[number], result, first, step),
                            )
                at += 3 * lanes
            while at < size:
                rest = size - at
                for block in range(blocks):
                    number = group * blocks + block
                    first = into + block * _ROWS * step + at
                    if rest >= 2 * lanes:
                        _two(
                            *(flat, origin + at, offsets, 0, taps),
                            *(filters[number], begin[number], result, first, step),
                        )
                    elif rest >= lanes:
                        _one(
                            *(flat, origin + at, offsets, 0, taps),
                            *(filters[number], begin[number], result, first, step),
                        )
                    else:
                        _number(
                            *(flat, origin + at, offsets, 0, taps),
                            *(filters[number], begin[number], result, first, step),
                        )
                at += 2 * lanes if rest >= 2 * lanes else lanes if rest >= lanes else 1


@compiled
def _sum_products(x, offsets, y, out, batch, stride, share):
    flat, coming = x.reshape(-1), y.reshape(-1)
    area, length = y.shape[2] * y.shape[3], y.shape[4]
    blocks, taps = y.shape[1] // _ROWS, len(offsets)
    lanes = 32 // x.itemsize
    step = area * length
    for number in prange(len(out)):
        for place in range(area):
            line = number // blocks * area + place
            _, _, start, runs, size, apart = _runs(line, x, y, batch, stride, share)
            whole = size // lanes * lanes
            for run in range(runs):
                origin = start + run * apart
                first = (number * _ROWS * area + place) * length + run * size
                tap = 0
                while tap + _COLUMNS <= taps:
                    _three_products(
                        *(flat, origin, offsets, tap, coming, first, step, whole, out[number])
                    )
                    tap += _COLUMNS
                while tap < taps:
                    _one_product(
                        *(flat, origin, offsets, tap, coming, first, step, whole, out[number])
                    )
                    tap += 1
                if whole < size:
                    for tap in range(taps):
                        _product_of_numbers(
                            *(flat, origin + whole, offsets, tap, coming, first + whole, step),
                            *(size - whole, out[number]),
                        )
