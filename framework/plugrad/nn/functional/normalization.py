"""Normalisation as users call it: shapes checked, running statistics kept, groups made axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugrad.errors import ArgumentError, ShapeError
from plugrad.ops import joining, normalization
from plugrad.ops.elementwise import rsqrt, square
from plugrad.ops.reduction import mean
from plugrad.shapes import as_ints, numel
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The last axes, of sizes `normalized_shape`, brought to mean 0 and variance 1, then scaled and
    shifted.
    """
    axes = _trailing("layer_norm", input, normalized_shape)
    return normalization.layer_norm(input, weight, bias, axes, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """The last axes divided by the root of their mean square, then scaled. `eps` None: the dtype's
    precision.
    """
    axes = _trailing("rms_norm", input, normalized_shape)
    if eps is None:
        eps = 2.0**-52 if input.dtype.to_real().itemsize == 8 else 2.0**-23
    dims = tuple(range(input.ndim - axes, input.ndim))
    # Of 16-bit floats the squares would overflow.
    x = input.float() if input.dtype.itemsize == 2 and input.is_floating_point() else input
    out = (x * rsqrt(mean(x * x, dims, True) + eps)).to(input.dtype)
    return out if weight is None else out * weight


def _trailing(operator: str, input: Tensor, normalized_shape: int | Sequence[int]) -> int:
    given = normalized_shape if isinstance(normalized_shape, Sequence) else (normalized_shape,)
    sizes = as_ints(given, operator, "normalized_shape")
    if not sizes or tuple(input.shape[-len(sizes) :]) != sizes:
        raise ShapeError(
            operator, "input", expected=f"last axes of sizes {sizes}", got=tuple(input.shape)
        )
    return len(sizes)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel (axis 1) brought to mean 0 and variance 1, then scaled and shifted.

    In training by the batch's own statistics, which also move the running ones by the share
    `momentum` (the variance then with Bessel's correction); else by the running ones.
    """
    if not training:
        if running_mean is None or running_var is None:
            raise ArgumentError(
                "batch_norm",
                "running_mean and running_var",
                expected="tensors where training is False",
                got=None,
            )
        return normalization.batch_norm_inference(
            input, running_mean, running_var, weight, bias, eps
        )
    count = input.numel() // input.shape[1] if input.ndim > 1 and input.shape[1] else 0
    if not eps > 0:
        raise ArgumentError("batch_norm", "eps", expected="above 0 in training", got=eps)
    if input.ndim > 1 and count == 1:
        raise ArgumentError(
            "batch_norm",
            "input",
            expected="more than one value per channel in training",
            got=f"shape {tuple(input.shape)}",
            hint="use a larger batch, or eval()",
        )
    out, average, variance = normalization.batch_norm(input, weight, bias, eps)
    if not count:
        return out  # of nothing there are no statistics
    with no_grad():
        _move(running_mean, average, momentum)
        _move(running_var, variance, momentum, count / (count - 1))
    return out


def _move(running: Tensor | None, new: Any, momentum: float, correction: float = 1.0) -> None:
    if running is not None:
        # As it is where no transform has wrapped it: to detach gives memory, and has its price.
        new = new.detach() if new.level else new
        running.mul_(1 - momentum).add_(new * (momentum * correction))


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample's channels in groups, each group brought to mean 0 and variance 1; then scaled by
    channel.
    """
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups:
        raise ShapeError(
            "group_norm",
            "input",
            expected=f"(N, C, ...) with C a multiple of {num_groups} groups",
            got=tuple(input.shape),
        )
    batch, channels = input.shape[:2]
    size = channels // max(num_groups, 1) * numel(input.shape[2:])
    grouped = input.reshape(batch, num_groups, size)
    out = normalization.layer_norm(grouped, None, None, 1, eps).reshape(*input.shape)
    by_channel = (channels, *(1,) * (input.ndim - 2))
    if weight is not None:
        out = out * weight.reshape(*by_channel)
    return out if bias is None else out + bias.reshape(*by_channel)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample brought to mean 0 and variance 1, or by running statistics; then
    scaled by channel.
    """
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3 or numel(input.shape[2:]) < 2:
        raise ArgumentError(
            "instance_norm",
            "input",
            expected="(N, C, ...) with more than one value per channel",
            got=f"shape {tuple(input.shape)}",
        )
    if running_mean is not None or running_var is not None:
        dims = tuple(range(2, input.ndim))
        count = numel(input.shape[2:])
        with no_grad():
            data = input.detach()
            _move(running_mean, data.mean(dims).mean(0), momentum)
            _move(running_var, data.var(dims, correction=0).mean(0), momentum, count / (count - 1))
    return group_norm(input, input.shape[1], weight, bias, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Each element of (N, C, ...) over `(k + alpha * m) ** beta`, m the mean of the squares at the
    same place in the `size` channels around it; channels that are not there count as 0.

    A. Krizhevsky et al., ImageNet classification, NIPS 2012.
    """
    if input.ndim < 3:
        raise ArgumentError(
            "local_response_norm", "input", expected="(N, C, *spatial)", got=tuple(input.shape)
        )
    if not input.numel():
        return input
    batch, channels = input.shape[:2]
    squares = square(input).reshape(batch, channels, numel(input.shape[2:]))
    padded = joining.pad(squares, ((0, 0), (size // 2, (size - 1) // 2), (0, 0)), 0)
    around = padded.unfold(1, size, 1).mean(-1).reshape(*input.shape)
    return input / (around * alpha + k) ** beta
