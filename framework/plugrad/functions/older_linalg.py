"""Linear algebra under the names that it had before `linalg`, with their arguments and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


def inverse(input: Tensor) -> Tensor:
    """The inverses of square matrices."""
    return systems.inv(input)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """`linalg.pinv` under its old name."""
    return decomposition.pinv(input, rtol=rcond)


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False) -> tuple[Tensor, ...]:
    """`lu_factor` under its old name, with `info` if asked for."""
    return systems.lu_factor_ex(A, pivot=pivot) if get_infos else systems.lu_factor(A, pivot=pivot)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """`linalg.lu_solve` under its old name: the right-hand side first."""
    return systems.lu_solve(LU_data, LU_pivots, b)


def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> TriangularSolution:
    """`solve_triangular` under its old name: X and A."""
    matrix = A.mT if transpose else A
    out = systems.solve_triangular(matrix, b, upper=upper != transpose, unitriangular=unitriangular)
    return TriangularSolution(out, A.clone())


def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """`linalg.cholesky` under its old name."""
    return decomposition.cholesky(input, upper=upper)


def qr(input: Tensor, some: bool = True) -> decomposition.QR:
    """`linalg.qr` under its old name: "reduced" if `some`, else "complete"."""
    return decomposition.qr(input, "reduced" if some else "complete")


def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> LeftSingularRight:
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
