"""Padding layers: borders of one number, or of elements from inside, around one to three spatial
axes.

`padding` is one int for every side, or two per axis, before and after, the last axis first.
"""

from __future__ import annotations

from typing import ClassVar

from plugrad.errors import ShapeError
from plugrad.functions.convolution import Sizes
from plugrad.nn import functional as F
from plugrad.nn.module import Module
from plugrad.shapes import to_tuple
from plugrad.tensor import Tensor


class _Pad(Module):
    spatial: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = to_tuple(padding, 2 * self.spatial, type(self).__name__, "padding")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return str(self.padding)


# one number ---------------------------------------------------------------------------------------


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """A border of `value` around the last axis."""

    spatial = 1


class ConstantPad2d(_ConstantPad):
    """A border of `value` around the last two axes."""

    spatial = 2


class ConstantPad3d(_ConstantPad):
    """A border of `value` around the last three axes."""

    spatial = 3


class ZeroPad1d(ConstantPad1d):
    """A border of 0 around the last axis."""

    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _Pad.extra_repr


class ZeroPad2d(ConstantPad2d):
    """A border of 0 around the last two axes."""

    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _Pad.extra_repr


class ZeroPad3d(ConstantPad3d):
    """A border of 0 around the last three axes."""

    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _Pad.extra_repr


# elements from inside -----------------------------------------------------------------------------


class ReflectionPad1d(_Pad):
    """(N, C, L), or (C, L), continued by its mirror image, without the edge."""

    spatial, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """(N, C, H, W), or (C, H, W), continued by its mirror image, without the edge."""

    spatial, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """(N, C, D, H, W), or (C, D, H, W), continued by its mirror image, without the edge."""

    spatial, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """(N, C, L), or (C, L), continued by its edge."""

    spatial, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """(N, C, H, W), or (C, H, W), continued by its edge."""

    spatial, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """(N, C, D, H, W), or (C, D, H, W), continued by its edge."""

    spatial, mode = 3, "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.spatial + 1, self.spatial + 2):
            raise ShapeError(
                type(self).__name__,
                "input",
                expected=f"{self.spatial + 1} or {self.spatial + 2} axes",
                got=tuple(input.shape),
            )
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """(N, C, L), or (C, L), continued by its opposite side."""

    spatial = 1


class CircularPad2d(_CircularPad):
    """(N, C, H, W), or (C, H, W), continued by its opposite sides."""

    spatial = 2


class CircularPad3d(_CircularPad):
    """(N, C, D, H, W), or (C, D, H, W), continued by its opposite sides."""

    spatial = 3
