"""Elements chosen by positions, read and written; and masks."""

from __future__ import annotations

from typing import Any

import numpy as np

from plugrad.ops import indexing as ops
from plugrad_conformance.case import (
    EVERY,
    EXACT,
    FLOATS,
    HALVES,
    INEXACT,
    REDUCTION,
    SINGLE,
    Case,
    bools,
    call,
    close,
    each,
    integers,
    nonzero,
    permutation,
    positive,
    reals,
    some_of,
)
from plugrad_conformance.cases.patterns import at_ends


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


_READ = each(
    rows=call(reals(3, 4), (integers(0, 3, 5), integers(0, 4, 5))),
    first=call(reals(3, 4), (integers(0, 3, 2, 2),)),
    second=call(reals(2, 5, 3), (None, integers(0, 5, 4))),
    apart=call(reals(2, 5, 3), (integers(0, 2, 4), None, integers(0, 3, 4))),
    outer=call(reals(3, 4), (integers(0, 3, 2, 1), integers(0, 4, 3))),
    from_the_end=call(reals(5), (integers(-5, 0, 4),)),
    number=call(reals(3, 4), (integers(0, 3),)),
    nothing=call(reals(3, 4), (integers(0, 3, 0),)),
    behind=call(reals(2, 3, 4), (None, integers(0, 3, 5), integers(0, 4, 5))),
    deep=call(reals(2, 3, 4, 2), (None, integers(-3, 3, 2, 2), None, integers(-2, 2, 2))),
    one=call(reals(3, 1), (integers(0, 3, 1), integers(0, 1, 1))),
    whole=call(reals(3, 4), (None, None)),
)

_ADDED = each(
    rows=call(reals(5), (integers(0, 3, 5), integers(0, 4, 5)), shape=(3, 4)),
    second=call(reals(2, 4, 3), (None, integers(0, 5, 4)), shape=(2, 5, 3)),
    apart=call(reals(4, 5), (integers(0, 2, 4), None, integers(0, 3, 4)), shape=(2, 5, 3)),
    first=call(reals(7, 4), (integers(0, 3, 7),), shape=(3, 4)),
    from_the_end=call(reals(9), (integers(-5, 0, 9),), shape=(5,)),
    outer=call(reals(2, 3), (integers(0, 3, 2, 1), integers(0, 4, 3)), shape=(3, 4)),
    nothing=call(reals(0, 4), (integers(0, 3, 0),), shape=(3, 4)),
    whole=call(reals(3, 4), (None, None), shape=(3, 4)),
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
    partly=_put(reals(7, 4), (some_of(7, 4),), reals(4, 4)),
    from_the_end=_put(reals(7), (some_of(7, 4, -7),), reals(4)),
    behind=_put(reals(2, 7, 3), (None, some_of(7, 4)), reals(2, 4, 3)),
    added_number=call(reals(3, 4), (integers(-3, 3, 5), None), reals(), accumulate=True),
    whole=_put(reals(3, 4), (None, None), reals(4)),
    added_whole=call(reals(3, 4), (None, None), reals(3, 1), accumulate=True),
    added_behind=call(reals(2, 3, 4), (None, integers(0, 3, 5)), reals(5, 4), accumulate=True),
)


def _scatter_variants(index, x=reals, source=reals):
    """Positions along either axis; `index(size)` makes those of one axis of the target."""
    return each(
        rows=call(x(3, 4), index(3, 2, 4), source(2, 4), dim=0),
        columns=call(x(3, 4), index(4, 3, 2), source(3, 2), dim=1),
        vector=call(x(6), index(6, 6), source(6), dim=0),
        nothing=call(x(3, 4), index(3, 0, 4), source(0, 4), dim=0),
        inside=call(x(3, 4, 5), index(4, 2, 6, 3), source(2, 6, 3), dim=1),
        crowded=call(x(2, 3), index(2, 9, 3), source(9, 3), dim=0),
        one=call(x(3, 1), index(3, 2, 1), source(2, 1), dim=0),
    )


def _repeated(size, *shape):
    return integers(0, size, *shape)


