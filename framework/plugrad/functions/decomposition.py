"""Factors of matrices, and what is read off them: ranks, pseudoinverses, least squares, as users
call them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad.dtypes import finfo, int64
from plugrad.errors import ArgumentError, AutogradError, DtypeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions.systems import is_vector, refuse_failures
from plugrad.ops import decomposition, reduction
from plugrad.ops.linalg import matmul
from plugrad.ops.matrices import adjoint, check_matrices, column, identity, lower
from plugrad.tape import mode, node_of
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Cholesky(NamedTuple):
    """Factors, and for each 0 or the order of the first minor that is not positive definite."""

    L: Tensor
    info: Tensor


class Eigen(NamedTuple):
    """Eigenvalues, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QR(NamedTuple):
    """A matrix with orthonormal columns and an upper triangular one."""

    Q: Tensor
    R: Tensor


class SVD(NamedTuple):
    """Left singular vectors as columns, singular values, right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class LeastSquares(NamedTuple):
    """Solutions; squared residuals, of matrices of full rank with more rows than columns; ranks;
    singular values. What the driver does not find is an empty tensor.
    """

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


_DEFINITE = "positive definite matrices"
_MINOR = "a leading minor, of order {}, that is not"


@delivers
def cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """The lower triangular L of `A = L @ Lᴴ`, of Hermitian positive definite matrices of which only
    the lower triangle is read; or Lᴴ, from the upper triangle.
    """
    factor, info = decomposition.cholesky(adjoint(A) if upper else A)
    refuse_failures("cholesky", info, _DEFINITE, _MINOR)
    return adjoint(factor) if upper else factor


@delivers
def cholesky_ex(
    A: Tensor, *, upper: bool = False, check_errors: bool = False, out: Any = None
) -> Cholesky:
    """`cholesky` that says which matrices are not positive definite rather than raising."""
    factor, info = decomposition.cholesky(adjoint(A) if upper else A)
    if check_errors:
        refuse_failures("cholesky_ex", info, _DEFINITE, _MINOR)
    return Cholesky(adjoint(factor) if upper else factor, info)


@delivers
def eigh(A: Tensor, UPLO: str = "L", *, out: Any = None) -> Eigen:
    """Eigenvalues, ascending and real, and orthonormal eigenvectors of Hermitian matrices, of which
    only the lower triangle ("L") or the upper one ("U") is read.
    """
    return Eigen(*decomposition.eigh(_read("eigh", A, UPLO)))


@delivers
def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """The eigenvalues of `eigh`."""
    return decomposition.eigvalsh(_read("eigvalsh", A, UPLO))


def _read(operator: str, a: Tensor, triangle: str) -> Tensor:
    if triangle.upper() not in ("L", "U"):
        raise ArgumentError(operator, "UPLO", expected="'L' or 'U'", got=repr(triangle))
    return a if triangle.upper() == "L" else adjoint(a)


@delivers
def eig(A: Tensor, *, out: Any = None) -> Eigen:
    """Eigenvalues and eigenvectors, of length 1, complex and in any order."""
    return Eigen(*decomposition.eig(A))


@delivers
def eigvals(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The eigenvalues of `eig`."""
    return decomposition.eig(A)[0]


@delivers
def qr(A: Tensor, mode: str = "reduced", *, out: Any = None) -> QR:
    """`A = Q @ R`, Q with orthonormal columns, R upper triangular: of the smaller size ("reduced"),
    with a square Q ("complete"), or R alone and an empty Q ("r").
    """
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError("qr", "mode", expected="'reduced', 'complete' or 'r'", got=repr(mode))
    q, r = decomposition.qr(A, mode == "complete")
    return QR(q.new_empty((0,)) if mode == "r" else q, r)


@delivers
def svd(
    A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: Any = None
) -> SVD:
    """`A = U @ diag(S) @ Vh`: singular values in descending order, orthonormal singular vectors;
    square U and Vh if `full_matrices`. A `driver` is cuSOLVER's and asks for nothing here.
    """
    return SVD(*decomposition.svd(A, full_matrices))


@delivers
def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """The singular values in descending order."""
    return decomposition.svdvals(A)


@delivers
def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """How many singular values are larger than `atol` and than `rtol` times the largest. `rtol` is
    the larger size times the dtype's eps, if neither bound is given; `tol` is an old name of
    `atol`.
    """
    lowest, relative = _bounds("matrix_rank", A, tol if atol is None else atol, rtol)
    values = decomposition.eigvalsh(A).abs() if hermitian else decomposition.svdvals(A)
    if not values.spec.shape[-1]:
        return A.new_zeros(A.spec.shape[:-2], dtype=int64)
    bound = (relative * reduction.amax(values, -1)).maximum(lowest)
    return reduction.sum(values > bound.unsqueeze(-1), -1)


