"""Losses with PyTorch's arguments. `reduction` is "none", "mean" or "sum"."""

from __future__ import annotations

import math

from plugrad.errors import ArgumentError, AutogradError, ShapeError
from plugrad.functions.elementwise import clamp
from plugrad.nn.functional.activation import logsigmoid
from plugrad.nn.functional.linalg import cosine_similarity
from plugrad.ops import loss
from plugrad.ops.activation import log_softmax
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import abs as _abs
from plugrad.ops.elementwise import exp, log, square
from plugrad.ops.indexing import index_select
from plugrad.ops.loss import reduce_loss
from plugrad.ops.reduction import sum as sum_over
from plugrad.shapes import class_axis
from plugrad.tape import is_grad_enabled
from plugrad.tensor import Tensor

# classes ------------------------------------------------------------------------------------------


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability in `input` (N, C, ...) of each target's class.

    `weight` (C,) multiplies each class; targets equal to `ignore_index` count nothing; the mean
    divides by the weights.
    """
    _require_constant("nll_loss", weight)
    return loss.nll_loss(input, target, weight, ignore_index, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of the log-softmax of scores; the target holds classes, or probabilities in the
    scores' shape.

    With `label_smoothing` e each target is mixed with the uniform distribution, whose share is e.
    """
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(
            "cross_entropy", "label_smoothing", expected="from 0 to 1", got=label_smoothing
        )
    _require_constant("cross_entropy", weight)
    if target.is_floating_point():
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    if label_smoothing == 0:
        return loss.cross_entropy(input, target, weight, ignore_index, reduction)
    return _smooth_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def _require_constant(operator: str, weight: Tensor | None) -> None:
    if weight is not None and weight.requires_grad and is_grad_enabled():
        raise AutogradError(
            f"{operator}: weight: the loss has no derivative in class weights; pass weight.detach()"
        )


def _smooth_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    smoothing: float,
) -> Tensor:
    axis = class_axis(input.shape)
    logits = log_softmax(input, axis)
    hard = loss.nll_loss(logits, target, weight, ignore_index, reduction)
    ignored = target == ignore_index
    uniform = -sum_over(_weighted(logits, weight, axis), (axis,), False)
    uniform = where(ignored, 0, uniform)
    if reduction == "sum":
        uniform = sum_over(uniform)
    elif reduction == "mean":
        uniform = sum_over(uniform) / _total(target, ignored, weight, input)
    return hard * (1 - smoothing) + uniform * (smoothing / input.shape[axis])


def _total(target: Tensor, ignored: Tensor, weight: Tensor | None, like: Tensor) -> Tensor:
    """What the mean over targets divides by."""
    counted = (~ignored).to(like.dtype)
    if weight is None:
        return sum_over(counted)
    classes = where(ignored, 0, target).reshape(target.numel())
    return sum_over(index_select(weight, classes, 0) * counted.reshape(target.numel()))


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    if target.shape != input.shape:
        raise ShapeError(
            "cross_entropy",
            "target",
            expected=f"probabilities in the input's shape {tuple(input.shape)}",
            got=tuple(target.shape),
            hint="class numbers are int64",
        )
    axis = class_axis(input.shape)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[axis]
    each = _weighted(log_softmax(input, axis) * target, weight, axis)
    out = -sum_over(each, (axis,), False)
    if reduction != "mean":
        return reduce_loss(out, reduction, "cross_entropy")
    return sum_over(out) / (input.numel() // input.shape[axis])


def _weighted(x: Tensor, weight: Tensor | None, axis: int) -> Tensor:
    if weight is None:
        return x
    return x * weight.reshape(-1, *(1,) * (x.ndim - 1 - axis))


# probabilities ------------------------------------------------------------------------------------


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Minus the log-likelihood of `target` under probabilities `input`; logarithms count as at
    least -100.
    """
    _same_shape("binary_cross_entropy", input, target)
    hit = clamp(log(input), min=-100)
    miss = clamp(log(1 - input), min=-100)
    each = (target - 1) * miss - target * hit
    return reduce_loss(each if weight is None else each * weight, reduction, "binary_cross_entropy")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of `sigmoid(input)`, without forming it; `pos_weight` multiplies the
    positive part.
    """
    name = "binary_cross_entropy_with_logits"
    _same_shape(name, input, target)
    if pos_weight is None:
        each = (1 - target) * input - logsigmoid(input)
    else:
        each = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    return reduce_loss(each if weight is None else each * weight, reduction, name)


def kl_div(
    input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """`target * (log(target) - input)`, element by element; "batchmean" divides the sum by the
    first size.
    """
    if log_target:
        each = exp(target) * (target - input)
    else:
        # 0 * log(0) is 0.
        positive = target > 0
        each = where(positive, target * log(where(positive, target, 1)), 0) - target * input
    if reduction == "batchmean":
        return sum_over(each) / input.shape[0]
    return reduce_loss(each, reduction, "kl_div")


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of counts, up to a constant (with `full` Stirling's), for rates or
    their logarithms.
    """
    each = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        large = target > 1
        safe = where(large, target, 1)
        stirling = safe * log(safe) - safe + log(safe * (2 * math.pi)) * 0.5
        each = each + where(large, stirling, 0)
    return reduce_loss(each, reduction, "poisson_nll_loss")


# distances ----------------------------------------------------------------------------------------


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The squared difference."""
    return loss.mse_loss(input, target, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """The absolute difference."""
    return reduce_loss(_abs(input - target), reduction, "l1_loss")


def smooth_l1_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """The absolute difference less beta / 2, but a parabola below `beta`."""
    if beta < 0:
        raise ArgumentError("smooth_l1_loss", "beta", expected="at least 0", got=beta)
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    distance = _abs(input - target)
    each = where(distance < beta, square(distance) * (0.5 / beta), distance - 0.5 * beta)
    return reduce_loss(each, reduction, "smooth_l1_loss")


def huber_loss(
    input: Tensor, target: Tensor, *, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """`smooth_l1_loss` times `delta`: slope `delta` in the linear part."""
    if delta <= 0:
        raise ArgumentError("huber_loss", "delta", expected="more than 0", got=delta)
    distance = _abs(input - target)
    each = where(distance <= delta, square(distance) * 0.5, (distance - 0.5 * delta) * delta)
    return reduce_loss(each, reduction, "huber_loss")


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """1 - cosine for pairs whose target is 1, the cosine above `margin` for those of -1."""
    cosine = cosine_similarity(input1, input2, dim=-1)
    each = where(target == 1, 1 - cosine, clamp(cosine - margin, min=0))
    return reduce_loss(each, reduction, "cosine_embedding_loss")


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """How much `target * (input1 - input2)` lacks to reach `margin`."""
    each = clamp(margin - target * (input1 - input2), min=0)
    return reduce_loss(each, reduction, "margin_ranking_loss")


def hinge_embedding_loss(
    input: Tensor, target: Tensor, *, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """`input` where the target is 1, what it lacks to reach `margin` where it is -1."""
    each = where(target == 1, input, clamp(margin - input, min=0))
    return reduce_loss(each, reduction, "hinge_embedding_loss")


def _same_shape(operator: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise ShapeError(
            operator,
            "target",
            expected=f"the input's {tuple(input.shape)}",
            got=tuple(target.shape),
        )
