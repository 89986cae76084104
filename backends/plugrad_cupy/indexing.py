"""Elements by position."""

from __future__ import annotations

import cupy
import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy.arrays import new, zeros
from plugrad_cupy.choice import INT64, Choice, Indexing, collect
from plugrad_cupy.positions import Axis
from plugrad_cupy.strided import (
    apart,
    broadcast_steps,
    cast_to,
    copied,
    copy_into,
    steps,
)
from plugrad_cupy.transfer import array_to_numpy

# one index per axis -------------------------------------------------------------------------------


@kernel
def index(x, indices):
    found = Indexing("index", x, indices)
    return found.jointly().take(x) if found.used else copied(x)


@kernel
def index_put(x, indices, values, accumulate):
    return _index_put(copied(x), indices, values, accumulate, "index_put")


@kernel
def index_put_(x, indices, values, accumulate):
    indices = tuple([None if each is None else apart(each, x) for each in indices])
    return _index_put(x, indices, apart(values, x), accumulate, "index_put_")


@kernel
def index_backward(g, indices, shape):
    return _index_put(zeros(shape, g.dtype, g), indices, g, True, "index_backward")


def _index_put(out, indices, values, accumulate, operator):
    found = Indexing(operator, out, indices)
    if not found.used and not accumulate:
        copy_into(out, values)
        return out
    if not found.used:
        return _add_everywhere(out, values, operator)
    return found.add(out, values) if accumulate else found.jointly().put(out, values)


def _add_everywhere(out, values, operator):
    """`out += values`: one slice, at the one place 0."""
    place = zeros((1,), INT64, out)
    axis = Axis("indices", 0, (1,), False)
    choice = Choice(operator, (1,), (0,), ((place, (0,), 1, 0),), (axis,))
    given = broadcast_steps(values, out.ndim)
    return collect(choice, out, values, (0,), out.shape, steps(out), given)


# one position per element, along one axis ---------------------------------------------------------


def along(operator, x, index, dim):
    """Each position's own element, but along `dim` the one that it names."""
    own = steps(x)
    if not x.ndim:
        return _only_place(operator, index)
    walk = (*own[:dim], 0, *own[dim + 1 :])
    tensors = ((index, steps(index), x.shape[dim], own[dim]),)
    axis = Axis("index", dim, tuple(x.shape), False)
    return Choice(operator, index.shape, walk, tensors, (axis,))


def _only_place(operator, index):
    """A 0-d array counts as one of a single element."""
    axis = Axis("index", 0, (1,), False)
    tensors = ((index, steps(index), 1, 0),)
    return Choice(operator, index.shape, (0,) * index.ndim, tensors, (axis,))


@kernel
def gather(x, index, dim):
    return along("gather", x, index, dim).take(x)


@kernel
def scatter(x, index, source, dim):
    out = copied(x)
    return along("scatter", out, index, dim).put(out, source)


@kernel
def scatter_(x, index, source, dim):
    return along("scatter_", x, apart(index, x), dim).put(x, apart(source, x))


@kernel
def scatter_add(x, index, source, dim):
    return _scatter(copied(x), index, source, dim, "scatter_add", "add")


@kernel
def scatter_add_(x, index, source, dim):
    return _scatter(x, apart(index, x), apart(source, x), dim, "scatter_add_", "add")


@kernel
def scatter_mul(x, index, source, dim):
    return _scatter(copied(x), index, source, dim, "scatter_mul", "multiply")


@kernel
def scatter_mul_(x, index, source, dim):
    return _scatter(x, apart(index, x), apart(source, x), dim, "scatter_mul_", "multiply")


def _scatter(out, index, source, dim, operator, name):
    return collect(along(operator, out, index, dim), out, source, steps(source), name=name)


# whole slices of one axis -------------------------------------------------------------------------


@kernel
def index_select(x, index, dim):
    return _select("index_select", x, index, dim)


@kernel
def embedding(weight, index, padding_idx):
    return _select("embedding", weight, index, 0)


def _select(operator, x, index, dim):
    own, ndim = steps(x), index.ndim
    if not x.ndim:
        return _only_place(operator, index).take(x)
    shape = (*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])
    walk = (*own[:dim], *(0,) * ndim, *own[dim + 1 :])
    places = (*(0,) * dim, *steps(index), *(0,) * (x.ndim - dim - 1))
    axis = Axis("index", dim, tuple(x.shape), False)
    return Choice(operator, shape, walk, ((index, places, x.shape[dim], own[dim]),), (axis,)).take(
        x
    )


@kernel
def index_add(x, index, source, dim):
    return _index_add(copied(x), index, source, dim, "index_add")


@kernel
def index_add_(x, index, source, dim):
    return _index_add(x, apart(index, x), apart(source, x), dim, "index_add_")


def _index_add(out, index, source, dim, operator):
    if not out.ndim:
        return _scatter(out, index, source, 0, operator, "add")
    own, given = steps(out), steps(source)
    axis = Axis("index", dim, tuple(out.shape), False)
    tensors = ((index, steps(index), out.shape[dim], own[dim]),)
    choice = Choice(operator, index.shape, (0,), tensors, (axis,))

    def others(values):
        return (*values[:dim], *values[dim + 1 :])

    inner = others(out.shape), others(own), others(given)
    return collect(choice, out, source, (given[dim],), *inner)


@kernel
def embedding_backward(g, index, count, padding_idx):
    row = g.shape[index.ndim :]
    out = zeros((count, *row), g.dtype, g)
    own, given = steps(out), steps(g)
    axis = Axis("index", 0, tuple(out.shape), False)
    tensors = ((index, steps(index), count, own[0]),)
    walk = (0,) * index.ndim
    choice = Choice("embedding_backward", index.shape, walk, tensors, (axis,))
    collect(choice, out, g, given[: index.ndim], row, own[1:], given[index.ndim :])
    if padding_idx is not None and out.size:
        padding = out[padding_idx]
        padding.data.memset_async(0, padding.nbytes)
    return out


# masks --------------------------------------------------------------------------------------------


@kernel
def nonzero(x):
    if not x.size:
        return new((0, x.ndim), INT64, x)
    if not x.ndim:
        return new((int(array_to_numpy(x) != 0), 0), INT64, x)
    return cupy.argwhere(cast_to(x, np.dtype(bool)))  # waits: the host must know how many
