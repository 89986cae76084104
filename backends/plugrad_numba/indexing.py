"""Elements and slices by position, read, written and added in loops, without arrays of where each
element lies.

Around the axis that positions count along, memory is (outer, n, inner). Positions are checked by
NumPy's function, and refused in its words.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import columns, rows, threads
from plugrad_numba.compiling import compiled
from plugrad_numba.layout import Array
from plugrad_numpy.indexing import from_start

# What is moved and not computed with is moved as words of its size.
_WORDS = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}
_SUMMED = "fdl"
# Below, NumPy's calls cost less than finding out how to call a kernel.
_SMALL = 1024


def _fold(x: Array, dim: int) -> Array:
    """(outer, n, inner), in C order: of what lies so already a view."""
    shape = x.shape
    return np.ascontiguousarray(x).reshape(prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :]))


# one position per element, along one axis ---------------------------------------------------------


@kernel
def gather(x, index, dim):
    if not (_is_along(x, index, dim) and x.itemsize in _WORDS):
        return None
    index = from_start("gather", "index", index, x.shape, dim, False)
    out = np.empty(index.shape, x.dtype)
    word = _WORDS[x.itemsize]
    _pull(2 * out.size, *[_fold(each, dim) for each in (x.view(word), index, out.view(word))])
    return out


@compiled
def _pull(x, index, out):
    if out.shape[2] == 1:
        for block in prange(out.shape[0]):
            for i in range(out.shape[1]):
                out[block, i, 0] = x[block, index[block, i, 0], 0]
    else:
        for place in prange(out.shape[0] * out.shape[1]):
            block, i = place // out.shape[1], place % out.shape[1]
            for j in range(out.shape[2]):
                out[block, i, j] = x[block, index[block, i, j], j]


@kernel
def scatter(x, index, source, dim):
    return _put_along(np.array(x, order="C"), index, source, dim, "scatter")


@kernel
def scatter_(x, index, source, dim):
    return _put_along(x, index, source, dim, "scatter_")


def _put_along(out, index, source, dim, operator):
    if not (_is_along(out, index, dim) and out.itemsize in _WORDS):
        return None
    index, source = _apart(out, index, source)
    index = from_start(operator, "index", index, out.shape, dim, False)
    word = _WORDS[out.itemsize]
    arrays = (index, source.view(word), out.view(word))
    _put(2 * source.size, *[_fold(each, dim) for each in arrays])
    return out


@kernel
def scatter_add(x, index, source, dim):
    return _add_along(np.array(x, order="C"), index, source, dim, "scatter_add")


@kernel
def scatter_add_(x, index, source, dim):
    return _add_along(x, index, source, dim, "scatter_add_")


def _add_along(out, index, source, dim, operator):
    if not (_is_along(out, index, dim) and out.dtype.char in _SUMMED):
        return None
    index, source = _apart(out, index, source)
    index = from_start(operator, "index", index, out.shape, dim, False)
    _add(2 * source.size, *[_fold(each, dim) for each in (index, source, out)])
    return out


def _is_along(x, index, dim):
    """Whether elements can be reached through folds of the arrays."""
    if not x.flags.c_contiguous or not x.ndim:
        return False
    return x.shape[:dim] == index.shape[:dim] and x.shape[dim + 1 :] == index.shape[dim + 1 :]


def _apart(out, *operands):
    """The operands; copies of what lies in the memory that is written."""
    return [each.copy() if np.may_share_memory(each, out) else each for each in operands]


# Threads get blocks or columns each: what goes to one place goes there in order.


@compiled
def _put(index, source, out):
    if out.shape[2] == 1:
        for block in prange(out.shape[0]):
            for i in range(index.shape[1]):
                out[block, index[block, i, 0], 0] = source[block, i, 0]
    else:
        for tile in prange(columns.tiles(out)):
            block, low, high = columns.tile(out, tile)
            for i in range(index.shape[1]):
                for j in range(low, high):
                    out[block, index[block, i, j], j] = source[block, i, j]


@compiled
def _add(index, source, out):
    if out.shape[2] == 1:
        for block in prange(out.shape[0]):
            for i in range(index.shape[1]):
                out[block, index[block, i, 0], 0] += source[block, i, 0]
    else:
        for tile in prange(columns.tiles(out)):
            block, low, high = columns.tile(out, tile)
            for i in range(index.shape[1]):
                for j in range(low, high):
                    out[block, index[block, i, j], j] += source[block, i, j]


# whole slices of one axis -------------------------------------------------------------------------


@kernel
def index_select(x, index, dim):
    return _take(x, index, dim, "index_select")


@kernel
def embedding(weight, index, padding_idx):
    return _take(weight, index, 0, "embedding")


def _take(x, index, dim, operator):
    if not x.flags.c_contiguous or x.itemsize not in _WORDS:
        return None
    shape = (*x.shape[:dim], *index.shape, *x.shape[dim + 1 :])
    if prod(shape) < _SMALL:
        return None
    index = from_start(operator, "index", index, x.shape, dim, False)
    out = np.empty(shape, x.dtype)
    word = _WORDS[x.itemsize]
    source = _fold(x.view(word), dim)
    flat = np.ascontiguousarray(index).reshape(-1)
    _copy_slices(out.size, source, flat, out.view(word).reshape(len(source), flat.size, -1))
    return out


@compiled
def _copy_slices(x, index, out):
    if out.shape[2] == 1:
        for block in prange(out.shape[0]):
            for i in range(index.size):
                out[block, i, 0] = x[block, index[i], 0]
    else:
        for place in prange(out.shape[0] * out.shape[1]):
            block, i = place // out.shape[1], place % out.shape[1]
            rows.copy_into(out[block, i], x[block, index[i]])


@kernel
def index_add(x, index, source, dim):
    return _add_slices(np.array(x, order="C"), index, source, dim, "index_add", "index")


@kernel
def index_add_(x, index, source, dim):
    return _add_slices(x, index, source, dim, "index_add_", "index")


@kernel
def embedding_backward(g, index, count, padding_idx):
    out = np.zeros((count, *g.shape[index.ndim :]), g.dtype)
    out = _add_slices(out, index, g, 0, "embedding_backward", "index")
    if padding_idx is not None and out is not None:
        out[padding_idx] = 0
    return out


@kernel
def index_backward(g, indices, shape):
    return _add_at(np.zeros(shape, g.dtype), indices, g, "index_backward")


@kernel
def index_put(x, indices, values, accumulate):
    return _add_at(np.array(x, order="C"), indices, values, "index_put") if accumulate else None


@kernel
def index_put_(x, indices, values, accumulate):
    return _add_at(x, indices, values, "index_put_") if accumulate else None


def _add_at(out, indices, values, operator):
    used = [axis for axis, each in enumerate(indices) if each is not None]
    if len(used) != 1:
        return None
    (dim,) = used
    index = indices[dim]
    values = np.broadcast_to(values, (*out.shape[:dim], *index.shape, *out.shape[dim + 1 :]))
    return _add_slices(out, index, values, dim, operator, f"indices[{dim}]")


def _add_slices(out, index, source, dim, operator, argument):
    if not out.flags.c_contiguous or out.dtype.char not in _SUMMED:
        return None
    index, source = _apart(out, index, source)
    negative = argument != "index"
    index = from_start(operator, argument, index, out.shape, dim, negative)
    into = _fold(out, dim)
    flat = np.ascontiguousarray(index).reshape(-1)
    coming = np.ascontiguousarray(source).reshape(len(into), flat.size, into.shape[2])
    parts = threads.threads_count() if coming.size >= threads.PAYING else 1
    _sum_slices(coming.size, parts, flat, coming, into)
    return out


@compiled
def _sum_slices(parts, index, source, out):
    if out.shape[2] == 1:
        for block in prange(out.shape[0]):
            for i in range(index.size):
                out[block, index[i], 0] += source[block, i, 0]
    else:
        # Each thread adds to slices of its own, all that comes to them in order.
        height = -(-out.shape[1] // parts)
        for part in prange(parts):
            low = part * height
            for block in range(out.shape[0]):
                for i in range(index.size):
                    at = index[i]
                    if low <= at < low + height:
                        result, coming = out[block, at], source[block, i]
                        for j in range(result.size):
                            result[j] += coming[j]


# masks --------------------------------------------------------------------------------------------

# Without a branch, which random masks would have predicted wrongly half the time.


@kernel
def masked_select(x, mask):
    fits = x.shape == mask.shape and x.flags.c_contiguous and mask.flags.c_contiguous
    if not fits or x.itemsize not in _WORDS or x.size < _SMALL:
        return None
    out = np.empty(np.count_nonzero(mask) + 1, x.dtype)
    word = _WORDS[x.itemsize]
    _compress.serial(x.view(word).reshape(-1), mask.reshape(-1), out.view(word))
    return out[:-1]


@compiled
def _compress(x, mask, out):
    count = np.uint64(0)
    for i in range(x.size):
        out[count] = x[i]  # overwritten by the next, unless chosen; the last place is spare
        count += np.uint64(mask[i])


@kernel
def masked_fill_(x, mask, value):
    fits = x.shape == mask.shape and x.flags.c_contiguous and mask.flags.c_contiguous
    if not fits or x.itemsize not in _WORDS or np.may_share_memory(x, mask):
        return None
    word = _WORDS[x.itemsize]
    _fill(x.size, x.view(word).reshape(-1), mask.reshape(-1), np.asarray(value).view(word)[()])
    return x


@compiled
def _fill(x, mask, value):
    for i in prange(x.size):
        x[i] = value if mask[i] else x[i]


@kernel
def nonzero(x):
    if x.ndim < 2 or x.size < _SMALL or not x.flags.c_contiguous:
        return None
    mask = x if x.dtype.kind == "b" else x != 0
    out = np.empty((np.count_nonzero(mask) + 1, x.ndim), np.int64)
    _locate.serial(mask.reshape(-1, x.shape[-1]), np.array(x.shape[:-1]), out)
    return out[:-1]


@compiled
def _locate(x, lead, out):
    count = np.uint64(0)
    place = np.zeros(lead.size, np.int64)
    for row in range(x.shape[0]):
        rest = row
        for axis in range(lead.size - 1, -1, -1):
            rest, place[axis] = divmod(rest, lead[axis])
        for i in range(x.shape[1]):
            for axis in range(lead.size):
                out[count, axis] = place[axis]
            out[count, lead.size] = i
            count += np.uint64(x[row, i])
