"""Elements by position.

Positions along axes become positions in the flat array: `take`, assignment and `add.at` of one flat
index are two to eight times as fast as those of several (measured with NumPy 2.4).
"""

from __future__ import annotations

import numpy as np

from plugrad.errors import RangeError
from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, quietly

# one index per axis -------------------------------------------------------------------------------


@kernel
def index(x, indices):
    used = [axis for axis, each in enumerate(indices) if each is not None]
    if not used:
        return x.copy()
    try:
        # `take` is the faster one, but in an array without elements checks nothing.
        if len(used) == 1 and x.size:
            return x.take(indices[used[0]], axis=used[0])
        return x[_key(indices)]
    except IndexError:
        raise _first_outside("index", x.shape, indices, used) from None


@kernel
def index_put(x, indices, values, accumulate):
    return _index_put(np.array(x, order="C"), indices, values, accumulate, "index_put")


@kernel
def index_put_(x, indices, values, accumulate):
    return _index_put(x, indices, values, accumulate, "index_put_")


@kernel
def index_backward(g, indices, shape):
    return _index_put(np.zeros(shape, g.dtype), indices, g, True, "index_backward")


def _index_put(out, indices, values, accumulate, operator):
    used = [axis for axis, each in enumerate(indices) if each is not None]
    if not accumulate or not used:
        try:
            if accumulate:
                np.add(out, values, out=out)
            else:
                out[_key(indices)] = values
        except IndexError:
            raise _first_outside(operator, out.shape, indices, used) from None
        return out
    if 0 in np.broadcast_shapes(*[indices[axis].shape for axis in used]):
        return out  # as where it reads, NumPy asks nothing of positions that meet none
    counted = {
        axis: from_start(operator, f"indices[{axis}]", indices[axis], out.shape, axis, True)
        for axis in used
    }
    places = _flat_places(out.shape, counted)
    values = np.broadcast_to(values, places.shape)
    return _write_flat(out, lambda flat: _add_at(flat, places, values))


def _key(indices):
    return tuple([slice(None) if each is None else each for each in indices])


def _flat_places(shape, counted):
    """Where in the flat array the elements of `x[indices]` stand, in the result's shape."""
    axes = list(counted)
    strides = _strides(shape)
    chosen = sum([counted[axis] * strides[axis] for axis in axes])
    adjacent = axes[-1] - axes[0] + 1 == len(axes)
    lead = axes[0] if adjacent else 0
    rest = [axis for axis in range(len(shape)) if axis not in counted]
    common = np.ndim(chosen)
    places = np.reshape(chosen, (*np.shape(chosen), *(1,) * (len(rest) - lead)))
    for place, axis in enumerate(rest):
        # Axes of the result: those before the indices', then `common` of theirs, then the others.
        behind = len(rest) - 1 - place + (common if place < lead else 0)
        places = places + _steps(shape[axis], strides[axis], behind)
    return places


# one position per element, along one axis ---------------------------------------------------------


@kernel
def gather(x, index, dim):
    index = from_start("gather", "index", index, x.shape, dim, False)
    if not x.flags.c_contiguous:
        inner = tuple(
            [slice(None) if axis == dim else slice(n) for axis, n in enumerate(index.shape)]
        )
        return np.take_along_axis(x[inner], index, dim)
    return x.reshape(-1).take(_places_along(x.shape, index, dim))


@kernel
def scatter(x, index, source, dim):
    return scattered(np.array(x, order="C"), index, source, dim, "scatter", _put)


@kernel
def scatter_(x, index, source, dim):
    return scattered(x, index, source, dim, "scatter_", _put)


@kernel
def scatter_add(x, index, source, dim):
    return scattered(np.array(x, order="C"), index, source, dim, "scatter_add", _add_at)


@kernel
def scatter_add_(x, index, source, dim):
    return scattered(x, index, source, dim, "scatter_add_", _add_at)


@kernel
@quietly
def scatter_mul(x, index, source, dim):
    return scattered(np.array(x, order="C"), index, source, dim, "scatter_mul", _multiply_at)


