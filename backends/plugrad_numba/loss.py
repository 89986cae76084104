"""Losses and their gradients, without the log-probabilities of all classes in memory.

Scores lie in memory as (outer, C, inner); classes, factors and losses are (outer, inner). Where a
target is no class a kernel declines: NumPy's says which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad.shapes import class_axis
from plugrad_numba import columns, rows, scalars
from plugrad_numba.compiling import compiled
from plugrad_numba.layout import FLOATS, folded, unfolded
from plugrad_numpy.arrays import quietly

# Steps of about a nanosecond that an exponential takes.
_COST = 2
# Elements whose squares are summed together: pieces can be shared out to threads, and the result
# does not depend on how many there are.
_PIECE = 1 << 16
# Below, NumPy's two calls cost less than one of a kernel.
_SMALL = 4096


# classes ------------------------------------------------------------------------------------------


@kernel
@quietly
def cross_entropy(x, target, weight, ignore_index, reduction):
    return _class_loss(_entropies, x, target, weight, ignore_index, reduction)


@kernel
@quietly
def nll_loss(x, target, weight, ignore_index, reduction):
    return _class_loss(_picked, x, target, weight, ignore_index, reduction)


def _class_loss(losses_of, x, target, weight, ignored, reduction):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    axis = class_axis(x.shape)
    order, (scores,) = folded(axis, x)
    around = _order_without(axis, order)
    classes, factors = _prepare(target.transpose(around), weight, ignored, scores.shape, x.dtype)
    if factors is None:
        return None
    losses = np.empty_like(factors)
    losses_of(scores, classes, factors, ignored, losses)
    if reduction == "none":
        return unfolded(losses, around, target.shape)
    total = np.add.reduce(losses, axis=None)
    return total if reduction == "sum" else total / np.add.reduce(factors, axis=None)


@kernel
@quietly
def cross_entropy_backward(g, x, target, weight, ignore_index, reduction):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    axis = class_axis(x.shape)
    order, (scores,) = folded(axis, x)
    around = _order_without(axis, order)
    classes, factors = _prepare(
        target.transpose(around), weight, ignore_index, scores.shape, x.dtype
    )
    if factors is None:
        return None
    out = np.empty_like(scores)
    _scale(factors, g, around, reduction)
    work = _COST * x.size
    if scores.shape[2] == 1:
        flat = (classes.reshape(-1), factors.reshape(-1))
        _softmax_less_one_rows(work, scores[:, :, 0], *flat, ignore_index, out[:, :, 0])
    else:
        _softmax_less_one_columns(work, scores, classes, factors, ignore_index, out)
    return unfolded(out, order, x.shape)


@kernel
@quietly
def nll_loss_backward(g, target, weight, shape, ignore_index, reduction):
    out = np.zeros(shape, g.dtype)
    if g.dtype.char not in FLOATS or not out.size:
        return None
    axis = class_axis(shape)
    order, (spread,) = folded(axis, out)
    classes, factors = _prepare(target, weight, ignore_index, spread.shape, g.dtype)
    if factors is None:
        return None
    _scale(factors, g, _order_without(axis, order), reduction)
    _write(classes.size, classes, factors, ignore_index, spread)
    return out


def _order_without(axis, order):
    """The order of the other axes, which are the target's."""
    return tuple([each - (each > axis) for each in order if each != axis])


def _prepare(target, weight, ignored, shape, dtype) -> tuple[Any, Any]:
    """Classes and their factors, or None for both if a target is none."""
    outer, count, inner = shape
    classes = np.ascontiguousarray(target).reshape(outer, inner)
    factors = np.empty((outer, inner), dtype)
    wrong = np.zeros(1, np.bool_)
    _factors(classes.size, classes.reshape(-1), weight, ignored, count, factors.reshape(-1), wrong)
    return (None, None) if wrong[0] else (classes, factors)


@compiled
def _factors(classes, weight, ignored, count, factors, wrong):
    for i in prange(classes.size):
        at = classes[i]
        if at == ignored:
            factors[i] = 0
        elif 0 <= at < count:
            factors[i] = 1 if weight is None else weight[at]
        else:
            wrong[0] = True


def _scale(factors, g, around, reduction):
    """Turn factors of losses into cotangents of losses."""
    if reduction == "none":
        factors *= g.transpose(around).reshape(factors.shape)
    elif reduction == "sum":
        factors *= g
    else:
        factors *= g / np.add.reduce(factors, axis=None)


