"""Losses and their backward operators."""

from __future__ import annotations

import numpy as np

from plugrad.ops import loss as ops
from plugrad_conformance.case import (
    COMPOSED,
    EXACT,
    FLOATS,
    HALVES,
    SINGLE,
    Array,
    Case,
    call,
    each,
    holed,
    integers,
    positive,
    reals,
    steep,
)

IGNORED = -100


def _classes_last(x):
    return np.moveaxis(x, 0 if x.ndim == 1 else 1, -1)


def _classes_back(x):
    return np.moveaxis(x, -1, 0 if x.ndim == 1 else 1)


def _factors(target, weight, ignore_index, classes):
    """Of each target its class's weight, and 0 where it is ignored."""
    kept = target != ignore_index
    weight = np.ones(classes) if weight is None else weight
    return np.where(kept, weight[np.where(kept, target, 0)], 0)


def _reduced(losses, factors, reduction):
    if reduction == "none":
        return losses
    return np.sum(losses) if reduction == "sum" else np.sum(losses) / np.sum(factors)


def _picked(x, target, ignore_index):
    index = np.where(target == ignore_index, 0, target)
    return np.take_along_axis(_classes_last(x), index[..., None], -1)[..., 0]


def _nll(x, target, weight, ignore_index, reduction):
    factors = _factors(target, weight, ignore_index, _classes_last(x).shape[-1])
    return _reduced(-factors * _picked(x, target, ignore_index), factors, reduction)


def _nll_backward(g, target, weight, shape, ignore_index, reduction):
    classes = shape[0] if len(shape) == 1 else shape[1]
    factors = _factors(target, weight, ignore_index, classes)
    if reduction == "mean":
        factors = factors / np.sum(factors)
    one_hot = np.where(target == ignore_index, -1, target)[..., None] == np.arange(classes)
    return _classes_back(one_hot * (-g * factors)[..., None])


def _log_softmax(x):
    axis = 0 if x.ndim == 1 else 1
    shifted = x - np.max(x, axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))


def _cross_entropy(x, target, weight, ignore_index, reduction):
    return _nll(_log_softmax(x), target, weight, ignore_index, reduction)


def _cross_entropy_backward(g, x, target, weight, ignore_index, reduction):
    spread = _nll_backward(g, target, weight, x.shape, ignore_index, reduction)
    axis = 0 if x.ndim == 1 else 1
    return spread - np.exp(_log_softmax(x)) * np.sum(spread, axis, keepdims=True)


def _squares(x, target, reduction):
    squares = np.abs(x - target) ** 2
    return _reduced(squares, np.ones(squares.shape), reduction)


def _shares(*shape):
    """Probabilities that are neither 0 nor 1."""
    return Array(shape, lambda draw, shape, dtype: draw.uniform(0.1, 0.9, shape))


def _certain(*shape):
    return Array(shape, lambda draw, shape, dtype: draw.integers(0, 2, shape))


def _log_likelihoods(x, target):
    with np.errstate(divide="ignore"):
        hit, miss = np.maximum(np.log(x), -100), np.maximum(np.log(1 - x), -100)
    return -(target * hit + (1 - target) * miss)


# input, whether classes have weights, the ignored class, reduction
_SHAPES = {
    "rows": ((5, 3), False, IGNORED, "mean"),
    "summed": ((5, 3), False, IGNORED, "sum"),
    "apart": ((5, 3), True, IGNORED, "none"),
    "weighted": ((5, 3), True, IGNORED, "mean"),
    "ignoring": ((7, 3), True, 1, "mean"),
    "images": ((2, 3, 4, 2), True, 0, "mean"),
    "vector": ((4,), False, IGNORED, "mean"),
    "ignoring_plain": ((7, 3), False, 0, "mean"),
    "ignoring_apart": ((7, 3), True, 0, "none"),
    "ignoring_sum": ((2, 3, 4), False, 1, "sum"),
    "images_apart": ((2, 3, 4, 2), False, IGNORED, "none"),
    "empty": ((0, 3), False, IGNORED, "sum"),
    "empty_apart": ((0, 3), True, IGNORED, "none"),
    "vector_weighted": ((4,), True, IGNORED, "none"),
}
_LARGE = {
    "many": ((4099, 17), True, 3, "mean"),
    "classes": ((7, 1031), False, IGNORED, "sum"),
    "huge": ((259, 257), True, IGNORED, "none"),
    "pixels": ((3, 5, 37, 41), True, 0, "mean"),
    "aligned": ((256, 64), False, IGNORED, "mean"),
    "one_class": ((5, 1), False, IGNORED, "mean"),
    "one": ((1, 7), True, IGNORED, "mean"),
}


def _target(shape):
    axis = 0 if len(shape) == 1 else 1
    return integers(0, shape[axis], *shape[:axis], *shape[axis + 1 :])


def _weight(shape, weighted):
    return positive(shape[0 if len(shape) == 1 else 1]) if weighted else None


def _of_classes(shape, weighted, ignore_index, reduction):
    params = {"ignore_index": ignore_index, "reduction": reduction}
    return call(reals(*shape), _target(shape), _weight(shape, weighted), **params)


def _cotangent(shape, reduction):
    return reals(*_target(shape).shape) if reduction == "none" else reals()


def _of_cotangents(shape, weighted, ignore_index, reduction):
    return call(
        _cotangent(shape, reduction),
        _target(shape),
        _weight(shape, weighted),
        shape=shape,
        ignore_index=ignore_index,
        reduction=reduction,
    )


