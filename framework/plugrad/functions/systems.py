"""Systems of linear equations and inverses, as users call them: what LAPACK reports as a failure
raises LinAlgError, but for the functions whose names end in `_ex`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad.devices import META
from plugrad.errors import LinAlgError, UnsupportedError
from plugrad.families import delivers
from plugrad.ops import systems, views
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import log
from plugrad.ops.linalg import transpose
from plugrad.ops.matrices import adjoint, check_matrices, identity, lower
from plugrad.ops.matrices import adjoint as hermitian
from plugrad.ops.matrices import upper as upper_triangle

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Inverse(NamedTuple):
    """Inverses, and for each 0 or the number, from 1, of a pivot that was 0."""

    inverse: Tensor
    info: Tensor


class Result(NamedTuple):
    """Solutions, and for each 0 or the number, from 1, of a pivot that was 0."""

    result: Tensor
    info: Tensor


class SignAndLog(NamedTuple):
    """Determinants: their signs, and the logarithms of their absolute values."""

    sign: Tensor
    logabsdet: Tensor


class Factors(NamedTuple):
    """L below its diagonal of ones and U, in one matrix, and the exchanges of rows, from 1."""

    LU: Tensor
    pivots: Tensor


class FactorsAndInfo(NamedTuple):
    """As of `lu_factor`, and for each matrix 0 or the number, from 1, of a pivot that was 0."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


class Unpacked(NamedTuple):
    """A permutation matrix, a lower triangular one with ones on the diagonal, an upper one."""

    P: Tensor
    L: Tensor
    U: Tensor


def refuse_failures(operator: str, info: Any, expected: str, meaning: str) -> None:
    """Raise LinAlgError if an algorithm failed on some matrix; waits for the device. `meaning` says
    what is wrong with the number of `info` there.
    """
    while info.level:
        (info,) = info.beneath()
    if info.device.type == META:
        return
    numbers = views.reshape(info, (info.spec.numel,)).tolist()
    failed = next((i for i, number in enumerate(numbers) if number), None)
    if failed is not None:
        which = f"matrix {failed} of the batch has" if info.spec.shape else "one that has"
        raise LinAlgError(
            operator, "input", expected=expected, got=f"{which} {meaning.format(numbers[failed])}"
        )


_INVERTIBLE = "invertible matrices"
_PIVOT = "a zero pivot, number {}"


@delivers
def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverses of square matrices."""
    found, info = systems.inv(A)
    refuse_failures("inv", info, _INVERTIBLE, _PIVOT)
    return found


@delivers
def inv_ex(A: Tensor, *, check_errors: bool = False, out: Any = None) -> Inverse:
    """`inv` that says which matrices are singular rather than raising; their inverses are any
    number.
    """
    found = Inverse(*systems.inv(A))
    if check_errors:
        refuse_failures("inv_ex", found.info, _INVERTIBLE, _PIVOT)
    return found


@delivers
def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """X of `A @ X = B`, or of `X @ A = B` if not `left`. B is (*, n, k) or one vector for each A,
    (*, n).
    """
    found, info = _solved(A, B, left)
    refuse_failures("solve", info, _INVERTIBLE, _PIVOT)
    return found


@delivers
def solve_ex(
    A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False, out: Any = None
) -> Result:
    """`solve` that says which matrices are singular rather than raising."""
    found = Result(*_solved(A, B, left))
    if check_errors:
        refuse_failures("solve_ex", found.info, _INVERTIBLE, _PIVOT)
    return found


def _solved(a: Tensor, b: Tensor, left: bool) -> tuple[Tensor, Tensor]:
    check_matrices("solve", "A", a.spec, square=True)
    vector = is_vector(a, b)
    if vector:
        b = b.unsqueeze(-1)
    elif not left:
        out, info = systems.solve(transpose(a), transpose(b))
        return transpose(out), info
    out, info = systems.solve(a if left else transpose(a), b)
    return (out.squeeze(-1) if vector else out), info


def is_vector(a: Tensor, b: Tensor) -> bool:
    """Whether a right-hand side is one vector for each matrix."""
    return b.ndim == 1 or (b.ndim == a.ndim - 1 and b.spec.shape == a.spec.shape[:-1])


@delivers
def solve_triangular(
    A: Tensor,
    B: Tensor,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X of `A @ X = B`, or of `X @ A = B` if not `left`, for triangular A; the other triangle is
    not read, nor the diagonal if `unitriangular`. A 0 on the diagonal gives infinities and NaN.
    """
    if left:
        return systems.solve_triangular(A, B, upper, unitriangular)
    return transpose(systems.solve_triangular(transpose(A), transpose(B), not upper, unitriangular))


