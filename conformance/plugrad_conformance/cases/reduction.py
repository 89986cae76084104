"""Reductions along axes, and running sums."""

from __future__ import annotations

import numpy as np

from plugrad.ops import reduction as ops
from plugrad_conformance.case import (
    COMPOSED,
    EVERY,
    EXACT,
    FLOATS,
    HALVES,
    INEXACT,
    INTEGRAL,
    ORDERED,
    REAL,
    REDUCTION,
    SINGLE,
    Case,
    call,
    close,
    common,
    distinct,
    each,
    falling,
    near_one,
    nonzero,
    positive,
    rare,
    reals,
    rising,
    shifted,
    steep,
    stepped,
    wide,
)
from plugrad_conformance.cases.patterns import along_each_axis, over_axes, over_long_axes


def _along(function):
    """The reference from NumPy's function; integers are summed as int64."""

    def reference(x, dim, keepdim):
        wide = x.astype(np.int64) if x.dtype.kind in "biu" else x
        return function(wide, axis=dim, keepdims=keepdim)

    return reference


def _plain(function):
    return lambda x, dim, keepdim: function(x, axis=dim, keepdims=keepdim)


def _mean(x, dim, keepdim):
    count = np.prod([x.shape[d] for d in dim])
    return np.sum(x, axis=dim, keepdims=keepdim) / count


def _logsumexp(x, dim, keepdim):
    return np.log(np.sum(np.exp(x), axis=dim, keepdims=keepdim))


def _steep_logsumexp(x, dim, keepdim):
    top = np.max(x, axis=dim, keepdims=True)
    out = np.log(np.sum(np.exp(x - top), axis=dim, keepdims=True)) + top
    return out if keepdim else np.squeeze(out, dim)


def _variance(x, dim, correction, keepdim):
    count = np.prod([x.shape[d] for d in dim])
    centred = np.abs(x - np.mean(x, axis=dim, keepdims=True)) ** 2
    return np.sum(centred, axis=dim, keepdims=keepdim) / max(count - correction, 0)


def _position(function):
    def reference(x, dim, keepdim):
        return np.asarray(function(x, axis=dim, keepdims=keepdim), np.int64)

    return reference


def _products(x, dim):
    wide = x.astype(np.int64) if x.dtype.kind in "biu" else x
    return np.cumprod(wide, axis=dim) if x.ndim else wide


def _extreme_so_far(extreme):
    def reference(x, dim):
        values = extreme.accumulate(x, dim)
        positions = np.zeros(x.shape, np.int64)
        for place in np.ndindex(x.shape):
            taken = place[dim]
            before = (*place[:dim], taken - 1, *place[dim + 1 :])
            new = x[place] == values[place] or np.isnan(x[place])
            positions[place] = taken if new or not taken else positions[before]
        return values, positions

    return reference


_AXIS = each(
    rows=call(reals(3, 4), dim=1, keepdim=False),
    columns=call(reals(3, 4), dim=0, keepdim=True),
    flat=call(reals(3, 4), dim=None, keepdim=False),
    middle=call(reals(2, 5, 3), dim=1, keepdim=False),
    scalar=call(reals(), dim=None, keepdim=False),
    rest=call(reals(3, 0), dim=0, keepdim=False),
    ties=call(close(4, 50), dim=1, keepdim=False),
    tied_columns=call(close(50, 4), dim=0, keepdim=True),
    tied_flat=call(close(5, 31), dim=None, keepdim=False),
    large_numbers=call(wide(5, 31), dim=1, keepdim=True),
)

