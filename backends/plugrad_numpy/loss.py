"""Losses, fused: cross entropy without the log-probabilities of all classes in memory."""

from __future__ import annotations

import numpy as np

from plugrad.errors import RangeError
from plugrad.hooks import kernel
from plugrad_numpy.activation import largest, sums
from plugrad_numpy.arrays import HALVES, quietly


@kernel
@quietly
def cross_entropy(x, target, weight, ignore_index, reduction):
    if x.dtype in HALVES or not x.size:
        return None
    rows, classes, counted, factor, total = _prepare(x, target, weight, ignore_index, reduction)
    shifted = rows - largest(rows, 1)
    picked = shifted[np.arange(classes.size), classes]
    loss = np.log(sums(np.exp(shifted), 1))[:, 0]
    loss -= picked
    if factor is not None:
        loss *= factor
    if counted is not None:
        loss[~counted] = 0
    if reduction == "none":
        return loss.reshape(target.shape)
    return np.add.reduce(loss) / total if reduction == "mean" else np.add.reduce(loss)


@kernel
@quietly
def cross_entropy_backward(g, x, target, weight, ignore_index, reduction):
    if x.dtype in HALVES or not x.size:
        return None
    rows, classes, _, factor, total = _prepare(x, target, weight, ignore_index, reduction)
    out = rows - largest(rows, 1)
    np.exp(out, out=out)
    out /= sums(out, 1)
    out[np.arange(classes.size), classes] -= 1
    if reduction == "mean":
        g = g / total
    if reduction == "none":
        g = g.reshape(-1)
    if factor is not None:
        g = g * factor
    out *= g if np.ndim(g) == 0 else g[:, None]
    if x.ndim <= 2:
        return out.reshape(x.shape)
    spread = out.reshape(x.shape[0], *x.shape[2:], x.shape[1])
    return np.moveaxis(spread, -1, 1)


def _prepare(x, target, weight, ignore_index, reduction):
    """Scores (rows, C), class numbers (rows,), which of them count (None: all), their factors
    (None: all 1), and what the mean divides by.
    """
    axis = 0 if x.ndim == 1 else 1
    count = x.shape[axis]
    rows = x if x.ndim == 2 else np.moveaxis(x, axis, -1).reshape(-1, count)
    classes = target.reshape(-1)
    counted = None
    # Read as unsigned, negative numbers are too large: one pass finds both kinds of wrong numbers.
    if np.maximum.reduce(classes.view(np.uint64)) >= count or 0 <= ignore_index < count:
        counted = classes != ignore_index
        classes = np.where(counted, classes, 0)
        if np.maximum.reduce(classes.view(np.uint64)) >= count:
            raise _not_a_class(classes, count)
    factor = None if weight is None else weight[classes]
    if counted is not None:
        factor = counted.astype(x.dtype) if factor is None else factor * counted
    if reduction != "mean":
        return rows, classes, counted, factor, None
    total = classes.size if factor is None else np.add.reduce(factor)
    return rows, classes, counted, factor, total


def _not_a_class(classes, count):
    wrong = classes[(classes < 0) | (classes >= count)][0]
    return RangeError(
        "cross_entropy", "target", expected=f"classes from 0 to {count - 1}", got=int(wrong)
    )


@kernel
@quietly
def mse_loss(x, target, reduction):
    if x.dtype in HALVES or x.dtype.kind == "c" or reduction == "none" or x.dtype != target.dtype:
        return None
    distance = np.subtract(x, target).reshape(-1)
    total = np.dot(distance, distance)
    return total / distance.dtype.type(distance.size) if reduction == "mean" else total
