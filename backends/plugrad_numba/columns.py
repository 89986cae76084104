"""What kernels do with neighbouring columns, from `low` to `high - 1`, of (n, inner) matrices that
lie in one run: functions that give one number per column, in an array that starts with `low`'s.

At most `_WIDTH` columns are taken together, so that what is accumulated stays in the cache.
"""

from __future__ import annotations

import numpy as np

from plugrad_numba import rows, scalars
from plugrad_numba.compiling import inlined

_WIDTH = 1024
# Rows that are summed before their sum is added to the total, so that rounding errors grow with the
# number of chunks.
_CHUNK = 128


@inlined
def tiles(x):
    """How many pieces of an (outer, n, inner) array are taken in turn."""
    return x.shape[0] * -(-x.shape[2] // _WIDTH)


@inlined
def tile(x, index):
    """The matrix that a tile belongs to, its first column, and the first after it."""
    per_block = -(-x.shape[2] // _WIDTH)
    low = index % per_block * _WIDTH
    return index // per_block, low, min(low + _WIDTH, x.shape[2])


@inlined
def largest(x, low, high):
    """The largest elements, NaN where there is one."""
    out = np.empty(high - low, x.dtype)
    rows.fill(out, -np.inf)
    for i in range(x.shape[0]):
        row = x[i, low:high]
        for j in range(row.size):
            out[j] = scalars.larger(out[j], row[j])
    return out


@inlined
def smallest(x, low, high):
    """The smallest elements, NaN where there is one."""
    out = np.empty(high - low, x.dtype)
    rows.fill(out, np.inf)
    for i in range(x.shape[0]):
        row = x[i, low:high]
        for j in range(row.size):
            out[j] = scalars.smaller(out[j], row[j])
    return out


@inlined
def product(x, low, high):
    """The products."""
    out = np.ones(high - low, x.dtype)
    for i in range(x.shape[0]):
        row = x[i, low:high]
        for j in range(row.size):
            out[j] *= row[j]
    return out


@inlined
def total(x, low, high):
    """The sums."""
    out = np.zeros(high - low, x.dtype)
    part = np.empty(high - low, x.dtype)
    for first in range(0, x.shape[0], _CHUNK):
        rows.fill(part, 0)
        for i in range(first, min(first + _CHUNK, x.shape[0])):
            row = x[i, low:high]
            for j in range(row.size):
                part[j] += row[j]
        for j in range(out.size):
            out[j] += part[j]
    return out


@inlined
def dot(x, y, low, high):
    """The sums of products."""
    out = np.zeros(high - low, x.dtype)
    part = np.empty(high - low, x.dtype)
    for first in range(0, x.shape[0], _CHUNK):
        rows.fill(part, 0)
        for i in range(first, min(first + _CHUNK, x.shape[0])):
            left, right = x[i, low:high], y[i, low:high]
            for j in range(left.size):
                part[j] += left[j] * right[j]
        for j in range(out.size):
            out[j] += part[j]
    return out


@inlined
def squares(x, centres, low, high):
    """The sums of squared distances from a number per column."""
    out = np.zeros(high - low, x.dtype)
    part = np.empty(high - low, x.dtype)
    for first in range(0, x.shape[0], _CHUNK):
        rows.fill(part, 0)
        for i in range(first, min(first + _CHUNK, x.shape[0])):
            row = x[i, low:high]
            for j in range(row.size):
                distance = row[j] - centres[j]
                part[j] += distance * distance
        for j in range(out.size):
            out[j] += part[j]
    return out


@inlined
def dot_about(x, y, centres, low, high):
    """The sums of products of x and y's distances from a number per column."""
    out = np.zeros(high - low, x.dtype)
    part = np.empty(high - low, x.dtype)
    for first in range(0, x.shape[0], _CHUNK):
        rows.fill(part, 0)
        for i in range(first, min(first + _CHUNK, x.shape[0])):
            left, right = x[i, low:high], y[i, low:high]
            for j in range(left.size):
                part[j] += left[j] * (right[j] - centres[j])
        for j in range(out.size):
            out[j] += part[j]
    return out


@inlined
def subtract_into(out, x, numbers, low, high):
    """Write x - numbers."""
    for i in range(x.shape[0]):
        source, target = x[i, low:high], out[i, low:high]
        for j in range(numbers.size):
            target[j] = source[j] - numbers[j]


@inlined
def raise_in_place(x, low, high):
    """Replace each element by its exponential."""
    if high - low == x.shape[1]:
        rows.raise_in_place(x.reshape(-1))
    else:
        for i in range(x.shape[0]):
            rows.raise_in_place(x[i, low:high])