_LONG_AXIS = each(
    tall=call(reals(1031, 7), dim=0, keepdim=False),
    wide=call(reals(7, 1031), dim=1, keepdim=False),
    long_middle=call(reals(3, 1031, 5), dim=1, keepdim=True),
    huge=call(reals(70001), dim=0, keepdim=False),
    grid=call(reals(259, 257), dim=None, keepdim=False),
    deep=call(reals(2, 3, 1, 4, 2), dim=3, keepdim=False),
    column=call(reals(5, 1), dim=1, keepdim=False),
    row=call(reals(1, 5), dim=0, keepdim=True),
    aligned=call(reals(32, 1024), dim=1, keepdim=False),
    square=call(reals(5, 5), dim=0, keepdim=False),
    cube=call(reals(3, 3, 3), dim=1, keepdim=False),
    one=call(reals(1), dim=0, keepdim=False),
) | along_each_axis(lambda shape, dim: call(reals(*shape), dim=dim, keepdim=False))

_RUNNING = each(
    tall=call(reals(1031, 7), dim=0),
    wide=call(reals(7, 1031), dim=1),
    long_middle=call(reals(3, 131, 5), dim=1),
    huge=call(reals(70001), dim=0),
    deep=call(reals(2, 3, 1, 4, 2), dim=3),
    column=call(reals(5, 1), dim=1),
    row=call(reals(1, 5), dim=0),
    aligned=call(reals(32, 1024), dim=1),
    square=call(reals(5, 5), dim=0),
    cube=call(reals(3, 3, 3), dim=1),
) | along_each_axis(lambda shape, dim: call(reals(*shape), dim=dim))

_SPREAD = each(
    rows=call(reals(3, 4), dim=(1,), correction=1, keepdim=False),
    population=call(reals(3, 4), dim=(0,), correction=0, keepdim=True),
    all=call(reals(2, 3, 4), dim=(0, 1, 2), correction=1, keepdim=False),
    ends=call(reals(2, 3, 4), dim=(0, 2), correction=2, keepdim=False),
    single=call(reals(1, 3), dim=(0,), correction=1, keepdim=False),
)

_SPREAD_OUT = each(
    shifted=call(shifted(3, 40), dim=(1,), correction=1, keepdim=False),
    tall=call(shifted(1031, 3), dim=(0,), correction=0, keepdim=True),
    wide=call(reals(7, 1031), dim=(1,), correction=1, keepdim=False),
    huge=call(reals(70001), dim=(0,), correction=1, keepdim=False),
    deep=call(reals(2, 3, 1, 4, 2), dim=(1, 3), correction=2, keepdim=True),
)


def _summed(function, reference):
    """Numbers whose sum or product overflows: what is left has the dtype's last bits."""
    return Case(
        function,
        each(
            overflowing=call(wide(5, 31), dim=(1,), keepdim=False),
            overflowing_columns=call(wide(5, 31), dim=(0,), keepdim=True),
        ),
        reference,
        EXACT,
        INTEGRAL,
        differentiable=False,
    )


def _half_sums(function, reference, tolerance, **params):
    """More terms of one sign than a sum in half precision can count."""
    return Case(
        function,
        each(
            half_long=call(positive(4099), **params),
            half_rows=call(positive(3, 2053), **(params | _LAST)),
        ),
        reference,
        tolerance,
        HALVES,
        differentiable=False,
    )


_LAST = {"dim": (1,)}

_CASES = (
    over_axes(ops.sum, _along(np.sum), REDUCTION, EVERY, special=True, signed_zero=False),
    over_axes(ops.mean, _mean, REDUCTION, INEXACT, special=True, signed_zero=False),
    over_axes(
        ops.prod,
        _along(np.prod),
        REDUCTION.wider(2),
        EVERY,
        x=nonzero,
        long=33,
        special=True,
        signed_zero=False,
    ),
    over_axes(ops.amax, _plain(np.max), EXACT, REAL, empty=False, special=True, signed_zero=False),
    over_axes(ops.amin, _plain(np.min), EXACT, REAL, empty=False, special=True, signed_zero=False),
    over_axes(ops.any, _plain(np.any), EXACT, EVERY, differentiable=False, special=True),
    over_axes(ops.all, _plain(np.all), EXACT, EVERY, differentiable=False, special=True),
    over_axes(ops.logsumexp, _logsumexp, COMPOSED, INEXACT, special=True, signed_zero=False),
)