def _entropies(scores, classes, factors, ignored, losses):
    if scores.shape[2] == 1:
        flat = [each.reshape(-1) for each in (classes, factors, losses)]
        _entropies_of_rows(_COST * scores.size, scores[:, :, 0], *flat[:2], ignored, flat[2])
    else:
        _entropies_of_columns(_COST * scores.size, scores, classes, factors, ignored, losses)


@compiled
def _entropies_of_rows(x, classes, factors, ignored, losses):
    for tile in prange(rows.tiles(x)):
        low, high = rows.tile(x, tile)
        raised = np.empty((high - low, x.shape[1]), x.dtype)
        for i in range(high - low):
            rows.subtract_into(raised[i], x[low + i], rows.largest(x[low + i]))
            if classes[low + i] != ignored:
                losses[low + i] = raised[i, classes[low + i]]
        rows.raise_in_place(raised.reshape(-1))
        for i in range(high - low):
            row = low + i
            loss = (scalars.log(rows.total(raised[i])) - losses[row]) * factors[row]
            losses[row] = loss if classes[row] != ignored else 0


@compiled
def _entropies_of_columns(x, classes, factors, ignored, losses):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        top = columns.largest(x[block], low, high)
        total, raised = np.zeros_like(top), np.empty_like(top)
        for i in range(x.shape[1]):
            row = x[block, i, low:high]
            for j in range(row.size):
                raised[j] = scalars.exp(row[j] - top[j])
            for j in range(row.size):
                total[j] += raised[j]
        for j in range(total.size):
            at, column = classes[block, low + j], low + j
            if at == ignored:
                losses[block, column] = 0
            else:
                picked = x[block, at, column] - top[j]
                losses[block, column] = (scalars.log(total[j]) - picked) * factors[block, column]


@compiled
def _softmax_less_one_rows(x, classes, factors, ignored, out):
    for tile in prange(rows.tiles(x)):
        low, high = rows.tile(x, tile)
        for row in range(low, high):
            rows.subtract_into(out[row], x[row], rows.largest(x[row]))
        rows.raise_in_place(out[low:high].reshape(-1))
        for row in range(low, high):
            rows.scale(out[row], type(out[row, 0])(1) / rows.total(out[row]))
            if classes[row] != ignored:
                out[row, classes[row]] -= 1
            rows.scale(out[row], factors[row])


@compiled
def _softmax_less_one_columns(x, classes, factors, ignored, out):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        top = columns.largest(x[block], low, high)
        columns.subtract_into(out[block], x[block], top, low, high)
        columns.raise_in_place(out[block], low, high)
        factor = columns.total(out[block], low, high)
        for j in range(factor.size):
            factor[j] = factors[block, low + j] / factor[j]
        for i in range(x.shape[1]):
            result = out[block, i, low:high]
            for j in range(result.size):
                result[j] *= factor[j]
        for column in range(low, high):
            if classes[block, column] != ignored:
                out[block, classes[block, column], column] -= factors[block, column]


def _picked(scores, classes, factors, ignored, losses):
    _pick(classes.size, scores, classes, factors, ignored, losses)


@compiled
def _pick(x, classes, factors, ignored, losses):
    for block in prange(x.shape[0]):
        for j in range(x.shape[2]):
            at = classes[block, j]
            if at == ignored:
                losses[block, j] = 0
            else:
                losses[block, j] = -factors[block, j] * x[block, at, j]


@compiled
def _write(classes, factors, ignored, out):
    for block in prange(out.shape[0]):
        for j in range(out.shape[2]):
            at = classes[block, j]
            if at != ignored:
                out[block, at, j] = -factors[block, j]


# numbers ------------------------------------------------------------------------------------------


@kernel
@quietly
def mse_loss(x, target, reduction):
    same = x.dtype == target.dtype and x.shape == target.shape
    if not same or x.dtype.char not in FLOATS or reduction == "none" or x.size < _SMALL:
        return None
    parts = np.empty(-(-x.size // _PIECE))
    _squared_distances(x.size, *[np.ascontiguousarray(a).reshape(-1) for a in (x, target)], parts)
    total = parts.sum()
    return x.dtype.type(total / x.size if reduction == "mean" else total)


@compiled
def _squared_distances(x, y, parts):
    for piece in prange(parts.size):
        low = piece * _PIECE
        parts[piece] = rows.squared_distance(x[low : low + _PIECE], y[low : low + _PIECE])
