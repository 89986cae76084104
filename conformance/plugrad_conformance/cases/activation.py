"""Activations and their backward operators."""

from __future__ import annotations

import math

import numpy as np

from plugrad.ops import activation as ops
from plugrad_conformance.case import (
    COMPOSED,
    EXACT,
    FLOATS,
    HALVES,
    ORDERED,
    SINGLE,
    Case,
    Tolerance,
    call,
    close,
    each,
    positive,
    reals,
    steep,
    unit,
)
from plugrad_conformance.cases.elementwise import erf
from plugrad_conformance.cases.patterns import (
    along_each_axis,
    at_ends,
    at_scale,
    binary,
    ternary,
    unary,
)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _silu_backward(g, x):
    s = _sigmoid(x)
    return g * (s + x * s * (1 - s))


def _steep_silu(x):
    return x * np.exp(-np.logaddexp(0, -x))


def _steep_silu_backward(g, x):
    s = np.exp(-np.logaddexp(0, -x))
    return g * (s + x * s * np.exp(-np.logaddexp(0, x)))


def _gelu(x):
    return x * (1 + erf(x / math.sqrt(2))) / 2


def _gelu_backward(g, x):
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return g * ((1 + erf(x / math.sqrt(2))) / 2 + x * density)


def _inner(x):
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _hardtanh(x, low, high):
    return np.minimum(np.maximum(x, low), high)


def _log_sigmoid(x):
    return -np.logaddexp(0, -x)


def _gelu_tanh(x):
    return x * (1 + np.tanh(_inner(x))) / 2


def _gelu_tanh_backward(g, x):
    t = np.tanh(_inner(x))
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return g * ((1 + t) / 2 + x * (1 - t**2) * slope / 2)


def _softmax(x, dim):
    raised = np.exp(x - np.max(x, dim, keepdims=True, initial=-np.inf)) if x.ndim else x * 0 + 1
    return raised / np.sum(raised, dim, keepdims=True) if x.ndim else raised


# A share of 1: each exponential is off by as many units as its argument is large.
SHARE = Tolerance("share", own=16)


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
    single=call(reals(3, 1), unit(3, 1), dim=1),
    line=call(reals(7), unit(7), dim=0),
    empty=call(reals(0, 3), unit(0, 3), dim=1),
)

# Numbers whose exponentials overflow, and some that are equal.
_STEEP = each(
    steep=call(steep(5, 7), dim=1),
    steep_columns=call(steep(5, 7), dim=0),
    ties=call(close(5, 7), dim=1),
)


def _scaled(*recipes):
    """Long axes, many rows, many axes, axes of size 1."""
    shapes = {
        "short": ((7,), 0),
        "huge": ((70001,), 0),
        "wide": ((7, 1031), 1),
        "narrow": ((3001, 33), 1),
        "tall": ((1031, 7), 0),
        "long_middle": ((3, 513, 5), 1),
        "deep": ((2, 3, 1, 4, 2), 3),
        "first": ((4, 3, 2, 2), 0),
        "column": ((5, 1), 1),
        "row": ((1, 5), 0),
        "aligned": ((32, 512), 1),
        "square": ((5, 5), 0),
        "cube": ((3, 3, 3), 1),
    }

    def made(shape, dim):
        return call(*[recipe(*shape) for recipe in recipes], dim=dim)

    return {name: made(*each) for name, each in shapes.items()} | along_each_axis(made)


