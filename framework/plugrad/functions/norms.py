"""Norms of vectors and matrices, and distances, as users call them."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions import views
from plugrad.functions.systems import inv_ex
from plugrad.ops import decomposition, reduction
from plugrad.ops import norm as lengths
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import sqrt
from plugrad.ops.linalg import matmul, transpose

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

Dim = int | Sequence[int] | None
Order = float | str | None

_MATRIX_ORDERS = (inf, -inf, 1, -1, 2, -2)


@delivers
def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """(Σ |x|^ord)^(1/ord) over the axes, all if none is named; the largest |x| for inf, the
    smallest for -inf, how many are not 0 for 0. The derivative at 0 is 0. `dtype` is that of the
    sum.
    """
    if dtype is not None:
        x = as_operand(x, dtype, x.device)
    dims = shapes.normalize_dims(dim, x.ndim, "vector_norm")
    return lengths.vector_norm(x, float(ord), dims, keepdim)


@delivers
def matrix_norm(
    A: Tensor,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """ "fro": the square root of the sum of squares; "nuc": the sum of the singular values; 2 and
    -2: the largest and the smallest of them; 1 and -1: the largest and the smallest sum of |a| down
    a column; inf and -inf: along a row.
    """
    if dtype is not None:
        A = as_operand(A, dtype, A.device)
    axes = [shapes.normalize_dim(each, A.ndim, "matrix_norm") for each in dim]
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ArgumentError("matrix_norm", "dim", expected="two different axes", got=tuple(dim))
    rows, columns = axes
    if ord in ("fro", "f"):
        return lengths.vector_norm(A, 2.0, tuple(sorted(axes)), keepdim)
    if ord in ("nuc", 2, -2):
        values = decomposition.svdvals(views.movedim(A, (rows, columns), (-2, -1)))
        if ord == "nuc":
            found = reduction.sum(values, -1)
        else:
            found = (reduction.amax if ord == 2 else reduction.amin)(values, -1)
        if not keepdim:
            return found
        return views.reshape(found, shapes.reduce_shape(A.spec.shape, axes, True))
    if ord not in _MATRIX_ORDERS:
        raise ArgumentError(
            "matrix_norm", "ord", expected="'fro', 'nuc', inf, -inf, 1, -1, 2 or -2", got=repr(ord)
        )
    along, across = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = lengths.vector_norm(A, 1.0, (along,), True)
    found = (reduction.amax if ord > 0 else reduction.amin)(sums, across, True)
    if keepdim:
        return found
    kept = [size for i, size in enumerate(found.spec.shape) if i not in axes]
    return views.reshape(found, tuple(kept))


@delivers
def norm(
    input: Tensor,
    p: Order = "fro",
    dim: Dim = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The p-norm of the elements along the axes, all if none is named, as one vector; "fro" is the
    2-norm. "nuc" is the sum of the singular values of the matrices in two axes.
    """
    if p == "nuc":
        axes = (-2, -1) if dim is None else dim
        if isinstance(axes, int) or (dim is None and input.ndim != 2):
            raise ArgumentError("norm", "dim", expected="two axes for 'nuc'", got=dim)
        return matrix_norm(input, "nuc", axes, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise ArgumentError("norm", "p", expected="a number, 'fro' or 'nuc'", got=repr(p))
    return vector_norm(
        input, 2 if p is None or isinstance(p, str) else p, dim, keepdim, dtype=dtype
    )


@delivers
def nuclear_norm(
    input: Tensor,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The sum of the singular values of a matrix, or of those in two axes."""
    return norm(input, "nuc", dim, keepdim)


@delivers
def frobenius_norm(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """The square root of the sum of |x|²."""
    return vector_norm(input, 2, dim, keepdim)


@delivers
def cond(A: Tensor, p: Order = None, *, out: Tensor | None = None) -> Tensor:
    """How much solving with the matrix may magnify an error: its norm times its inverse's, in the
    matrix norm `p`, 2 if none; infinite for a singular one.
    """
    if p in (None, 2, -2):
        values = decomposition.svdvals(A)
        largest, smallest = reduction.amax(values, -1), reduction.amin(values, -1)
        return smallest / largest if p == -2 else largest / smallest
    assert p is not None
    inverse, info = inv_ex(A)
    product = matrix_norm(A, p) * matrix_norm(inverse, p)
    return where(info == 0, product, inf)


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norms of the differences of every row of `x1` (*, P, M) and every row of `x2`
    (*, R, M), as (*, P, R).

    For `p` 2 and more than 25 rows, or where "use_mm_for_euclid_dist" asks for it, |a|² + |b|² -
    2ab is computed by a matrix product: faster and in less memory, but less exact for rows close
    together. "donot_use_mm_for_euclid_dist" never does.
    """
    modes = (
        "use_mm_for_euclid_dist_if_necessary",
        "use_mm_for_euclid_dist",
        "donot_use_mm_for_euclid_dist",
    )
    if compute_mode not in modes:
        raise ArgumentError(
            "cdist", "compute_mode", expected=" or ".join(modes), got=repr(compute_mode)
        )
    if p < 0:
        raise ArgumentError("cdist", "p", expected="0 or more", got=p)
    for name, each in (("x1", x1), ("x2", x2)):
        _check_floats("cdist", name, each)
        if each.ndim < 2 or each.spec.shape[-1] != x1.spec.shape[-1]:
            raise ShapeError(
                "cdist",
                name,
                expected=f"at least two axes, the last of {x1.spec.shape[-1:]} elements",
                got=each.spec.shape,
            )
    many = max(x1.spec.shape[-2], x2.spec.shape[-2]) > 25
    if p == 2 and (compute_mode == modes[1] or (many and compute_mode == modes[0])):
        return _by_products(x1, x2)
    apart = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return lengths.vector_norm(apart, float(p), (apart.ndim - 1,), False)


def _by_products(x1: Any, x2: Any) -> Any:
    squares = reduction.sum(x1 * x1, -1, True) + transpose(reduction.sum(x2 * x2, -1, True))
    squares = squares - 2 * matmul(x1, transpose(x2))
    apart = squares > 0
    return where(apart, sqrt(where(apart, squares, 1)), 0)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norms of the differences of all pairs of rows: of the first and the second, the first
    and the third, …
    """
    _check_floats("pdist", "input", input)
    if input.ndim != 2:
        raise ShapeError("pdist", "input", expected="two axes", got=input.spec.shape)
    if p < 0:
        raise ArgumentError("pdist", "p", expected="0 or more", got=p)
    count = input.spec.shape[0]
    first = [i for i in range(count) for _ in range(i + 1, count)]
    second = [j for i in range(count) for j in range(i + 1, count)]
    if not first:
        return input.new_zeros((0,))
    places = [input.new_tensor(each, dtype=int64) for each in (first, second)]
    return lengths.vector_norm(input[places[0]] - input[places[1]], float(p), (1,), False)


def _check_floats(operator: str, argument: str, value: Tensor) -> None:
    if not value.is_floating_point():
        raise DtypeError(operator, argument, expected="a float dtype", got=value.dtype)
