"""Factors of matrices, which stand in the last two axes, as LAPACK gives them.

An `info` is int32, 0 for each matrix that went well; who asks decides whether another number is an
error. Functions of several results are conjugated nowhere but in their formulas, which give the
gradient dL/da + i dL/db. Where factors are unique only up to signs, phases or order, so is their
derivative's meaning: a loss must not depend on what is arbitrary.

Derivatives: Giles, "Collected matrix derivative results" (2008); Townsend, "Differentiating the
singular value decomposition" (2016); Roberts and Roberts, "QR and LQ decomposition matrix
backpropagation algorithms for square, wide, and deep matrices" (2020).
"""

from __future__ import annotations

from plugrad import dtypes, shapes
from plugrad.errors import UnsupportedError
from plugrad.families import composite, primitive
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import maximum, mul
from plugrad.ops.joining import cat
from plugrad.ops.linalg import matmul
from plugrad.ops.matrices import (
    adjoint,
    check_matrices,
    column,
    diagonal_matrix,
    diagonal_of,
    lower,
    row,
    upper,
    with_diagonal,
)
from plugrad.ops.reduction import amax
from plugrad.ops.systems import solve, solve_triangular
from plugrad.ops.views import slice_dim
from plugrad.spec import spec_of


def _info(x):
    return spec_of(x.shape[:-2], dtypes.int32, x.device)


def _cholesky_spec(x):
    check_matrices("cholesky", "input", x, square=True)
    return x, _info(x)


@primitive(_cholesky_spec, family="matrix")
def cholesky(x, /):
    """The lower triangular L of x = L Lᴴ with a positive diagonal, and `info`: else the order of
    the first leading minor that is not positive definite, from 1. Only the lower triangle of `x` is
    read; L is 0 above the diagonal, and where it failed any number.
    """


cholesky.vjp(x=lambda g, out_0: _cholesky_vjp(g[0], out_0))


def _cholesky_vjp(g, factor):
    inner = _halved_lower(matmul(adjoint(factor), g))
    left = solve_triangular(adjoint(factor), inner, True, False)
    found = adjoint(solve_triangular(adjoint(factor), adjoint(left), True, False))
    return (found + adjoint(found)) * 0.5


def _halved_lower(x):
    return lower(with_diagonal(x, diagonal_of(x) * 0.5))


def _eigh_spec(x):
    check_matrices("eigh", "input", x, square=True)
    return spec_of(x.shape[:-1], x.dtype.to_real(), x.device), x


@primitive(_eigh_spec, family="matrix")
def eigh(x, /):
    """Eigenvalues in ascending order, real, and the eigenvectors, orthonormal columns, of Hermitian
    matrices. Only the lower triangle of `x` is read.
    """


eigh.vjp(x=lambda g, out_0, out_1: _eigh_vjp(g, out_0, out_1))


def _eigh_vjp(g, values, vectors):
    g_values, g_vectors = g
    if g_vectors is None:
        return matmul(vectors * row(g_values), adjoint(vectors))
    inner = matmul(adjoint(vectors), g_vectors)
    # Only Hermitian changes of the matrix count.
    gaps = 2 * with_diagonal(row(values) - column(values), 1)
    inner = with_diagonal((inner - adjoint(inner)) / gaps, 0 if g_values is None else g_values)
    return matmul(vectors, matmul(inner, adjoint(vectors)))


@composite(lambda x: _eigh_spec(x)[0], family="matrix")
def eigvalsh(x, /):
    """The eigenvalues of `eigh` alone."""
    return eigh(x)[0]


def _eig_spec(x):
    check_matrices("eig", "input", x, square=True)
    dtype = x.dtype.to_complex()
    return spec_of(x.shape[:-1], dtype, x.device), spec_of(x.shape, dtype, x.device)


@primitive(_eig_spec, family="matrix")
def eig(x, /):
    """Eigenvalues and eigenvectors, columns of length 1, complex and in any order."""


eig.vjp(x=lambda g, out_0, out_1, x_spec: _eig_vjp(g, out_0, out_1, x_spec))


