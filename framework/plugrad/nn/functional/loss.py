"""Losses of classes and of probabilities with PyTorch's arguments. `reduction` is "none", "mean" or
"sum".
"""

from __future__ import annotations

import math

from plugrad.creation import full_like
from plugrad.dtypes import uint8
from plugrad.errors import ArgumentError, AutogradError, DtypeError, ShapeError
from plugrad.functions.elementwise import clamp
from plugrad.nn.functional.activation import logsigmoid
from plugrad.nn.functional.legacy import reduction_of
from plugrad.ops import loss
from plugrad.ops.activation import log_softmax
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import exp, log, square
from plugrad.ops.indexing import index_select
from plugrad.ops.loss import check_reduction, reduce_loss
from plugrad.ops.reduction import sum as sum_over
from plugrad.shapes import class_axis
from plugrad.tape import is_grad_enabled
from plugrad.tensor import Tensor

# classes ------------------------------------------------------------------------------------------


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability in `input` (N, C, ...) of each target's class.

    `weight` (C,) multiplies each class; targets equal to `ignore_index` count nothing; the mean
    divides by the weights.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _require_constant("nll_loss", weight)
    return loss.nll_loss(input, _classes(target), weight, ignore_index, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """`nll_loss` of the log-softmax of scores; the target holds classes, or probabilities in the
    scores' shape.

    With `label_smoothing` e each target is mixed with the uniform distribution, whose share is e.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(
            "cross_entropy", "label_smoothing", expected="from 0 to 1", got=label_smoothing
        )
    _require_constant("cross_entropy", weight)
    if target.is_floating_point():
        if ignore_index >= 0:
            raise ArgumentError(
                "cross_entropy",
                "ignore_index",
                expected="none, as the target holds probabilities",
                got=ignore_index,
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    target = _classes(target)
    if label_smoothing == 0:
        return loss.cross_entropy(input, target, weight, ignore_index, reduction)
    return _smooth_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)


def _classes(target: Tensor) -> Tensor:
    """Bytes are class numbers too."""
    return target.long() if target.dtype is uint8 else target


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
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of `target` under probabilities `input`; logarithms count as at
    least -100.
    """
    name = "binary_cross_entropy"
    reduction = reduction_of(size_average, reduce, reduction)
    _same_shape(name, input, target)
    _check_probabilities(name, input=input, target=target)
    each = loss.binary_cross_entropy(input, target)
    return reduce_loss(each if weight is None else each * weight, reduction, name)


def _check_probabilities(operator: str, **tensors: Tensor) -> None:
    for name, x in tensors.items():
        # On a GPU the program would have to wait for the answer; inside vmap there is none yet.
        if x.level or x.is_cuda or not x.numel():
            continue
        low, high = x.amin().item(), x.amax().item()
        if not (low >= 0 and high <= 1):
            raise ArgumentError(
                operator,
                name,
                expected="numbers from 0 to 1",
                got=f"some from {low:g} to {high:g}",
                hint="binary_cross_entropy_with_logits takes scores of any size",
            )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of `sigmoid(input)`, without forming it; `pos_weight` multiplies the
    positive part.
    """
    name = "binary_cross_entropy_with_logits"
    reduction = reduction_of(size_average, reduce, reduction)
    _same_shape(name, input, target)
    if pos_weight is None:
        each = (1 - target) * input - logsigmoid(input)
    else:
        each = (1 - target) * input - (1 + (pos_weight - 1) * target) * logsigmoid(input)
    return reduce_loss(each if weight is None else each * weight, reduction, name)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """`target * (log(target) - input)`, element by element; "batchmean" divides the sum by the
    first size.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if log_target:
        each = exp(target) * (target - input)
    else:
        # 0 * log(0) is 0.
        absent = target == 0
        each = where(absent, 0, target * log(where(absent, 1, target))) - target * input
    if reduction == "batchmean":
        return sum_over(each) / (input.shape[0] if input.ndim else 1)
    return reduce_loss(each, reduction, "kl_div")


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of counts, up to a constant (with `full` Stirling's), for rates or
    their logarithms.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    each = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        large = target > 1
        safe = where(large, target, 1)
        stirling = safe * log(safe) - safe + log(safe * (2 * math.pi)) * 0.5
        each = each + where(large, stirling, 0)
    return reduce_loss(each, reduction, "poisson_nll_loss")


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-likelihood of `target` under normal distributions of mean `input` and variance
    `var`, up to a constant unless `full`.

    `var` has the input's shape, or lacks its last axis or has 1 there: then the elements along it
    share one. Variances below `eps` count as `eps`, without changing their derivative.
    """
    check_reduction("gaussian_nll_loss", reduction)
    if input.dtype.kind == "int" and target.dtype.kind == "int":
        raise DtypeError("gaussian_nll_loss", "input", expected="a float dtype", got=input.dtype)
    spread = _variance(input, var)
    raised = spread + clamp(eps - spread.detach(), min=0)
    each = (log(raised) + square(input - target) / raised) * 0.5
    if full:
        each = each + 0.5 * math.log(2 * math.pi)
    return reduce_loss(each, reduction, "gaussian_nll_loss")


def _variance(input: Tensor, var: Tensor | float) -> Tensor:
    name = "gaussian_nll_loss"
    spread = full_like(input, var) if isinstance(var, (int, float)) else var
    if not spread.level and bool((spread < 0).any()):
        raise ArgumentError(name, "var", expected="variances of at least 0", got="a negative one")
    if spread.shape == input.shape[:-1] != input.shape:
        return spread.unsqueeze(-1)
    differing = [(n, v) for n, v in zip(input.shape, spread.shape) if n != v]
    if spread.ndim != input.ndim or (differing and sum([v for _, v in differing]) != 1):
        raise ArgumentError(
            name,
            "var",
            expected=f"the input's shape {tuple(input.shape)}, or that with one axis less or of 1",
            got=tuple(spread.shape),
        )
    return spread


def _same_shape(operator: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise ShapeError(
            operator,
            "target",
            expected=f"the input's {tuple(input.shape)}",
            got=tuple(target.shape),
        )
