"""Comparisons, logic, bits, and the choice by a mask."""

from __future__ import annotations

import numpy as np

from plugrad.ops import comparison as ops
from plugrad_conformance.case import (
    EVERY,
    EXACT,
    INTEGERS,
    INTEGRAL,
    REAL,
    SINGLE,
    Case,
    bools,
    call,
    each,
    gapped,
    reals,
    small,
    stepped,
    wide,
)
from plugrad_conformance.cases.patterns import at_ends, at_scale, binary, in_place, unary


def _same(function, reference, dtypes=EVERY):
    """A row whose result is a bool."""
    return binary(function, reference, EXACT, dtypes, stepped, stepped, differentiable=False)


def _bits(function, reference, dtypes=INTEGRAL, **more):
    return binary(function, reference, EXACT, dtypes, differentiable=False, special=False, **more)


def _property(function, reference, x=gapped):
    return unary(function, reference, EXACT, EVERY, x, differentiable=False)


_CASES = (
    _same(ops.eq, np.equal),
    _same(ops.ne, np.not_equal),
    _same(ops.lt, np.less, REAL),
    _same(ops.le, np.less_equal, REAL),
    _same(ops.gt, np.greater, REAL),
    _same(ops.ge, np.greater_equal, REAL),
    _property(ops.logical_not, np.logical_not, stepped),
    _same(ops.logical_and, np.logical_and),
    _same(ops.logical_or, np.logical_or),
    _same(ops.logical_xor, np.logical_xor),
    _property(ops.isnan, np.isnan),
    _property(ops.isfinite, np.isfinite),
    _property(ops.isinf, np.isinf),
    unary(ops.bitwise_not, np.invert, EXACT, INTEGRAL, differentiable=False, special=False),
    _bits(ops.bitwise_and, np.bitwise_and),
    _bits(ops.bitwise_or, np.bitwise_or),
    _bits(ops.bitwise_xor, np.bitwise_xor),
    _bits(ops.bitwise_left_shift, np.left_shift, INTEGERS, y=small),
    _bits(ops.bitwise_right_shift, np.right_shift, INTEGERS, y=small),
    Case(
        ops.where,
        each(
            rows=call(bools(3, 4), reals(3, 4), reals(3, 4)),
            mixed=call(bools(3, 1), reals(4), reals()),
            wide=call(bools(4), reals(2, 3, 4), reals(3, 1)),
            scalars=call(bools(), reals(), reals()),
            empty=call(bools(0, 3), reals(3), reals()),
        ),
        np.where,
        EXACT,
        EVERY,
    ),
    Case(
        ops.where,
        each(
            large=call(bools(259, 257), reals(259, 257), reals(259, 257)),
            huge=call(bools(70001), reals(70001), reals()),
            one=call(bools(1), reals(5), reals(5)),
            one_by_one=call(bools(1, 1), reals(3, 5), reals(5)),
            number=call(bools(), reals(3, 5), reals(3, 5)),
            one_first=call(bools(3, 5), reals(1, 1), reals(3, 5)),
            deep=call(bools(2, 1, 3, 2, 2), reals(2, 2, 1, 2, 2), reals(3, 2, 2)),
        ),
        np.where,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.where,
        each(large_numbers=call(bools(61), wide(61), wide(61))),
        np.where,
        EXACT,
        EVERY,
        differentiable=False,
        layouts=False,
    ),
    in_place(ops.bitwise_and_, np.bitwise_and, EXACT, INTEGRAL, 2, differentiable=False),
    in_place(ops.bitwise_or_, np.bitwise_or, EXACT, INTEGRAL, 2, differentiable=False),
    in_place(ops.bitwise_xor_, np.bitwise_xor, EXACT, INTEGRAL, 2, differentiable=False),
    in_place(
        ops.logical_not_,
        lambda x: np.logical_not(x).astype(x.dtype),
        EXACT,
        EVERY,
        x=stepped,
        differentiable=False,
    ),
)

CASES = (
    *_CASES,
    *map(at_ends, _CASES),
    *[each for case in _CASES if case.name != "where" for each in at_scale(case)],
)
