"""The same elements under other shapes: windows as columns and back, channels shuffled, channels
traded for pixels.
"""

from __future__ import annotations

from plugrad.errors import ArgumentError, ShapeError
from plugrad.functions.convolution import Sizes
from plugrad.ops import convolution
from plugrad.ops.creation import clone
from plugrad.ops.views import permute, reshape
from plugrad.shapes import to_tuple
from plugrad.tensor import Tensor


def unfold(
    input: Tensor,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """All windows of (N, C, H, W), or (C, H, W), each a column: (N, C * KH * KW, L)."""
    if input.ndim not in (3, 4):
        raise ShapeError(
            "unfold", "input", expected="(N, C, H, W) or (C, H, W)", got=tuple(input.shape)
        )
    alone = input.ndim == 3
    columns = convolution.im2col(
        input.unsqueeze(0) if alone else input,
        to_tuple(kernel_size, 2, "unfold", "kernel_size"),
        to_tuple(stride, 2, "unfold", "stride"),
        to_tuple(padding, 2, "unfold", "padding"),
        to_tuple(dilation, 2, "unfold", "dilation"),
    )
    return columns.squeeze(0) if alone else columns


def fold(
    input: Tensor,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """Columns (N, C * KH * KW, L), or without N, put back where `unfold` saw them in (N, C,
    *output_size): elements that several windows see are added up.
    """
    if input.ndim not in (2, 3):
        raise ShapeError(
            "fold", "input", expected="(N, C * KH * KW, L) or without N", got=tuple(input.shape)
        )
    alone = input.ndim == 2
    image = convolution.col2im(
        input.unsqueeze(0) if alone else input,
        to_tuple(output_size, 2, "fold", "output_size"),
        to_tuple(kernel_size, 2, "fold", "kernel_size"),
        to_tuple(stride, 2, "fold", "stride"),
        to_tuple(padding, 2, "fold", "padding"),
        to_tuple(dilation, 2, "fold", "dilation"),
    )
    return image.squeeze(0) if alone else image


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C * r * r, H, W) to (*, C, H * r, W * r): r * r channels become squares of r * r pixels.

    W. Shi et al., arXiv 1609.05158.
    """
    name, r = "pixel_shuffle", upscale_factor
    _check_pixels(name, input, "upscale_factor", r)
    *batch, channels, height, width = input.shape
    if channels % (r * r):
        raise ShapeError(
            name, "input", expected=f"channels (axis -3) a multiple of {r * r}", got=channels
        )
    split = reshape(input, (*batch, channels // (r * r), r, r, height, width))
    n = len(batch)
    # C, r, r, H, W to C, H, r, W, r
    moved = permute(split, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return _apart(reshape(moved, (*batch, channels // (r * r), height * r, width * r)), input)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H * r, W * r) to (*, C * r * r, H, W): what undoes `pixel_shuffle`."""
    name, r = "pixel_unshuffle", downscale_factor
    _check_pixels(name, input, "downscale_factor", r)
    *batch, channels, height, width = input.shape
    if height % r or width % r:
        raise ShapeError(
            name, "input", expected=f"height and width multiples of {r}", got=tuple(input.shape)
        )
    split = reshape(input, (*batch, channels, height // r, r, width // r, r))
    n = len(batch)
    moved = permute(split, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return _apart(reshape(moved, (*batch, channels * r * r, height // r, width // r)), input)


def _apart(found: Tensor, input: Tensor) -> Tensor:
    """Memory of its own for what may be a view, where the factor is 1 or an axis is short."""
    return clone(found) if found.memory is not None and found.memory is input.memory else found


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels (N, C, *) of `groups` groups dealt out in turn: axis C as (g, C / g), turned.

    X. Zhang et al., ShuffleNet, arXiv 1707.01083.
    """
    if input.ndim < 3:
        raise ShapeError("channel_shuffle", "input", expected="(N, C, *)", got=tuple(input.shape))
    channels = input.shape[1]
    if groups < 1 or channels % groups:
        raise ArgumentError(
            "channel_shuffle", "groups", expected=f"a divisor of {channels} channels", got=groups
        )
    batch, _, *spatial = input.shape
    split = reshape(input, (batch, groups, channels // groups, *spatial))
    return reshape(permute(split, (0, 2, 1, *range(3, split.ndim))), tuple(input.shape))


def _check_pixels(operator: str, input: Tensor, argument: str, factor: int) -> None:
    if input.ndim < 3:
        raise ShapeError(operator, "input", expected="(*, C, H, W)", got=tuple(input.shape))
    if factor < 1:
        raise ArgumentError(operator, argument, expected="at least 1", got=factor)
