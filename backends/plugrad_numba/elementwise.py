"""Functions of each element: where polynomials in vector registers beat NumPy's loops.

Arithmetic is left to NumPy, which is as fast as memory there.
"""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numba import scalars
from plugrad_numba.loops import elementwise


@kernel
@elementwise
def exp(x):
    return scalars.exp(x)


@kernel
@elementwise
def exp2(x):
    return scalars.exp2(x)


@kernel
@elementwise
def expm1(x):
    return scalars.expm1(x)


@kernel
@elementwise
def log(x):
    return scalars.log(x)


@kernel
@elementwise
def log1p(x):
    return scalars.log1p(x)


@kernel
@elementwise
def log2(x):
    return scalars.log2(x)


@kernel
@elementwise
def log10(x):
    return scalars.log10(x)


@kernel
@elementwise
def rsqrt(x):
    return type(x)(1) / np.sqrt(x)


@kernel
@elementwise
def sinh(x):
    return scalars.sinh(x)


@kernel
@elementwise
def cosh(x):
    return scalars.cosh(x)


@kernel
@elementwise
def tanh(x):
    return scalars.tanh(x)


@kernel
@elementwise
def tanh_backward(g, out):
    return g - g * out * out


@kernel
@elementwise
def erf(x):
    return scalars.erf(x)


@kernel
@elementwise
def erfc(x):
    return scalars.erfc(x)


@kernel
@elementwise
def sigmoid(x):
    return scalars.sigmoid(x)


@kernel
@elementwise
def sigmoid_backward(g, out):
    weighted = g * out
    return weighted - weighted * out
