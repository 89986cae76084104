"""Convolutions with PyTorch's conventions: a parameter is one int for all spatial axes or one for
each, and the input may come without its batch axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plugrad.errors import ArgumentError, ShapeError
from plugrad.geometry import window_count
from plugrad.ops import convolution, joining, views
from plugrad.shapes import to_tuple

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

Sizes = int | Sequence[int]


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, L) with filters (O, C / groups, K)."""
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, H, W) with filters (O, C / groups, KH, KW)."""
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, D, H, W) with filters (O, C / groups, KD, KH, KW)."""
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The adjoint of `conv1d`: from (N, C, L) with filters (C, O / groups, K)."""
    return _transpose_convolve(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The adjoint of `conv2d`: from (N, C, H, W) with filters (C, O / groups, KH, KW)."""
    return _transpose_convolve(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The adjoint of `conv3d`: from (N, C, D, H, W) with filters (C, O / groups, KD, KH, KW)."""
    return _transpose_convolve(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Cross-correlation along time of (T, N, C) with filters (K, C, O): (T', N, O)."""
    if len(input.shape) != 3 or len(weight.shape) != 3:
        raise ShapeError(
            "conv_tbc",
            "input",
            expected="(T, N, C), for a weight (K, C, O)",
            got=f"{input.shape} and {weight.shape}",
        )
    filters = views.permute(weight, (2, 1, 0))
    out = conv1d(views.permute(input, (1, 2, 0)), filters, bias, padding=pad)
    return views.permute(out, (2, 0, 1))


def with_batch(operator: str, spatial: int, input: Tensor) -> tuple[Tensor, bool]:
    """The input with a batch axis, and whether it had none."""
    ndim = len(input.shape)
    if ndim == spatial + 1:
        return views.view(input, (1, *input.shape)), True
    if ndim != spatial + 2:
        raise ShapeError(
            operator,
            "input",
            expected=f"{spatial + 1} axes (C, *spatial), or {spatial + 2} with the batch in front",
            got=input.shape,
        )
    return input, False


def without_batch(x: Tensor) -> Tensor:
    """The only element of the batch."""
    return views.select(x, 0, 0)


def _convolve(
    operator: str,
    spatial: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    input, alone = with_batch(operator, spatial, input)
    strides = to_tuple(stride, spatial, operator, "stride")
    dilations = to_tuple(dilation, spatial, operator, "dilation")
    if isinstance(padding, str):
        input, margins = _pad_by_name(operator, padding, input, weight, strides, dilations)
    else:
        margins = to_tuple(padding, spatial, operator, "padding")
    out = convolution.convolution(input, weight, bias, strides, margins, dilations, groups)
    return without_batch(out) if alone else out


def _pad_by_name(
    operator: str,
    padding: str,
    input: Tensor,
    weight: Tensor,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[Tensor, tuple[int, ...]]:
    """The input, with what cannot be padded on both sides alike, and the padding that remains."""
    if padding == "valid":
        return input, (0,) * len(stride)
    if padding != "same":
        raise ArgumentError(
            operator, "padding", expected="numbers, 'same' or 'valid'", got=repr(padding)
        )
    if max(stride) != 1:
        raise ArgumentError(
            operator,
            "stride",
            expected="1 where padding is 'same'",
            got=stride,
            hint="give the padding in numbers",
        )
    total = [step * (size - 1) for size, step in zip(weight.shape[2:], dilation)]
    if any(each % 2 for each in total):
        # An even kernel sees one element more on the right.
        extra = ((0, 0), (0, 0), *[(0, each % 2) for each in total])
        input = joining.pad(input, extra, 0)
    return input, tuple([each // 2 for each in total])


def _transpose_convolve(
    operator: str,
    spatial: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> Tensor:
    input, alone = with_batch(operator, spatial, input)
    strides = to_tuple(stride, spatial, operator, "stride")
    margins = to_tuple(padding, spatial, operator, "padding")
    extras = to_tuple(output_padding, spatial, operator, "output_padding")
    dilations = to_tuple(dilation, spatial, operator, "dilation")
    if any(extra < 0 or extra >= max(s, d) for extra, s, d in zip(extras, strides, dilations)):
        raise ArgumentError(
            operator,
            "output_padding",
            expected="from 0 up, and smaller than the stride or the dilation",
            got=extras,
        )
    if len(weight.shape) != spatial + 2:
        raise ShapeError(operator, "weight", expected=f"{spatial + 2} axes", got=weight.shape)
    axes = list(zip(input.shape[2:], weight.shape[2:], strides, margins, dilations, strict=True))
    sizes = tuple(
        [
            (n - 1) * s - 2 * p + d * (k - 1) + 1 + extra
            for (n, k, s, p, d), extra in zip(axes, extras)
        ]
    )
    if min(sizes) < 1:
        raise ShapeError(operator, "input", expected="an output of at least one element", got=sizes)
    # An output padding of a whole stride makes room for windows that no input stands for.
    missing = [window_count(size, k, s, p, d) - n for size, (n, k, s, p, d) in zip(sizes, axes)]
    if any(missing):
        input = joining.pad(input, ((0, 0), (0, 0), *[(0, count) for count in missing]), 0)
    out = convolution.convolution_input_gradient(
        input, weight, sizes, strides, margins, dilations, groups
    )
    if bias is not None:
        count = weight.shape[1] * groups
        if bias.shape != (count,):
            raise ShapeError(operator, "bias", expected=f"({count},)", got=bias.shape)
        out = out + views.reshape(bias, (count, *(1,) * spatial))
    return without_batch(out) if alone else out
