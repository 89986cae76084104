"""Losses: how far predictions are from targets.

Classes are along axis 1 of the input (N, C, ...), or along the only axis of (C,); the target holds
class numbers and has the input's shape without that axis. `reduction` is "none", "sum" or "mean".
"""

from __future__ import annotations

from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import composite, elementwise
from plugrad.ops.activation import log_softmax, log_softmax_backward
from plugrad.ops.comparison import where
from plugrad.ops.creation import full
from plugrad.ops.elementwise import clamp_min, log, log1p
from plugrad.ops.indexing import gather, index_select, scatter_add
from plugrad.ops.reduction import mean
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import reshape
from plugrad.shapes import class_axis
from plugrad.spec import spec_of

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(operator, reduction):
    """Refuse a `reduction` that is not one of the three."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(
            operator, "reduction", expected="'none', 'mean' or 'sum'", got=repr(reduction)
        )


def reduce_loss(loss, reduction, operator):
    """The losses of all elements, their mean or their sum."""
    check_reduction(operator, reduction)
    if reduction == "none":
        return loss
    return mean(loss) if reduction == "mean" else sum_over(loss)


# classes ------------------------------------------------------------------------------------------


def _class_loss_spec(operator):
    def rule(x, target, weight, reduction):
        check_reduction(operator, reduction)
        if not x.shape or not x.dtype.is_floating_point:
            kind = DtypeError if x.shape else ShapeError
            got = x.dtype if x.shape else x.shape
            raise kind(operator, "input", expected="floating (C,) or (N, C, ...)", got=got)
        axis = class_axis(x.shape)
        wanted = x.shape[:axis] + x.shape[axis + 1 :]
        if target.shape != wanted:
            raise ShapeError(
                operator,
                "target",
                expected=f"{wanted}, the input's {x.shape} without its classes",
                got=target.shape,
            )
        if target.dtype is not int64:
            raise DtypeError(
                operator,
                "target",
                expected="int64 class numbers",
                got=target.dtype,
                hint="cast it with .long()",
            )
        if weight is not None:
            if weight.shape != (x.shape[axis],):
                raise ShapeError(
                    operator,
                    "weight",
                    expected=f"({x.shape[axis]},), one per class",
                    got=weight.shape,
                )
            if weight.dtype is not x.dtype:
                raise DtypeError(
                    operator, "weight", expected=f"the input's dtype, {x.dtype}", got=weight.dtype
                )
        return spec_of(wanted if reduction == "none" else (), x.dtype, x.device)

    return rule


@composite(_class_loss_spec("nll_loss"))
def nll_loss(x, target, weight, /, ignore_index, reduction):
    """Minus the log-probability in `x` of the target's class, times that class's `weight` (C,), if
    not None.

    Targets equal to `ignore_index` count nothing. The mean divides by the weights' sum.
    """
    axis = class_axis(x.shape)
    ignored = target == ignore_index
    index = _with_axis(where(ignored, 0, target), axis)
    factor = _factors(target, weight, ignore_index, x.dtype)
    picked = reshape(gather(x, index, axis), target.shape)
    loss = where(ignored, 0, picked * -factor)
    if reduction == "none":
        return loss
    total = sum_over(loss)
    return total if reduction == "sum" else total / sum_over(factor)


nll_loss.vjp(
    x=lambda g, x_spec, target, weight, ignore_index, reduction: nll_loss_backward(
        g, target, weight, x_spec.shape, ignore_index, reduction
    )
)


@composite(lambda g, shape: spec_of(shape, g.dtype, g.device))
def nll_loss_backward(g, target, weight, /, shape, ignore_index, reduction):
    """The cotangent of nll_loss's input, of shape `shape`, from that of its result."""
    axis = class_axis(shape)
    factor = _factors(target, weight, ignore_index, g.dtype)
    if reduction == "mean":
        factor = factor / sum_over(factor)
    index = _with_axis(where(target == ignore_index, 0, target), axis)
    zeros = full(shape, 0, g.dtype, g.device)
    return scatter_add(zeros, index, _with_axis(g * -factor, axis), axis)


@composite(_class_loss_spec("cross_entropy"))
def cross_entropy(x, target, weight, /, ignore_index, reduction):
    """`nll_loss` of log_softmax along the classes: `x` are scores of any size."""
    logits = log_softmax(x, class_axis(x.shape))
    return nll_loss(logits, target, weight, ignore_index, reduction)


cross_entropy.vjp(
    x=lambda g, x, target, weight, ignore_index, reduction: cross_entropy_backward(
        g, x, target, weight, ignore_index, reduction
    )
)


@composite(lambda x: x)
def cross_entropy_backward(g, x, target, weight, /, ignore_index, reduction):
    """The cotangent of cross_entropy's input: the softmax less 1 at the target, weighted."""
    axis = class_axis(x.shape)
    spread = nll_loss_backward(g, target, weight, tuple(x.shape), ignore_index, reduction)
    return log_softmax_backward(spread, log_softmax(x, axis), axis)


def _factors(target, weight, ignore_index, dtype):
    """The weight of each target's class, 0 where it is ignored."""
    ignored = target == ignore_index
    if weight is None:
        return (target != ignore_index).to(dtype)
    classes = reshape(where(ignored, 0, target), (target.numel(),))
    return where(ignored, 0, reshape(index_select(weight, classes, 0), target.shape))


def _with_axis(x, axis):
    return reshape(x, (*x.shape[:axis], 1, *x.shape[axis:]))


# numbers ------------------------------------------------------------------------------------------


@composite()
def mse_loss(x, target, /, reduction):
    """The squared difference, element by element; operands broadcast."""
    distance = x - target
    if distance.dtype.is_complex:
        raise DtypeError("mse_loss", "input", expected="a floating dtype", got=distance.dtype)
    return reduce_loss(distance * distance, reduction, "mse_loss")


mse_loss.vjp_together(
    "x target",
    lambda g, x, target, reduction, needs: _mse_cotangents(g, x, target, reduction, needs),
)


def _mse_cotangents(g, x, target, reduction, needs):
    distance = x - target
    along = distance * (g * (2 / distance.numel() if reduction == "mean" else 2))
    return (along if needs[0] else None, -along if needs[1] else None)


@elementwise(takes="float", body=True)
def binary_cross_entropy(x, target, /):
    """Minus the log-likelihood of `target` under the probability `x`; logarithms count as at least
    -100.
    """
    return (target - 1) * clamp_min(log1p(-x), -100) - target * clamp_min(log(x), -100)


# Where a probability is 0 or 1 the slope is steep, not infinite.
binary_cross_entropy.vjp(
    x=lambda g, x, target: g * (x - target) / clamp_min((1 - x) * x, 1e-12),
    target=lambda g, x: g * (clamp_min(log1p(-x), -100) - clamp_min(log(x), -100)),
)