CASES = (
    *_CASES,
    *[over_long_axes(case) for case in _CASES if case.function is not ops.prod],
    over_long_axes(_CASES[2], near_one),
    _summed(ops.sum, _along(np.sum)),
    _summed(ops.prod, _along(np.prod)),
    # More than 16 bits can count.
    Case(
        ops.sum,
        each(many=call(positive(70001), dim=(0,), keepdim=False)),
        _along(np.sum),
        EXACT,
        INTEGRAL,
        differentiable=False,
    ),
    Case(
        ops.cumsum,
        each(many=call(positive(70001), dim=0)),
        lambda x, dim: _running(x, dim),
        EXACT,
        INTEGRAL,
        differentiable=False,
    ),
    Case(
        ops.argmax,
        each(last=call(rising(70001), dim=0, keepdim=False)),
        _position(np.argmax),
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.argmin,
        each(last=call(falling(70001), dim=0, keepdim=False)),
        _position(np.argmin),
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    *[
        Case(
            function,
            each(
                large_numbers=call(wide(5, 31), dim=(1,), keepdim=False),
                large_columns=call(wide(5, 31), dim=(0,), keepdim=True),
                ties=call(close(4, 50), dim=(1,), keepdim=False),
            ),
            reference,
            EXACT,
            REAL,
            differentiable=False,
        )
        for function, reference in ((ops.amax, _plain(np.max)), (ops.amin, _plain(np.min)))
    ],
    *[
        Case(
            function,
            each(
                mostly_false=call(rare(7, 131), dim=(1,), keepdim=False),
                mostly_true=call(common(7, 131), dim=(1,), keepdim=False),
                mostly_false_columns=call(rare(131, 7), dim=(0,), keepdim=True),
                mostly_true_columns=call(common(131, 7), dim=(0,), keepdim=True),
            ),
            reference,
            EXACT,
            EVERY,
            differentiable=False,
        )
        for function, reference in ((ops.any, _plain(np.any)), (ops.all, _plain(np.all)))
    ],
    _half_sums(ops.sum, _along(np.sum), REDUCTION, dim=(0,), keepdim=False),
    _half_sums(ops.mean, _mean, REDUCTION, dim=(0,), keepdim=False),
    Case(
        ops.prod,
        each(half_long=call(near_one(4099), dim=(0,), keepdim=False)),
        _along(np.prod),
        REDUCTION.wider(2),
        HALVES,
        differentiable=False,
    ),
    Case(
        ops.logsumexp,
        each(
            steep=call(steep(5, 7), dim=(1,), keepdim=False),
            steep_columns=call(steep(5, 7), dim=(0,), keepdim=True),
        ),
        _steep_logsumexp,
        COMPOSED,
        FLOATS,
    ),
    *[
        Case(function, _LONG_AXIS, reference, EXACT, SINGLE, differentiable=False)
        for function, reference in (
            (ops.argmax, _position(np.argmax)),
            (ops.argmin, _position(np.argmin)),
        )
    ],
    Case(
        ops.cumsum,
        _RUNNING,
        lambda x, dim: _running(x, dim),
        REDUCTION,
        SINGLE,
        signed_zero=False,
        differentiable=False,
    ),
    Case(
        ops.cumsum,
        each(half_long=call(positive(4099), dim=0), half_rows=call(positive(3, 2053), dim=1)),
        lambda x, dim: _running(x, dim),
        REDUCTION,
        HALVES,
        signed_zero=False,
        differentiable=False,
    ),
    Case(
        ops.cumsum,
        each(overflowing=call(wide(5, 31), dim=1), columns_overflowing=call(wide(31, 3), dim=0)),
        lambda x, dim: _running(x, dim),
        EXACT,
        INTEGRAL,
        differentiable=False,
    ),
    Case(ops.var, _SPREAD_OUT, _variance, COMPOSED.wider(4), SINGLE, differentiable=False),
    *[
        Case(
            function,
            each(half_long=call(positive(4099), dim=(0,), correction=1, keepdim=False)),
            reference,
            COMPOSED.wider(4),
            HALVES,
            differentiable=False,
            expands=False,
        )
        for function, reference in (
            (ops.var, _variance),
            (ops.std, lambda *values: np.sqrt(_variance(*values))),
        )
    ],
    _half_sums(ops.logsumexp, _logsumexp, COMPOSED, dim=(0,), keepdim=False),
    Case(
        ops.std,
        _SPREAD_OUT,
        lambda *values: np.sqrt(_variance(*values)),
        COMPOSED.wider(2),
        SINGLE,
        differentiable=False,
        expands=False,  # near 0 a root magnifies what rounding leaves of equal numbers' variance
    ),
    Case(
        ops.argmax, _AXIS, _position(np.argmax), EXACT, ORDERED, differentiable=False, special=True
    ),
    Case(
        ops.argmin, _AXIS, _position(np.argmin), EXACT, ORDERED, differentiable=False, special=True
    ),
    Case(
        ops.cumsum,
        each(
            rows=call(reals(3, 4), dim=1),
            columns=call(reals(3, 4), dim=0),
            middle=call(reals(2, 5, 3), dim=1),
            scalar=call(reals(), dim=0),
            empty=call(reals(0, 3), dim=0),
        ),
        lambda x, dim: _along(np.sum)(x, (), False) if not x.ndim else _running(x, dim),
        REDUCTION,
        EVERY,
        special=True,
        signed_zero=False,
    ),
    Case(
        ops.cumprod,
        each(
            rows=call(nonzero(3, 4), dim=1),
            zeros=call(stepped(2, 5, 3), dim=1),
            scalar=call(reals(), dim=0),
            empty=call(reals(0, 3), dim=0),
        ),
        _products,
        REDUCTION.wider(2),
        EVERY,
        special=True,
        signed_zero=False,
    ),
    *[
        Case(
            function,
            each(
                rows=call(reals(3, 7), dim=1),
                columns=call(distinct(5, 2, 3), dim=0),
                ties=call(close(2, 33, 3), dim=1),
                large_numbers=call(wide(5, 31), dim=1),
                empty=call(reals(0, 3), dim=0),
            ),
            reference,
            EXACT,
            REAL,
            differentiable=False,
            special=True,
            signed_zero=False,
        )
        for function, reference in (
            (ops.cummax, _extreme_so_far(np.maximum)),
            (ops.cummin, _extreme_so_far(np.minimum)),
        )
    ],
    *[
        Case(
            function,
            each(slopes=call(distinct(3, 7), dim=1), column_slopes=call(distinct(5, 2, 3), dim=0)),
            _extreme_so_far(extreme),
            EXACT,
            FLOATS,
        )
        for function, extreme in ((ops.cummax, np.maximum), (ops.cummin, np.minimum))
    ],
    Case(
        ops.logcumsumexp,
        each(
            rows=call(reals(3, 4), dim=1),
            columns=call(reals(7, 2, 3), dim=0),
            steep=call(steep(5, 7), dim=1),
            scalar=call(reals(), dim=0),
            empty=call(reals(0, 3), dim=0),
        ),
        lambda x, dim: np.logaddexp.accumulate(x, dim) if x.ndim else x,
        COMPOSED,
        FLOATS,
        signed_zero=False,
    ),
    Case(ops.var, _SPREAD, _variance, COMPOSED.wider(4), INEXACT),
    Case(
        ops.std,
        {name: made for name, made in _SPREAD.items() if name != "single"},
        lambda *values: np.sqrt(_variance(*values)),
        COMPOSED.wider(2),
        INEXACT,
    ),
)


def _running(x, dim):
    return np.cumsum(x.astype(np.int64) if x.dtype.kind in "biu" else x, axis=dim)
