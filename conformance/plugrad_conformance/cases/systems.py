"""Systems of linear equations, inverses, determinants, the exponential."""

from __future__ import annotations

from typing import Any

import numpy as np

from plugrad import dtypes
from plugrad.ops import systems as ops
from plugrad_conformance.case import EXACT, Array, Case, call, each, reals
from plugrad_conformance.cases.matrices import FACTORED, PRECISE, regular


def _pivots(size: int, *shape: int) -> Array:
    """Exchanges of each row with one that is no further up, from 1."""

    def draw_pivots(draw: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        return draw.integers(np.arange(shape[-1]), size, shape) + 1

    return Array(shape, draw_pivots, dtypes.int32)


def _triangle(a, upper, unitriangular):
    a = np.triu(a) if upper else np.tril(a)
    return a * (1 - np.eye(a.shape[-1])) + np.eye(a.shape[-1]) if unitriangular else a


def _no_failure(x):
    return np.zeros(x.shape[:-2], np.int32)


def _solve(a, b):
    out = np.linalg.solve(a, b)
    return out, _no_failure(out)


def _lu_factor(x):
    a, size = x.copy(), min(x.shape[-2:])
    pivots = np.zeros((*x.shape[:-2], size), np.int32)
    for place in np.ndindex(*x.shape[:-2]):
        for j in range(size):
            one = a[place]
            column = one[j:, j]
            chosen = j + int(np.argmax(np.abs(column.real) + np.abs(column.imag)))
            pivots[(*place, j)] = chosen + 1
            one[[j, chosen]] = one[[chosen, j]]
            one[j + 1 :, j] /= one[j, j]
            one[j + 1 :, j + 1 :] -= one[j + 1 :, j, None] * one[j, None, j + 1 :]
    return a, pivots, _no_failure(x)


def _permutation(pivots, size):
    out = np.tile(np.arange(size), (*pivots.shape[:-1], 1))
    for place in np.ndindex(*pivots.shape[:-1]):
        for i, chosen in enumerate(pivots[place] - 1):
            out[place][[i, chosen]] = out[place][[chosen, i]]
    return out


def _exponential(x):
    x, out = x / 2**8, np.zeros_like(x)
    term = out + np.eye(x.shape[-1])
    for k in range(20):
        out, term = out + term, term @ x / (k + 1)
    for _ in range(8):
        out = out @ out
    return out


CASES = (
    Case(
        ops.solve_triangular,
        each(
            upper=call(regular(4, 4), reals(4, 2), upper=True, unitriangular=False),
            lower=call(regular(2, 3, 3), reals(2, 3, 1), upper=False, unitriangular=False),
            unit=call(regular(3, 3), reals(2, 3, 2), upper=False, unitriangular=True),
            long=call(regular(35, 35), reals(35, 1), upper=True, unitriangular=False),
            empty=call(regular(0, 0), reals(0, 2), upper=True, unitriangular=False),
        ),
        lambda a, b, upper, unitriangular: np.linalg.solve(_triangle(a, upper, unitriangular), b),
        FACTORED.wider(64),  # a triangle of a regular matrix is less so
        PRECISE,
        expands=False,
    ),
    Case(
        ops.lu_factor,
        each(
            square=call(regular(4, 4)),
            wide=call(regular(2, 3, 5)),
            tall=call(regular(5, 3)),
            large=call(regular(37, 37)),
            empty=call(regular(0, 3)),
        ),
        _lu_factor,
        FACTORED,
        PRECISE,
        expands=False,
    ),
    Case(
        ops.permutation_of_pivots,
        each(
            some=call(_pivots(5, 3), size=5),
            batches=call(_pivots(4, 2, 4), size=4),
            none=call(_pivots(3, 0), size=3),
        ),
        _permutation,
        EXACT,
        (dtypes.int32,),
        differentiable=False,
        expands=False,
    ),
    Case(
        ops.solve,
        each(
            columns=call(regular(4, 4), reals(4, 2)),
            batches=call(regular(2, 3, 3), reals(2, 3, 1)),
            stretched=call(regular(3, 3), reals(2, 3, 2)),
            empty=call(regular(0, 0), reals(0, 2)),
        ),
        _solve,
        FACTORED,
        PRECISE,
        expands=False,
    ),
    Case(
        ops.inv,
        each(one=call(regular(4, 4)), batches=call(regular(2, 3, 3)), empty=call(regular(0, 3, 3))),
        lambda x: (np.linalg.inv(x), _no_failure(x)),
        FACTORED,
        PRECISE,
        expands=False,
    ),
    Case(
        ops.det,
        each(one=call(regular(4, 4)), batches=call(regular(2, 3, 3)), empty=call(regular(0, 0))),
        np.linalg.det,
        FACTORED,
        PRECISE,
        expands=False,
    ),
    Case(
        ops.slogdet,
        each(one=call(regular(4, 4)), batches=call(regular(2, 3, 3)), empty=call(regular(0, 0))),
        lambda x: tuple(np.linalg.slogdet(x)),
        FACTORED,
        PRECISE,
        expands=False,
    ),
    Case(
        ops.matrix_exp,
        each(
            one=call(regular(3, 3)),
            batches=call(reals(2, 4, 4)),
            empty=call(reals(0, 2, 2)),
        ),
        _exponential,
        FACTORED.wider(16),
        PRECISE,
        expands=False,
    ),
)
