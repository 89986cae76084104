"""Elements chosen by positions, read and written; masks; and order."""

from __future__ import annotations

from typing import Any

import numpy as np

from plugrad.ops import indexing as ops
from plugrad_conformance.case import (
    BOOL,
    EVERY,
    EXACT,
    FLOATS,
    INEXACT,
    ORDERED,
    REAL,
    REDUCTION,
    Case,
    bools,
    call,
    distinct,
    each,
    integers,
    nonzero,
    permutation,
    reals,
)


def _key(indices) -> Any:
    return tuple([slice(None) if each is None else each for each in indices])


def _index(x, indices):
    return x[_key(indices)]


def _index_backward(g, indices, shape):
    out = np.zeros(shape, g.dtype)
    np.add.at(out, _key(indices), g)
    return out


def _index_put(x, indices, values, accumulate):
    out = x.copy()
    if accumulate:
        np.add.at(out, _key(indices), values)
    else:
        out[_key(indices)] = values
    return out


def _at(index, dim):
    """The key that reads `index` along one axis, and each position's own elsewhere."""
    grid = list(np.indices(index.shape, sparse=True))
    grid[dim] = index
    return tuple(grid)


def _scattered(write):
    def reference(x, index, source, dim):
        out = x.copy()
        write(out, _at(index, dim), source)
        return out

    return reference


def _into_slices(write):
    def reference(x, index, source, dim):
        out = x.copy()
        write(out, (slice(None),) * dim + (index,), source)
        return out

    return reference


def _set(out, key, source):
    out[key] = source


def _index_fill(x, index, value, dim):
    out = x.copy()
    out[(slice(None),) * dim + (index,)] = value
    return out


def _embedding_backward(g, index, count, padding_idx):
    out = np.zeros((count, *g.shape[index.ndim :]), g.dtype)
    kept = index != (-1 if padding_idx is None else padding_idx)
    np.add.at(out, index[kept], g[kept])
    return out


def _nonzero(x):
    if x.ndim:
        return np.argwhere(x)
    return np.zeros((int(x != 0), 0), np.int64)


def _masked_fill(x, mask, value):
    return np.where(mask, value, x)


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


_READ = each(
    rows=call(reals(3, 4), (integers(0, 3, 5), integers(0, 4, 5))),
    first=call(reals(3, 4), (integers(0, 3, 2, 2),)),
    second=call(reals(2, 5, 3), (None, integers(0, 5, 4))),
    apart=call(reals(2, 5, 3), (integers(0, 2, 4), None, integers(0, 3, 4))),
    outer=call(reals(3, 4), (integers(0, 3, 2, 1), integers(0, 4, 3))),
    from_the_end=call(reals(5), (integers(-5, 0, 4),)),
    number=call(reals(3, 4), (integers(0, 3),)),
    nothing=call(reals(3, 4), (integers(0, 3, 0),)),
)

_ADDED = each(
    rows=call(reals(5), (integers(0, 3, 5), integers(0, 4, 5)), shape=(3, 4)),
    second=call(reals(2, 4, 3), (None, integers(0, 5, 4)), shape=(2, 5, 3)),
    apart=call(reals(4, 5), (integers(0, 2, 4), None, integers(0, 3, 4)), shape=(2, 5, 3)),
)


def _put(x, indices, values):
    """Variants that overwrite, at positions without repetition, and variants that add, at any."""
    return call(x, indices, values, accumulate=False)


_WRITTEN = each(
    rows=_put(reals(5, 4), (permutation(5),), reals(5, 4)),
    stretched=_put(reals(5, 4), (None, permutation(4)), reals(4)),
    number=_put(reals(3, 4), (permutation(3), integers(0, 4, 3)), reals()),
    added=call(reals(3, 4), (integers(0, 3, 6), integers(0, 4, 6)), reals(6), accumulate=True),
    added_rows=call(reals(3, 4), (integers(0, 3, 5),), reals(5, 4), accumulate=True),
    nothing=_put(reals(3, 4), (integers(0, 3, 0),), reals(0, 4)),
)


