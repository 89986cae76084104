"""Pooling layers: the largest or a mean of windows over one to three spatial axes, and the way back
from the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from plugrad.errors import ArgumentError
from plugrad.functions.convolution import Sizes
from plugrad.nn import functional as F
from plugrad.nn.functional.pooling import Ratios
from plugrad.nn.module import Module
from plugrad.shapes import to_tuple
from plugrad.tensor import Tensor


class _MaxPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return type(self).pool(
            *(input, self.kernel_size, self.stride, self.padding),
            *(self.dilation, self.ceil_mode, self.return_indices),
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of (N, C, L)."""

    pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest element of each window of (N, C, H, W)."""

    pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest element of each window of (N, C, D, H, W)."""

    pool = staticmethod(F.max_pool3d)


class AvgPool1d(Module):
    """The mean of each window of (N, C, L)."""

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = to_tuple(kernel_size, 1, "AvgPool1d", "kernel_size")
        step = self.kernel_size if stride is None else stride
        self.stride = to_tuple(step, 1, "AvgPool1d", "stride")
        self.padding = to_tuple(padding, 1, "AvgPool1d", "padding")
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            *(input, self.kernel_size, self.stride, self.padding),
            *(self.ceil_mode, self.count_include_pad),
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return type(self).pool(
            *(input, self.kernel_size, self.stride, self.padding),
            *(self.ceil_mode, self.count_include_pad, self.divisor_override),
        )

    extra_repr = AvgPool1d.extra_repr


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W)."""

    pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W)."""

    pool = staticmethod(F.avg_pool3d)


class _AdaptiveAvgPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: int | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return type(self).pool(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of as many windows as `output_size` says."""

    pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of as many windows as `output_size` says; `None` keeps a size."""

    pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of as many windows as `output_size` says; `None` keeps a size."""

    pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self, output_size: int | Sequence[int | None], return_indices: bool = False
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return type(self).pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest elements of as many windows as `output_size` says."""

    pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest elements of as many windows as `output_size` says; `None` keeps a size."""

    pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest elements of as many windows as `output_size` says; `None` keeps a size."""

    pool = staticmethod(F.adaptive_max_pool3d)


# power means --------------------------------------------------------------------------------------


class _LPPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        norm_type: float,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return type(self).pool(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """The root of order `norm_type` of the sum of that power over each window of (N, C, L)."""

    pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """The root of order `norm_type` of the sum of that power over each window of (N, C, H, W)."""

    pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """The root of order `norm_type` of the sum of that power over each (N, C, D, H, W) window."""

    pool = staticmethod(F.lp_pool3d)


# the way back -------------------------------------------------------------------------------------


class _MaxUnpool(Module):
    spatial: ClassVar[int]
    pool: ClassVar[Callable[..., Any]]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        name, spatial = type(self).__name__, self.spatial
        self.kernel_size = to_tuple(kernel_size, spatial, name, "kernel_size")
        step = self.kernel_size if stride is None else stride
        self.stride = to_tuple(step, spatial, name, "stride")
        self.padding = to_tuple(padding, spatial, name, "padding")

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        return type(self).pool(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    extra_repr = AvgPool1d.extra_repr


class MaxUnpool1d(_MaxUnpool):
    """Zeros (N, C, L), with the input at the positions that MaxPool1d gave."""

    spatial = 1
    pool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Zeros (N, C, H, W), with the input at the positions that MaxPool2d gave."""

    spatial = 2
    pool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Zeros (N, C, D, H, W), with the input at the positions that MaxPool3d gave."""

    spatial = 3
    pool = staticmethod(F.max_unpool3d)


# windows at random places -------------------------------------------------------------------------


class _FractionalMaxPool(Module):
    spatial: ClassVar[int]
    pool: ClassVar[Callable[..., Any]]
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Sizes,
        output_size: Sizes | None = None,
        output_ratio: Ratios | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name, spatial = type(self).__name__, self.spatial
        self.kernel_size = to_tuple(kernel_size, spatial, name, "kernel_size")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        if (output_size is None) == (output_ratio is None):
            raise ArgumentError(
                name,
                "output_size",
                expected="either a size or an output_ratio",
                got=f"{output_size} and {output_ratio}",
            )
        self.output_size = self.output_ratio = None
        if output_size is not None:
            self.output_size = to_tuple(output_size, spatial, name, "output_size")
        if output_ratio is not None:
            several = isinstance(output_ratio, Sequence)
            ratios = tuple(output_ratio) if several else (output_ratio,) * spatial
            if len(ratios) != spatial or not all(0 < ratio < 1 for ratio in ratios):
                raise ArgumentError(
                    name, "output_ratio", expected="between 0 and 1", got=output_ratio
                )
            self.output_ratio = ratios

    def forward(self, input: Tensor) -> Any:
        return type(self).pool(
            *(input, self.kernel_size, self.output_size, self.output_ratio),
            *(self.return_indices, self._random_samples),
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest elements of windows at random places of (N, C, H, W)."""

    spatial = 2
    pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest elements of windows at random places of (N, C, D, H, W)."""

    spatial = 3
    pool = staticmethod(F.fractional_max_pool3d)
