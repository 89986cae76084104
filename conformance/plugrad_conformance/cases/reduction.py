"""Reductions along axes, and running sums."""

from __future__ import annotations

import numpy as np

from plugrad.ops import reduction as ops
from plugrad_conformance.case import (
    COMPOSED,
    EVERY,
    EXACT,
    INEXACT,
    ORDERED,
    REAL,
    REDUCTION,
    Case,
    call,
    each,
    nonzero,
    reals,
)
from plugrad_conformance.cases.patterns import over_axes


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


def _variance(x, dim, correction, keepdim):
    count = np.prod([x.shape[d] for d in dim])
    centred = np.abs(x - np.mean(x, axis=dim, keepdims=True)) ** 2
    return np.sum(centred, axis=dim, keepdims=keepdim) / max(count - correction, 0)


def _position(function):
    def reference(x, dim, keepdim):
        return np.asarray(function(x, axis=dim, keepdims=keepdim), np.int64)

    return reference


_AXIS = each(
    rows=call(reals(3, 4), dim=1, keepdim=False),
    columns=call(reals(3, 4), dim=0, keepdim=True),
    flat=call(reals(3, 4), dim=None, keepdim=False),
    middle=call(reals(2, 5, 3), dim=1, keepdim=False),
    scalar=call(reals(), dim=None, keepdim=False),
    rest=call(reals(3, 0), dim=0, keepdim=False),
)

_SPREAD = each(
    rows=call(reals(3, 4), dim=(1,), correction=1, keepdim=False),
    population=call(reals(3, 4), dim=(0,), correction=0, keepdim=True),
    all=call(reals(2, 3, 4), dim=(0, 1, 2), correction=1, keepdim=False),
    ends=call(reals(2, 3, 4), dim=(0, 2), correction=2, keepdim=False),
    single=call(reals(1, 3), dim=(0,), correction=1, keepdim=False),
)

CASES = (
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
    Case(ops.argmax, _AXIS, _position(np.argmax), EXACT, ORDERED, differentiable=False),
    Case(ops.argmin, _AXIS, _position(np.argmin), EXACT, ORDERED, differentiable=False),
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
