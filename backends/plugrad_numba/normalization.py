"""Normalisation: statistics and results of a row, or of a channel, while it is in the cache."""

from __future__ import annotations

from math import prod

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import columns, rows
from plugrad_numba.compiling import compiled, inlined
from plugrad_numba.layout import FLOATS, folded, memory_order, unfolded
from plugrad_numpy.arrays import quietly

# Rows of a layer norm are summed, for the gradients of its parameters, in so many pieces at most:
# they can be shared out to threads, and the result does not depend on how many there are.
_PIECES = 64
_LEAST = 2048  # elements of a piece


@inlined
def _reciprocal(variance, eps):
    """One over the standard deviation."""
    return type(variance)(1 / np.sqrt(variance + eps))


# layer norm ---------------------------------------------------------------------------------------


@kernel
def layer_norm(x, weight, bias, axes, eps):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    order, (matrix,) = _rows(axes, x)
    out = np.empty_like(matrix)
    _layer_norm(x.size, matrix, _flat(weight), _flat(bias), eps, out)
    return unfolded(out, order, x.shape)


@compiled
def _layer_norm(x, weight, bias, eps, out):
    for row in prange(x.shape[0]):
        source, result = x[row], out[row]
        average, scale = _statistics(source, eps)
        for i in range(source.size):
            normal = (source[i] - average) * scale
            if weight is not None:
                normal *= weight[i]
            if bias is not None:
                normal += bias[i]
            result[i] = normal


