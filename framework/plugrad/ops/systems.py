"""Systems of linear equations, and what one gets by solving them: triangular ones, LU, inverses,
determinants, the exponential. Matrices stand in the last two axes, the others broadcast.

An `info` is int32, 0 for each matrix that went well, else the number, from 1, of the first pivot
that is 0; who asks decides whether that is an error.
"""

from __future__ import annotations

from plugrad import dtypes, shapes
from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite, primitive
from plugrad.ops.comparison import where
from plugrad.ops.creation import arange
from plugrad.ops.elementwise import abs, log, sgn
from plugrad.ops.indexing import gather
from plugrad.ops.joining import cat
from plugrad.ops.linalg import matmul, transpose
from plugrad.ops.matrices import (
    adjoint,
    check_matrices,
    diagonal_matrix,
    diagonal_of,
    identity,
    lower,
    upper,
)
from plugrad.ops.reduction import prod, sum
from plugrad.ops.views import expand, reshape, slice_dim
from plugrad.spec import spec_of


def _system(operator, a, b):
    """The spec of the solution."""
    check_matrices(operator, "A", a, square=True)
    if b.dtype is not a.dtype:
        raise DtypeError(operator, "B", expected=f"the dtype of A, {a.dtype}", got=b.dtype)
    if len(b.shape) < 2 or b.shape[-2] != a.shape[-1]:
        raise ShapeError(
            operator, "B", expected=f"(*, {a.shape[-1]}, k) for A {a.shape}", got=b.shape
        )
    batch = shapes.broadcast_shapes(operator, a.shape[:-2], b.shape[:-2])
    return spec_of((*batch, *b.shape[-2:]), a.dtype, a.device)


@primitive(lambda a, b: _system("solve_triangular", a, b), family="system")
def solve_triangular(a, b, /, upper, unitriangular):
    """X of A X = B for triangular A, of which only that triangle is read, with ones on its diagonal
    if `unitriangular`. A 0 on the diagonal gives infinities and NaN.
    """


solve_triangular.vjp_together(
    "a b",
    lambda g, a, out, upper, unitriangular, needs: _triangular_vjp(
        g, a, out, upper, unitriangular, needs
    ),
)


def _triangular_vjp(g, a, out, is_upper, unitriangular, needs):
    by_b = solve_triangular(transpose(a), g, not is_upper, unitriangular)
    if not needs[0]:
        return None, by_b
    by_a = -matmul(by_b, transpose(out))
    offset = int(unitriangular)
    return (upper(by_a, offset) if is_upper else lower(by_a, -offset)), by_b


def _lu_spec(x):
    check_matrices("lu_factor", "input", x)
    *batch, rows, columns = x.shape
    pivots = spec_of((*batch, min(rows, columns)), dtypes.int32, x.device)
    return x, pivots, spec_of(tuple(batch), dtypes.int32, x.device)


@primitive(_lu_spec, family="matrix")
def lu_factor(x, /):
    """Gaussian elimination with the largest pivot of each column: L, without its diagonal of ones,
    and U in one matrix, the pivots (row i was exchanged with row `pivots[i]`, from 1), and `info`.
    """


lu_factor.vjp(x=lambda g, out_0, out_1: _lu_vjp(g[0], out_0, out_1))


def _lu_vjp(g, factors, pivots):
    rows, columns = factors.spec.shape[-2:]
    size = min(rows, columns)
    square = slice_dim(slice_dim(factors, -2, 0, size, 1), -1, 0, size, 1)
    g_square = slice_dim(slice_dim(g, -2, 0, size, 1), -1, 0, size, 1)
    g_lower, g_upper = lower(g_square, -1), upper(g_square)
    if columns > rows:
        # The columns beyond the square are L⁻¹ P⁻¹ x there.
        rest, g_rest = (slice_dim(each, -1, size, columns, 1) for each in (factors, g))
        more = solve_triangular(adjoint(square), g_rest, True, True)
        g_lower = g_lower - lower(matmul(more, adjoint(rest)), -1)
    if rows > columns:
        # The rows beyond it are P⁻¹ x U⁻¹ there.
        rest, g_rest = (slice_dim(each, -2, size, rows, 1) for each in (factors, g))
        more = adjoint(solve_triangular(square, adjoint(g_rest), True, False))
        g_upper = g_upper - upper(matmul(adjoint(rest), more))
    unit = lower(square, -1) + identity(square, size)
    inner = lower(matmul(adjoint(unit), g_lower), -1)
    inner = inner + upper(matmul(g_upper, adjoint(upper(square))))
    left = solve_triangular(adjoint(square), inner, True, True)
    found = adjoint(solve_triangular(square, adjoint(left), True, False))
    if columns > rows:
        found = cat((found, more), found.ndim - 1)
    if rows > columns:
        found = cat((found, more), found.ndim - 2)
    return rows_put_back(found, permutation_of_pivots(pivots, rows))


def _permutation_spec(pivots, size):
    if pivots.dtype is not dtypes.int32:
        raise DtypeError("permutation_of_pivots", "pivots", expected="int32", got=pivots.dtype)
    return spec_of((*pivots.shape[:-1], size), dtypes.int64, pivots.device)


@primitive(_permutation_spec, family="matrix")
def permutation_of_pivots(pivots, /, size):
    """Which of `size` rows stands where after the exchanges that `lu_factor` notes."""


def rows_taken(x, permutation):
    """The rows of matrices in this order."""
    return gather(x, _along_rows(permutation, x), len(x.spec.shape) - 2)


def rows_put_back(x, permutation):
    """The rows of matrices, which stand in this order, where they were."""
    return rows_taken(x, permutation.argsort(-1))


