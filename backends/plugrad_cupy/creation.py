"""Making arrays, copying them, changing their dtype, writing into them."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy.arrays import NATIVE, new_on
from plugrad_cupy.strided import apart, cast_to, copied, copy_into, ctype, fill, launch


@kernel
def full(shape, value, dtype, device):
    out = new_on(device.index, shape, NATIVE[dtype])
    with np.errstate(all="ignore"):
        fill(out, np.asarray(value).astype(out.dtype))  # integers wrap around, as in a cast
    return out


@kernel
def empty(shape, dtype, device):
    return new_on(device.index, shape, NATIVE[dtype])


@kernel
def arange(start, step, count, dtype, device):
    out = new_on(device.index, (count,), NATIVE[dtype])
    if not count:
        return out
    whole = isinstance(start, int) and isinstance(step, int) and dtype.kind == "int"
    counted, code = ("int64", "q") if whole else ("double", "d")
    types = (counted, ctype(out))
    launch("counting.cu", "arange", types, f"Pq2{code}", count, out.data.ptr, count, start, step)
    return out


@kernel
def cast(x, dtype):
    return cast_to(x, NATIVE[dtype])


@kernel
def clone(x):
    return copied(x)


@kernel
def copy_(x, source):
    copy_into(x, apart(source, x))
    return x
