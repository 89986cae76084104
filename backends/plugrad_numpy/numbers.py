"""Signs, exponents, neighbours and divisors of numbers."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import ieee


@kernel
def signbit(x):
    return np.signbit(x) if x.dtype.kind not in "biu" else x < 0


@kernel
def binary_exponent(x):
    exponent = ieee.run(np.frexp, x)[1].astype(x.dtype)
    return np.where(np.isfinite(x), exponent, 0).astype(x.dtype)


@kernel
def nextafter(x, y):
    return ieee.run(np.nextafter, x, y)


@kernel
def gcd(x, y):
    return np.gcd(x, y)
