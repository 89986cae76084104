"""Casts between float32 and half precision, which NumPy makes one number at a time: on the bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from plugrad import dtypes
from plugrad.hooks import kernel
from plugrad_numba.compiling import Compiled, inlined
from plugrad_numba.layout import back, memory_order
from plugrad_numpy.arrays import NATIVE

_f = np.float32
_u = np.uint32
_h = np.uint16
_HALF, _BRAIN, _SINGLE = [
    NATIVE[dtype] for dtype in (dtypes.float16, dtypes.bfloat16, dtypes.float32)
]
_BITS = {2: np.uint16, 4: np.uint32}
# Below, NumPy is done before a kernel is called.
_SMALL = 2048


def _over_bits(convert: Any) -> Compiled:
    def loop(x, out):
        for i in prange(x.size):
            out[i] = convert(x[i])

    return Compiled(loop, name=f"{__name__}.{convert.__name__}")


# Numba computes with uint32 in uint64, of which a register holds half as many: each step is cut
# back. Halves are rounded to even.


@_over_bits
@inlined
def _half_from_single(bits):
    size = _u(bits & _u(0x7FFFFFFF))
    rebiased = _u(_u(size - _u(112 << 23)) + _u(0xFFF))
    normal = _u(_u(rebiased + _u(_u(size >> _u(13)) & _u(1))) >> _u(13))
    # In the sum with 1/2 the bits of a subnormal half stand where they belong, rounded.
    below = _u(_f(size.view(np.float32) + _f(0.5)).view(np.uint32) - _u(0x3F000000))
    out = normal if size >= _u(0x38800000) else below
    out = out if size < _u(0x477FF000) else _u(0x7C00)
    out = out if size <= _u(0x7F800000) else _u(0x7E00)
    return _h(out | _u(_u(bits >> _u(16)) & _u(0x8000)))


@_over_bits
@inlined
def _single_from_half(bits):
    wide = _u(bits)
    size = _u(_u(wide & _u(0x7FFF)) << _u(13))
    scaled = _f(size.view(np.float32) * _f(2.0**112)).view(np.uint32)
    out = scaled if size < _u(0x0F800000) else _u(size | _u(0x7F800000))
    return _u(out | _u(_u(wide & _u(0x8000)) << _u(16)))


@_over_bits
@inlined
def _brain_from_single(bits):
    even = _u(_u(bits >> _u(16)) & _u(1))
    out = _u(_u(_u(bits + _u(0x7FFF)) + even) >> _u(16))
    nan = _u(_u(_u(bits >> _u(16)) & _u(0x8000)) | _u(0x7FC0))
    return _h(out if _u(bits & _u(0x7FFFFFFF)) <= _u(0x7F800000) else nan)


_CASTS = {
    (_SINGLE, _HALF): _half_from_single,
    (_HALF, _SINGLE): _single_from_half,
    (_SINGLE, _BRAIN): _brain_from_single,
}


@kernel
def cast(x, dtype):
    native = NATIVE[dtype]
    loop = _CASTS.get((x.dtype, native))
    if loop is None or x.size < _SMALL:
        return None
    order = memory_order(x)
    if order is None:
        return None
    flat = x.transpose(order).reshape(-1)
    out = np.empty(x.size, native)
    loop(x.size, flat.view(_BITS[x.itemsize]), out.view(_BITS[native.itemsize]))
    return back(out.reshape([x.shape[axis] for axis in order]), order)