@delivers
def cholesky_solve(
    input: Tensor, input2: Tensor, upper: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """X of `A @ X = input` from the Cholesky factor L of A, given as `input2`: `A = L @ Lᴴ`, or
    `Lᴴ @ L` if `upper`.
    """
    factor = adjoint(input2) if upper else input2
    half = systems.solve_triangular(factor, input, False, False)
    return systems.solve_triangular(adjoint(factor), half, True, False)


@delivers
def cholesky_inverse(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """The inverse of A from its Cholesky factor L, `A = L @ Lᴴ`, or `Lᴴ @ L` if `upper`."""
    check_matrices("cholesky_inverse", "input", input.spec, square=True)
    return cholesky_solve(identity(input, input.spec.shape[-1]), input, upper)


@delivers
def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Determinants of square matrices."""
    return systems.det(A)


@delivers
def slogdet(A: Tensor, *, out: Any = None) -> SignAndLog:
    """Signs of determinants (numbers of absolute value 1 if complex; 0 of singular matrices) and
    logarithms of their absolute values.
    """
    return SignAndLog(*systems.slogdet(A))


def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where it is negative."""
    sign, size = systems.slogdet(input)
    if input.is_complex():
        return log(sign) + size
    return where(sign < 0, float("nan"), size)


@delivers
def lu_factor(A: Tensor, *, pivot: bool = True, out: Any = None) -> Factors:
    """The compact LU decomposition with exchanges of rows, for `lu_solve` and `lu_unpack`."""
    factors, pivots, info = _eliminated("lu_factor", A, pivot)
    refuse_failures("lu_factor", info, _INVERTIBLE, _PIVOT)
    return Factors(factors, pivots)


@delivers
def lu_factor_ex(
    A: Tensor, *, pivot: bool = True, check_errors: bool = False, out: Any = None
) -> FactorsAndInfo:
    """`lu_factor` that says which matrices are singular rather than raising."""
    found = FactorsAndInfo(*_eliminated("lu_factor_ex", A, pivot))
    if check_errors:
        refuse_failures("lu_factor_ex", found.info, _INVERTIBLE, _PIVOT)
    return found


@delivers
def lu(A: Tensor, *, pivot: bool = True, out: Any = None) -> Unpacked:
    """`A = P @ L @ U`: a permutation, a lower triangle with ones on its diagonal, an upper one."""
    factors, pivots, _ = _eliminated("lu", A, pivot)
    return lu_unpack(factors, pivots)


def _eliminated(operator: str, a: Tensor, pivot: bool) -> tuple[Tensor, Tensor, Tensor]:
    if not pivot:
        raise UnsupportedError(
            operator,
            "pivot",
            expected="True",
            got=False,
            hint="without exchanges of rows the elimination is unstable",
        )
    return systems.lu_factor(a)


@delivers
def lu_unpack(
    LU_data: Tensor,
    LU_pivots: Tensor,
    unpack_data: bool = True,
    unpack_pivots: bool = True,
    *,
    out: Any = None,
) -> Unpacked:
    """P, L and U from a compact LU decomposition; what is not unpacked is an empty tensor."""
    *_, rows, columns = LU_data.spec.shape
    size = min(rows, columns)
    empty = LU_data.new_empty((0,))
    left, right, order = empty, empty, empty
    if unpack_data:
        left = lower(LU_data, -1).narrow(-1, 0, size)
        left = left + _leading_ones(left)
        right = upper_triangle(LU_data).narrow(-2, 0, size)
    if unpack_pivots:
        chosen = systems.permutation_of_pivots(LU_pivots, rows)
        batch = LU_data.spec.shape[:-2]
        ones = views.expand(identity(LU_data, rows), (*batch, rows, rows))
        order = transpose(systems.rows_taken(ones, chosen))
    return Unpacked(order, left, right)


def _leading_ones(x: Tensor) -> Tensor:
    """Ones on the diagonal, for matrices of this shape."""
    rows, columns = x.spec.shape[-2:]
    return identity(x, rows).narrow(-1, 0, columns)


@delivers
def lu_solve(
    LU: Tensor,
    pivots: Tensor,
    B: Tensor,
    *,
    left: bool = True,
    adjoint: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """X of `A @ X = B`, or of `X @ A = B` if not `left`, from the compact LU decomposition of A, or
    of its adjoint.
    """
    check_matrices("lu_solve", "LU", LU.spec, square=True)
    if left:
        return _solve_with(LU, pivots, B, adjoint)
    # X A = B is Aᴴ Xᴴ = Bᴴ.
    return hermitian(_solve_with(LU, pivots, hermitian(B), not adjoint))


def _solve_with(factors: Tensor, pivots: Tensor, b: Tensor, turned: bool) -> Tensor:
    if not turned:
        return systems.solve_factored(factors, pivots, b)
    # Aᴴ = Uᴴ Lᴴ Pᵀ.
    half = systems.solve_triangular(adjoint(factors), b, False, False)
    out = systems.solve_triangular(adjoint(factors), half, True, True)
    order = systems.permutation_of_pivots(pivots, factors.spec.shape[-1])
    batch = out.spec.shape[:-2]
    return systems.rows_put_back(out, views.expand(order, (*batch, order.spec.shape[-1])))
