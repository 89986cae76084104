"""Pooling tap by tap: each tap of the kernel sees one element of every window, in runs of memory of
`plugrad_numpy.layout`'s order. Nothing is padded: a tap that looks outside of the input is cut to
the windows that do not.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_numpy.arrays import in_single, quietly
from plugrad_numpy.layout import Array, Sizes, batch_first, batch_last, seen_by_taps


def window_outputs(
    sizes: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> Sizes:
    axes = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple([window_count(*axis, ceil_mode) for axis in axes])


@kernel
@quietly
def max_pool(x, kernel, stride, padding, dilation, ceil_mode):
    x = batch_last(x)
    sizes = x.shape[1:-1]
    out = window_outputs(sizes, kernel, stride, padding, dilation, ceil_mode)
    taps = seen_by_taps(sizes, out, kernel, stride, padding, dilation)
    values = np.full((len(x), *out, x.shape[-1]), _lowest(x.dtype), x.dtype)
    # How many taps before the last one, counted from 1, lies the one that saw the largest element:
    # from the last to the first, so that the first of equal ones is met last.
    ranks = np.zeros(values.shape, np.min_scalar_type(len(taps)))
    for rank, (_, within, seen) in enumerate(reversed(taps), 1):
        piece, among, tap = values[within], ranks[within], np.ascontiguousarray(x[seen])
        won = np.greater_equal(tap, piece).view(np.uint8)
        np.maximum(piece, tap, out=piece)
        np.maximum(among, np.multiply(won, among.dtype.type(rank)), out=among)
    if np.isnan(values.max(initial=0)):  # which nothing equals: the last NaN of a window counts
        for rank, (_, within, seen) in zip(range(len(taps), 0, -1), taps, strict=True):
            np.copyto(ranks[within], rank, where=np.isnan(x[seen]))
    by_rank, base = _places(sizes, out, kernel, stride, padding, dilation)
    positions = np.take(by_rank, ranks, out=np.empty(ranks.shape, np.int64), mode="clip")
    positions += base
    return batch_first(values), batch_first(positions)


@lru_cache(1 << 8)
def _places(
    sizes: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> tuple[Array, Array]:
    """Where in the input the taps lie, by their ranks, from where the window begins; and where each
    window, (*out, 1), does.
    """
    places = np.zeros((), np.int64)
    base = np.zeros((), np.int64)
    for size, count, k, s, p, d in zip(sizes, out, kernel, stride, padding, dilation):
        places = places[..., None] * size + np.arange(k) * d
        base = base[..., None] * size + (np.arange(count) * s - p)
    return np.append(0, places.reshape(-1)[::-1]), base[..., None]


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


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
    dense = (1,) * len(kernel)
    out = window_outputs(x.shape[1:-1], kernel, stride, padding, dense, ceil_mode)
    taps = seen_by_taps(x.shape[1:-1], out, kernel, stride, padding, dense)
    total = np.zeros((len(x), *out, x.shape[-1]), x.dtype)
    for _, within, seen in taps:
        total[within] += x[seen]
    total /= divisor or window_counts(
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
    out = g.shape[1:-1]
    taps = seen_by_taps(input_size, out, kernel, stride, padding, (1,) * len(kernel))
    share = g / (
        divisor
        or window_counts(
            input_size, out, kernel, stride, padding, ceil_mode, count_include_pad, g.dtype
        )
    )
    x = np.zeros((len(g), *input_size, g.shape[-1]), g.dtype)
    for _, within, seen in taps:
        x[seen] += share[within]
    return batch_first(x)


def window_counts(
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
