"""Making arrays, copying them, changing their dtype, writing into them."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import NATIVE, ieee, quietly

_ZEROS = {"0", "0.0", "False"}  # not -0.0, whose bits are not all 0


@kernel
@quietly
def full(shape, value, dtype, device):
    native = NATIVE[dtype]
    if repr(value) in _ZEROS:
        return np.zeros(shape, native)
    return np.full(shape, np.asarray(value).astype(native))  # integers wrap around, as in a cast


@kernel
def empty(shape, dtype, device):
    return np.empty(shape, NATIVE[dtype])


@kernel
@quietly
def arange(start, step, count, dtype, device):
    if dtype.kind == "int":
        return (start + step * np.arange(count)).astype(NATIVE[dtype])
    # In float64, so that late elements carry no accumulated rounding.
    return (start + step * np.arange(count, dtype=np.float64)).astype(NATIVE[dtype])


@kernel
@quietly
def cast(x, dtype):
    if x.dtype.kind == "c" and dtype.kind in ("int", "float"):
        x = x.real
    return x.astype(NATIVE[dtype])


@kernel
def clone(x):
    return np.array(x, order="C")


@kernel
def copy_(x, source):
    # NumPy copies to scratch memory first where the two overlap.
    np.copyto(x, source)
    return x


@kernel
def add_(x, y):
    return ieee.run(np.add, x, y, x)


@kernel
def sub_(x, y):
    return ieee.run(np.subtract, x, y, x)


@kernel
def mul_(x, y):
    return ieee.run(np.multiply, x, y, x)