@kernel
@quietly
def layer_norm_backward(g, x, weight, axes, eps):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    order, (matrix, coming) = _rows(axes, x, g)
    count, size = matrix.shape
    height = max(-(-count // _PIECES), _LEAST // size, 1)
    parts = np.zeros((-(-count // height), 2, size), x.dtype)
    out = np.empty_like(matrix)
    _layer_norm_backward(2 * x.size, coming, matrix, _flat(weight), eps, height, out, parts)
    for_weight, for_bias = parts.sum(0)
    shape = x.shape[x.ndim - axes :]
    return unfolded(out, order, x.shape), for_weight.reshape(shape), for_bias.reshape(shape)


@compiled
def _layer_norm_backward(g, x, weight, eps, height, out, parts):
    for piece in prange(parts.shape[0]):
        for_weight, for_bias = parts[piece, 0], parts[piece, 1]
        low = piece * height
        for row in range(low, min(low + height, x.shape[0])):
            coming, source, result = g[row], x[row], out[row]
            average, scale = _statistics(source, eps)
            # A loop each: one that writes to several arrays is not vectorised.
            for i in range(source.size):
                for_weight[i] += coming[i] * ((source[i] - average) * scale)
            for i in range(source.size):
                for_bias[i] += coming[i]
            for i in range(source.size):
                result[i] = coming[i] if weight is None else coming[i] * weight[i]
            share = type(scale)(1 / source.size)
            along = rows.dot_about(result, source, average) * scale * share
            level = rows.total(result) * share
            for i in range(source.size):
                normal = (source[i] - average) * scale
                result[i] = (result[i] - level - normal * along) * scale


@inlined
def _statistics(row, eps):
    """The mean, and one over the standard deviation."""
    share = row.dtype.type(1 / row.size)
    average = rows.total(row) * share
    return average, _reciprocal(rows.squares(row, average) * share, eps)


def _rows(axes, *operands):
    """The operands as matrices, the last `axes` axes their columns, and the order of all axes."""
    x = operands[0]
    lead = x.ndim - axes
    order = memory_order(x)
    if order is None or order[lead:] != tuple(range(lead, x.ndim)):
        order = tuple(range(x.ndim))
    size = prod(x.shape[lead:])
    return order, [np.ascontiguousarray(e.transpose(order)).reshape(-1, size) for e in operands]


def _flat(parameter):
    return None if parameter is None else np.ascontiguousarray(parameter).reshape(-1)


# batch norm ---------------------------------------------------------------------------------------

# Memory is (outer, C, inner): a channel is some runs, or, where `inner` is 1, a column.


def _by_channel(in_runs, in_columns, arrays, *parameters):
    x = arrays[0]
    if x.shape[2] > 1:
        in_runs(2 * x.size, *arrays, *parameters)
    else:
        matrices = [each.reshape(1, *x.shape[:2]) for each in arrays]
        in_columns(2 * x.size, *matrices, *parameters)


@kernel
def batch_norm(x, weight, bias, eps):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    order, (folds,) = folded(1, x)
    out = np.empty_like(folds)
    average, variance = np.empty((2, x.shape[1]), x.dtype)
    parameters = (_flat(weight), _flat(bias), eps, average, variance)
    _by_channel(_batch_norm_runs, _batch_norm_columns, (folds, out), *parameters)
    return unfolded(out, order, x.shape), average, variance


@compiled
def _batch_norm_runs(x, out, weight, bias, eps, average, variance):
    for channel in prange(x.shape[1]):
        centre, spread = _moments(x, channel)
        average[channel], variance[channel] = centre, spread
        factor, shift = _affine(_reciprocal(spread, eps), weight, bias, channel)
        for block in range(x.shape[0]):
            _normalise(x[block, channel], out[block, channel], centre, factor, shift)


@compiled
def _batch_norm_columns(x, out, weight, bias, eps, average, variance):
    for tile in prange(columns.tiles(x)):
        _, low, high = columns.tile(x, tile)
        centres, spreads = average[low:high], variance[low:high]
        _moments_of_columns(x[0], low, high, centres, spreads)
        factors, shifts = np.empty_like(centres), np.empty_like(centres)
        for j in range(centres.size):
            scale = _reciprocal(spreads[j], eps)
            factors[j], shifts[j] = _affine(scale, weight, bias, low + j)
        for row in range(x.shape[1]):
            _normalise_columns(x[0, row, low:high], out[0, row, low:high], centres, factors, shifts)


@kernel
def batch_norm_backward(g, x, weight, eps):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    order, (folds, coming) = folded(1, x, g)
    out = np.empty_like(folds)
    for_weight, for_bias = np.empty((2, x.shape[1]), x.dtype)
    parameters = (_flat(weight), eps, for_weight, for_bias)
    arrays = (folds, coming, out)
    _by_channel(_batch_norm_backward_runs, _batch_norm_backward_columns, arrays, *parameters)
    return unfolded(out, order, x.shape), for_weight, for_bias


# g - mean(g) - normal * mean(g * normal), the whole times scale * weight.


@compiled
def _batch_norm_backward_runs(x, g, out, weight, eps, for_weight, for_bias):
    for channel in prange(x.shape[1]):
        centre, spread = _moments(x, channel)
        scale = _reciprocal(spread, eps)
        along = level = 0.0
        for block in range(x.shape[0]):
            along += rows.dot_about(g[block, channel], x[block, channel], centre)
            level += rows.total(g[block, channel])
        for_weight[channel], for_bias[channel] = along * scale, level
        share = 1 / (x.shape[0] * x.shape[2])
        slope, mean = type(scale)(along * scale * scale * share), type(scale)(level * share)
        factor, _ = _affine(scale, weight, None, channel)
        for block in range(x.shape[0]):
            source, coming, result = x[block, channel], g[block, channel], out[block, channel]
            for i in range(source.size):
                result[i] = (coming[i] - mean - (source[i] - centre) * slope) * factor


@compiled
def _batch_norm_backward_columns(x, g, out, weight, eps, for_weight, for_bias):
    for tile in prange(columns.tiles(x)):
        _, low, high = columns.tile(x, tile)
        centres, scales = np.empty(high - low, x.dtype), np.empty(high - low, x.dtype)
        _moments_of_columns(x[0], low, high, centres, scales)
        slopes = columns.dot_about(g[0], x[0], centres, low, high)
        means = columns.total(g[0], low, high)
        share = x.dtype.type(1 / x.shape[1])
        for j in range(centres.size):
            scale = _reciprocal(scales[j], eps)
            for_weight[low + j], for_bias[low + j] = slopes[j] * scale, means[j]
            slopes[j] *= scale * scale * share
            means[j] *= share
            scales[j], _ = _affine(scale, weight, None, low + j)
        for row in range(x.shape[1]):
            source, coming, result = x[0, row, low:high], g[0, row, low:high], out[0, row, low:high]
            for j in range(source.size):
                distance = source[j] - centres[j]
                result[j] = (coming[j] - means[j] - distance * slopes[j]) * scales[j]


@kernel
def batch_norm_inference(x, mean, var, weight, bias, eps):
    if x.dtype.char not in FLOATS or not x.size:
        return None
    order, (folds,) = folded(1, x)
    out = np.empty_like(folds)
    parameters = (*map(_flat, (mean, var, weight, bias)), eps)
    _by_channel(_inference_runs, _inference_columns, (folds, out), *parameters)
    return unfolded(out, order, x.shape)


@compiled
def _inference_runs(x, out, mean, var, weight, bias, eps):
    for channel in prange(x.shape[1]):
        factor, shift = _affine(_reciprocal(var[channel], eps), weight, bias, channel)
        for block in range(x.shape[0]):
            _normalise(x[block, channel], out[block, channel], mean[channel], factor, shift)


@compiled
def _inference_columns(x, out, mean, var, weight, bias, eps):
    factors, shifts = np.empty_like(var), np.empty_like(var)
    for j in range(var.size):
        factors[j], shifts[j] = _affine(_reciprocal(var[j], eps), weight, bias, j)
    for row in prange(x.shape[1]):
        _normalise_columns(x[0, row], out[0, row], mean, factors, shifts)


@inlined
def _moments(x, channel):
    """Mean and variance of a channel's runs."""
    share = 1 / (x.shape[0] * x.shape[2])
    total = 0.0
    for block in range(x.shape[0]):
        total += rows.total(x[block, channel])
    centre = x.dtype.type(total * share)
    squares = 0.0
    for block in range(x.shape[0]):
        squares += rows.squares(x[block, channel], centre)
    return centre, x.dtype.type(squares * share)


@inlined
def _moments_of_columns(x, low, high, centres, spreads):
    """Write means and variances of columns."""
    share = x.dtype.type(1 / x.shape[0])
    rows.copy_into(centres, columns.total(x, low, high))
    rows.scale(centres, share)
    rows.copy_into(spreads, columns.squares(x, centres, low, high))
    rows.scale(spreads, share)


@inlined
def _affine(scale, weight, bias, channel):
    """What a channel is multiplied by, and what is added."""
    factor = scale if weight is None else scale * weight[channel]
    return factor, type(scale)(0) if bias is None else bias[channel]


@inlined
def _normalise(x, out, centre, factor, shift):
    for i in range(x.size):
        out[i] = (x[i] - centre) * factor + shift


@inlined
def _normalise_columns(x, out, centres, factors, shifts):
    for i in range(x.size):
        out[i] = (x[i] - centres[i]) * factors[i] + shifts[i]
