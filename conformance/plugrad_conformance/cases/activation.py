"""Activations and their backward operators."""

from __future__ import annotations

import math

import numpy as np

from plugrad.ops import activation as ops
from plugrad_conformance.case import COMPOSED, EXACT, FLOATS, ORDERED, Case, call, each, reals, unit
from plugrad_conformance.cases.elementwise import erf
from plugrad_conformance.cases.patterns import binary, unary


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _silu_backward(g, x):
    s = _sigmoid(x)
    return g * (s + x * s * (1 - s))


def _gelu(x):
    return x * (1 + erf(x / math.sqrt(2))) / 2


def _gelu_backward(g, x):
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return g * ((1 + erf(x / math.sqrt(2))) / 2 + x * density)


def _inner(x):
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _gelu_tanh(x):
    return x * (1 + np.tanh(_inner(x))) / 2


def _gelu_tanh_backward(g, x):
    t = np.tanh(_inner(x))
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return g * ((1 + t) / 2 + x * (1 - t**2) * slope / 2)


def _softmax(x, dim):
    raised = np.exp(x - np.max(x, dim, keepdims=True, initial=-np.inf)) if x.ndim else x * 0 + 1
    return raised / np.sum(raised, dim, keepdims=True) if x.ndim else raised


def _log_softmax(x, dim):
    if not x.ndim:
        return x * 0
    shifted = x - np.max(x, dim, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), dim, keepdims=True))


def _softmax_backward(g, out, dim):
    return g * out - out * np.sum(g * out, dim, keepdims=True)


def _log_softmax_backward(g, out, dim):
    return g - np.exp(out) * np.sum(g, dim, keepdims=True)


_AXIS = each(
    rows=call(reals(3, 4), dim=1),
    columns=call(reals(3, 4), dim=0),
    middle=call(reals(2, 5, 3), dim=1),
    single=call(reals(3, 1), dim=1),
    scalar=call(reals(), dim=0),
    empty=call(reals(0, 3), dim=1),
)

_PAIR = each(
    rows=call(reals(3, 4), unit(3, 4), dim=1),
    columns=call(reals(3, 4), unit(3, 4), dim=0),
    middle=call(reals(2, 5, 3), unit(2, 5, 3), dim=1),
)

CASES = (
    unary(ops.relu, lambda x: np.maximum(x, 0).astype(x.dtype), EXACT, ORDERED, signed_zero=False),
    binary(
        ops.relu_backward,
        lambda g, out: np.where(out > 0, g, 0),
        EXACT,
        FLOATS,
        special=False,
    ),
    unary(ops.silu, lambda x: x * _sigmoid(x), COMPOSED, FLOATS, special=False),
    binary(ops.silu_backward, _silu_backward, COMPOSED.wider(2), FLOATS, special=False),
    unary(ops.gelu, _gelu, COMPOSED, FLOATS, special=False),
    binary(ops.gelu_backward, _gelu_backward, COMPOSED.wider(2), FLOATS, special=False),
    unary(ops.gelu_tanh, _gelu_tanh, COMPOSED, FLOATS, special=False),
    binary(ops.gelu_tanh_backward, _gelu_tanh_backward, COMPOSED.wider(4), FLOATS, special=False),
    Case(ops.softmax, _AXIS, _softmax, COMPOSED, FLOATS),
    Case(ops.softmax_backward, _PAIR, _softmax_backward, COMPOSED.wider(2), FLOATS),
    Case(ops.log_softmax, _AXIS, _log_softmax, COMPOSED, FLOATS),
    Case(ops.log_softmax_backward, _PAIR, _log_softmax_backward, COMPOSED.wider(4), FLOATS),
)
