"""Activations, fused: fewer passes over memory than their bodies take.

NumPy's `maximum` of floats and a scalar, and its `where`, branch at every element: on random signs
they take five to forty times as long as `maximum` of arrays and arithmetic on the bits (measured
with NumPy 2.4), which are used here.
"""

from __future__ import annotations

import math

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy import special
from plugrad_numpy.arrays import HALVES, in_single, quietly

_BITS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
_ROOT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ROOT = math.sqrt(2 / math.pi)
_CUBIC = 0.044715
# Elements taken together in long chains of steps: scratch arrays then stay in the level-2 cache.
_CHUNK = 1 << 14


@kernel
def relu(x):
    if x.size < _CHUNK // 8:
        return np.maximum(x, x.dtype.type(0))
    flat = x.ravel("K")
    if flat.flags.owndata:
        return np.maximum(x, x.dtype.type(0))
    out = np.empty_like(x)
    into = out.ravel("K")
    zeros = np.zeros(_CHUNK, x.dtype)
    for start in range(0, flat.size, _CHUNK):
        piece = flat[start : start + _CHUNK]
        np.maximum(piece, zeros[: piece.size], out=into[start : start + _CHUNK])
    return out


@kernel
def relu_backward(g, y):
    integer = _BITS.get(g.dtype)
    if integer is None or not g.ndim or g.shape != y.shape:
        return None
    mask = np.less_equal(y, 0).view(np.int8)
    mask = np.subtract(mask, 1, out=mask).astype(integer)
    return np.bitwise_and(g.view(integer), mask, out=mask).view(g.dtype)


@kernel
@quietly
def silu(x):
    if x.dtype in HALVES:
        return None
    out = _sigmoid(x)
    out *= x
    return out


@kernel
@quietly
def silu_backward(g, x):
    if x.dtype in HALVES:
        return None
    s = _sigmoid(x)
    slope = np.subtract(1, s)
    slope *= x
    slope += 1
    slope *= s
    return np.multiply(g, slope)


def _sigmoid(x):
    # exp may overflow to infinity, whose reciprocal is the right 0.
    out = np.negative(x)
    out = np.exp(out)
    out = np.add(out, 1)
    return np.reciprocal(out)


@kernel
@quietly
def gelu(x):
    return None if x.dtype in HALVES else _in_chunks(_gelu, x)


@kernel
@quietly
def gelu_backward(g, x):
    if x.dtype in HALVES or g.shape != x.shape:
        return None
    return _in_chunks(_gelu_backward, g, x)


@kernel
@quietly
def gelu_tanh(x):
    return None if x.dtype in HALVES else _in_chunks(_gelu_tanh, x)


@kernel
@quietly
def gelu_tanh_backward(g, x):
    if x.dtype in HALVES or g.shape != x.shape:
        return None
    return _in_chunks(_gelu_tanh_backward, g, x)


def _in_chunks(function, *operands):
    x = operands[-1]
    if not x.ndim or x.size <= _CHUNK or not all([each.flags.c_contiguous for each in operands]):
        return function(*operands)
    out = np.empty(x.shape, x.dtype)
    flats = [each.reshape(-1) for each in (out, *operands)]
    for start in range(0, x.size, _CHUNK):
        piece, *pieces = [flat[start : start + _CHUNK] for flat in flats]
        piece[...] = function(*pieces)
    return out


def _normal_below(x):
    """The normal distribution function."""
    out = x * x.dtype.type(_ROOT_HALF)
    out = special.erf_single(out) if x.dtype == np.float32 else special.erf(out)
    out += 1
    out *= 0.5
    return out


def _gelu(x):
    out = _normal_below(x)
    out *= x
    return out


def _gelu_backward(g, x):
    out = np.multiply(x, x)
    out *= -0.5
    out = np.exp(out)
    out *= x.dtype.type(_DENSITY)
    out *= x
    out += _normal_below(x)
    out *= g
    return out


def _gelu_tanh(x):
    out, _ = _tanh_of_cubic(x)
    out += 1
    out *= 0.5
    out *= x
    return out


def _gelu_tanh_backward(g, x):
    t, square = _tanh_of_cubic(x)
    square *= 3 * _CUBIC
    square += 1
    square *= x
    square *= _ROOT
    slope = np.multiply(t, t)
    slope = np.subtract(1, slope)
    slope *= square
    slope += t
    slope += 1
    slope *= 0.5
    slope *= g
    return slope


def _tanh_of_cubic(x):
    square = np.multiply(x, x)
    out = square * _CUBIC
    out += 1
    out *= x
    out *= _ROOT
    return np.tanh(out), square


# along an axis ------------------------------------------------------------------------------------


@kernel
@in_single
@quietly
def softmax(x, dim):
    if not x.size or not x.ndim:
        return np.ones_like(x)
    out = x - largest(x, dim)
    np.exp(out, out=out)
    out /= sums(out, dim)
    return out


@kernel
@in_single
@quietly
def softmax_backward(g, out, dim):
    x = np.asarray(g * out)
    x -= out * (sums(x, dim) if x.ndim else x)
    return x


@kernel
@in_single
@quietly
def log_softmax(x, dim):
    if not x.size or not x.ndim:
        return np.zeros_like(x)
    out = x - largest(x, dim)
    out -= np.log(sums(np.exp(out), dim))
    return out


@kernel
@in_single
@quietly
def log_softmax_backward(g, out, dim):
    x = np.asarray(np.exp(out))
    x *= sums(g, dim) if g.ndim else g
    return np.subtract(g, x, out=x)


def sums(x, dim):
    """Sums along an axis, which stays. Along short rows a product with ones takes a third of the
    time of a sum.
    """
    size = x.shape[dim]
    if dim != x.ndim - 1 or not 0 < size <= 512 or not x.flags.c_contiguous:
        return np.add.reduce(x, axis=dim, keepdims=True)
    return np.matmul(x.reshape(-1, size), np.ones(size, x.dtype)).reshape(*x.shape[:-1], 1)


def largest(x, dim):
    """Largest elements along an axis, which stays. Of short rows a transposed copy gives them in a
    third of the time.
    """
    if dim == x.ndim - 1 and x.shape[dim] <= 32 and x.flags.c_contiguous:
        columns = np.ascontiguousarray(x.reshape(-1, x.shape[dim]).T)
        return np.maximum.reduce(columns, axis=0).reshape(*x.shape[:-1], 1)
    return np.maximum.reduce(x, axis=dim, keepdims=True)
