"""Products of vectors, and linear maps between tensors of several axes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from plugrad import shapes
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions import linalg, views
from plugrad.functions.systems import inv, solve
from plugrad.ops import creation, elementwise, reduction

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """The vectors at right angles to both, of three elements along `dim`."""
    return linalg.cross(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view."""
    return views.diagonal(A, offset, dim1, dim2)


@delivers
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Inner products of vectors along `dim`, those of `x` conjugated."""
    if x.dtype.kind not in ("float", "complex"):
        raise DtypeError(
            "vecdot", "x", expected="a float or complex dtype", got=x.dtype, hint="cast it"
        )
    return reduction.sum(elementwise.mul(x.conj(), y), dim)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of each element, along a new last axis; as many as there are elements
    in the last axis if `N` is not given. Integers become int64, a number a vector of one.
    """
    if x.dtype.kind == "bool":
        raise DtypeError("vander", "x", expected="numbers", got=x.dtype, hint="cast it")
    base = x if x.spec.shape else x.unsqueeze(0)
    count = base.spec.shape[-1] if N is None else N
    if count < 2:
        raise ArgumentError("vander", "N", expected="2 or more", got=count)
    dtype = int64 if x.dtype.kind == "int" else x.dtype
    powers = creation.arange(0, 1, count, dtype, x.device)
    return elementwise.pow(as_operand(base, dtype, None).unsqueeze(-1), powers)


@delivers
def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
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


@delivers
def tensorsolve(
    A: Tensor, B: Tensor, dims: Sequence[int] | None = None, *, out: Tensor | None = None
) -> Tensor:
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
