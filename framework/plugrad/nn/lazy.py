"""Layers that learn from their first input how many features there are, and then are the layer that
they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from plugrad.creation import DeviceLike, tensor
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, AutogradError
from plugrad.functions.convolution import Sizes
from plugrad.nn.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)
from plugrad.nn.linear import Linear
from plugrad.nn.module import Module
from plugrad.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from plugrad.nn.parameter import Uninitialized, UninitializedBuffer, UninitializedParameter
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

Shapes = Mapping[str, tuple[int, ...]]


class LazyModuleMixin(Module):
    """Mixed into a module class before `Module`: at the first call `initialize_parameters` gets the
    arguments, and the module becomes one of `cls_to_become`, if that is not None.
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._first_call = self.register_forward_pre_hook(_initialize, with_kwargs=True)

    def initialize_parameters(self, *arguments: Any, **options: Any) -> None:
        """Give shapes to what is uninitialized, from the arguments of the first call."""
        raise NotImplementedError(f"{type(self).__name__} does not define initialize_parameters()")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of the module itself has no shape yet."""
        held = (*self._parameters.values(), *self._buffers.values())
        return any(isinstance(each, Uninitialized) for each in held)


def _initialize(module: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    module.initialize_parameters(*arguments, **options)
    if module.has_uninitialized_params():
        raise AutogradError(
            f"{type(module).__name__}: initialize_parameters() left a parameter without a shape"
        )
    module._first_call.remove()
    del module._first_call
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become


class _Lazy(LazyModuleMixin):
    """What the layers of this file share: which attribute the input's axis 1 (of a linear layer the
    last) tells, and the shapes that follow from it.
    """

    tells: ClassVar[str] = "in_channels"

    def initialize_parameters(self, input: Tensor) -> None:
        """Give shapes to parameters and buffers, and initial values to their elements."""
        if not self.has_uninitialized_params():
            return  # a state dict was loaded
        size = self._count(input)
        with no_grad():
            setattr(self, self.tells, size)
            for name, shape in self._shapes(size).items():
                value = getattr(self, name)
                if isinstance(value, Uninitialized):
                    value.materialize(shape)
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initial values, once there are elements."""
        if not self.has_uninitialized_params():
            parent: Any = super()
            parent.reset_parameters()

    def _count(self, input: Tensor) -> int:
        return input.shape[1]

    def _shapes(self, size: int) -> Shapes:
        raise NotImplementedError

    def _leave_open(self, bias: bool, device: DeviceLike, dtype: DType | None) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)


class LazyLinear(_Lazy, Linear):
    """`Linear` whose `in_features` the first input tells."""

    cls_to_become = Linear
    tells = "in_features"

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self._leave_open(bias, device, dtype)

    def _count(self, input: Tensor) -> int:
        return input.shape[-1]

    def _shapes(self, size: int) -> Shapes:
        return {"weight": (self.out_features, size), "bias": (self.out_features,)}


class _LazyConvolution(_Lazy):
    spatial: ClassVar[int]
    transposed: ClassVar[bool]
    out_channels: int
    groups: int
    kernel_size: tuple[int, ...]

    def __init__(
        self,
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
        super().__init__(
            *(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        )
        self._set_channels("out_channels", out_channels)
        self._leave_open(bias, device, dtype)

    def _set_channels(self, name: str, count: int) -> None:
        if count % self.groups:
            raise ArgumentError(
                *(type(self).__name__, name),
                expected=f"a multiple of groups, {self.groups}",
                got=count,
            )
        setattr(self, name, count)

    def _count(self, input: Tensor) -> int:
        if input.ndim not in (self.spatial + 1, self.spatial + 2):
            raise ArgumentError(
                *(type(self).__name__, "input"),
                expected=f"{self.spatial + 1} or {self.spatial + 2} axes",
                got=tuple(input.shape),
            )
        return input.shape[-self.spatial - 1]

    def _shapes(self, size: int) -> Shapes:
        self._set_channels("in_channels", size)
        pair = (size, self.out_channels) if self.transposed else (self.out_channels, size)
        return {
            "weight": (pair[0], pair[1] // self.groups, *self.kernel_size),
            "bias": (self.out_channels,),
        }


class LazyConv1d(_LazyConvolution, Conv1d):
    """`Conv1d` whose `in_channels` the first input tells."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvolution, Conv2d):
    """`Conv2d` whose `in_channels` the first input tells."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvolution, Conv3d):
    """`Conv3d` whose `in_channels` the first input tells."""

    cls_to_become = Conv3d


class _LazyTransposed(_LazyConvolution):
    def __init__(
        self,
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
        _Lazy.__init__(
            self,
            *(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation),
            padding_mode,
        )
        self._set_channels("out_channels", out_channels)
        self._leave_open(bias, device, dtype)


class LazyConvTranspose1d(_LazyTransposed, ConvTranspose1d):
    """`ConvTranspose1d` whose `in_channels` the first input tells."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposed, ConvTranspose2d):
    """`ConvTranspose2d` whose `in_channels` the first input tells."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposed, ConvTranspose3d):
    """`ConvTranspose3d` whose `in_channels` the first input tells."""

    cls_to_become = ConvTranspose3d


class _LazyNorm(_Lazy):
    tells = "num_features"
    affine: bool
    track_running_stats: bool

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False)
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self._leave_open(bias, device, dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=int64, device=device)

    def _count(self, input: Tensor) -> int:
        check: Any = self
        check._check(input)
        return input.shape[max(1, input.ndim - max(check.axes) + 1)]

    def _shapes(self, size: int) -> Shapes:
        names = ("weight", "bias") if self.affine else ()
        if self.track_running_stats:
            names = (*names, "running_mean", "running_var")
        return dict.fromkeys(names, (size,))


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """`BatchNorm1d` whose `num_features` the first input tells."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """`BatchNorm2d` whose `num_features` the first input tells."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """`BatchNorm3d` whose `num_features` the first input tells."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """`InstanceNorm1d` whose `num_features` the first input tells."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """`InstanceNorm2d` whose `num_features` the first input tells."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """`InstanceNorm3d` whose `num_features` the first input tells."""

    cls_to_become = InstanceNorm3d