def _eig_vjp(g, values, vectors, x):
    g_values, g_vectors = g
    if g_vectors is None:
        inner = diagonal_matrix(g_values)
    else:
        inner = matmul(adjoint(vectors), g_vectors)
        # An eigenvector keeps its length: what would stretch it is taken out.
        stretch = diagonal_of(inner).real
        inner = inner - matmul(adjoint(vectors), vectors) * row(stretch)
        inner = inner / with_diagonal(row(values) - column(values), 1).conj()
        inner = with_diagonal(inner, 0 if g_values is None else g_values)
    turned = adjoint(vectors)
    found = solve(turned, matmul(inner, turned))[0]
    return found if x.dtype.is_complex else found.real


def _qr_spec(x, complete):
    check_matrices("qr", "input", x)
    *batch, rows, columns = x.shape
    inner = rows if complete else min(rows, columns)
    return (
        spec_of((*batch, rows, inner), x.dtype, x.device),
        spec_of((*batch, inner, columns), x.dtype, x.device),
    )


@primitive(_qr_spec, family="matrix")
def qr(x, /, complete):
    """Q with orthonormal columns and upper triangular R, x = Q R; Q is square if `complete`, else
    as narrow as it can be.
    """


qr.vjp(x=lambda g, out_0, out_1, complete: _qr_vjp(g, out_0, out_1, complete))


def _qr_vjp(g, q, r, complete):
    g_q, g_r = g
    rows, columns = q.spec.shape[-2], r.spec.shape[-1]
    if rows >= columns:
        if complete and rows > columns:
            raise UnsupportedError(
                "qr",
                "mode",
                expected="'reduced', to differentiate matrices with more rows than columns",
                got="'complete'",
                hint="the columns beyond the matrix's own are arbitrary",
            )
        return _deep_qr_vjp(g_q, g_r, q, r)
    # Wide: x = Q [R1 R2], of which Q R1 is the decomposition of the first, square part.
    first, rest = slice_dim(r, -1, 0, rows, 1), slice_dim(r, -1, rows, columns, 1)
    if g_r is None:
        return cat((_deep_qr_vjp(g_q, None, q, first), matmul(q, rest) * 0), q.ndim - 1)
    g_first, g_rest = slice_dim(g_r, -1, 0, rows, 1), slice_dim(g_r, -1, rows, columns, 1)
    more = matmul(matmul(q, rest), adjoint(g_rest))
    g_q = more if g_q is None else g_q + more
    return cat((_deep_qr_vjp(g_q, g_first, q, first), matmul(q, g_rest)), q.ndim - 1)


def _deep_qr_vjp(g_q, g_r, q, r):
    inner = None if g_r is None else matmul(g_r, adjoint(r))
    if g_q is not None:
        turned = matmul(adjoint(q), g_q)
        inner = -turned if inner is None else inner - turned
    # R's diagonal is real.
    half = with_diagonal(upper(inner), diagonal_of(inner).real * 0.5)
    found = matmul(q, half + adjoint(half))
    found = found if g_q is None else found + g_q
    # X R⁻ᴴ, by way of its adjoint.
    return adjoint(solve_triangular(r, adjoint(found), True, False))


def _svd_spec(x, full):
    check_matrices("svd", "input", x)
    *batch, rows, columns = x.shape
    inner = min(rows, columns)
    return (
        spec_of((*batch, rows, rows if full else inner), x.dtype, x.device),
        spec_of((*batch, inner), x.dtype.to_real(), x.device),
        spec_of((*batch, columns if full else inner, columns), x.dtype, x.device),
    )


@primitive(_svd_spec, family="matrix")
def svd(x, /, full):
    """U, the singular values S in descending order, and Vᴴ: x = U diag(S) Vᴴ with orthonormal
    columns in U and V, square matrices if `full`.
    """


svd.vjp(x=lambda g, out_0, out_1, out_2: _svd_vjp(g, out_0, out_1, out_2))