def _scatter_variants(index, x=reals, source=reals):
    """Positions along either axis; `index(size)` makes those of one axis of the target."""
    return each(
        rows=call(x(3, 4), index(3, 2, 4), source(2, 4), dim=0),
        columns=call(x(3, 4), index(4, 3, 2), source(3, 2), dim=1),
        vector=call(x(6), index(6, 6), source(6), dim=0),
        nothing=call(x(3, 4), index(3, 0, 4), source(0, 4), dim=0),
    )


def _repeated(size, *shape):
    return integers(0, size, *shape)


# Positions without repetition along the axis, so that only one value can win.
_ONCE = each(
    rows=call(reals(1, 4), integers(0, 1, 1, 4), reals(1, 4), dim=0),
    vector=call(reals(6), permutation(6), reals(6), dim=0),
    column=call(reals(3, 4), integers(0, 4, 3, 1), reals(3, 1), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0, 4), reals(0, 4), dim=0),
)

_SLICES_ONCE = each(
    rows=call(reals(3, 4), permutation(3), reals(3, 4), dim=0),
    columns=call(reals(2, 5, 3), permutation(5), reals(2, 5, 3), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0), reals(0, 4), dim=0),
)

_SLICES = each(
    rows=call(reals(3, 4), integers(0, 3, 5), reals(5, 4), dim=0),
    columns=call(reals(2, 5, 3), integers(0, 5, 4), reals(2, 4, 3), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0), reals(0, 4), dim=0),
)

_FILLED = each(
    rows=call(reals(5, 4), permutation(3), reals(), dim=0),
    columns=call(reals(3, 4), permutation(2), reals(), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0), reals(), dim=0),
)

_MASKED = each(
    rows=call(reals(3, 4), bools(3, 4), reals()),
    stretched=call(reals(2, 3, 4), bools(3, 1), reals()),
    scalar=call(reals(), bools(), reals()),
    empty=call(reals(0, 3), bools(3), reals()),
)

_ORDER = each(
    rows=call(reals(3, 7), dim=1, descending=False, stable=True),
    down=call(reals(3, 7), dim=1, descending=True, stable=True),
    columns=call(reals(5, 2, 3), dim=0, descending=False, stable=True),
    empty=call(reals(0, 3), dim=0, descending=True, stable=True),
)

_ADD = _scattered(np.add.at)
_MULTIPLY = _scattered(np.multiply.at)