_ELEMENTWISE = (
    unary(ops.relu, lambda x: np.maximum(x, 0).astype(x.dtype), EXACT, ORDERED, signed_zero=False),
    binary(
        ops.relu_backward,
        lambda g, out: np.where(out <= 0, 0, g),
        EXACT,
        FLOATS,
    ),
    ternary(
        *(ops.hardtanh, _hardtanh, EXACT, ORDERED), signed_zero=False, constants=("low", "high")
    ),
    unary(ops.log_sigmoid, _log_sigmoid, COMPOSED, FLOATS),
    unary(ops.silu, lambda x: x * _sigmoid(x), COMPOSED, FLOATS, special=False),
    binary(ops.silu_backward, _silu_backward, COMPOSED.wider(2), FLOATS, special=False),
    unary(ops.gelu, _gelu, COMPOSED, FLOATS, special=False),
    binary(ops.gelu_backward, _gelu_backward, COMPOSED.wider(2), FLOATS, special=False),
    unary(ops.gelu_tanh, _gelu_tanh, COMPOSED, FLOATS, special=False),
    binary(ops.gelu_tanh_backward, _gelu_tanh_backward, COMPOSED.wider(4), FLOATS, special=False),
)

CASES = (
    *_ELEMENTWISE,
    at_ends(_ELEMENTWISE[0]),
    *[each for case in _ELEMENTWISE for each in at_scale(case)],
    Case(
        ops.relu_backward,
        each(
            ties=call(reals(7, 31), close(7, 31)), large_ties=call(reals(259, 257), close(259, 257))
        ),
        lambda g, out: np.where(out <= 0, 0, g),
        EXACT,
        FLOATS,
        differentiable=False,
    ),
    *[
        Case(
            function,
            each(steep=call(steep(61))),
            reference,
            COMPOSED,
            FLOATS,
            differentiable=False,
            layouts=False,
        )
        for function, reference in (
            (ops.silu, _steep_silu),
            (ops.gelu, _gelu),
            (ops.gelu_tanh, _gelu_tanh),
        )
    ],
    *[
        Case(
            function,
            each(steep=call(reals(61), steep(61))),
            reference,
            COMPOSED.wider(4),
            FLOATS,
            differentiable=False,
            layouts=False,
        )
        for function, reference in (
            (ops.silu_backward, _steep_silu_backward),
            (ops.gelu_backward, _gelu_backward),
            (ops.gelu_tanh_backward, _gelu_tanh_backward),
        )
    ],
    Case(ops.softmax, _AXIS, _softmax, SHARE, FLOATS, special=True),
    # More terms of one sign than a sum in half precision can count.
    *[
        Case(
            function,
            {
                "half_long": call(*[make(4099) for make in recipes], dim=0),
                "half_rows": call(*[make(3, 2053) for make in recipes], dim=1),
            },
            reference,
            tolerance,
            HALVES,
            differentiable=False,
            expands=False,
        )
        for function, recipes, reference, tolerance in (
            (ops.softmax, (reals,), _softmax, SHARE),
            (ops.softmax_backward, (positive, unit), _softmax_backward, COMPOSED.wider(2)),
            (ops.log_softmax, (reals,), _log_softmax, COMPOSED),
            (ops.log_softmax_backward, (positive, unit), _log_softmax_backward, COMPOSED.wider(4)),
        )
    ],
    Case(ops.softmax_backward, _PAIR, _softmax_backward, COMPOSED.wider(2), FLOATS),
    Case(ops.softmax, _scaled(reals), _softmax, SHARE, SINGLE, differentiable=False),
    Case(ops.log_softmax, _AXIS, _log_softmax, COMPOSED, FLOATS, special=True, signed_zero=False),
    Case(ops.log_softmax_backward, _PAIR, _log_softmax_backward, COMPOSED.wider(4), FLOATS),
    *[
        Case(
            function,
            variants,
            reference,
            COMPOSED.wider(room),
            SINGLE,
            differentiable=False,
            expands=False,
        )
        for function, variants, reference, room in (
            (ops.softmax, _STEEP, _softmax, 1),
            (ops.softmax_backward, _scaled(reals, unit), _softmax_backward, 2),
            (ops.log_softmax, _scaled(reals) | _STEEP, _log_softmax, 1),
            (ops.log_softmax_backward, _scaled(reals, unit), _log_softmax_backward, 4),
        )
    ],
)
