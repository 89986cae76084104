"""Pooling tap by tap: each tap of the kernel sees one element of every window, in runs of memory of
`plugrad_numpy.layout`'s order. Nothing is padded: a tap that looks outside of the input is cut to
the windows that do not.
"""

from __future__ import annotations

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
    for _, within, seen in taps:
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
    for _, within, seen in reversed(taps):
        chosen += 1
        chosen[within] *= (x[seen] != values[within]).view(np.uint8)
    if chosen.max(initial=0) == len(taps):  # nothing equals a NaN: the last one was it
        for number, (_, within, seen) in enumerate(taps):
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