def scattered(out, index, source, dim, operator, write):
    """`out`, changed by `write(flat, places, source)`."""
    index = from_start(operator, "index", index, out.shape, dim, False)
    places = _places_along(out.shape, index, dim)
    return _write_flat(out, lambda flat: write(flat, places, source))


def _places_along(shape, index, dim):
    strides = _strides(shape)
    places = index * strides[dim] if strides[dim] != 1 else index
    for axis, size in enumerate(index.shape):
        if axis != dim and size > 1:
            places = places + _steps(size, strides[axis], index.ndim - 1 - axis)
    return places


# whole slices of one axis -------------------------------------------------------------------------


@kernel
def index_select(x, index, dim):
    return x.take(from_start("index_select", "index", index, x.shape, dim, False), axis=dim)


@kernel
def index_add(x, index, source, dim):
    return _index_add(np.array(x, order="C"), index, source, dim, "index_add")


@kernel
def index_add_(x, index, source, dim):
    return _index_add(x, index, source, dim, "index_add_")


@kernel
def embedding(weight, index, padding_idx):
    return weight.take(from_start("embedding", "index", index, weight.shape, 0, False), axis=0)


@kernel
def embedding_backward(g, index, count, padding_idx):
    out = np.zeros((count, *g.shape[index.ndim :]), g.dtype)
    flat = index.reshape(-1)
    _index_add(out, flat, g.reshape(flat.size, *out.shape[1:]), 0, "embedding_backward")
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


def _index_add(out, index, source, dim, operator):
    index = from_start(operator, "index", index, out.shape, dim, False)
    places = _flat_places(out.shape, {dim: index})
    return _write_flat(out, lambda flat: _add_at(flat, places, source))


# masks --------------------------------------------------------------------------------------------


@kernel
def nonzero(x):
    return np.argwhere(x)


@kernel
def masked_select(x, mask):
    return x[mask]


@kernel
def masked_fill_(x, mask, value):
    np.copyto(x, value, where=mask)
    return x


# what the kernels share ---------------------------------------------------------------------------


def _strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]


def _steps(size, stride, behind):
    """Flat distances along one axis, with `behind` axes after it."""
    return (np.arange(size) * stride).reshape(size, *(1,) * behind)


def from_start(operator, argument, index, shape, axis, negative):
    """The positions counted from the start; refuses the first that lies outside."""
    size = shape[axis]
    # Read as unsigned, negative numbers are too large: one pass finds both.
    if index.size == 0 or np.maximum.reduce(index.view(np.uint64), axis=None) < size:
        return index
    if not negative or ((index < -size) | (index >= size)).any():
        raise _outside(operator, argument, index, shape, axis, negative)
    return np.where(index < 0, index + size, index)


def _first_outside(operator, shape, indices, used):
    for axis in used:
        each, size = indices[axis], shape[axis]
        if ((each < -size) | (each >= size)).any():
            return _outside(operator, f"indices[{axis}]", each, shape, axis, True)
    raise AssertionError("NumPy found a position outside")


def _outside(operator, argument, index, shape, axis, negative):
    size = shape[axis]
    low = -size if negative else 0
    expected = f"positions from {low} to {size - 1} along axis {axis} of {tuple(shape)}"
    if not size:
        expected = f"no positions: axis {axis} of {tuple(shape)} is empty"
    return RangeError(
        operator, argument, expected=expected, got=int(index[(index < low) | (index >= size)][0])
    )


def _write_flat(out, write):
    """Change an array through its elements in C order."""
    flat = out.reshape(-1)
    write(flat)
    if not out.flags.c_contiguous:
        np.copyto(out, flat.reshape(out.shape))
    return out


def _put(flat, places, values):
    flat[places] = values


def _add_at(flat, places, values):
    combine_at(np.add, flat, places, values)


def _multiply_at(flat, places, values):
    combine_at(np.multiply, flat, places, values)


def combine_at(ufunc, flat, places, values):
    """Combine values with what stands at their places, one after the other."""
    places, values = places.reshape(-1), values.reshape(-1)
    if flat.dtype in HALVES:
        # Summed in float32 and rounded once.
        wide = flat.astype(np.float32)
        ufunc.at(wide, places, values.astype(np.float32))
        flat[...] = wide
    else:
        ufunc.at(flat, places, values)
