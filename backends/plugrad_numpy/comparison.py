"""Comparisons, logic and bits."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import ieee


@kernel
def eq(x, y):
    return ieee.run(np.equal, x, y)


@kernel
def ne(x, y):
    return ieee.run(np.not_equal, x, y)


@kernel
def lt(x, y):
    return ieee.run(np.less, x, y)


@kernel
def le(x, y):
    return ieee.run(np.less_equal, x, y)


@kernel
def gt(x, y):
    return ieee.run(np.greater, x, y)


@kernel
def ge(x, y):
    return ieee.run(np.greater_equal, x, y)


@kernel
def logical_not(x):
    return np.logical_not(x)


@kernel
def logical_and(x, y):
    return np.logical_and(x, y)


@kernel
def logical_or(x, y):
    return np.logical_or(x, y)


@kernel
def logical_xor(x, y):
    return np.logical_xor(x, y)


@kernel
def isnan(x):
    return np.isnan(x)


@kernel
def isfinite(x):
    return np.isfinite(x)


@kernel
def isinf(x):
    return np.isinf(x)


@kernel
def bitwise_not(x):
    return np.invert(x)


@kernel
def bitwise_and(x, y):
    return np.bitwise_and(x, y)


@kernel
def bitwise_or(x, y):
    return np.bitwise_or(x, y)


@kernel
def bitwise_xor(x, y):
    return np.bitwise_xor(x, y)


@kernel
def bitwise_left_shift(x, y):
    return np.left_shift(x, y)


@kernel
def bitwise_right_shift(x, y):
    return np.right_shift(x, y)


@kernel
def where(condition, x, y):
    return np.where(condition, x, y)
