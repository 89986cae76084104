"""Arithmetic and functions of each element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy import special
from plugrad_numpy.arrays import HALVES, ieee, quietly


@kernel
def add(x, y):
    return ieee.run(np.add, x, y)


@kernel
def sub(x, y):
    return ieee.run(np.subtract, x, y)


@kernel
def mul(x, y):
    return ieee.run(np.multiply, x, y)


@kernel
def div(x, y):
    return ieee.run(np.true_divide, x, y)


@kernel
def floor_divide(x, y):
    return ieee.run(np.floor_divide, x, y)


@kernel
def remainder(x, y):
    return ieee.run(np.remainder, x, y)


@kernel
def fmod(x, y):
    return ieee.run(np.fmod, x, y)


@kernel
@quietly
def pow(x, y):
    if x.dtype.kind not in "iu" or not np.any(y < 0):
        return np.power(x, y)
    # NumPy refuses negative powers of integers; they are 0 but for the bases 1 and -1.
    out = np.power(x, np.maximum(y, 0))
    sign = np.where((x == -1) & (y % 2 == 1), -1, 1)
    unit = (x == 1) | (x == -1)
    return np.where(y < 0, np.where(unit, sign, 0), out).astype(x.dtype)


@kernel
def neg(x):
    return ieee.run(np.negative, x)


@kernel
def reciprocal(x):
    return ieee.run(np.reciprocal, x)


@kernel
def abs(x):
    return ieee.run(np.absolute, x)


@kernel
@quietly
def sign(x):
    return _sign(x)


@kernel
@quietly
def sgn(x):
    return _sign(x)


@kernel
def square(x):
    return ieee.run(np.square, x)


@kernel
def maximum(x, y):
    return ieee.run(np.maximum, x, y)


@kernel
def minimum(x, y):
    return ieee.run(np.minimum, x, y)


@kernel
def exp(x):
    return ieee.run(np.exp, x)


@kernel
def expm1(x):
    return ieee.run(np.expm1, x)


@kernel
def exp2(x):
    return ieee.run(np.exp2, x)


@kernel
def log(x):
    return ieee.run(np.log, x)


@kernel
def log1p(x):
    return ieee.run(np.log1p, x)


@kernel
def log2(x):
    return ieee.run(np.log2, x)


@kernel
def log10(x):
    return ieee.run(np.log10, x)


@kernel
def sqrt(x):
    return ieee.run(np.sqrt, x)


@kernel
def sin(x):
    return ieee.run(np.sin, x)


@kernel
def cos(x):
    return ieee.run(np.cos, x)


@kernel
def tan(x):
    return ieee.run(np.tan, x)


@kernel
def asin(x):
    return ieee.run(np.arcsin, x)


@kernel
def acos(x):
    return ieee.run(np.arccos, x)


@kernel
def atan(x):
    return ieee.run(np.arctan, x)


@kernel
def atan2(x, y):
    return ieee.run(np.arctan2, x, y)


@kernel
def hypot(x, y):
    return ieee.run(np.hypot, x, y)


@kernel
def sinh(x):
    return ieee.run(np.sinh, x)


@kernel
def cosh(x):
    return ieee.run(np.cosh, x)


@kernel
def tanh(x):
    return ieee.run(np.tanh, x)


@kernel
def asinh(x):
    return ieee.run(np.arcsinh, x)


@kernel
def acosh(x):
    return ieee.run(np.arccosh, x)


@kernel
def atanh(x):
    return ieee.run(np.arctanh, x)


@kernel
def tanh_backward(g, out):
    return ieee.run(_tanh_backward, g, out)


def _tanh_backward(g: Any, out: Any) -> Any:
    # A Python number as operand, as in g (1 - out²), would cost as much as a small array's pass.
    return g - g * out * out


@kernel
@quietly
def erf(x):
    return special.erf(x.astype(np.float64)).astype(x.dtype)


@kernel
@quietly
def erfc(x):
    return special.erfc(x.astype(np.float64)).astype(x.dtype)


@kernel
def sigmoid(x):
    if x.dtype.kind == "c" or x.dtype in HALVES:
        return None
    # 1 / (1 + exp(-x)): exp may overflow to infinity, whose reciprocal is the right 0.
    out = ieee.run(np.negative, x)
    out = ieee.run(np.exp, out)
    out = np.add(out, 1)
    return ieee.run(np.reciprocal, out)


@kernel
def sigmoid_backward(g, out):
    weighted = ieee.run(np.multiply, g, out)
    return ieee.run(np.subtract, weighted, ieee.run(np.multiply, weighted, out))


@kernel
def floor(x):
    return np.floor(x)


@kernel
def ceil(x):
    return np.ceil(x)


@kernel
def trunc(x):
    return np.trunc(x)


@kernel
def round(x):
    return np.rint(x) if x.dtype.kind not in "iu" else x.copy()


@kernel
def conj(x):
    return np.conjugate(x) if x.dtype.kind == "c" else x.copy()


@kernel
@quietly
def angle(x):
    if x.dtype.kind == "c":
        return np.arctan2(x.imag, x.real)
    out = np.where(np.isnan(x), x, np.where(x < 0, math.pi, 0))
    return out.astype(x.dtype)


def _sign(x):
    if x.dtype.kind == "b":
        return x.copy()
    # NumPy's sign of NaN is NaN.
    return np.sign(x) if x.dtype.kind in "iuc" else np.where(x == x, np.sign(x), x.dtype.type(0))