def _svd_vjp(g, u, s, vh):
    g_u, g_s, g_vh = g
    rank, rows, columns = s.spec.shape[-1], u.spec.shape[-2], vh.spec.shape[-1]
    if g_u is None and g_vh is None:
        return matmul(_narrow(u, -1, rank) * row(g_s), _narrow(vh, -2, rank))
    # Vectors beyond the rank are arbitrary: a loss may use the first ones only.
    u, vh = _narrow(u, -1, rank), _narrow(vh, -2, rank)
    g_u = None if g_u is None else _narrow(g_u, -1, rank)
    g_vh = None if g_vh is None else _narrow(g_vh, -2, rank)
    squares = s * s
    gaps = with_diagonal(row(squares) - column(squares), 1)
    inner = None
    if g_u is not None:
        turned = matmul(adjoint(u), g_u)
        left = turned - adjoint(turned)
        inner = left / gaps * row(s)
    if g_vh is not None:
        turned = matmul(vh, adjoint(g_vh))
        right = column(s) * ((turned - adjoint(turned)) / gaps)
        inner = right if inner is None else inner + right
    # For real matrices these differences have a diagonal of zeros; of complex ones U's and V's
    # together are arbitrary up to a phase, which U's half of the change settles.
    if g_u is not None and u.is_complex():
        inner = with_diagonal(inner, diagonal_of(left) / (2 * s))
    else:
        inner = with_diagonal(inner, 0)
    if g_s is not None:
        inner = inner + diagonal_matrix(g_s).to(inner.dtype)
    found = matmul(u, inner)
    if g_u is not None and rows > rank:
        scaled = g_u / row(s)
        found = found + scaled - matmul(u, matmul(adjoint(u), scaled))
    found = matmul(found, vh)
    if g_vh is not None and columns > rank:
        scaled = g_vh / column(s)
        found = found + matmul(u, scaled - matmul(matmul(scaled, adjoint(vh)), vh))
    return found


def _narrow(x, dim, size):
    return x if x.spec.shape[dim] == size else slice_dim(x, dim, 0, size, 1)


@composite(lambda x: _svd_spec(x, False)[1], family="matrix")
def svdvals(x, /):
    """The singular values of `svd` alone."""
    return svd(x, False)[1]


def _pinv_spec(x, atol, rtol, hermitian):
    check_matrices("pinv", "input", x, square=hermitian)
    *batch, rows, columns = x.shape
    if x.numel:
        batch = shapes.broadcast_shapes("pinv", tuple(batch), atol.shape, rtol.shape)
    return spec_of((*batch, columns, rows), x.dtype, x.device)


@composite(_pinv_spec, holomorphic=False)
def pinv(x, atol, rtol, /, hermitian):
    """The pseudoinverse of Moore and Penrose: singular values up to the larger of `atol` and `rtol`
    times the largest count as 0. The bounds are real, one or one for each matrix.
    """
    if not x.spec.numel:
        return adjoint(x).clone()
    if hermitian:
        values, vectors = eigh(x)
        sizes, left, right = values.abs(), vectors, adjoint(vectors)
    else:
        left, values, right = svd(x, False)
        sizes = values
    bound = maximum(atol.unsqueeze(-1), mul(rtol.unsqueeze(-1), amax(sizes, -1, True)))
    kept = sizes > bound
    inverse = where(kept, 1 / where(kept, values, 1), 0)
    return matmul(adjoint(right) * row(inverse), adjoint(left))


pinv.vjp(
    x=lambda g, x, out: _pinv_vjp(g, x, out),
    atol=lambda g: None,
    rtol=lambda g: None,
)


def _pinv_vjp(g, x, out):
    # Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares
    # problems whose variables separate" (1973).
    turned, back = adjoint(out), adjoint(g)
    found = -matmul(turned, matmul(g, turned))
    left = matmul(back, matmul(out, turned))
    right = matmul(turned, matmul(out, back))
    found = found + left - matmul(x, matmul(out, left))
    return found + right - matmul(matmul(right, out), x)
