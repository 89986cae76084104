"""Convolution layers, and their adjoints, over one to three spatial axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from plugrad.creation import DeviceLike, empty
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError
from plugrad.functions.convolution import Sizes
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.shapes import numel, to_tuple
from plugrad.tensor import Tensor

_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What all share: sizes of the window, filters (O, C / groups, *kernel), or transposed (C, O /
    groups, *kernel).
    """

    spatial: ClassVar[int]
    transposed: ClassVar[bool] = False
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        name, spatial = type(self).__name__, self.spatial
        for argument, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if groups < 1 or channels % groups:
                raise ArgumentError(
                    name, argument, expected=f"a multiple of groups, {groups}", got=channels
                )
        if padding_mode not in _MODES or (self.transposed and padding_mode != "zeros"):
            modes = _MODES[:1] if self.transposed else _MODES
            raise ArgumentError(
                name, "padding_mode", expected=f"one of {modes}", got=repr(padding_mode)
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = to_tuple(kernel_size, spatial, name, "kernel_size")
        self.stride = to_tuple(stride, spatial, name, "stride")
        self.dilation = to_tuple(dilation, spatial, name, "dilation")
        self.groups = groups
        self.padding_mode = padding_mode
        self.padding: str | tuple[int, ...]
        if isinstance(padding, str):
            if padding not in ("same", "valid") or (padding == "same" and max(self.stride) > 1):
                raise ArgumentError(
                    name,
                    "padding",
                    expected="numbers, 'valid', or 'same' where the stride is 1",
                    got=repr(padding),
                )
            self.padding = padding
        else:
            self.padding = to_tuple(padding, spatial, name, "padding")
        pair = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (pair[0], pair[1] // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "bias", Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1/sqrt(fan_in) of 0."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan = numel(self.weight.shape[1:])
        if self.bias is not None and fan:
            init.uniform_(self.bias, -1 / math.sqrt(fan), 1 / math.sqrt(fan))

    def _margins(self) -> list[int]:
        """The padding as `pad` wants it: before and after, the last axis first."""
        if self.padding == "valid":
            return [0, 0] * self.spatial
        if isinstance(self.padding, str):
            total = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            pairs = [(each // 2, each - each // 2) for each in total]
        else:
            pairs = [(each, each) for each in self.padding]
        return [margin for pair in reversed(pairs) for margin in pair]

    def extra_repr(self) -> str:
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}, stride={self.stride}",
        ]
        if self.padding != (0,) * self.spatial:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.spatial:
            parts.append(f"dilation={self.dilation}")
        output_padding = self.__dict__.get("output_padding")
        if output_padding is not None and any(output_padding):
            parts.append(f"output_padding={output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Forward(_Convolution):
    def forward(self, input: Tensor) -> Tensor:
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self.spatial - 1]
        padding: Sizes | str = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._margins(), self.padding_mode), 0
        return convolve(
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )


class Conv1d(_Forward):
    """Cross-correlation of (N, C, L), or (C, L), with learnt filters."""

    spatial = 1


class Conv2d(_Forward):
    """Cross-correlation of (N, C, H, W), or (C, H, W), with learnt filters."""

    spatial = 2


class Conv3d(_Forward):
    """Cross-correlation of (N, C, D, H, W), or (C, D, H, W), with learnt filters."""

    spatial = 3


class _Transposed(_Convolution):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            *(in_channels, out_channels, kernel_size, stride, padding, dilation, groups),
            *(bias, padding_mode, device, dtype),
        )
        name = type(self).__name__
        self.output_padding = to_tuple(output_padding, self.spatial, name, "output_padding")

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.spatial - 1]
        extra = self.output_padding if output_size is None else self._extra(input, output_size)
        padding = self.padding
        assert not isinstance(padding, str)
        return convolve(
            *(input, self.weight, self.bias, self.stride, padding),
            *(extra, self.groups, self.dilation),
        )

    def _extra(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output padding that gives the output these spatial sizes."""
        wanted = tuple(output_size)[-self.spatial :]
        least = [
            (n - 1) * s - 2 * int(p) + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                *(input.shape[-self.spatial :], self.stride, self.padding),
                *(self.dilation, self.kernel_size),
            )
        ]
        extra = tuple([want - low for want, low in zip(wanted, least)])
        if len(wanted) != self.spatial or any(not 0 <= e < s for e, s in zip(extra, self.stride)):
            most = [low + s - 1 for low, s in zip(least, self.stride)]
            raise ArgumentError(
                type(self).__name__,
                "output_size",
                expected=f"sizes from {least} to {most}",
                got=tuple(output_size),
            )
        return extra


class ConvTranspose1d(_Transposed):
    """The adjoint of Conv1d, with learnt filters."""

    spatial = 1


class ConvTranspose2d(_Transposed):
    """The adjoint of Conv2d, with learnt filters."""

    spatial = 2


class ConvTranspose3d(_Transposed):
    """The adjoint of Conv3d, with learnt filters."""

    spatial = 3
