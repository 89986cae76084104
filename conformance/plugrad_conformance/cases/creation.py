"""Making tensors, copying and casting them, writing into them."""

from __future__ import annotations

import numpy as np

from plugrad import dtypes
from plugrad.ops import creation as ops
from plugrad_conformance.case import (
    COMPLEX,
    DEVICE,
    DTYPE,
    EVERY,
    EXACT,
    FLOATS,
    HALVES,
    INEXACT,
    INTEGERS,
    ORDERED,
    SINGLE,
    Case,
    borders,
    call,
    each,
    native,
    positive,
    reals,
    stepped,
    wide,
)
from plugrad_conformance.cases.patterns import at_scale


def _full(shape, value, dtype, device):
    return np.full(shape, value, native(dtype))


def _arange(start, step, count, dtype, device):
    return (start + step * np.arange(count)).astype(native(dtype))


def _cast(x, dtype):
    lossy = x.dtype.kind == "c" and dtype.kind in ("int", "float")
    return (x.real if lossy else x).astype(native(dtype))


def _filled(shape, value):
    return call(shape=shape, value=value, dtype=DTYPE, device=DEVICE)


def _sequence(start, step, count):
    return call(start=start, step=step, count=count, dtype=DTYPE, device=DEVICE)


def _written(x, source):
    return np.broadcast_to(source, x.shape)


_CASES = (
    Case(
        ops.full,
        each(
            rows=_filled((2, 3), 2),
            zeros=_filled((4,), 0),
            scalar=_filled((), 1),
            empty=_filled((0, 3), 1),
            large=_filled((259, 257), 3),
            true=_filled((3,), True),
            deep=_filled((2, 1, 3, 1, 2), 4),
        ),
        _full,
        EXACT,
        EVERY,
        differentiable=False,
    ),
    Case(
        ops.full,
        each(
            large_number=_filled((2,), (1 << 62) + 3),
            least=_filled((2,), -(1 << 63)),
        ),
        _full,
        EXACT,
        (dtypes.int64,),
        differentiable=False,
    ),
    Case(
        ops.full,
        each(
            fraction=_filled((2, 3), 0.1),
            infinite=_filled((2,), -np.inf),
            nan=_filled((2,), np.nan),
            minus_zero=_filled((3,), -0.0),
        ),
        _full,
        EXACT,
        INEXACT,
        differentiable=False,
    ),
    Case(
        ops.full,
        each(wrapped=_filled((2,), -3)),
        lambda shape, value, dtype, device: np.full(shape, np.int64(value).astype(native(dtype))),
        EXACT,
        INTEGERS,
        differentiable=False,
    ),
    Case(
        ops.empty,
        each(
            rows=call(shape=(2, 3), dtype=DTYPE, device=DEVICE),
            scalar=call(shape=(), dtype=DTYPE, device=DEVICE),
            empty=call(shape=(0, 3), dtype=DTYPE, device=DEVICE),
        ),
        None,
        EXACT,
        EVERY,
        differentiable=False,
    ),
    Case(
        ops.arange,
        each(up=_sequence(2, 3, 7), empty=_sequence(2, 3, 0), one=_sequence(5, 1, 1)),
        _arange,
        EXACT,
        ORDERED,
        differentiable=False,
    ),
    Case(
        ops.arange,
        each(
            down=_sequence(20, -3, 13),
            far=_sequence((1 << 60) + 1, 3, 5),
            long=_sequence(-7, 1, 70001),
        ),
        _arange,
        EXACT,
        (dtypes.int64,),
        differentiable=False,
    ),
    Case(
        ops.arange,
        each(long=_sequence(0.5, 0.125, 70001)),
        _arange,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.arange,
        each(down=_sequence(3.5, -0.25, 20), thirds=_sequence(0.0, 1 / 3, 50)),
        _arange,
        EXACT,
        FLOATS,
        differentiable=False,
    ),
    Case(
        ops.cast,
        {
            dtype.name: call(positive(3, 4) if dtype is dtypes.uint8 else reals(3, 4), dtype=dtype)
            for dtype in dtypes.ALL
        }
        | each(
            scalar=call(positive(), dtype=dtypes.float32),
            empty=call(reals(0, 3), dtype=dtypes.int32),
        ),
        _cast,
        EXACT,
        EVERY,
        differentiable=False,
        result=lambda dtype, params: params[0],
    ),
    Case(
        ops.cast,
        each(
            wide=call(reals(3, 4), dtype=dtypes.float64),
            complex=call(reals(2, 3), dtype=dtypes.complex128),
        ),
        _cast,
        EXACT,
        (dtypes.float64, dtypes.complex128),
        result=lambda dtype, params: params[0],
    ),
    Case(
        ops.clone,
        each(rows=call(reals(3, 4)), scalar=call(reals()), empty=call(reals(0, 3))),
        lambda x: x,
        EXACT,
        EVERY,
    ),
    Case(
        ops.copy_,
        each(
            rows=call(reals(3, 4), reals(3, 4)),
            stretched=call(reals(2, 3, 4), reals(3, 1)),
            number=call(reals(3, 4), reals()),
            scalar=call(reals(), reals()),
            empty=call(reals(0, 3), reals(3)),
        ),
        _written,
        EXACT,
        EVERY,
    ),
    Case(
        ops.fill_,
        each(
            rows=call(reals(3, 4), reals()),
            scalar=call(reals(), reals()),
            empty=call(reals(0, 3), reals()),
        ),
        _written,
        EXACT,
        EVERY,
    ),
    Case(
        ops.zero_,
        each(rows=call(reals(3, 4)), scalar=call(reals()), empty=call(reals(0, 3))),
        np.zeros_like,
        EXACT,
        EVERY,
    ),
)