# Positions without repetition along the axis, so that only one value can win.
_ONCE = each(
    rows=call(reals(1, 4), integers(0, 1, 1, 4), reals(1, 4), dim=0),
    vector=call(reals(6), permutation(6), reals(6), dim=0),
    column=call(reals(3, 4), integers(0, 4, 3, 1), reals(3, 1), dim=1),
    partly=call(reals(9), some_of(9, 5), reals(5), dim=0),
    inside=call(reals(4, 3, 2), integers(0, 3, 2, 1, 2), reals(2, 1, 2), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0, 4), reals(0, 4), dim=0),
)

_SLICES_ONCE = each(
    rows=call(reals(3, 4), permutation(3), reals(3, 4), dim=0),
    columns=call(reals(2, 5, 3), permutation(5), reals(2, 5, 3), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0), reals(0, 4), dim=0),
    partly=call(reals(7, 2), some_of(7, 4), reals(4, 2), dim=0),
    last=call(reals(2, 3, 7), some_of(7, 4), reals(2, 3, 4), dim=2),
)

_SLICES = each(
    rows=call(reals(3, 4), integers(0, 3, 5), reals(5, 4), dim=0),
    columns=call(reals(2, 5, 3), integers(0, 5, 4), reals(2, 4, 3), dim=1),
    nothing=call(reals(3, 4), integers(0, 3, 0), reals(0, 4), dim=0),
    crowded=call(reals(2, 3), integers(0, 2, 9), reals(9, 3), dim=0),
    vector=call(reals(4), integers(0, 4, 9), reals(9), dim=0),
    last=call(reals(2, 3, 4), integers(0, 4, 5), reals(2, 3, 5), dim=2),
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

_SHAPE_DEPENDS = "the shape of the result depends on the elements"

_ADD = _scattered(np.add.at)
_MULTIPLY = _scattered(np.multiply.at)

_CASES = (
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
            vector=call(reals(5), integers(0, 5, 9), dim=0),
            last=call(reals(2, 3, 5), integers(0, 5, 1, 3, 4), dim=2),
            one=call(reals(3, 1), integers(0, 1, 3, 1), dim=1),
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
            vector=call(reals(4), integers(0, 4, 9), dim=0),
            last=call(reals(2, 3, 4), integers(0, 4, 5), dim=2),
            one=call(reals(3, 1), integers(0, 1, 2), dim=1),
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
            first_padded=call(reals(9, 3), integers(0, 3, 9), count=3, padding_idx=0),
            crowded=call(reals(33, 2), integers(0, 2, 33), count=4, padding_idx=None),
            numbers=call(reals(9), integers(0, 3, 9), count=4, padding_idx=None),
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
            ties=call(close(5, 7)),
            none=call(close(0)),
            line=call(close(131)),
            cube=call(close(2, 3, 4)),
        ),
        _nonzero,
        EXACT,
        EVERY,
        differentiable=False,
        unmapped=_SHAPE_DEPENDS,
    ),
    Case(
        ops.masked_select,
        each(
            rows=call(reals(3, 4), bools(3, 4)),
            slices=call(reals(5, 2, 3), bools(5)),
            empty=call(reals(0, 3), bools(0, 3)),
            line=call(reals(131), bools(131)),
            cube=call(reals(2, 3, 4), bools(2, 3)),
        ),
        lambda x, mask: x[mask],
        EXACT,
        EVERY,
        unmapped=_SHAPE_DEPENDS,
    ),
    Case(ops.masked_fill, _MASKED, _masked_fill, EXACT, EVERY),
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


def _padded_rows(weight, index, padding_idx):
    return weight[index]


