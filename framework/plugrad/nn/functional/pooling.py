"""Pooling beyond the largest and the mean: power means, windows at random places, and the way back
from the largest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from plugrad.creation import arange, zeros
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions import pooling
from plugrad.functions.convolution import Sizes, with_batch, without_batch
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import abs as _abs
from plugrad.ops.elementwise import floor
from plugrad.ops.indexing import gather, scatter
from plugrad.ops.reduction import argmax
from plugrad.random import rand
from plugrad.shapes import numel, to_tuple
from plugrad.tensor import Tensor

Ratios = float | Sequence[float]

# power means --------------------------------------------------------------------------------------


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: int,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The root of order `norm_type` of the sum of that power over each window of (N, C, L)."""
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The root of order `norm_type` of the sum of that power over each window of (N, C, H, W)."""
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The root of order `norm_type` of the sum of that power over each (N, C, D, H, W) window."""
    return _lp_pool("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(
    operator: str,
    spatial: int,
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None,
    ceil_mode: bool,
) -> Tensor:
    kernel = to_tuple(kernel_size, spatial, operator, "kernel_size")
    if math.isinf(norm_type):
        sign = 1 if norm_type > 0 else -1
        largest = (pooling.max_pool1d, pooling.max_pool2d, pooling.max_pool3d)[spatial - 1]
        out = largest(_abs(input) * sign, kernel, stride, 0, 1, ceil_mode)
        assert isinstance(out, Tensor)
        return out * sign
    mean = (pooling.avg_pool1d, pooling.avg_pool2d, pooling.avg_pool3d)[spatial - 1]
    # A window that hangs over the end is scaled up to a whole one.
    total = mean(input**norm_type, kernel, stride, 0, ceil_mode) * numel(kernel)
    return total ** (1.0 / norm_type)


