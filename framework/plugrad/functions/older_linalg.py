"""Linear algebra under the names that it had before `linalg`, with their arguments and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad.families import delivers
from plugrad.functions import decomposition, systems
from plugrad.ops.matrices import adjoint

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class LeftSingularRight(NamedTuple):
    """Left singular vectors, singular values, right singular vectors, as columns."""

    U: Tensor
    S: Tensor
    V: Tensor


class TriangularSolution(NamedTuple):
    """What `triangular_solve` gives."""

    solution: Tensor
    cloned_coefficient: Tensor


def det(input: Tensor) -> Tensor:
    """`linalg.det` under its old name."""
    return systems.det(input)


@delivers
def slogdet(input: Tensor, *, out: Any = None) -> systems.SignAndLog:
    """`linalg.slogdet` under its old name."""
    return systems.slogdet(input)


@delivers
def orgqr(input: Tensor, input2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`linalg.householder_product` under its old name."""
    return decomposition.householder_product(input, input2)


@delivers
def inverse(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The inverses of square matrices."""
    return systems.inv(input)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """`linalg.pinv` under its old name."""
    return decomposition.pinv(input, rtol=rcond)


@delivers
def lu(
    A: Tensor, pivot: bool = True, get_infos: bool = False, *, out: Any = None
) -> tuple[Tensor, ...]:
    """`lu_factor` under its old name, with `info` if asked for."""
    return systems.lu_factor_ex(A, pivot=pivot) if get_infos else systems.lu_factor(A, pivot=pivot)


@delivers
def lu_solve(
    input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None
) -> Tensor:
    """`linalg.lu_solve` under its old name: the right-hand side first."""
    return systems.lu_solve(LU_data, LU_pivots, input)


@delivers
def triangular_solve(
    input: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: Any = None,
) -> TriangularSolution:
    """`solve_triangular` under its old name: X and A."""
    matrix = A.mT if transpose else A
    solution = systems.solve_triangular(
        matrix, input, upper=upper != transpose, unitriangular=unitriangular
    )
    return TriangularSolution(solution, A.clone())


@delivers
def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """`linalg.cholesky` under its old name."""
    return decomposition.cholesky(input, upper=upper)


@delivers
def qr(input: Tensor, some: bool = True, *, out: Any = None) -> decomposition.QR:
    """`linalg.qr` under its old name: "reduced" if `some`, else "complete"."""
    return decomposition.qr(input, "reduced" if some else "complete")


@delivers
def svd(
    input: Tensor, some: bool = True, compute_uv: bool = True, *, out: Any = None
) -> LeftSingularRight:
    """`linalg.svd` under its old name: V rather than its adjoint. Without `compute_uv` U and V are
    zeros.
    """
    u, s, vh = decomposition.svd(input, full_matrices=not some)
    if compute_uv:
        return LeftSingularRight(u, s, adjoint(vh))
    rows, columns = input.spec.shape[-2:]
    batch = input.spec.shape[:-2]
    return LeftSingularRight(
        input.new_zeros((*batch, rows, rows)), s, input.new_zeros((*batch, columns, columns))
    )
