"""Order: sorted elements, their positions, and the positions of others among them."""

from __future__ import annotations

import numpy as np

from plugrad.ops import sorting as ops
from plugrad_conformance.case import (
    BOOL,
    EXACT,
    FLOATS,
    ORDERED,
    REAL,
    SINGLE,
    Array,
    Case,
    call,
    close,
    distinct,
    each,
    gapped,
    integers,
    reals,
    stepped,
)
from plugrad_conformance.cases.patterns import at_ends


def _sorted_positions(x, dim, descending):
    # NaN is last in ascending order, first in descending; equal elements keep their order.
    if descending:
        return x.shape[dim] - 1 - np.flip(np.argsort(np.flip(x, dim), dim, stable=True), dim)
    return np.argsort(x, dim, stable=True)


def _sort(x, dim, descending, stable):
    positions = _sorted_positions(x, dim, descending)
    return np.take_along_axis(x, positions, dim), positions


def _topk(x, k, dim, largest):
    values, positions = _sort(x, dim, largest, True)
    kept = (slice(None),) * dim + (slice(0, k),)
    return values[kept], positions[kept]


_ORDER = each(
    rows=call(reals(3, 7), dim=1, descending=False, stable=True),
    down=call(reals(3, 7), dim=1, descending=True, stable=True),
    columns=call(reals(5, 2, 3), dim=0, descending=False, stable=True),
    empty=call(reals(0, 3), dim=0, descending=True, stable=True),
    column=call(reals(5, 1), dim=1, descending=False, stable=True),
    single=call(reals(1), dim=0, descending=True, stable=True),
    middle=call(reals(2, 7, 3), dim=1, descending=True, stable=True),
    deep=call(reals(2, 3, 1, 5, 2), dim=3, descending=False, stable=True),
)

_TIES = each(
    ties=call(close(4, 33), dim=1, descending=False, stable=True),
    ties_down=call(close(33, 4), dim=0, descending=True, stable=True),
)

# Sizes at which kernels sort in another way.
_LONG_ORDER = each(
    huge=call(reals(70001), dim=0, descending=False, stable=True),
    wide=call(close(7, 1031), dim=1, descending=True, stable=True),
    aligned=call(reals(32, 512), dim=1, descending=False, stable=True),
    tall=call(close(1031, 7), dim=0, descending=False, stable=True),
)


def _searchsorted(edges, x, right):
    side = "right" if right else "left"
    if edges.ndim == 1:
        return np.asarray(np.searchsorted(edges, x, side), np.int64)
    rows = [np.searchsorted(*pair, side) for pair in zip(_rows(edges), _rows(x), strict=True)]
    return np.reshape(rows, x.shape).astype(np.int64)


def _rows(x):
    return x.reshape(-1, x.shape[-1])


def _scatter_max(x, index, source, dim):
    out = x.copy()
    grid = list(np.indices(index.shape, sparse=True))
    grid[dim] = index
    np.maximum.at(out, tuple(grid), source)
    return out


def _ascending(*shape, x=stepped):
    """Numbers that rise along the last axis, some of them equal."""
    return Array(shape, lambda draw, shape, dtype: np.sort(x().domain(draw, shape, dtype), -1))


_CASES = (
    Case(ops.sort, _ORDER, _sort, EXACT, REAL, special=True),
    Case(
        ops.topk,
        each(
            rows=call(distinct(3, 7), k=3, dim=1, largest=True),
            smallest=call(distinct(3, 7), k=2, dim=1, largest=False),
            columns=call(distinct(5, 2), k=5, dim=0, largest=True),
            none=call(distinct(3, 4), k=0, dim=1, largest=True),
            one=call(distinct(3, 7), k=1, dim=1, largest=True),
            middle=call(distinct(2, 7, 3), k=4, dim=1, largest=False),
            all=call(distinct(7), k=7, dim=0, largest=False),
        ),
        _topk,
        EXACT,
        ORDERED,
        also=BOOL,  # which of equal elements are taken is not said
    ),
    Case(
        ops.argsort,
        _ORDER,
        lambda x, dim, descending, stable: _sorted_positions(x, dim, descending),
        EXACT,
        REAL,
        differentiable=False,
        special=True,
    ),
    Case(
        ops.searchsorted,
        each(
            rows=call(_ascending(5), stepped(3, 4), right=False),
            right=call(_ascending(5), stepped(3, 4), right=True),
            own=call(_ascending(3, 7), stepped(3, 4), right=False),
            own_right=call(_ascending(2, 3, 8), stepped(2, 3, 5), right=True),
            number=call(_ascending(5), stepped(), right=True),
            gaps=call(_ascending(3, 9, x=gapped), gapped(3, 7), right=False),
            gaps_right=call(_ascending(9, x=gapped), gapped(3, 4), right=True),
            nothing=call(_ascending(0), stepped(3), right=False),
            empty=call(_ascending(4), stepped(0, 3), right=True),
        ),
        _searchsorted,
        EXACT,
        REAL,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.scatter_max,
        each(
            rows=call(distinct(3, 4), integers(0, 3, 2, 4), reals(2, 4), dim=0),
            columns=call(reals(3, 4), integers(0, 4, 3, 9), reals(3, 9), dim=1),
            vector=call(reals(6), integers(0, 6, 6), reals(6), dim=0),
            nothing=call(reals(3, 4), integers(0, 3, 0, 4), reals(0, 4), dim=0),
            inside=call(reals(3, 4, 5), integers(0, 4, 2, 6, 3), reals(2, 6, 3), dim=1),
        ),
        _scatter_max,
        EXACT,
        REAL,
        signed_zero=False,
    ),
)

CASES = (
    *_CASES,
    Case(
        ops.scatter_max,
        each(gaps=call(gapped(3, 4), integers(0, 4, 3, 9), gapped(3, 9), dim=1)),
        _scatter_max,
        EXACT,
        FLOATS,
        signed_zero=False,
        differentiable=False,
    ),
    *[at_ends(case) for case in _CASES if case.function is not ops.searchsorted],
    Case(ops.sort, _TIES, _sort, EXACT, REAL, differentiable=False),
    Case(ops.sort, _LONG_ORDER, _sort, EXACT, SINGLE, differentiable=False),
    Case(
        ops.argsort,
        _TIES,
        lambda x, dim, descending, stable: _sorted_positions(x, dim, descending),
        EXACT,
        REAL,
        differentiable=False,
    ),
    Case(
        ops.argsort,
        _LONG_ORDER,
        lambda x, dim, descending, stable: _sorted_positions(x, dim, descending),
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.topk,
        each(
            huge=call(distinct(70001), k=9, dim=0, largest=True),
            wide=call(distinct(7, 1031), k=33, dim=1, largest=False),
            aligned=call(distinct(32, 512), k=16, dim=1, largest=True),
            tall=call(distinct(1031, 7), k=600, dim=0, largest=True),
            deep=call(distinct(2, 3, 1, 5, 2), k=2, dim=3, largest=True),
        ),
        _topk,
        EXACT,
        SINGLE,
        differentiable=False,
        expands=False,  # which of equal elements are taken is not said
    ),
)