CASES = (
    *_CASES,
    *[at_ends(case) for case in _CASES if case.tolerance is EXACT and not case.opaque],
    Case(
        ops.index,
        each(
            large=call(reals(259, 257), (integers(-259, 259, 301),)),
            many=call(reals(31, 37), (integers(0, 31, 70001), integers(-37, 37, 70001))),
            large_columns=call(reals(37, 259), (None, integers(0, 259, 301))),
        ),
        _index,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.index_put,
        each(
            large=_put(reals(259, 257), (some_of(259, 131),), reals(131, 257)),
            crowded=call(
                reals(7, 5),
                (integers(0, 7, 4099), integers(0, 5, 4099)),
                reals(4099),
                accumulate=True,
            ),
        ),
        _index_put,
        REDUCTION,
        SINGLE,
        differentiable=False,
        expands=False,
    ),
    Case(
        ops.gather,
        each(
            large=call(reals(259, 257), integers(0, 259, 131, 257), dim=0),
            large_columns=call(reals(37, 1031), integers(0, 1031, 37, 2053), dim=1),
        ),
        lambda x, index, dim: x[_at(index, dim)],
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.scatter,
        each(
            large=call(reals(70001), permutation(70001), reals(70001), dim=0),
            row=call(reals(131, 513), integers(0, 131, 1, 513), reals(1, 513), dim=0),
        ),
        _scattered(_set),
        EXACT,
        SINGLE,
        differentiable=False,
        expands=False,
    ),
    *[
        Case(function, variants, reference, REDUCTION, SINGLE, differentiable=False, expands=False)
        for function, variants, reference in (
            (
                ops.scatter_add,
                each(
                    large=call(reals(7, 257), integers(0, 7, 259, 257), reals(259, 257), dim=0),
                    large_columns=call(
                        reals(37, 5), integers(0, 5, 37, 131), reals(37, 131), dim=1
                    ),
                ),
                _ADD,
            ),
            (
                ops.index_add,
                each(
                    large=call(reals(7, 257), integers(0, 7, 301), reals(301, 257), dim=0),
                    large_columns=call(reals(37, 5), integers(0, 5, 131), reals(37, 131), dim=1),
                ),
                _into_slices(np.add.at),
            ),
            (
                ops.embedding_backward,
                each(
                    large=call(reals(1031, 67), integers(0, 31, 1031), count=31, padding_idx=3),
                    many=call(
                        reals(64, 33, 5), integers(0, 400, 64, 33), count=400, padding_idx=None
                    ),
                ),
                _embedding_backward,
            ),
        )
    ],
    *[
        Case(function, variants, reference, EXACT, SINGLE, differentiable=False)
        for function, variants, reference in (
            (
                ops.index_select,
                each(
                    large=call(reals(259, 257), integers(0, 259, 301), dim=0),
                    large_columns=call(reals(37, 259), integers(0, 259, 601), dim=1),
                ),
                lambda x, index, dim: np.take(x, index, dim),
            ),
            (
                ops.embedding,
                each(
                    large=call(reals(400, 67), integers(0, 400, 33, 31), padding_idx=3),
                ),
                _padded_rows,
            ),
            (ops.nonzero, each(large=call(close(259, 257))), _nonzero),
            (
                ops.masked_select,
                each(large=call(reals(259, 257), bools(259, 257))),
                lambda x, mask: x[mask],
            ),
            (
                ops.masked_fill,
                each(large=call(reals(259, 257), bools(259, 257), reals())),
                _masked_fill,
            ),
        )
    ],
    # More terms of one sign than a sum in half precision can count.
    *[
        Case(function, variants, reference, REDUCTION, HALVES, differentiable=False)
        for function, variants, reference in (
            (
                ops.index_put,
                each(
                    crowded=call(
                        positive(3), (integers(0, 3, 4099),), positive(4099), accumulate=True
                    )
                ),
                _index_put,
            ),
            (
                ops.index_backward,
                each(crowded=call(positive(4099), (integers(0, 3, 4099),), shape=(3,))),
                _index_backward,
            ),
            (
                ops.scatter_add,
                each(
                    long=call(positive(3), integers(0, 3, 4099), positive(4099), dim=0),
                ),
                _ADD,
            ),
            (
                ops.index_add,
                each(long=call(positive(3, 2), integers(0, 3, 4099), positive(4099, 2), dim=0)),
                _into_slices(np.add.at),
            ),
            (
                ops.embedding_backward,
                each(long=call(positive(4099, 2), integers(0, 3, 4099), count=3, padding_idx=None)),
                _embedding_backward,
            ),
        )
    ],
)