def _along_rows(permutation, x):
    shape = permutation.spec.shape
    wide = reshape(permutation, (*shape, 1))
    return expand(wide, (*shape, x.spec.shape[-1]))


def solve_factored(factors, pivots, b):
    """X of A X = B from the LU decomposition of A."""
    order = permutation_of_pivots(pivots, factors.spec.shape[-1])
    batch = shapes.broadcast_shapes("lu_solve", factors.spec.shape[:-2], b.spec.shape[:-2])
    b = rows_taken(
        expand(b, (*batch, *b.spec.shape[-2:])), expand(order, (*batch, order.spec.shape[-1]))
    )
    return solve_triangular(factors, solve_triangular(factors, b, False, True), True, False)


def _solve_spec(a, b):
    out = _system("solve", a, b)
    return out, spec_of(out.shape[:-2], dtypes.int32, a.device)


@composite(_solve_spec, family="system")
def solve(a, b, /):
    """X of A X = B, and `info` of A, one for each X; where A is singular X is any number."""
    factors, pivots, info = lu_factor(a)
    out = solve_factored(factors, pivots, b)
    return out, expand(info, out.spec.shape[:-2]).clone()


solve.vjp_together("a b", lambda g, a, out_0, needs: _solve_vjp(g[0], a, out_0, needs))


def _solve_vjp(g, a, out, needs):
    by_b = solve(adjoint(a), g)[0]
    return (-matmul(by_b, adjoint(out)) if needs[0] else None), by_b


def _inv_spec(x):
    check_matrices("inv", "input", x, square=True)
    return x, spec_of(x.shape[:-2], dtypes.int32, x.device)


@composite(_inv_spec, family="matrix")
def inv(x, /):
    """The inverse, and `info`; where that is not 0 the inverse is any number."""
    return solve(x, identity(x, x.spec.shape[-1]))


inv.vjp(x=lambda g, out_0: -matmul(adjoint(out_0), matmul(g[0], adjoint(out_0))))


def _det_spec(x):
    check_matrices("det", "input", x, square=True)
    return spec_of(x.shape[:-2], x.dtype, x.device)


@composite(_det_spec, family="matrix")
def det(x, /):
    """The determinant."""
    factors, pivots, _ = lu_factor(x)
    return prod(diagonal_of(factors), -1) * _parity(pivots, factors)


det.vjp(x=lambda g, x: reshape(g, (*g.spec.shape, 1, 1)) * _cofactors(x))


def _cofactors(x):
    # det(X) X⁻ᵀ. A pivot that is 0 is taken for the dtype's eps: the determinant shrinks by as much
    # as the inverse grows, so that their product is that of singular matrices, too.
    factors, pivots, _ = lu_factor(x)
    diagonal = diagonal_of(factors)
    eps = dtypes.finfo(x.dtype.to_real()).eps
    kept = where(diagonal == 0, eps, diagonal)
    factors = factors + diagonal_matrix(kept - diagonal)
    size = x.spec.shape[-1]
    whole = prod(kept, -1, True) * reshape(_parity(pivots, factors), (*x.spec.shape[:-2], 1))
    return transpose(solve_factored(factors, pivots, identity(x, size))) * whole.unsqueeze(-1)


def _parity(pivots, x):
    """1 or -1: whether the rows were exchanged an even number of times."""
    count = pivots.spec.shape[-1]
    moved = pivots != arange(1, 1, count, dtypes.int32, pivots.spec.device)
    return (1 - 2 * (sum(moved, -1) % 2)).to(x.spec.dtype)


def _slogdet_spec(x):
    check_matrices("slogdet", "input", x, square=True)
    batch = x.shape[:-2]
    return spec_of(batch, x.dtype, x.device), spec_of(batch, x.dtype.to_real(), x.device)


@composite(_slogdet_spec, family="matrix")
def slogdet(x, /):
    """The determinant's sign, of length 1 if complex, or 0; and the logarithm of its size."""
    factors, pivots, _ = lu_factor(x)
    diagonal = diagonal_of(factors)
    return prod(sgn(diagonal), -1) * _parity(pivots, x), sum(log(abs(diagonal)), -1)


slogdet.vjp(x=lambda g, x, out_0: _slogdet_vjp(g, x, out_0))


def _slogdet_vjp(g, x, sign):
    g_sign, weight = g
    if x.is_complex() and g_sign is not None:
        turn = (g_sign.conj() * sign).imag * -1j
        weight = turn if weight is None else weight + turn
    if weight is None:
        return None
    return reshape(weight, (*weight.spec.shape, 1, 1)) * adjoint(inv(x)[0])


def _exp_spec(x):
    check_matrices("matrix_exp", "input", x, square=True)
    return x


@primitive(_exp_spec, family="matrix")
def matrix_exp(x, /):
    """The sum of X^k / k! over all k."""


matrix_exp.vjp(x=lambda g, x: _slope_of_exp(transpose(x), g))
matrix_exp.jvp(x=lambda t, x: _slope_of_exp(x, t))


def _slope_of_exp(x, t):
    # The upper right block of exp([[X, T], [0, X]]); Mathias, "A chain rule for matrix functions
    # and applications" (1996).
    size, ndim = x.spec.shape[-1], len(x.spec.shape)
    top = cat((x, t), ndim - 1)
    bottom = cat((x * 0, x), ndim - 1)
    whole = matrix_exp(cat((top, bottom), ndim - 2))
    return slice_dim(slice_dim(whole, -2, 0, size, 1), -1, size, 2 * size, 1)
