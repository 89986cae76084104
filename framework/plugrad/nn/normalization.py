"""Normalisation layers. Statistics that evaluation uses are buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from plugrad.creation import DeviceLike, ones, tensor, zeros
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, ShapeError
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


class _Affine(Module):
    """A scale that starts as 1 and a shift that starts as 0, or neither."""

    weight: Parameter | None
    bias: Parameter | None

    def _scale_and_shift(
        self,
        shape: tuple[int, ...],
        scale: bool,
        shift: bool,
        device: DeviceLike,
        dtype: DType | None,
    ) -> None:
        weight = Parameter(ones(shape, device=device, dtype=dtype)) if scale else None
        bias = Parameter(zeros(shape, device=device, dtype=dtype)) if scale and shift else None
        self.register_parameter("weight", weight)
        self.register_parameter("bias", bias)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


# statistics over a batch or an image --------------------------------------------------------------


class _ByChannel(_Affine):
    """Scale and shift per channel, and running statistics of the channels."""

    axes: ClassVar[tuple[int, ...]]
    shape: ClassVar[str]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._scale_and_shift((num_features,), affine, bias, device, dtype)
        mean = var = count = None
        if track_running_stats:
            mean = zeros(num_features, device=device, dtype=dtype)
            var = ones(num_features, device=device, dtype=dtype)
            count = tensor(0, dtype=int64, device=device)
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", var)
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Forget what was tracked."""
        if self.track_running_stats:
            init.zeros_(self.get_buffer("running_mean"))
            init.ones_(self.get_buffer("running_var"))
            init.zeros_(self.get_buffer("num_batches_tracked"))

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, nothing tracked."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, input: Tensor) -> None:
        if input.ndim not in self.axes:
            raise ShapeError(
                type(self).__name__, "input", expected=self.shape, got=tuple(input.shape)
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ByChannel):
    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        return F.batch_norm(
            *(input, self.running_mean, self.running_var, self.weight, self.bias),
            training=self.training or self.running_mean is None,
            momentum=self._share() if self.training else 0.0,
            eps=self.eps,
        )

    @no_grad()
    def _share(self) -> float:
        """Count a batch; the share of it in the running statistics. Without momentum these are
        means over all batches.
        """
        if self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.add_(1)
        if self.momentum is not None:
            return self.momentum
        return 1.0 / float(self.num_batches_tracked.item())

    def forget_running_statistics(self) -> None:
        """Normalise by the batch alone from now on."""
        self.running_mean = self.running_var = self.num_batches_tracked = None
        self.track_running_stats = False


class BatchNorm1d(_BatchNorm):
    """Each channel of (N, C) or (N, C, L) normalised over the batch; in evaluation by running
    statistics.

    S. Ioffe, C. Szegedy, Batch normalization, arXiv 1502.03167.
    """

    axes = (2, 3)
    shape = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Each channel of (N, C, H, W) normalised over the batch, as BatchNorm1d does."""

    axes = (4,)
    shape = "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """Each channel of (N, C, D, H, W) normalised over the batch, as BatchNorm1d does."""

    axes = (5,)
    shape = "(N, C, D, H, W)"


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of (N, C, ...) over the batches of all processes: here of the one process
    that there is, which makes it a BatchNorm of any number of axes.
    """

    axes = tuple(range(2, 65))
    shape = "at least (N, C)"

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: None = None,
        device: DeviceLike = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        if process_group is not None:
            raise ArgumentError(
                "SyncBatchNorm",
                "process_group",
                expected="None: there is one process",
                got=process_group,
            )
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = None

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: None = None) -> Module:
        """The module with each BatchNorm in it replaced by a SyncBatchNorm of the same parameters
        and statistics.
        """
        converted = module
        if isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm):
            converted = cls(
                *(module.num_features, module.eps, module.momentum, module.affine),
                *(module.track_running_stats, process_group),
                bias=module.bias is not None,
            )
            converted.weight, converted.bias = module.weight, module.bias
            converted.running_mean = module.running_mean
            converted.running_var = module.running_var
            converted.num_batches_tracked = module.num_batches_tracked
            converted.training = module.training
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted


class _InstanceNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            *(num_features, eps, momentum, affine, track_running_stats, device, dtype), bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        alone = input.ndim == self.axes[0]
        out = F.instance_norm(
            *(input.unsqueeze(0) if alone else input, self.running_mean, self.running_var),
            *(self.weight, self.bias),
            use_input_stats=self.training or self.running_mean is None,
            momentum=self.momentum or 0.0,
            eps=self.eps,
        )
        return out.squeeze(0) if alone else out


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of (N, C, L) or (C, L) normalised on its own."""

    axes = (2, 3)
    shape = "(N, C, L) or (C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each sample of (N, C, H, W) or (C, H, W) normalised on its own."""

    axes = (3, 4)
    shape = "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each sample of (N, C, D, H, W) or (C, D, H, W) normalised on its own."""

    axes = (4, 5)
    shape = "(N, C, D, H, W) or (C, D, H, W)"


# statistics within a sample -----------------------------------------------------------------------


class LayerNorm(_Affine):
    """The last axes, of sizes `normalized_shape`, normalised for each position of the others.

    J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450.
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._scale_and_shift(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(_Affine):
    """The last axes divided by the root of their mean square (B. Zhang, R. Sennrich, arXiv
    1910.07467).
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._scale_and_shift(self.normalized_shape, elementwise_affine, False, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    """Each sample's channels normalised in groups (Y. Wu, K. He, arXiv 1803.08494)."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(
                *("GroupNorm", "num_channels"),
                expected=f"a multiple of {num_groups}",
                got=num_channels,
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._scale_and_shift((num_channels,), affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _sizes(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


# neighbouring channels ----------------------------------------------------------------------------


class LocalResponseNorm(Module):
    """Each element of (N, C, ...) over a power of the mean square of the channels around it."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
