"""Products of vectors, and linear maps between tensors of several axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from plugrad import shapes
from plugrad.errors import ShapeError
from plugrad.functions import linalg, views
from plugrad.functions.systems import inv, solve
from plugrad.ops import creation, elementwise, reduction

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vectors at right angles to both, of three elements along `dim`."""
    return linalg.cross(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view."""
    return views.diagonal(A, offset, dim1, dim2)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Inner products of vectors along `dim`, those of `x` conjugated."""
    return reduction.sum(elementwise.mul(x.conj(), y), dim)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of each element, along a new last axis; as many as there are elements
    in the last axis if `N` is not given.
    """
    if not x.spec.shape:
        raise ShapeError("vander", "x", expected="at least one axis", got=x.spec.shape)
    count = x.spec.shape[-1] if N is None else N
    powers = creation.arange(0, 1, count, x.dtype, x.device)
    return elementwise.pow(x.unsqueeze(-1), powers)


def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a linear map from its last axes to its first `ind`: contracted with A
    over them it is the identity.
    """
    first, last = A.spec.shape[:ind], A.spec.shape[ind:]
    if ind < 1 or prod(first) != prod(last):
        raise ShapeError(
            "tensorinv",
            "A",
            expected=f"as many elements in the first {ind} axes as in the others",
            got=A.spec.shape,
        )
    return views.reshape(inv(views.reshape(A, (prod(first), prod(last)))), (*last, *first))


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The X whose contraction with the last axes of A is B; the axes `dims` of A are first moved to
    the end.
    """
    if dims is not None:
        moved = [shapes.normalize_dim(each, A.ndim, "tensorsolve", "dims") for each in dims]
        A = views.permute(A, *[i for i in range(A.ndim) if i not in moved], *moved)
    last = A.spec.shape[B.ndim :]
    if prod(A.spec.shape[: B.ndim]) != prod(last) or B.spec.numel != prod(last):
        raise ShapeError(
            "tensorsolve",
            "A",
            expected=f"{B.spec.numel} elements in the first {B.ndim} axes and in the others",
            got=A.spec.shape,
        )
    square = views.reshape(A, (prod(last), prod(last)))
    return views.reshape(solve(square, views.reshape(B, (prod(last),))), last)
