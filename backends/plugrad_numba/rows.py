"""What kernels do with one row: functions of one-dimensional arrays that lie in one run.

Sums are taken in many lanes at once, so that they are vectorised, and chunk by chunk, so that
rounding errors do not grow with the length; float32 is summed up in float64 between chunks.

An index must be seen not to be negative, or Numba asks each time whether to count from the end, and
nothing is vectorised: loops start at 0, and run over a slice where they would start elsewhere.
"""

from __future__ import annotations

import numpy as np

from plugrad_numba import scalars
from plugrad_numba.compiling import REORDERING, inlined

_CHUNK = 1024


@inlined
def tiles(x):
    """How many pieces of a matrix are taken in turn: as many short rows as stay in the cache."""
    return -(-x.shape[0] // _height(x))


@inlined
def tile(x, index):
    """The first row of a tile, and the first after it."""
    low = index * _height(x)
    return low, min(low + _height(x), x.shape[0])


@inlined
def _height(x):
    return max(1, 2 * _CHUNK // max(1, x.shape[1]))


@inlined
def largest(x):
    """The largest element, NaN if there is one; -inf of none."""
    out = x.dtype.type(-np.inf)
    for i in range(x.size):
        out = scalars.larger(out, x[i])
    return out


@inlined
def smallest(x):
    """The smallest element, NaN if there is one; inf of none."""
    out = x.dtype.type(np.inf)
    for i in range(x.size):
        out = scalars.smaller(out, x[i])
    return out


@inlined
def total(x):
    """The sum."""
    if x.size <= _CHUNK:
        return _total_of_chunk(x)
    out = 0.0
    for first in range(0, x.size, _CHUNK):
        out += _total_of_chunk(x[first : first + _CHUNK])
    return x.dtype.type(out)


@inlined(fastmath=REORDERING)
def _total_of_chunk(x):
    out = x.dtype.type(0)
    for i in range(x.size):
        out += x[i]
    return out


@inlined(fastmath=REORDERING)
def product(x):
    """The product."""
    out = x.dtype.type(1)
    for i in range(x.size):
        out *= x[i]
    return out


@inlined
def dot(x, y):
    """The sum of products."""
    if x.size <= _CHUNK:
        return _dot_of_chunk(x, y)
    out = 0.0
    for first in range(0, x.size, _CHUNK):
        out += _dot_of_chunk(x[first : first + _CHUNK], y[first : first + _CHUNK])
    return x.dtype.type(out)


@inlined(fastmath=REORDERING)
def _dot_of_chunk(x, y):
    out = x.dtype.type(0)
    for i in range(x.size):
        out += x[i] * y[i]
    return out


@inlined
def squares(x, centre):
    """The sum of squared distances from a number."""
    if x.size <= _CHUNK:
        return _squares_of_chunk(x, centre)
    out = 0.0
    for first in range(0, x.size, _CHUNK):
        out += _squares_of_chunk(x[first : first + _CHUNK], centre)
    return x.dtype.type(out)


@inlined(fastmath=REORDERING)
def _squares_of_chunk(x, centre):
    out = x.dtype.type(0)
    for i in range(x.size):
        out += (x[i] - centre) * (x[i] - centre)
    return out


@inlined
def squared_distance(x, y):
    """The sum of squared differences."""
    out = 0.0
    for first in range(0, x.size, _CHUNK):
        last = first + _CHUNK
        out += _squared_distance_of_chunk(x[first:last], y[first:last])
    return out


@inlined(fastmath=REORDERING)
def _squared_distance_of_chunk(x, y):
    out = x.dtype.type(0)
    for i in range(x.size):
        out += (x[i] - y[i]) * (x[i] - y[i])
    return out


@inlined
def dot_about(x, y, centre):
    """The sum of products of x and y's distances from a number."""
    if x.size <= _CHUNK:
        return _dot_about_of_chunk(x, y, centre)
    out = 0.0
    for first in range(0, x.size, _CHUNK):
        last = first + _CHUNK
        out += _dot_about_of_chunk(x[first:last], y[first:last], centre)
    return x.dtype.type(out)


@inlined(fastmath=REORDERING)
def _dot_about_of_chunk(x, y, centre):
    out = x.dtype.type(0)
    for i in range(x.size):
        out += x[i] * (y[i] - centre)
    return out


@inlined
def fill(x, number):
    """Set all elements."""
    for i in range(x.size):
        x[i] = number


@inlined
def copy_into(out, x):
    """Write x; less for Numba to compile than an assignment to a slice."""
    for i in range(x.size):
        out[i] = x[i]


@inlined
def subtract_into(out, x, number):
    """Write x - number."""
    for i in range(x.size):
        out[i] = x[i] - number


@inlined
def scale(x, factor):
    """Multiply in place."""
    for i in range(x.size):
        x[i] *= factor


@inlined
def raise_above(x, number):
    """Replace each element by the exponential of x - number."""
    for i in range(x.size):
        x[i] = scalars.exp(x[i] - number)


@inlined
def raise_in_place(x):
    """Replace each element by its exponential."""
    for i in range(x.size):
        x[i] = scalars.exp(x[i])
