"""Arithmetic and functions of each element."""

from __future__ import annotations

import math

import numpy as np

from plugrad.ops import elementwise as ops
from plugrad_conformance.case import (
    COMPLEX,
    COMPOSED,
    EVERY,
    EXACT,
    FLOATS,
    INEXACT,
    INTEGERS,
    NUMBERS,
    ORDERED,
    REAL,
    ROUNDED,
    TRANSCENDENTAL,
    Case,
    call,
    each,
    far,
    nonzero,
    nonzero_tenths,
    positive,
    shifted,
    small,
    stepped,
    tenths,
    unit,
)
from plugrad_conformance.cases.patterns import at_ends, at_scale, binary, in_place, ternary, unary


def _sign(x):
    if x.dtype.kind == "b":
        return x
    return np.sign(x) if x.dtype.kind == "c" else np.where(np.isnan(x), 0, np.sign(x))


def _angle(x):
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(np.isnan(x), x, np.where(x < 0, math.pi, 0.0))


def _clamp(x, low, high):
    return np.minimum(np.maximum(x, low), high)


def _rounded(function):
    return lambda x: x if x.dtype.kind in "iu" else function(x)


erf = np.vectorize(math.erf, otypes=[float])
erfc = np.vectorize(math.erfc, otypes=[float])