_COPYING = [case for case in _CASES if case.function in (ops.clone, ops.copy_)]

CASES = (
    *_CASES,
    *[each for case in _COPYING for each in at_scale(case)],
    # Integers that float64 does not hold, floats that fewer digits do not.
    Case(
        ops.cast,
        {f"wide_{d.name}": call(wide(61), dtype=d) for d in (*INTEGERS, dtypes.bool_)},
        _cast,
        EXACT,
        INTEGERS,
        differentiable=False,
        layouts=False,
        result=lambda dtype, params: params[0],
    ),
    Case(
        ops.cast,
        {f"wide_{dtype.name}": call(wide(61), dtype=dtype) for dtype in INEXACT},
        _cast,
        EXACT,
        (*INTEGERS, *FLOATS),
        differentiable=False,
        layouts=False,
        result=lambda dtype, params: params[0],
    ),
    Case(
        ops.cast,
        {f"borders_{d.name}": call(borders(131), dtype=d) for d in (*HALVES, dtypes.float32)},
        _cast,
        EXACT,
        (dtypes.int16, dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64),
        differentiable=False,
        layouts=False,
        result=lambda dtype, params: params[0],
    ),
    Case(
        ops.cast,
        each(truth=call(stepped(131), dtype=dtypes.bool_)),
        _cast,
        EXACT,
        (*FLOATS, *COMPLEX),
        differentiable=False,
        layouts=False,
        result=lambda dtype, params: params[0],
    ),
    Case(
        ops.cast,
        each(
            large=call(reals(259, 257), dtype=dtypes.float64),
            large_halves=call(reals(259, 257), dtype=dtypes.float16),
            large_same=call(reals(70001), dtype=dtypes.float32),
            large_integers=call(reals(259, 257), dtype=dtypes.int64),
            deep=call(reals(2, 1, 3, 2, 2), dtype=dtypes.float64),
        ),
        _cast,
        EXACT,
        SINGLE,
        differentiable=False,
        result=lambda dtype, params: params[0],
    ),
    # In every order of memory, and large enough for a way of its own.
    Case(
        ops.clone,
        each(matrix=call(reals(131, 127)), stack=call(reals(3, 79, 73))),
        lambda x: x,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.clone,
        each(large_numbers=call(wide(61))),
        lambda x: x,
        EXACT,
        EVERY,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.copy_,
        each(large_numbers=call(wide(61), wide(61))),
        _written,
        EXACT,
        EVERY,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.fill_,
        each(large=call(reals(259, 257), reals()), large_numbers=call(wide(5), wide())),
        _written,
        EXACT,
        (dtypes.int64, *SINGLE),
        differentiable=False,
    ),
    Case(
        ops.zero_,
        each(large=call(reals(259, 257)), deep=call(reals(2, 1, 3, 2, 2))),
        np.zeros_like,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
)
