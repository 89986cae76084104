"""Pooling tap by tap: each tap of the kernel sees one element of every window, in runs of memory of
`plugrad_numpy.layout`'s order. Nothing is padded: a tap that looks outside of the input is cut to
the windows that do not.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_numpy.arrays import in_single, quietly
from plugrad_numpy.layout import Array, batch_first, batch_last

Sizes = tuple[int, ...]
Index = tuple[Any, ...]


@lru_cache(maxsize=512)
def _taps(
    sizes: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> tuple[Sizes, tuple[tuple[Index, Index], ...]]:
    """The output's sizes, and for each tap two indices, into output and input (C, *spatial, N)."""
    out = tuple(
        map(window_count, sizes, kernel, stride, padding, dilation, (ceil_mode,) * len(sizes))
    )
    found: list[tuple[Index, Index]] = []
    for tap in product(*map(range, kernel)):
        within: list[slice] = []
        seen: list[slice] = []
        for at, size, count, s, p, d in zip(tap, sizes, out, stride, padding, dilation):
            origin = at * d - p
            low = min(count, max(0, -(origin // s)))
            high = max(low, min(count, (size - 1 - origin) // s + 1))
            start = origin + low * s
            within.append(slice(low, high))
            seen.append(slice(start, start + (high - low) * s, s))
        found.append(((slice(None), *within), (slice(None), *seen)))
    return out, tuple(found)


@kernel
@quietly
def max_pool(x, kernel, stride, padding, dilation, ceil_mode):
    x = batch_last(x)
    sizes = x.shape[1:-1]
    out, taps = _taps(sizes, kernel, stride, padding, dilation, ceil_mode)
    values = np.full((len(x), *out, x.shape[-1]), _lowest(x.dtype), x.dtype)
    for within, seen in taps:
        piece = values[within]
        np.maximum(piece, x[seen], out=piece)
    return batch_first(values), batch_first(
        _positions(values, x, taps, kernel, stride, padding, dilation)
    )


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _positions(
    values: Array,
    x: Array,
    taps: Any,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
) -> Array:
    sizes, out = x.shape[1:-1], values.shape[1:-1]
    # Going backwards, how many taps on the first one lies that sees the largest element.
    chosen = np.zeros(values.shape, np.min_scalar_type(len(taps)))
    for within, seen in reversed(taps):
        chosen += 1
        chosen[within] *= (x[seen] != values[within]).view(np.uint8)
    if chosen.max(initial=0) == len(taps):  # nothing equals a NaN: the last one was it
        for number, (within, seen) in enumerate(taps):
            np.copyto(chosen[within], number, where=np.isnan(x[seen]))
    table = np.zeros((), np.int64)
    base = np.zeros((), np.int64)
    for size, count, k, s, p, d in zip(sizes, out, kernel, stride, padding, dilation):
        table = table[..., None] * size + np.arange(k) * d
        base = base[..., None] * size + (np.arange(count) * s - p)
    positions = table.reshape(-1).take(chosen)
    positions += base[..., None]
    return positions


@kernel
@in_single
@quietly
def max_pool_backward(g, indices, input_size):
    g, indices = batch_last(g), batch_last(indices)
    channels, batch = len(g), g.shape[-1]
    x = np.zeros((channels, *input_size, batch), g.dtype)
    flat = indices * batch
    flat += np.arange(batch)
    flat += (np.arange(channels) * (prod(input_size) * batch)).reshape(-1, *(1,) * (g.ndim - 1))
    np.add.at(x.reshape(-1), flat.reshape(-1), g.reshape(-1))
    return batch_first(x)


@kernel
@in_single
@quietly
def avg_pool(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    x = batch_last(x)
    out, taps = _taps(x.shape[1:-1], kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    total = np.zeros((len(x), *out, x.shape[-1]), x.dtype)
    for within, seen in taps:
        total[within] += x[seen]
    total /= divisor or _counts(
        x.shape[1:-1], out, kernel, stride, padding, ceil_mode, count_include_pad, x.dtype
    )
    return batch_first(total)


@kernel
@in_single
@quietly
def avg_pool_backward(
    g, input_size, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    g = batch_last(g)
    out, taps = _taps(input_size, kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    share = g / (
        divisor
        or _counts(input_size, out, kernel, stride, padding, ceil_mode, count_include_pad, g.dtype)
    )
    x = np.zeros((len(g), *input_size, g.shape[-1]), g.dtype)
    for within, seen in taps:
        x[seen] += share[within]
    return batch_first(x)


def _counts(
    sizes: Sizes,
    out: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    dtype: np.dtype[Any],
) -> Any:
    """How many elements count in each window: one number, or (*out, 1)."""
    if not ceil_mode and (count_include_pad or not any(padding)):
        return prod(kernel)
    counts = np.ones((), np.int64)
    for size, count, k, s, p in zip(sizes, out, kernel, stride, padding):
        first = np.arange(count) * s - p
        last = np.minimum(first + k, size + p)
        if not count_include_pad:
            first, last = np.maximum(first, 0), np.minimum(last, size)
        counts = counts[..., None] * (last - first)
    return counts[..., None].astype(dtype)