def _sigmoid(x):
    return np.where(x.real >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def _tanh_backward(g, out):
    return g * (1 - out * out)


def _sigmoid_backward(g, out):
    return g * out * (1 - out)


_CASES = (
    # arithmetic
    binary(ops.add, np.add, ROUNDED, EVERY),
    binary(ops.sub, np.subtract, ROUNDED, NUMBERS),
    binary(ops.mul, np.multiply, ROUNDED.wider(4), EVERY),
    binary(ops.div, np.divide, ROUNDED.wider(4), EVERY, y=nonzero, as_float=True),
    binary(ops.floor_divide, np.floor_divide, EXACT, ORDERED, y=nonzero),
    binary(ops.remainder, np.remainder, COMPOSED, ORDERED, y=nonzero),
    binary(ops.fmod, np.fmod, EXACT, ORDERED, y=nonzero),
    binary(ops.pow, np.power, TRANSCENDENTAL.wider(4), NUMBERS, x=positive, y=small),
    unary(ops.neg, np.negative, EXACT, NUMBERS),
    unary(ops.abs, np.abs, ROUNDED.wider(2), EVERY),
    unary(ops.sign, _sign, EXACT, REAL, signed_zero=False),
    unary(ops.sgn, _sign, ROUNDED.wider(4), EVERY, signed_zero=False),
    unary(ops.square, np.square, ROUNDED.wider(4), NUMBERS),
    binary(ops.maximum, np.maximum, EXACT, REAL, signed_zero=False),
    binary(ops.minimum, np.minimum, EXACT, REAL, signed_zero=False),
    ternary(ops.clamp, _clamp, EXACT, REAL, signed_zero=False),
    binary(ops.clamp_min, np.maximum, EXACT, REAL, signed_zero=False),
    binary(ops.clamp_max, np.minimum, EXACT, REAL, signed_zero=False),
    # exponentials and powers
    unary(ops.exp, np.exp, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.expm1, np.expm1, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.exp2, lambda x: np.power(2.0, x), TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.log, np.log, TRANSCENDENTAL, EVERY, positive, as_float=True),
    unary(ops.log1p, np.log1p, TRANSCENDENTAL, EVERY, positive, as_float=True),
    unary(ops.log2, np.log2, TRANSCENDENTAL, EVERY, positive, as_float=True),
    unary(ops.log10, np.log10, TRANSCENDENTAL, EVERY, positive, as_float=True),
    unary(ops.sqrt, np.sqrt, ROUNDED.wider(2), EVERY, positive, as_float=True),
    unary(ops.rsqrt, lambda x: 1 / np.sqrt(x), TRANSCENDENTAL, EVERY, positive, as_float=True),
    unary(ops.reciprocal, lambda x: 1 / x, ROUNDED.wider(4), EVERY, nonzero, as_float=True),
    # trigonometric and hyperbolic
    unary(ops.sin, np.sin, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.cos, np.cos, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.tan, np.tan, TRANSCENDENTAL, EVERY, unit, as_float=True),
    unary(ops.asin, np.arcsin, TRANSCENDENTAL, EVERY, unit, as_float=True),
    unary(ops.acos, np.arccos, TRANSCENDENTAL, EVERY, unit, as_float=True),
    unary(ops.atan, np.arctan, TRANSCENDENTAL, EVERY, unit, as_float=True),
    binary(ops.atan2, np.arctan2, TRANSCENDENTAL, REAL, as_float=True),
    binary(ops.hypot, np.hypot, TRANSCENDENTAL, FLOATS, x=nonzero),
    unary(ops.sinh, np.sinh, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.cosh, np.cosh, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.tanh, np.tanh, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.asinh, np.arcsinh, TRANSCENDENTAL, EVERY, as_float=True),
    unary(ops.acosh, np.arccosh, TRANSCENDENTAL, EVERY, shifted, as_float=True),
    unary(ops.atanh, np.arctanh, TRANSCENDENTAL, EVERY, unit, as_float=True),
    binary(ops.tanh_backward, _tanh_backward, COMPOSED, NUMBERS, y=unit, special=False),
    # special functions
    unary(ops.erf, erf, TRANSCENDENTAL, REAL, as_float=True),
    unary(ops.erfc, erfc, TRANSCENDENTAL, REAL, as_float=True),
    unary(ops.sigmoid, _sigmoid, TRANSCENDENTAL, REAL, as_float=True),
    unary(ops.sigmoid, _sigmoid, COMPOSED, COMPLEX, unit),  # reals come near a pole
    binary(ops.sigmoid_backward, _sigmoid_backward, COMPOSED, NUMBERS, y=unit, special=False),
    # rounding
    unary(ops.floor, np.floor, EXACT, ORDERED),
    unary(ops.ceil, np.ceil, EXACT, ORDERED),
    unary(ops.trunc, np.trunc, EXACT, ORDERED),
    unary(ops.round, _rounded(np.rint), EXACT, ORDERED),
    # complex numbers
    unary(ops.conj, lambda x: np.conj(x) if x.dtype.kind == "c" else x, EXACT, EVERY),
    unary(ops.angle, _angle, TRANSCENDENTAL, EVERY, nonzero, as_float=True),
    # in place
    in_place(ops.add_, np.add, ROUNDED, EVERY, 2),
    in_place(ops.sub_, np.subtract, ROUNDED, NUMBERS, 2),
    in_place(ops.mul_, np.multiply, ROUNDED.wider(4), EVERY, 2),
    in_place(ops.div_, np.divide, ROUNDED.wider(4), INEXACT, 2, y=nonzero),
    in_place(ops.pow_, np.power, TRANSCENDENTAL.wider(4), NUMBERS, 2, x=positive, y=small),
    in_place(ops.floor_divide_, np.floor_divide, EXACT, ORDERED, 2, y=nonzero),
    in_place(ops.remainder_, np.remainder, COMPOSED, ORDERED, 2, y=nonzero),
    in_place(ops.neg_, np.negative, EXACT, NUMBERS),
    in_place(ops.abs_, lambda x: np.abs(x).astype(x.dtype), ROUNDED.wider(2), EVERY),
    in_place(ops.exp_, np.exp, TRANSCENDENTAL, INEXACT),
    in_place(ops.log_, np.log, TRANSCENDENTAL, INEXACT, x=positive),
    in_place(ops.sqrt_, np.sqrt, ROUNDED.wider(2), INEXACT, x=positive),
    in_place(ops.tanh_, np.tanh, TRANSCENDENTAL, INEXACT),
    in_place(ops.sigmoid_, _sigmoid, TRANSCENDENTAL, INEXACT),
    in_place(ops.clamp_, _clamp, EXACT, REAL, 3, signed_zero=False),
    in_place(ops.clamp_min_, np.maximum, EXACT, REAL, 2, signed_zero=False),
    in_place(ops.clamp_max_, np.minimum, EXACT, REAL, 2, signed_zero=False),
    in_place(ops.floor_, np.floor, EXACT, ORDERED),
    in_place(ops.ceil_, np.ceil, EXACT, ORDERED),
    in_place(ops.round_, _rounded(np.rint), EXACT, ORDERED),
    in_place(ops.trunc_, np.trunc, EXACT, ORDERED),
    in_place(ops.square_, np.square, ROUNDED.wider(4), NUMBERS),
    in_place(ops.rsqrt_, lambda x: 1 / np.sqrt(x), TRANSCENDENTAL, INEXACT, x=positive),
    in_place(ops.reciprocal_, lambda x: 1 / x, ROUNDED.wider(4), INEXACT, x=nonzero),
)


def _integer_power(x, y):
    """A negative power of an integer is 0, but for the bases 1 and -1."""
    unit = np.where(np.abs(x) == 1, np.where(y % 2 == 0, np.abs(x), x), 0)
    return np.where(y < 0, unit, np.power(x, np.maximum(y, 0))).astype(x.dtype)


CASES = (
    *_CASES,
    Case(
        ops.pow,
        each(negative_powers=call(stepped(131), stepped(131))),
        _integer_power,
        EXACT,
        INTEGERS,
        differentiable=False,
    ),
    # Quotients that rounding makes whole numbers.
    *[
        Case(
            function,
            each(tenths=call(tenths(61), nonzero_tenths(61))),
            reference,
            EXACT,
            FLOATS,
            differentiable=False,
            layouts=False,
        )
        for function, reference in ((ops.floor_divide, np.floor_divide), (ops.fmod, np.fmod))
    ],
    Case(
        ops.abs,
        each(far=call(far(61))),
        np.abs,
        ROUNDED.wider(2),
        COMPLEX,
        differentiable=False,
        layouts=False,
    ),
    *map(at_ends, _CASES),
    *[each for case in _CASES if case.dtypes is not COMPLEX for each in at_scale(case)],
)
