"""Pooling with PyTorch's conventions: a parameter is one int for all spatial axes or one for each,
the stride defaults to the kernel, and the input may come without its batch axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plugrad.errors import ArgumentError
from plugrad.families import delivers
from plugrad.functions.convolution import Sizes, with_batch, without_batch
from plugrad.functions.reduction import max as largest_along
from plugrad.ops import indexing, joining, pooling
from plugrad.ops.reduction import mean
from plugrad.ops.views import slice_dim
from plugrad.shapes import as_ints, to_tuple

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window of (N, C, L), with its position if asked."""
    return _max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window of (N, C, H, W), and its position in H·W if asked."""
    return _max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of each window of (N, C, D, H, W), and its position in D·H·W if asked."""
    return _max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L)."""
    return _avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


@delivers
def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The mean of each window of (N, C, H, W), or its sum over `divisor_override`."""
    return _avg_pool(
        *("avg_pool2d", 2, input, kernel_size, stride, padding),
        *(ceil_mode, count_include_pad, divisor_override),
    )


@delivers
def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The mean of each window of (N, C, D, H, W), or its sum over `divisor_override`."""
    return _avg_pool(
        *("avg_pool3d", 3, input, kernel_size, stride, padding),
        *(ceil_mode, count_include_pad, divisor_override),
    )


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of `output_size` windows that cover (N, C, L) evenly."""
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: int | Sequence[int | None]) -> Tensor:
    """The means of windows that cover (N, C, H, W) evenly; `None` keeps an axis as it is."""
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: int | Sequence[int | None]) -> Tensor:
    """The means of windows that cover (N, C, D, H, W) evenly; `None` keeps an axis as it is."""
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of windows that cover (N, C, L) evenly, and positions if asked."""
    return _adaptive_max_pool("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: int | Sequence[int | None], return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of windows that cover (N, C, H, W) evenly, and positions if asked."""
    return _adaptive_max_pool("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Tensor, output_size: int | Sequence[int | None], return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """The largest elements of windows that cover (N, C, D, H, W) evenly, and positions if asked."""
    return _adaptive_max_pool("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _max_pool(
    operator: str,
    spatial: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    kernel, strides = _kernel_and_stride(operator, spatial, kernel_size, stride)
    margins = to_tuple(padding, spatial, operator, "padding")
    dilations = to_tuple(dilation, spatial, operator, "dilation")
    input, alone = with_batch(operator, spatial, input)
    values, indices = pooling.max_pool(input, kernel, strides, margins, dilations, bool(ceil_mode))
    if not return_indices:
        return without_batch(values) if alone else values
    return (without_batch(values), without_batch(indices)) if alone else (values, indices)


def _avg_pool(
    operator: str,
    spatial: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    kernel, strides = _kernel_and_stride(operator, spatial, kernel_size, stride)
    margins = to_tuple(padding, spatial, operator, "padding")
    input, alone = with_batch(operator, spatial, input)
    out = pooling.avg_pool(
        input, kernel, strides, margins, bool(ceil_mode), bool(count_include_pad), divisor
    )
    return without_batch(out) if alone else out


def _kernel_and_stride(
    operator: str, spatial: int, kernel_size: Sizes, stride: Sizes | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    kernel = to_tuple(kernel_size, spatial, operator, "kernel_size")
    # An empty stride is PyTorch's older spelling of none.
    if stride is None or (isinstance(stride, Sequence) and not stride):
        return kernel, kernel
    return kernel, to_tuple(stride, spatial, operator, "stride")


# adaptive -----------------------------------------------------------------------------------------


def _adaptive_avg_pool(
    operator: str, spatial: int, input: Tensor, output_size: int | Sequence[int | None]
) -> Tensor:
    input, alone = with_batch(operator, spatial, input)
    sizes = _output_sizes(operator, input, output_size)
    kernel = _even_kernel(input, sizes)
    if kernel is not None:
        out = pooling.avg_pool(input, kernel, kernel, (0,) * spatial, False, True, None)
    else:
        out = input
        for axis, size in enumerate(sizes, 2):
            means = [
                mean(slice_dim(out, axis, start, stop, 1), (axis,), True)
                for start, stop in _bins(out.shape[axis], size)
            ]
            out = joining.cat(tuple(means), axis)
    return without_batch(out) if alone else out


def _adaptive_max_pool(
    operator: str,
    spatial: int,
    input: Tensor,
    output_size: int | Sequence[int | None],
    return_indices: bool,
) -> Tensor | tuple[Tensor, Tensor]:
    input, alone = with_batch(operator, spatial, input)
    sizes = _output_sizes(operator, input, output_size)
    kernel = _even_kernel(input, sizes)
    if kernel is not None:
        nothing, ones = (0,) * spatial, (1,) * spatial
        values, indices = pooling.max_pool(input, kernel, kernel, nothing, ones, False)
    else:
        values, indices = _largest_of_bins(input, sizes)
    if not return_indices:
        return without_batch(values) if alone else values
    return (without_batch(values), without_batch(indices)) if alone else (values, indices)


def _largest_of_bins(input: Tensor, sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Axis by axis, the last first: among equals the first in the flattened order wins."""
    values, positions = input, None
    pitch = 1
    for axis in range(len(input.shape) - 1, 1, -1):
        chosen: list[Tensor] = []
        places: list[Tensor] = []
        for start, stop in _bins(input.shape[axis], sizes[axis - 2]):
            best = largest_along(slice_dim(values, axis, start, stop, 1), axis, True)
            assert isinstance(best, tuple)
            place = (best.indices + start) * pitch
            if positions is not None:
                within = slice_dim(positions, axis, start, stop, 1)
                place = place + indexing.gather(within, best.indices, axis)
            chosen.append(best.values)
            places.append(place)
        values, positions = joining.cat(tuple(chosen), axis), joining.cat(tuple(places), axis)
        pitch *= input.shape[axis]
    assert positions is not None
    return values, positions


def _output_sizes(
    operator: str, input: Tensor, output_size: int | Sequence[int | None]
) -> tuple[int, ...]:
    spatial = input.shape[2:]
    if not isinstance(output_size, Sequence):
        output_size = (output_size,) * len(spatial)
    if len(output_size) != len(spatial):
        raise ArgumentError(
            operator,
            "output_size",
            expected=f"one int or {len(spatial)} of them",
            got=tuple(output_size),
        )
    kept = [own if size is None else size for size, own in zip(output_size, spatial)]
    sizes = as_ints(kept, operator, "output_size")
    if min(sizes) < 1 or min(spatial) < 1:
        raise ArgumentError(
            operator, "output_size", expected="at least 1, of an input that is not empty", got=sizes
        )
    return sizes


def _even_kernel(input: Tensor, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The windows' sizes, if they are all alike."""
    spatial = input.shape[2:]
    if any(own % size for own, size in zip(spatial, sizes, strict=True)):
        return None
    return tuple([own // size for own, size in zip(spatial, sizes, strict=True)])


def _bins(size: int, count: int) -> list[tuple[int, int]]:
    """Where each of `count` windows starts and stops: rounded outwards, so they may overlap."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
