"""Factors of matrices: LAPACK, through NumPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from plugrad.errors import LinAlgError
from plugrad.hooks import kernel


def _converging(function: Callable[..., Any]) -> Callable[..., Any]:
    """LAPACK's failure to converge, which NaN among the elements is the usual cause of."""

    @wraps(function)
    def run(*arguments: Any) -> Any:
        try:
            with np.errstate(all="ignore"):
                return function(*arguments)
        except np.linalg.LinAlgError as error:
            raise LinAlgError(
                function.__name__,
                "input",
                expected="matrices on which the algorithm converges",
                got=f"some on which it does not ({error})",
                hint="look for NaN and infinities",
            ) from error

    return run


@kernel
def cholesky(x):
    info = np.zeros(x.shape[:-2], np.int32)
    try:
        return np.linalg.cholesky(x), info
    except np.linalg.LinAlgError:
        out = np.zeros(x.shape, x.dtype)
        for place in np.ndindex(*info.shape):
            info[place] = _factor(x[place], out[place])
        return out, info


def _factor(x: Any, out: Any) -> int:
    """The factor of the largest leading block that is positive definite into `out`; the order of
    the next, if there is one.
    """
    good, bad = 0, len(x) + 1
    while bad - good > 1:
        order = (good + bad) // 2
        try:
            out[:order, :order] = np.linalg.cholesky(x[:order, :order])
            good = order
        except np.linalg.LinAlgError:
            bad = order
    return bad if bad <= len(x) else 0


@kernel
@_converging
def eigh(x):
    return tuple(np.linalg.eigh(x))


@kernel
@_converging
def eigvalsh(x):
    return np.linalg.eigvalsh(x)


@kernel
@_converging
def eig(x):
    values, vectors = np.linalg.eig(x)
    dtype = np.result_type(x.dtype, np.complex64)
    return values.astype(dtype, copy=False), vectors.astype(dtype, copy=False)


@kernel
def qr(x, complete):
    return tuple(np.linalg.qr(x, "complete" if complete else "reduced"))


@kernel
@_converging
def svd(x, full):
    return tuple(np.linalg.svd(x, full_matrices=full))


@kernel
@_converging
def svdvals(x):
    return np.linalg.svd(x, compute_uv=False)
