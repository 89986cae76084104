"""Normalisation layers. Statistics that evaluation uses are buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from plugrad.creation import DeviceLike, ones, tensor, zeros
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, ShapeError
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


class _ByChannel(Module):
    """Scale and shift per channel, and running statistics of the channels."""

    axes: ClassVar[tuple[int, ...]]
    shape: ClassVar[str]
    weight: Parameter | None
    bias: Parameter | None
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
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(num_features, **where)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features, **where)) if affine else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **where) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **where) if tracked else None)
        count = tensor(0, dtype=int64, device=device) if tracked else None
        self.register_buffer("num_batches_tracked", count)

    def reset_running_stats(self) -> None:
        """Forget what was tracked."""
        if self.running_mean is not None and self.running_var is not None:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
        if self.num_batches_tracked is not None:
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, nothing tracked."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def _check(self, input: Tensor) -> None:
        if input.ndim not in self.axes:
            raise ShapeError(
                type(self).__name__, "input", expected=self.shape, got=tuple(input.shape)
            )

    @no_grad()
    def _share(self) -> float:
        """Count a batch; the share of it in the running statistics. Momentum None: the mean over all batches."""
        if self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.add_(1)
        if self.momentum is not None:
            return self.momentum
        return 1.0 / float(self.num_batches_tracked.item())

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ByChannel):
    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        tracked = self.running_mean is not None
        share = self._share() if self.training else 0.0
        moving = self.training or not tracked
        return F.batch_norm(
            input,
            self.running_mean if self.training or tracked else None,
            self.running_var if self.training or tracked else None,
            *(self.weight, self.bias, moving, share, self.eps),
        )


class BatchNorm1d(_BatchNorm):
    """Each channel of (N, C) or (N, C, L) normalised over the batch; in evaluation by running statistics.

    S. Ioffe, C. Szegedy, Batch normalization, arXiv 1502.03167.
    """

    axes = (2, 3)
    shape = "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Each channel of (N, C, H, W) normalised over the batch; in evaluation by running statistics."""

    axes = (4,)
    shape = "(N, C, H, W)"


class BatchNorm3d(_BatchNorm):
    """Each channel of (N, C, D, H, W) normalised over the batch; in evaluation by running statistics."""

    axes = (5,)
    shape = "(N, C, D, H, W)"


class _InstanceNorm(_ByChannel):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        # One axis fewer: no batch.
        alone = input.ndim == self.axes[0]
        x = input.unsqueeze(0) if alone else input
        own = self.training or self.running_mean is None
        share = self._share() if own else 0.0
        out = F.instance_norm(
            *(x, self.running_mean, self.running_var, self.weight, self.bias),
            *(own, share, self.eps),
        )
        return out.squeeze(0) if alone else out


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of (N, C, L) normalised on its own."""

    axes = (2, 3)
    shape = "(N, C, L) or (C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each sample of (N, C, H, W) normalised on its own."""

    axes = (3, 4)
    shape = "(N, C, H, W) or (C, H, W)"


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each sample of (N, C, D, H, W) normalised on its own."""

    axes = (4, 5)
    shape = "(N, C, D, H, W) or (C, D, H, W)"


class LayerNorm(Module):
    """The last axes, of sizes `normalized_shape`, normalised for each position of the others (arXiv 1607.06450)."""

    weight: Parameter | None
    bias: Parameter | None

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
        weight = ones(self.normalized_shape, device=device, dtype=dtype)
        shift = zeros(self.normalized_shape, device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(weight) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(shift) if elementwise_affine and bias else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class RMSNorm(Module):
    """The last axes divided by the root of their mean square (B. Zhang, R. Sennrich, arXiv 1910.07467)."""

    weight: Parameter | None

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
        weight = ones(self.normalized_shape, device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(weight) if elementwise_affine else None)

    def reset_parameters(self) -> None:
        """Scale 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Each sample's channels normalised in groups (Y. Wu, K. He, arXiv 1803.08494)."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError(
                "GroupNorm", "num_channels", expected=f"a multiple of {num_groups}", got=num_channels
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        where: dict[str, Any] = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(num_channels, **where)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_channels, **where)) if affine else None)

    def reset_parameters(self) -> None:
        """Scale 1, shift 0."""
        if self.weight is not None and self.bias is not None:
            init.ones_(self.weight)
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"


def _sizes(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
