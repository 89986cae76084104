"""Factors of matrices."""

from __future__ import annotations

import numpy as np

from plugrad.ops import decomposition as ops
from plugrad_conformance.case import Case, call, each
from plugrad_conformance.cases.matrices import (
    FACTORED,
    PRECISE,
    adjoint,
    bound,
    definite,
    half_definite,
    hermitian,
    products,
    projections,
    regular,
    squares,
)


def _cholesky(x):
    return np.linalg.cholesky(x), np.zeros(x.shape[:-2], np.int32)


def _eigh(x):
    values, vectors = np.linalg.eigh(x)
    return values, vectors[..., :, None, :] * vectors.conj()[..., None, :, :]


def _svd(x, full):
    u, s, vh = np.linalg.svd(x, full_matrices=full)
    return s, _products(u, vh)


def _products(left, right):
    count = min(left.shape[-1], right.shape[-2])
    return left[..., :, None, :count] * right.swapaxes(-1, -2)[..., None, :, :count]


def _spectrum(values, vectors):
    return (
        (vectors * values[..., None, :]) @ vectors.conj().swapaxes(-1, -2),
        np.sum(values**2, -1),
    )


def _pinv(x, atol, rtol, hermitian):
    return np.linalg.pinv(x)


_SQUARES = each(
    one=call(definite(4, 4)), batches=call(definite(2, 3, 3)), empty=call(definite(0, 3, 3))
)

CASES = (
    Case(
        ops.cholesky,
        _SQUARES,
        _cholesky,
        FACTORED,
        PRECISE,
        expands=False,
        reads=hermitian,
    ),
    Case(
        ops.cholesky,
        each(lower_triangle_only=call(half_definite(4, 4))),
        _cholesky,
        FACTORED,
        PRECISE,
        differentiable=False,
        expands=False,
    ),
    Case(
        ops.eigh,
        _SQUARES,
        _eigh,
        FACTORED,
        PRECISE,
        expands=False,
        reads=hermitian,
        seen=lambda values, vectors: (values, projections(vectors)),
    ),
    Case(
        ops.eigvalsh,
        _SQUARES,
        np.linalg.eigvalsh,
        FACTORED,
        PRECISE,
        expands=False,
        reads=hermitian,
    ),
    Case(
        ops.eig,
        each(one=call(regular(4, 4)), batches=call(regular(2, 3, 3)), empty=call(regular(0, 3, 3))),
        lambda x: _spectrum(*np.linalg.eig(x.astype(complex))),
        FACTORED.wider(8),
        PRECISE,
        expands=False,
        result=lambda dtype, params: dtype.to_complex(),
        seen=lambda values, vectors: (
            (vectors * values.unsqueeze(-2)) @ adjoint(vectors),
            (values * values).sum(-1),
        ),
    ),
    Case(
        ops.qr,
        each(
            tall=call(regular(5, 3), complete=False),
            wide=call(regular(2, 3, 4), complete=False),
            square=call(regular(3, 3), complete=True),
            empty=call(regular(0, 3), complete=False),
        ),
        lambda x, complete: _products(*np.linalg.qr(x)),
        FACTORED,
        PRECISE,
        expands=False,
        seen=products,
    ),
    Case(
        ops.qr,
        each(complete=call(regular(4, 2), complete=True)),
        lambda x, complete: (x, np.eye(4, dtype=x.dtype)),
        FACTORED,
        PRECISE,
        differentiable=False,
        layouts=False,
        expands=False,
        seen=lambda q, r: (q @ r, squares(q)),
    ),
    Case(
        ops.svd,
        each(
            square=call(regular(3, 3), full=False),
            wide=call(regular(2, 3, 4), full=False),
            tall=call(regular(4, 2), full=True),
            empty=call(regular(0, 3), full=False),
        ),
        _svd,
        FACTORED,
        PRECISE,
        expands=False,
        seen=lambda u, s, vh: (s, products(u, vh)),
    ),
    Case(
        ops.svd,
        each(full=call(regular(4, 2), full=True), full_wide=call(regular(2, 3), full=True)),
        lambda x, full: tuple([np.eye(size, dtype=x.dtype) for size in x.shape]),
        FACTORED,
        PRECISE,
        differentiable=False,
        expands=False,
        seen=lambda u, s, vh: (squares(u), squares(vh)),
    ),
    Case(
        ops.svdvals,
        each(square=call(regular(3, 3)), wide=call(regular(2, 3, 4)), empty=call(regular(0, 3))),
        lambda x: np.linalg.svd(x, compute_uv=False),
        FACTORED,
        PRECISE,
        expands=False,
    ),
    Case(
        ops.pinv,
        each(
            tall=call(regular(4, 2), bound(), bound(), hermitian=False),
            wide=call(regular(2, 3, 4), bound(2), bound(), hermitian=False),
        ),
        _pinv,
        FACTORED,
        PRECISE,
        expands=False,
        constants=("atol", "rtol"),
    ),
)