# the way back -------------------------------------------------------------------------------------


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros (N, C, L), with `input` at the positions that `max_pool1d` gave."""
    return _max_unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros (N, C, H, W), with `input` at the positions that `max_pool2d` gave."""
    return _max_unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros (N, C, D, H, W), with `input` at the positions that `max_pool3d` gave."""
    return _max_unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(
    operator: str,
    spatial: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Tensor:
    kernel = to_tuple(kernel_size, spatial, operator, "kernel_size")
    strides = kernel if stride is None else to_tuple(stride, spatial, operator, "stride")
    margins = to_tuple(padding, spatial, operator, "padding")
    if indices.dtype is not int64:
        raise DtypeError(operator, "indices", expected="int64", got=indices.dtype)
    if indices.shape != input.shape:
        raise ShapeError(
            operator,
            "indices",
            expected=f"the input's {tuple(input.shape)}",
            got=tuple(indices.shape),
        )
    input, alone = with_batch(operator, spatial, input)
    axes = zip(input.shape[2:], kernel, strides, margins)
    usual = tuple([(n - 1) * s + k - 2 * p for n, k, s, p in axes])
    sizes = usual
    if output_size is not None:
        sizes = tuple(output_size)[2 if len(output_size) == spatial + 2 else 0 :]
        if len(sizes) != spatial or any(
            not u - s < size < u + s for size, u, s in zip(sizes, usual, strides)
        ):
            raise ArgumentError(
                operator,
                "output_size",
                expected=f"{spatial} sizes, less than a stride {strides} away from {usual}",
                got=tuple(output_size),
            )
    if min(sizes) < 0:
        raise ArgumentError(operator, "output_size", expected="at least 0", got=sizes)
    lead = tuple(input.shape[:2])
    flat = (*lead, numel(input.shape[2:]))
    empty = zeros(*lead, numel(sizes), dtype=input.dtype, device=input.device)
    out = scatter(empty, indices.reshape(*flat), input.reshape(*flat), 2).reshape(*lead, *sizes)
    return without_batch(out) if alone else out


# windows at random places -------------------------------------------------------------------------


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of windows at random places, `output_size` or a share of (N, C, H, W),
    and positions if asked. B. Graham, arXiv 1412.6071.
    """
    out = _fractional_max_pool(
        *("fractional_max_pool2d", 2, input, kernel_size),
        *(output_size, output_ratio, _random_samples),
    )
    return out if return_indices else out[0]


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None = None,
    output_ratio: Ratios | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of windows at random places, `output_size` or a share of (N, C, D, H,
    W), and positions if asked. B. Graham, arXiv 1412.6071.
    """
    out = _fractional_max_pool(
        *("fractional_max_pool3d", 3, input, kernel_size),
        *(output_size, output_ratio, _random_samples),
    )
    return out if return_indices else out[0]


def _fractional_max_pool(
    operator: str,
    spatial: int,
    input: Tensor,
    kernel_size: Sizes,
    output_size: Sizes | None,
    output_ratio: Ratios | None,
    samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    kernel = to_tuple(kernel_size, spatial, operator, "kernel_size")
    input, alone = with_batch(operator, spatial, input)
    lead, sizes = tuple(input.shape[:2]), tuple(input.shape[2:])
    if output_size is not None:
        counts = to_tuple(output_size, spatial, operator, "output_size")
    elif output_ratio is not None:
        ratios = output_ratio if isinstance(output_ratio, Sequence) else (output_ratio,) * spatial
        if len(ratios) != spatial:
            raise ArgumentError(
                operator, "output_ratio", expected=f"one number or {spatial}", got=output_ratio
            )
        counts = tuple([int(size * ratio) for size, ratio in zip(sizes, ratios)])
    else:
        raise ArgumentError(
            operator, "output_size", expected="a size, or an output_ratio", got=None
        )
    if any(not 1 <= o <= n - k + 1 for o, n, k in zip(counts, sizes, kernel)):
        most = tuple([n - k + 1 for n, k in zip(sizes, kernel)])
        raise ShapeError(
            operator, "output_size", expected=f"from 1 to {most}, for input {sizes}", got=counts
        )
    if samples is None:
        samples = rand(*lead, spatial, dtype=input.dtype, device=input.device)
    if samples.ndim and samples.shape[0] > lead[0]:
        samples = samples[: lead[0]]  # more than there are examples may be given
    if tuple(samples.shape) != (*lead, spatial):
        raise ShapeError(
            operator, "_random_samples", expected=str((*lead, spatial)), got=samples.shape
        )
    # The last sample is the first axis's in two dimensions, as PyTorch has it.
    order = (1, 0) if spatial == 2 else (0, 1, 2)
    places = zeros(1, 1, *(1,) * (2 * spatial), dtype=int64, device=input.device)
    pitch = 1
    for axis in reversed(range(spatial)):
        starts = _starts(samples[..., order[axis]], sizes[axis], counts[axis], kernel[axis])
        taps = arange(kernel[axis], device=input.device)
        seen = (starts.unsqueeze(-1) + taps) * pitch
        shape = [1] * (2 * spatial)
        shape[axis], shape[spatial + axis] = counts[axis], kernel[axis]
        places = places + seen.reshape(*lead, *shape)
        pitch *= sizes[axis]
    windows = (*lead, numel(counts), numel(kernel))
    places = places.expand(*lead, *counts, *kernel).reshape(*windows)
    flat = input.reshape(*lead, 1, numel(sizes)).expand(*lead, numel(counts), numel(sizes))
    best = argmax(gather(flat.detach(), places, 3), 3, True)
    indices = gather(places, best, 3).reshape(*lead, numel(counts))
    values = gather(input.reshape(*lead, numel(sizes)), indices, 2)
    out = values.reshape(*lead, *counts), indices.reshape(*lead, *counts)
    return (without_batch(out[0]), without_batch(out[1])) if alone else out


def _starts(samples: Tensor, size: int, count: int, kernel: int) -> Tensor:
    """Where the windows of one axis start: steps of the average length, rounded down from a random
    beginning; the last window ends where the axis does.
    """
    at = arange(count, dtype=samples.dtype, device=samples.device)
    start = samples.unsqueeze(-1)
    step = (size - kernel) / max(count - 1, 1)
    early = floor((at + start) * step) - floor(start * step)
    return where(at == count - 1, size - kernel, early).to(int64)
