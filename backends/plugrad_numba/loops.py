"""Functions of each element: `@elementwise` on a formula for one element gives a kernel.

The formula is compiled, when first met with a dtype, into the inner loop of a NumPy ufunc, and
NumPy does the rest: broadcasting, strides, the order in memory of the result. Large arrays whose
elements lie in one run go through the same formula on several threads.

A formula is typed: `x * 0.5` computes in float64, `x * type(x)(0.5)` in the dtype of x.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numba import extending, prange, types

from plugrad_numba import threads
from plugrad_numba.compiling import Compiled, address_of, inlined
from plugrad_numba.layout import FLOATS, memory_order
from plugrad_numba.ufuncs import make_ufunc
from plugrad_numpy.arrays import ieee

intrinsic: Any = extending.intrinsic

_TYPES = {"f": types.float32, "d": types.float64}
# Elements taken together: they stay in the level-1 cache between two loops over them.
_CHUNK = 1024


def elementwise(formula: Callable[..., Any]) -> Any:
    """The kernel of a formula for operands that are all float32 or all float64, and a result of
    that dtype. Of three operands the first is a bool, and chooses.
    """
    inner = inlined(formula)
    arity = formula.__code__.co_argcount
    name = f"{formula.__module__}.{formula.__qualname__}"
    over_runs = Compiled(_OVER_RUNS[arity](inner), name=f"{name}-run")
    programs: dict[str, Any] = {}

    def compile_for(char: str) -> Any:
        loop = _INNER_LOOPS[arity](inner, np.dtype(char).itemsize)
        address = address_of(loop, f"{name}-{char}", _signature(_TYPES[char]))
        chars = ("?" if arity == 3 else char) + char * arity
        programs[char] = make_ufunc(name, address, chars)
        return programs[char]

    @wraps(formula)
    def run(*operands: Any) -> Any:
        x = operands[-1]
        ufunc = programs.get(x.dtype.char)
        if ufunc is None:
            if x.dtype.char not in FLOATS:
                return None
            ufunc = compile_for(x.dtype.char)
        if x.size >= threads.PAYING:
            flats = _in_one_run(operands)
            if flats is not None:
                out = np.empty_like(x)
                if over_runs.share_out(*flats, out.ravel("K")):
                    return out
        return ieee.run(ufunc, *operands)

    return run


def _in_one_run(operands: tuple[Any, ...]) -> list[Any] | None:
    """The operands as one-dimensional views in the order of memory, if that is the same for all and
    leaves no gaps.
    """
    x = operands[-1]
    order = memory_order(x)
    if order is None:
        return None
    moved = [each.transpose(order) for each in operands if each.shape == x.shape]
    if len(moved) < len(operands) or not all([each.flags.c_contiguous for each in moved]):
        return None
    return [each.reshape(-1) for each in moved]


# templates, by the number of operands -------------------------------------------------------------

# A ufunc's inner loop gets addresses, the number of elements, and strides in bytes. Where operands
# and result lie in a run the loop is vectorised as it stands. Else the last operand is first copied
# into the result, chunk by chunk, whatever its stride: then the loop is, too, where those before it
# lie in a run or are one number.


def _signature(scalar: Any) -> Any:
    addresses = types.CPointer(types.CPointer(scalar))
    numbers = types.CPointer(types.intp)
    return types.void(addresses, numbers, numbers, types.voidptr)


@intrinsic
def _as_bools(typing: Any, address: Any) -> Any:
    """The same address, of bools."""
    return types.CPointer(types.boolean)(
        address
    ), lambda context, builder, signature, values: builder.bitcast(
        values[0], context.get_value_type(signature.return_type)
    )


def _loop_of_one(formula: Any, size: int) -> Any:
    def loop(addresses, counts, strides, data):
        x, out = addresses[0], addresses[1]
        dx, step = strides[0] // size, strides[1] // size
        count = counts[0]
        if step == 1 and dx == 1:
            for i in range(count):
                out[i] = formula(x[i])
        elif step == 1:
            for start in range(0, count, _CHUNK):
                stop = min(count, start + _CHUNK)
                for i in range(start, stop):
                    out[i] = x[i * dx]
                for i in range(start, stop):
                    out[i] = formula(out[i])
        else:
            for i in range(count):
                out[i * step] = formula(x[i * dx])

    return loop


def _loop_of_two(formula: Any, size: int) -> Any:
    def loop(addresses, counts, strides, data):
        x, y, out = addresses[0], addresses[1], addresses[2]
        dx, dy, step = strides[0] // size, strides[1] // size, strides[2] // size
        count = counts[0]
        if step == 1 and dx == 1 and dy == 1:
            for i in range(count):
                out[i] = formula(x[i], y[i])
        elif step == 1 and dx == 0:
            for start in range(0, count, _CHUNK):
                stop = min(count, start + _CHUNK)
                for i in range(start, stop):
                    out[i] = y[i * dy]
                for i in range(start, stop):
                    out[i] = formula(x[0], out[i])
        elif step == 1 and dx == 1:
            for start in range(0, count, _CHUNK):
                stop = min(count, start + _CHUNK)
                for i in range(start, stop):
                    out[i] = y[i * dy]
                for i in range(start, stop):
                    out[i] = formula(x[i], out[i])
        else:
            for i in range(count):
                out[i * step] = formula(x[i * dx], y[i * dy])

    return loop


def _loop_of_condition(formula: Any, size: int) -> Any:
    def loop(addresses, counts, strides, data):
        condition, x, y, out = _as_bools(addresses[0]), addresses[1], addresses[2], addresses[3]
        dc, dx, dy, step = strides[0], strides[1] // size, strides[2] // size, strides[3] // size
        count = counts[0]
        if step == 1 and dc == 1 and dx == 1 and dy == 1:
            for i in range(count):
                out[i] = formula(condition[i], x[i], y[i])
        elif step == 1 and dc == 1 and dx == 0:
            for start in range(0, count, _CHUNK):
                stop = min(count, start + _CHUNK)
                for i in range(start, stop):
                    out[i] = y[i * dy]
                for i in range(start, stop):
                    out[i] = formula(condition[i], x[0], out[i])
        elif step == 1 and dc == 1 and dx == 1:
            for start in range(0, count, _CHUNK):
                stop = min(count, start + _CHUNK)
                for i in range(start, stop):
                    out[i] = y[i * dy]
                for i in range(start, stop):
                    out[i] = formula(condition[i], x[i], out[i])
        else:
            for i in range(count):
                out[i * step] = formula(condition[i * dc], x[i * dx], y[i * dy])

    return loop


def _run_of_one(formula: Any) -> Any:
    def loop(x, out):
        for i in prange(x.size):
            out[i] = formula(x[i])

    return loop


def _run_of_two(formula: Any) -> Any:
    def loop(x, y, out):
        for i in prange(x.size):
            out[i] = formula(x[i], y[i])

    return loop


def _run_of_condition(formula: Any) -> Any:
    def loop(condition, x, y, out):
        for i in prange(x.size):
            out[i] = formula(condition[i], x[i], y[i])

    return loop


_INNER_LOOPS = {1: _loop_of_one, 2: _loop_of_two, 3: _loop_of_condition}
_OVER_RUNS = {1: _run_of_one, 2: _run_of_two, 3: _run_of_condition}