def _of_cotangents_and_scores(shape, weighted, ignore_index, reduction):
    params = {"ignore_index": ignore_index, "reduction": reduction}
    target, weight = _target(shape), _weight(shape, weighted)
    return call(_cotangent(shape, reduction), reals(*shape), target, weight, **params)


def _every(make, shapes=_SHAPES):
    return {name: make(*each) for name, each in shapes.items()}


CASES = (
    Case(
        ops.nll_loss,
        _every(_of_classes),
        _nll,
        COMPOSED.wider(2),
        FLOATS,
        constants=("weight",),
    ),
    Case(
        ops.nll_loss_backward,
        _every(_of_cotangents),
        _nll_backward,
        COMPOSED.wider(2),
        FLOATS,
        constants=("weight",),
    ),
    Case(
        ops.cross_entropy,
        _every(_of_classes),
        _cross_entropy,
        COMPOSED.wider(2),
        FLOATS,
        constants=("weight",),
    ),
    Case(
        ops.cross_entropy_backward,
        _every(_of_cotangents_and_scores),
        _cross_entropy_backward,
        COMPOSED.wider(4),
        FLOATS,
        constants=("weight",),
    ),
    Case(
        ops.mse_loss,
        {
            "rows": call(reals(3, 4), reals(3, 4), reduction="mean"),
            "summed": call(reals(3, 4), reals(3, 4), reduction="sum"),
            "apart": call(reals(3, 4), reals(3, 4), reduction="none"),
            "stretched": call(reals(3, 4), reals(4), reduction="mean"),
            "scalars": call(reals(), reals(), reduction="mean"),
            "outer": call(reals(3, 1), reals(1, 4), reduction="sum"),
            "outer_apart": call(reals(3, 1), reals(1, 4), reduction="none"),
        },
        _squares,
        COMPOSED.wider(4),
        FLOATS,
    ),
    Case(
        ops.binary_cross_entropy,
        each(rows=call(_shares(3, 4), _shares(3, 4)), stretched=call(_shares(3, 4), _shares(4))),
        _log_likelihoods,
        COMPOSED.wider(4),
        FLOATS,
    ),
    # Beyond what logarithms reach.
    Case(
        ops.binary_cross_entropy,
        each(certain=call(_certain(9), _certain(9))),
        _log_likelihoods,
        COMPOSED,
        FLOATS,
        differentiable=False,
    ),
    *[
        Case(
            function,
            _every(make, _LARGE),
            reference,
            COMPOSED.wider(room),
            SINGLE,
            differentiable=False,
            layouts=False,
        )
        for function, make, reference, room in (
            (ops.nll_loss, _of_classes, _nll, 2),
            (ops.nll_loss_backward, _of_cotangents, _nll_backward, 2),
            (ops.cross_entropy, _of_classes, _cross_entropy, 2),
            (ops.cross_entropy_backward, _of_cotangents_and_scores, _cross_entropy_backward, 4),
        )
    ],
    # Scores whose exponentials overflow.
    Case(
        ops.cross_entropy,
        each(
            steep=call(
                steep(7, 5), integers(0, 5, 7), None, ignore_index=IGNORED, reduction="none"
            ),
            steep_images=call(
                steep(2, 5, 3), integers(0, 5, 2, 3), positive(5), ignore_index=1, reduction="mean"
            ),
        ),
        _cross_entropy,
        COMPOSED.wider(2),
        FLOATS,
        differentiable=False,
    ),
    Case(
        ops.cross_entropy_backward,
        each(
            steep=call(
                reals(7),
                steep(7, 5),
                integers(0, 5, 7),
                None,
                ignore_index=IGNORED,
                reduction="none",
            )
        ),
        _cross_entropy_backward,
        COMPOSED.wider(4),
        FLOATS,
        differentiable=False,
    ),
    # What is ignored counts as 0, whatever its scores.
    Case(
        ops.cross_entropy,
        each(
            ignored_holes=call(
                holed(7, 5), integers(1, 2, 7), None, ignore_index=1, reduction="none"
            ),
            ignored_holes_weighted=call(
                holed(7, 5), integers(1, 2, 7), positive(5), ignore_index=1, reduction="sum"
            ),
        ),
        lambda x, target, weight, ignore_index, reduction: np.zeros(
            target.shape if reduction == "none" else ()
        ),
        EXACT,
        FLOATS,
        differentiable=False,
        signed_zero=False,
        layouts=False,
    ),
    # More terms than a sum in half precision can count.
    *[
        Case(
            function,
            each(half_long=made),
            reference,
            COMPOSED.wider(2),
            HALVES,
            differentiable=False,
            layouts=False,
        )
        for function, made, reference in (
            (
                ops.cross_entropy,
                _of_classes((4099, 3), False, IGNORED, "mean"),
                _cross_entropy,
            ),
            (ops.mse_loss, call(positive(4099), reals(4099), reduction="mean"), _squares),
        )
    ],
    Case(
        ops.mse_loss,
        each(
            huge=call(reals(70001), reals(70001), reduction="mean"),
            huge_apart=call(reals(259, 257), reals(259, 257), reduction="none"),
            huge_sum=call(reals(259, 257), reals(257), reduction="sum"),
        ),
        _squares,
        COMPOSED.wider(4),
        SINGLE,
        differentiable=False,
    ),
)