@delivers
def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """The pseudoinverse: singular values not larger than `atol` or than `rtol` times the largest
    count as 0. `rtol` is the larger size times the dtype's eps, if neither bound is given; `rcond`
    is its old name.
    """
    bounds = _bounds("pinv", A, atol, rcond if rtol is None else rtol)
    return decomposition.pinv(A, *bounds, hermitian)


def _bounds(operator: str, a: Tensor, atol: Any, rtol: Any) -> tuple[Tensor, Tensor]:
    """The absolute and the relative bound, as tensors."""
    check_matrices(operator, "A", a.spec)
    for name, bound in (("atol", atol), ("rtol", rtol)):
        if isinstance(bound, Value) and bound.spec.dtype.is_complex:
            raise DtypeError(operator, name, expected="a real dtype", got=bound.spec.dtype)
        if mode.grad and isinstance(bound, Value) and node_of(bound) is not None:
            raise AutogradError(f"{operator}: {name}: no gradient flows to a bound; detach() it")
    real = a.dtype.to_real()
    if rtol is None:
        absolute = atol is not None and (not isinstance(atol, float | int) or atol > 0)
        rtol = 0.0 if absolute else finfo(real).eps * max(a.spec.shape[-2:])
    return (
        as_operand(0.0 if atol is None else atol, real, a.device),
        as_operand(rtol, real, a.device),
    )


@delivers
def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None, out: Any = None
) -> LeastSquares:
    """The X of least norm among those that make the norm of `A @ X - B` least. B is (*, m, k), or
    one vector for each A, (*, m).

    Found by the pseudoinverse, whatever the `driver` ("gelsy", the default, "gelsd", "gelss",
    "gels"), which only says what is returned with the solution. Singular values not larger than
    `rcond` times the largest count as 0.
    """
    drivers = ("gelsy", "gelsd", "gelss", "gels")
    if driver not in (None, *drivers):
        raise ArgumentError(
            "lstsq", "driver", expected="'gelsy', 'gelsd', 'gelss' or 'gels'", got=repr(driver)
        )
    check_matrices("lstsq", "A", A.spec)
    vector = is_vector(A, B)
    b = B.unsqueeze(-1) if vector else B
    rows, columns = A.spec.shape[-2:]
    if b.ndim < 2 or b.spec.shape[-2] != rows:
        raise ShapeError(
            "lstsq", "B", expected=f"{rows} rows, as A {A.spec.shape}", got=B.spec.shape
        )
    solution = matmul(pinv(A, rtol=rcond), b)
    values = decomposition.svdvals(A.detach())
    rank = matrix_rank(A.detach(), rtol=rcond)
    residuals = A.new_empty((0,), dtype=A.dtype.to_real())
    if driver in drivers[1:] and rows > columns and (rank == columns).all():
        error = (matmul(A, solution) - b).abs()
        residuals = reduction.sum(error * error, -2)
        residuals = residuals.squeeze(-1) if vector else residuals
    return LeastSquares(
        solution.squeeze(-1) if vector else solution,
        residuals,
        rank.new_empty((0,)) if driver == "gels" else rank,
        values if driver in ("gelsd", "gelss") else values.new_empty((0,)),
    )


@delivers
def householder_product(A: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first columns of the product of reflections I - tau_i v_i v_iᴴ, where v_i is column i of
    A below the diagonal, 1 on it and 0 above: Q, of what LAPACK's `geqrf` leaves.
    """
    check_matrices("householder_product", "A", A.spec)
    rows, columns = A.spec.shape[-2:]
    if rows < columns or tau.spec.shape[:-1] != A.spec.shape[:-2] or tau.spec.shape[-1] > columns:
        raise ShapeError(
            "householder_product",
            "tau",
            expected=f"{A.spec.shape[:-2]} times at most {columns} numbers, and A with no fewer "
            "rows than columns",
            got=tau.spec.shape,
        )
    ones = identity(A, rows).narrow(-1, 0, columns)
    vectors = lower(A, -1) + ones
    product = ones
    for i in reversed(range(tau.spec.shape[-1])):
        vector = vectors.narrow(-1, i, 1)
        weight = column(column(tau.select(-1, i)))
        product = product - weight * matmul(vector, matmul(adjoint(vector), product))
    return product.clone() if product is ones else product