CASES = (
    Case(ops.index, _READ, _index, EXACT, EVERY),
    Case(ops.index_backward, _ADDED, _index_backward, REDUCTION, EVERY),
    # Of several values for one place any may win: the positions are all different.
    Case(ops.index_put, _WRITTEN, _index_put, REDUCTION, EVERY, expands=False),
    Case(
        ops.gather,
        each(
            rows=call(reals(3, 4), integers(0, 3, 2, 4), dim=0),
            columns=call(reals(3, 4), integers(0, 4, 3, 6), dim=1),
            inside=call(reals(3, 4, 2), integers(0, 4, 2, 5, 1), dim=1),
            nothing=call(reals(3, 4), integers(0, 3, 0, 4), dim=0),
        ),
        lambda x, index, dim: x[_at(index, dim)],
        EXACT,
        EVERY,
    ),
    Case(ops.scatter, _ONCE, _scattered(_set), EXACT, EVERY, expands=False),
    Case(ops.scatter_add, _scatter_variants(_repeated), _ADD, REDUCTION, EVERY),
    Case(
        ops.scatter_mul,
        _scatter_variants(_repeated, nonzero, nonzero),
        _MULTIPLY,
        REDUCTION.wider(4),
        EVERY,
    ),
    Case(
        ops.index_select,
        each(
            rows=call(reals(3, 4), integers(0, 3, 5), dim=0),
            columns=call(reals(2, 5, 3), integers(0, 5, 4), dim=1),
            nothing=call(reals(3, 4), integers(0, 3, 0), dim=0),
        ),
        lambda x, index, dim: np.take(x, index, dim),
        EXACT,
        EVERY,
    ),
    Case(ops.index_add, _SLICES, _into_slices(np.add.at), REDUCTION, EVERY),
    Case(ops.index_copy, _SLICES_ONCE, _into_slices(_set), EXACT, EVERY, expands=False),
    Case(ops.index_fill, _FILLED, _index_fill, EXACT, EVERY, expands=False),
    Case(
        ops.index_fill,
        each(repeated=call(reals(3, 4), integers(0, 3, 7), reals(), dim=0)),
        _index_fill,
        EXACT,
        EVERY,
        opaque=True,  # the body counts a slice that is named twice twice
    ),
    Case(
        ops.embedding,
        each(
            rows=call(reals(5, 3), integers(0, 5, 4), padding_idx=None),
            batches=call(reals(5, 3), integers(0, 5, 2, 4), padding_idx=2),
            number=call(reals(5, 3), integers(0, 5), padding_idx=None),
            nothing=call(reals(5, 3), integers(0, 5, 0), padding_idx=None),
        ),
        lambda weight, index, padding_idx: weight[index],
        EXACT,
        EVERY,
        differentiable=False,
    ),
    Case(
        ops.embedding,
        each(
            repeated=call(reals(3, 2), integers(0, 3, 7), padding_idx=None),
            grid=call(reals(5, 3), integers(0, 5, 2, 4), padding_idx=None),
        ),
        lambda weight, index, padding_idx: weight[index],
        EXACT,
        FLOATS,
    ),
    Case(
        ops.embedding_backward,
        each(
            rows=call(reals(4, 3), integers(0, 5, 4), count=5, padding_idx=None),
            batches=call(reals(2, 4, 3), integers(0, 3, 2, 4), count=3, padding_idx=1),
            nothing=call(reals(0, 3), integers(0, 5, 0), count=5, padding_idx=None),
        ),
        _embedding_backward,
        REDUCTION,
        INEXACT,
    ),
    Case(
        ops.nonzero,
        each(
            rows=call(reals(3, 4)),
            scalar=call(nonzero()),
            empty=call(reals(0, 3)),
        ),
        _nonzero,
        EXACT,
        EVERY,
        differentiable=False,
    ),
    Case(
        ops.masked_select,
        each(
            rows=call(reals(3, 4), bools(3, 4)),
            slices=call(reals(5, 2, 3), bools(5)),
            empty=call(reals(0, 3), bools(0, 3)),
        ),
        lambda x, mask: x[mask],
        EXACT,
        EVERY,
    ),
    Case(ops.masked_fill, _MASKED, _masked_fill, EXACT, EVERY),
    Case(ops.sort, _ORDER, _sort, EXACT, REAL),
    Case(
        ops.topk,
        each(
            rows=call(distinct(3, 7), k=3, dim=1, largest=True),
            smallest=call(distinct(3, 7), k=2, dim=1, largest=False),
            columns=call(distinct(5, 2), k=5, dim=0, largest=True),
            none=call(distinct(3, 4), k=0, dim=1, largest=True),
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
    ),
    # in place
    Case(ops.index_put_, _WRITTEN, _index_put, REDUCTION, EVERY),
    Case(ops.scatter_, _ONCE, _scattered(_set), EXACT, EVERY),
    Case(ops.scatter_add_, _scatter_variants(_repeated), _ADD, REDUCTION, EVERY),
    Case(
        ops.scatter_mul_,
        _scatter_variants(_repeated, nonzero, nonzero),
        _MULTIPLY,
        REDUCTION.wider(4),
        EVERY,
    ),
    Case(ops.index_add_, _SLICES, _into_slices(np.add.at), REDUCTION, EVERY),
    Case(ops.index_copy_, _SLICES_ONCE, _into_slices(_set), EXACT, EVERY),
    Case(ops.index_fill_, _FILLED, _index_fill, EXACT, EVERY),
    Case(ops.masked_fill_, _MASKED, _masked_fill, EXACT, EVERY),
)
