"""Systems of linear equations: LAPACK through NumPy, and in NumPy what it does not reach, a block
of columns at a time so that the work is matrix products.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import quietly

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK = 32  # columns that are eliminated one by one
# Higham, "The scaling and squaring method for the matrix exponential revisited" (2005): the
# coefficients of the Padé approximant of degree 13, and the norm up to which it is exact to
# float64.
_PADE = (
    *(64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800),
    *(129060195264000, 10559470521600, 670442572800, 33522128640),
    *(1323241920, 40840800, 960960, 16380, 182, 1),
)
_RADIUS = 5.371920351148152


@kernel
@quietly
def solve_triangular(a, b, upper, unitriangular):
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.array(np.broadcast_to(b, (*batch, *b.shape[-2:])))
    _substitute(a, out, upper, unitriangular)
    return out


def _substitute(a: Array, x: Array, upper: bool, unitriangular: bool) -> None:
    """A⁻¹ x into x."""
    size = a.shape[-1]
    if size > _BLOCK:
        half = size // 2
        first, last = (
            (slice(half, size), slice(half)) if upper else (slice(half), slice(half, size))
        )
        _substitute(a[..., first, first], x[..., first, :], upper, unitriangular)
        x[..., last, :] -= a[..., last, first] @ x[..., first, :]
        _substitute(a[..., last, last], x[..., last, :], upper, unitriangular)
        return
    for i in reversed(range(size)) if upper else range(size):
        if not unitriangular:
            x[..., i, :] /= a[..., i, i, None]
        rest = slice(i) if upper else slice(i + 1, size)
        x[..., rest, :] -= a[..., rest, i, None] * x[..., i, None, :]


@kernel
@quietly
def lu_factor(x):
    *batch, rows, columns = x.shape
    size, count = min(rows, columns), prod(batch)
    a = np.array(x, order="C").reshape(count, rows, columns)
    pivots, info = np.zeros((count, size), np.int32), np.zeros(count, np.int32)
    every = np.arange(count)
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        for j in range(start, stop):
            chosen = j + np.argmax(_sizes(a[:, j:, j]), axis=1)
            pivots[:, j] = chosen + 1
            a[every, j], a[every, chosen] = a[every, chosen], a[every, j]
            pivot = a[:, j, j, None]
            info[(info == 0) & (pivot[:, 0] == 0)] = j + 1
            a[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)
            a[:, j + 1 :, j + 1 : stop] -= a[:, j + 1 :, j, None] * a[:, j, None, j + 1 : stop]
        block, rest = slice(start, stop), slice(stop, None)
        _substitute(a[:, block, block], a[:, block, rest], False, True)
        a[:, rest, rest] -= a[:, rest, block] @ a[:, block, rest]
    return a.reshape(x.shape), pivots.reshape(*batch, size), info.reshape(batch)


def _sizes(x: Any) -> Array:
    # As LAPACK measures complex pivots.
    return np.abs(x) if x.dtype.kind == "f" else np.abs(x.real) + np.abs(x.imag)


@kernel
def permutation_of_pivots(pivots, size):
    *batch, steps = pivots.shape
    count = prod(batch)
    chosen = pivots.reshape(count, steps) - 1
    every, order = np.arange(count), np.tile(np.arange(size), (count, 1))
    for i in range(steps):
        other = chosen[:, i]
        order[every, i], order[every, other] = order[every, other], order[every, i]
    return order.reshape(*batch, size)


@kernel
def solve(a, b):
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    try:
        return np.linalg.solve(a, b), np.zeros(batch, np.int32)
    except np.linalg.LinAlgError:
        a = np.broadcast_to(a, (*batch, *a.shape[-2:]))
        b = np.broadcast_to(b, (*batch, *b.shape[-2:]))
        return _one_by_one(np.linalg.solve, b.shape, a, b)


@kernel
def inv(x):
    try:
        return np.linalg.inv(x), np.zeros(x.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return _one_by_one(np.linalg.inv, x.shape, x)


def _one_by_one(function: Any, shape: tuple[int, ...], a: Array, *more: Array) -> Any:
    """Each matrix by itself, as some are singular: those give NaN and the number of a pivot."""
    out, info = np.full(shape, np.nan, a.dtype), np.zeros(a.shape[:-2], np.int32)
    for place in np.ndindex(*info.shape):
        try:
            out[place] = function(a[place], *[each[place] for each in more])
        except np.linalg.LinAlgError:
            # Rounding may hide the pivot that was 0 to LAPACK.
            info[place] = lu_factor(a[place])[2][()] or a.shape[-1]
    return out, info


@kernel
@quietly
def det(x):
    return np.linalg.det(x)


@kernel
@quietly
def slogdet(x):
    return tuple(np.linalg.slogdet(x))


@kernel
@quietly
def matrix_exp(x):
    size = x.shape[-1]
    if not x.size:
        return x.copy()
    norm = np.abs(x).sum(-2).max(-1)
    finite = np.isfinite(norm) & (norm > _RADIUS)
    steps = np.where(finite, np.ceil(np.log2(np.where(finite, norm, 1) / _RADIUS)), 0)
    steps = np.maximum(steps, 0)[..., None, None]
    a = (x / 2**steps).astype(x.dtype)
    one = np.eye(size, dtype=x.dtype)
    c = [x.real.dtype.type(each) / x.real.dtype.type(_PADE[0]) for each in _PADE]
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    odd = a6 @ (c[13] * a6 + c[11] * a4 + c[9] * a2) + c[7] * a6 + c[5] * a4 + c[3] * a2
    odd = a @ (odd + c[1] * one)
    even = a6 @ (c[12] * a6 + c[10] * a4 + c[8] * a2) + c[6] * a6 + c[4] * a4 + c[2] * a2
    even += c[0] * one
    out = np.linalg.solve(even - odd, even + odd)
    for step in range(int(steps.max())):
        out = np.where(steps > step, out @ out, out)
    return out
