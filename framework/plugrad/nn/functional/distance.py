"""Losses of the distance between numbers and their targets, which broadcast, with a warning."""

from __future__ import annotations

import warnings

from plugrad.errors import ArgumentError
from plugrad.nn.functional.legacy import reduction_of
from plugrad.ops import loss
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import abs as _abs
from plugrad.ops.elementwise import square
from plugrad.ops.loss import reduce_loss
from plugrad.ops.reduction import sum as sum_over
from plugrad.tensor import Tensor


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squared difference; with `weight`, of the input's shape, the mean divides by its sum."""
    reduction = reduction_of(size_average, reduce, reduction)
    _warn_of_broadcasting(input, target)
    if weight is None:
        return loss.mse_loss(input, target, reduction)
    return _weighted_distance("mse_loss", square(input - target), input, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The absolute difference; with `weight`, of the input's shape, the mean divides by its sum."""
    reduction = reduction_of(size_average, reduce, reduction)
    _warn_of_broadcasting(input, target)
    distance = _abs(input - target)
    if weight is None:
        return reduce_loss(distance, reduction, "l1_loss")
    return _weighted_distance("l1_loss", distance, input, weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """The absolute difference less beta / 2, but a parabola below `beta`."""
    if beta < 0:
        raise ArgumentError("smooth_l1_loss", "beta", expected="at least 0", got=beta)
    reduction = reduction_of(size_average, reduce, reduction)
    _warn_of_broadcasting(input, target)
    distance = _abs(input - target)
    if beta:
        below = square(distance) * (0.5 / beta)
        distance = where(distance < beta, below, distance - 0.5 * beta)
    return reduce_loss(distance, reduction, "smooth_l1_loss")


def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """`smooth_l1_loss` times `delta`: slope `delta` in the linear part.

    `weight`, of the input's shape, multiplies each; unlike `mse_loss`'s the mean is over the count.
    """
    if delta <= 0:
        raise ArgumentError("huber_loss", "delta", expected="more than 0", got=delta)
    _warn_of_broadcasting(input, target)
    distance = _abs(input - target)
    each = where(distance <= delta, square(distance) * 0.5, (distance - 0.5 * delta) * delta)
    if weight is not None:
        _check_weight("huber_loss", input, weight)
        each = each * weight
    return reduce_loss(each, reduction, "huber_loss")


def _weighted_distance(
    operator: str, distance: Tensor, input: Tensor, weight: Tensor, reduction: str
) -> Tensor:
    _check_weight(operator, input, weight)
    each = distance * weight
    if reduction == "mean":
        return sum_over(each) / sum_over(weight)
    return reduce_loss(each, reduction, operator)


def _check_weight(operator: str, input: Tensor, weight: Tensor) -> None:
    if weight.shape != input.shape:
        raise ArgumentError(
            operator,
            "weight",
            expected=f"the input's shape {tuple(input.shape)}",
            got=tuple(weight.shape),
        )


def _warn_of_broadcasting(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size {tuple(target.shape)} that is different to the input size "
            f"{tuple(input.shape)}: the two broadcast, which is hardly ever meant.",
            stacklevel=3,
        )
