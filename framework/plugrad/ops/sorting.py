"""Order along an axis: sorted elements, where they stood, and where others would stand among them.

NaN counts as the largest of numbers.
"""

from __future__ import annotations

from plugrad import dtypes
from plugrad.errors import DtypeError, RangeError, ShapeError
from plugrad.families import composite, primitive
from plugrad.ops.comparison import isnan, logical_and, logical_not, logical_or, where
from plugrad.ops.creation import clone, full
from plugrad.ops.elementwise import maximum
from plugrad.ops.indexing import gather, scatter, scatter_add, scatter_spec
from plugrad.ops.indexing import index as pick
from plugrad.ops.joining import cat
from plugrad.ops.views import slice_dim
from plugrad.spec import spec_of


def _check_ordered(operator, x):
    if x.dtype.is_complex:
        raise DtypeError(operator, "input", expected="a bool, int or float dtype", got=x.dtype)


def _sort_spec(x):
    _check_ordered("sort", x)
    return x, spec_of(x.shape, dtypes.int64, x.device)


@primitive(_sort_spec)
def sort(x, /, dim, descending, stable):
    """The elements along axis `dim` in order, and their former positions. NaN counts as largest.

    `stable` keeps equal elements in the order that they had.
    """


def _topk_spec(x, k, dim):
    _check_ordered("topk", x)
    if not 0 <= k <= x.shape[dim]:
        raise RangeError(
            "topk", "k", expected=f"0 to {x.shape[dim]}, the size of axis {dim}", got=k
        )
    shape = (*x.shape[:dim], k, *x.shape[dim + 1 :])
    return spec_of(shape, x.dtype, x.device), spec_of(shape, dtypes.int64, x.device)


@composite(_topk_spec)
def topk(x, /, k, dim, largest):
    """The `k` largest, or smallest, elements along axis `dim`, that one first, and their positions.

    NaN counts as largest. Which of equal elements are taken is not said.
    """
    values, positions = sort(x, dim, largest, True)
    return slice_dim(values, dim, 0, k, 1), slice_dim(positions, dim, 0, k, 1)


for _ordering in (sort, topk):
    _ordering.vjp(x=lambda g, out_1, x_spec, dim: _put_back(g[0], out_1, x_spec, dim))
    _ordering.jvp(x=lambda t, out_1, dim: (gather(t, out_1, dim), None))


@composite(lambda x: _sort_spec(x)[1])
def argsort(x, /, dim, descending, stable):
    """The positions that `sort` gives."""
    return sort(x, dim, descending, stable)[1]


# search -------------------------------------------------------------------------------------------


def _search_spec(edges, x):
    _check_ordered("searchsorted", edges)
    if edges.dtype is not x.dtype:
        raise DtypeError(
            "searchsorted",
            "values",
            expected=f"{edges.dtype}, as the sorted sequence",
            got=x.dtype,
            hint=f"cast one of them with .to({edges.dtype!r})",
        )
    if not edges.shape or (len(edges.shape) > 1 and edges.shape[:-1] != x.shape[:-1]):
        raise ShapeError(
            "searchsorted",
            "sorted_sequence",
            expected=f"one axis, or the sizes of the values {x.shape} on all axes but the last",
            got=edges.shape,
        )
    return spec_of(x.shape, dtypes.int64, x.device)


@composite(_search_spec)
def searchsorted(edges, x, /, right):
    """How many of `edges`, ascending along the last axis, are less than each element of `x`; with
    `right`, how many are not larger.

    `edges` is one sequence for all elements, or has one for each row of `x`. NaN counts as largest.
    """
    size, axis = edges.shape[-1], len(edges.shape) - 1
    count = full(x.spec.shape, 0, dtypes.int64, x.device)
    step = 1 << size.bit_length() >> 1
    while step:
        probe = count + step
        inside = probe <= size
        at = where(inside, probe - 1, 0)
        edge = gather(edges, at, axis) if axis else pick(edges, (at,))
        before = _not_after(edge, x) if right else logical_not(_not_after(x, edge))
        count = where(logical_and(inside, before), probe, count)
        step >>= 1
    return count


def _not_after(x, y):
    """Whether `x` stands before `y` in order, or equals it."""
    return logical_or(x <= y, isnan(y)) if x.dtype.is_floating_point else x <= y


# the largest of several ---------------------------------------------------------------------------


def _scatter_max_spec(x, index, source, dim):
    _check_ordered("scatter_max", x)
    return scatter_spec("scatter_max")(x, index, source, dim)


@composite(_scatter_max_spec)
def scatter_max(x, index, source, /, dim):
    """A copy of `x` with, along axis `dim`, the largest of what stood at a position and of the
    elements of `source` that `index` sends there. A NaN wins.
    """
    # By size, then by position: the last of each position is its largest.
    order = argsort(source, dim, False, True)
    order = gather(order, argsort(gather(index, order, dim), dim, False, True), dim)
    index, source = gather(index, order, dim), gather(source, order, dim)
    source = maximum(source, gather(x, index, dim))
    count, size = index.shape[dim], x.shape[dim]
    if not count:
        return clone(x)
    here = slice_dim(index, dim, 0, count - 1, 1)
    follows = slice_dim(index, dim, 1, count, 1)
    # The others go to one more place, which is cut off.
    kept = cat(
        (where(here == follows, size, here), slice_dim(index, dim, count - 1, count, 1)), dim
    )
    spare = full((*x.shape[:dim], 1, *x.shape[dim + 1 :]), 0, x.dtype, x.device)
    return slice_dim(scatter(cat((x, spare), dim), kept, source, dim), dim, 0, size, 1)


# Those that tie share the cotangent equally.
scatter_max.vjp_together(
    "x source",
    lambda g, x, index, source, dim, out: _share_among_largest(g, x, index, source, dim, out),
)


def _share_among_largest(g, x, index, source, dim, out):
    stayed = _same(x, out).to(g.dtype)
    won = _same(source, gather(out, index, dim)).to(g.dtype)
    share = g / scatter_add(stayed, index, won, dim)
    return share * stayed, gather(share, index, dim) * won


def _same(x, y):
    return logical_or(x == y, logical_and(isnan(x), isnan(y)))


def _put_back(g, positions, x_spec, dim):
    """The cotangent of chosen elements, where these stood; 0 elsewhere."""
    return scatter_add(full(x_spec.shape, 0, g.dtype, g.device), positions, g, dim)
