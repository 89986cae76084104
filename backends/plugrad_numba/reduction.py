"""Reductions along axes: short rows and narrow columns many times as fast as in NumPy, and sums
whose rounding errors do not grow with the length.
"""

from __future__ import annotations

from math import prod as product
from typing import Any, final

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import columns, rows, threads
from plugrad_numba.compiling import Compiled, compiled
from plugrad_numba.layout import FLOATS, back, folded, memory_order, unfolded

# Long rows are reduced in pieces of this size, and then their results: pieces can be shared out to
# threads, and the result does not depend on how many there are.
_PIECE = 1 << 16
# Below, a call of NumPy costs less than finding out how to call a kernel.
_SMALL = 512
# NumPy's loops run at full speed over rows of so many elements, or so many columns side by side.
_SHORT_ROW, _NARROW = 512, 128


@final
class Reduction:
    """A pair of kernels: `rows` from (outer, n) to (outer,), `columns` from (outer, n, inner) to
    (outer, inner).
    """

    def __init__(self, name: str, of_row: Any, of_columns: Any) -> None:
        def reduce_rows(x, out):
            for row in prange(x.shape[0]):
                out[row] = of_row(x[row])

        def reduce_columns(x, out):
            for tile in prange(columns.tiles(x)):
                block, low, high = columns.tile(x, tile)
                rows.copy_into(out[block, low:high], of_columns(x[block], low, high))

        self.rows = Compiled(reduce_rows, name=f"{__name__}.{name}-rows")
        self.columns = Compiled(reduce_columns, name=f"{__name__}.{name}-columns")

    def __call__(self, x: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
        """Reduce over axes; declines what NumPy does as well, dtypes other than float32 and
        float64, and arrays with gaps.
        """
        if x.size < _SMALL or x.dtype.char not in FLOATS or not dims:
            return None
        order = memory_order(x)
        if order is None:
            return None
        out = x.transpose(order)
        reduced = [axis in dims for axis in order]
        worth_sharing = reduced[-1] and x.size >= threads.PAYING
        if not (worth_sharing or _short_runs(out.shape, reduced)):
            return None
        # Neighbouring axes are reduced together, the fastest first.
        last = x.ndim
        while last:
            first = last - 1
            while first and reduced[first - 1] == reduced[last - 1]:
                first -= 1
            if reduced[first]:
                out = self.over(out, first, last)
            last = first
        out = back(out, order)
        return out if keepdim else np.squeeze(out, dims)

    def over(self, x: Any, first: int, last: int) -> Any:
        """Reduce a C-contiguous array over the axes from `first` to `last - 1`, which stay."""
        shape = x.shape
        outer, n, inner = product(shape[:first]), product(shape[first:last]), product(shape[last:])
        out = np.empty((*shape[:first], *[1] * (last - first), *shape[last:]), x.dtype)
        if inner > 1:
            self.columns(x.size, x.reshape(outer, n, inner), out.reshape(outer, inner))
            return out
        flat = x.reshape(outer, n)
        if n > _PIECE:
            flat = self._pieces(flat)
        self.rows(flat.size, flat, out.reshape(-1))
        return out

    def _pieces(self, x: Any) -> Any:
        outer, n = x.shape
        whole, rest = divmod(n, _PIECE)
        parts = np.empty((outer, whole + (rest > 0)), x.dtype)
        for row, out in zip(x, parts, strict=True):
            self.rows(n, row[: n - rest].reshape(whole, _PIECE), out[:whole])
            if rest:
                self.rows.serial(row[n - rest :].reshape(1, rest), out[whole:])
        return parts


def _short_runs(shape: tuple[int, ...], reduced: list[bool]) -> bool:
    """Whether the axes that lie together in memory, all reduced or none, are small: then NumPy is
    busier with starting loops than with running them.
    """
    run = 1
    for size, each in zip(reversed(shape), reversed(reduced), strict=True):
        if each != reduced[-1]:
            break
        run *= size
    return run < (_SHORT_ROW if reduced[-1] else _NARROW)


_sum = Reduction("sum", rows.total, columns.total)
_prod = Reduction("prod", rows.product, columns.product)
_amax = Reduction("amax", rows.largest, columns.largest)
_amin = Reduction("amin", rows.smallest, columns.smallest)


@kernel
def sum(x, dim, keepdim):
    return _sum(x, dim, keepdim)


@kernel
def mean(x, dim, keepdim):
    out = _sum(x, dim, keepdim)
    if out is not None:
        out /= product([x.shape[axis] for axis in dim])
    return out


@kernel
def prod(x, dim, keepdim):
    return _prod(x, dim, keepdim)


@kernel
def amax(x, dim, keepdim):
    return _amax(x, dim, keepdim)


@kernel
def amin(x, dim, keepdim):
    return _amin(x, dim, keepdim)


# running sums -------------------------------------------------------------------------------------


@kernel
def cumsum(x, dim):
    if x.size < _SMALL or x.dtype.char not in "fdl":
        return None
    order, (source,) = folded(dim, x)
    out = np.empty_like(source)
    if source.shape[2] == 1:
        _cumsum_rows(x.size, source[:, :, 0], out[:, :, 0])
    else:
        _cumsum_columns(x.size, source, out)
    return unfolded(out, order, x.shape)


@compiled
def _cumsum_rows(x, out):
    for row in prange(x.shape[0]):
        total = x.dtype.type(0)
        for i in range(x.shape[1]):
            total += x[row, i]
            out[row, i] = total


@compiled
def _cumsum_columns(x, out):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        rows.copy_into(out[block, 0, low:high], x[block, 0, low:high])
        for i in range(1, x.shape[1]):
            above, row, result = (
                out[block, i - 1, low:high],
                x[block, i, low:high],
                out[block, i, low:high],
            )
            for j in range(row.size):
                result[j] = above[j] + row[j]


# positions ----------------------------------------------------------------------------------------

# NumPy searches a row in vector registers, but goes down a column by leaps.


@kernel
def argmax(x, dim, keepdim):
    return _position(_largest_in_columns, x, dim, keepdim)


@kernel
def argmin(x, dim, keepdim):
    return _position(_smallest_in_columns, x, dim, keepdim)


def _position(in_columns, x, dim, keepdim):
    if x.dtype.char not in FLOATS or dim is None or not x.flags.c_contiguous or not x.size:
        return None
    n, inner = x.shape[dim], product(x.shape[dim + 1 :])
    if inner == 1 or (inner < _NARROW and n > inner):
        return None
    out = np.empty((*x.shape[:dim], 1, *x.shape[dim + 1 :]), np.int64)
    in_columns(x.size, x.reshape(-1, n, inner), out.reshape(-1, inner))
    return out if keepdim else out.squeeze(dim)


@compiled
def _largest_in_columns(x, out):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        best, place = x[block, 0, low:high].copy(), out[block, low:high]
        rows.fill(place, 0)
        for i in range(1, x.shape[1]):
            row = x[block, i, low:high]
            for j in range(row.size):
                better = (row[j] > best[j]) | (np.isnan(row[j]) & ~np.isnan(best[j]))
                best[j] = row[j] if better else best[j]
                place[j] = i if better else place[j]


@compiled
def _smallest_in_columns(x, out):
    for tile in prange(columns.tiles(x)):
        block, low, high = columns.tile(x, tile)
        best, place = x[block, 0, low:high].copy(), out[block, low:high]
        rows.fill(place, 0)
        for i in range(1, x.shape[1]):
            row = x[block, i, low:high]
            for j in range(row.size):
                better = (row[j] < best[j]) | (np.isnan(row[j]) & ~np.isnan(best[j]))
                best[j] = row[j] if better else best[j]
                place[j] = i if better else place[j]
