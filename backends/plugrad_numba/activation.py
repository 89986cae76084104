"""Activations and softmax, each in one pass over memory."""

from __future__ import annotations

import math

from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import columns, rows, scalars
from plugrad_numba.compiling import compiled, inlined
from plugrad_numba.layout import run_along
from plugrad_numba.loops import elementwise

_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ROOT = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


@kernel
@elementwise
def relu(x):
    zero = type(x)(0)
    return zero if x < zero else x  # NaN is not below 0


@kernel
@elementwise
def relu_backward(g, y):
    zero = type(g)(0)
    return zero if y <= zero else g  # NaN is not below 0


@kernel
@elementwise
def silu(x):
    return x * scalars.sigmoid(x)


@kernel
@elementwise
def silu_backward(g, x):
    one = type(x)(1)
    s = scalars.sigmoid(x)
    return g * (s * (one + x * (one - s)))


@inlined
def _normal_below(x):
    """The normal distribution function."""
    half = type(x)(0.5)
    return half + half * scalars.erf(x * type(x)(_ROOT_HALF))


@kernel
@elementwise
def gelu(x):
    return x * _normal_below(x)


@kernel
@elementwise
def gelu_backward(g, x):
    density = scalars.exp(type(x)(-0.5) * x * x) * type(x)(_DENSITY)
    return g * (_normal_below(x) + x * density)


# (1 + tanh(u)) / 2 = sigmoid(2 u), and its slope by u is half of 4 s (1 - s).


@inlined
def _cubic(x):
    """Twice the argument of tanh."""
    return x * (type(x)(2 * _ROOT) + type(x)(2 * _ROOT * _CUBIC) * x * x)


@kernel
@elementwise
def gelu_tanh(x):
    return x * scalars.sigmoid(_cubic(x))


@kernel
@elementwise
def gelu_tanh_backward(g, x):
    one = type(x)(1)
    s = scalars.sigmoid(_cubic(x))
    slope = type(x)(2 * _ROOT) + type(x)(6 * _ROOT * _CUBIC) * x * x
    return g * (s + x * s * (one - s) * slope)


# along an axis ------------------------------------------------------------------------------------

# `exp` goes over whole tiles of memory: a loop along a short row would not fill vector registers.


@kernel
def softmax(x, dim):
    return run_along(dim, _softmax_rows, _softmax_columns, x)


@compiled
def _softmax_rows(x, out):
    for tile in prange(rows.tiles(x)):
        low, high = rows.tile(x, tile)
        for row in range(low, high):
            rows.subtract_into(out[row], x[row], rows.largest(x[row]))
        rows.raise_in_place(out[low:high].reshape(-1))
        for row in range(low, high):
            rows.scale(out[row], type(out[row, 0])(1) / rows.total(out[row]))


@compiled
def _softmax_columns(x, out):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        top = columns.largest(x[block], low, high)
        columns.subtract_into(out[block], x[block], top, low, high)
        columns.raise_in_place(out[block], low, high)
        total = columns.total(out[block], low, high)
        for i in range(x.shape[1]):
            result = out[block, i, low:high]
            for j in range(result.size):
                result[j] /= total[j]


@kernel
def softmax_backward(g, out, dim):
    return run_along(dim, _softmax_backward_rows, _softmax_backward_columns, g, out)


@compiled
def _softmax_backward_rows(g, y, out):
    for row in prange(g.shape[0]):
        common = rows.dot(g[row], y[row])
        for i in range(g.shape[1]):
            out[row, i] = y[row, i] * (g[row, i] - common)


@compiled
def _softmax_backward_columns(g, y, out):
    for tile in prange(columns.tiles(g)):
        block, low, high = columns.tile(g, tile)
        common = columns.dot(g[block], y[block], low, high)
        for i in range(g.shape[1]):
            result = out[block, i, low:high]
            coming, after = g[block, i, low:high], y[block, i, low:high]
            for j in range(result.size):
                result[j] = after[j] * (coming[j] - common[j])


@kernel
def log_softmax(x, dim):
    return run_along(dim, _log_softmax_rows, _log_softmax_columns, x)


@compiled
def _log_softmax_rows(x, out):
    for tile in prange(rows.tiles(x)):
        low, high = rows.tile(x, tile)
        for row in range(low, high):
            rows.subtract_into(out[row], x[row], rows.largest(x[row]))
        rows.raise_in_place(out[low:high].reshape(-1))
        for row in range(low, high):
            below = scalars.log(rows.total(out[row]))
            rows.subtract_into(out[row], x[row], rows.largest(x[row]))
            rows.subtract_into(out[row], out[row], below)


@compiled
def _log_softmax_columns(x, out):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        top = columns.largest(x[block], low, high)
        columns.subtract_into(out[block], x[block], top, low, high)
        columns.raise_in_place(out[block], low, high)
        total = columns.total(out[block], low, high)
        for j in range(total.size):
            total[j] = scalars.log(total[j])
        columns.subtract_into(out[block], x[block], top, low, high)
        columns.subtract_into(out[block], out[block], total, low, high)


@kernel
def log_softmax_backward(g, out, dim):
    return run_along(dim, _log_softmax_backward_rows, _log_softmax_backward_columns, g, out)


@compiled
def _log_softmax_backward_rows(g, y, out):
    for tile in prange(rows.tiles(g)):
        low, high = rows.tile(g, tile)
        for row in range(low, high):
            rows.copy_into(out[row], y[row])
        rows.raise_in_place(out[low:high].reshape(-1))
        for row in range(low, high):
            total = rows.total(g[row])
            for i in range(g.shape[1]):
                out[row, i] = g[row, i] - out[row, i] * total


@compiled
def _log_softmax_backward_columns(g, y, out):
    for tile in prange(columns.tiles(g)):
        block, low, high = columns.tile(g, tile)
        total = columns.total(g[block], low, high)
        for i in range(g.shape[1]):
            rows.copy_into(out[block, i, low:high], y[block, i, low:high])
        columns.raise_in_place(out[block], low, high)
        for i in range(g.shape[1]):
            result, coming = out[block, i, low:high], g[block, i, low:high]
            for j in range(result.size):
                result[j] = coming[j] - result[j] * total[j]
