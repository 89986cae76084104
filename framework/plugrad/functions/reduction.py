"""Reductions as users call them: overloads, `correction`, pairs of values and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from plugrad import shapes
from plugrad.dtypes import DType
from plugrad.families import as_operand
from plugrad.ops import elementwise, indexing, reduction

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


Dim = int | Sequence[int] | None


class ValuesAndIndices(NamedTuple):
    """The chosen elements, and where along the axis they stood."""

    values: Tensor
    indices: Tensor


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the largest element is: along an axis, or in the flattened tensor."""
    return reduction.argmax(input, _one_dim(input, dim, "argmax"), keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Where the smallest element is: along an axis, or in the flattened tensor."""
    return reduction.argmin(input, _one_dim(input, dim, "argmin"), keepdim)


def max(
    input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False
) -> Tensor | ValuesAndIndices:
    """The largest element; with an axis (values, indices) along it; with a tensor `maximum`."""
    return _extreme(input, dim, keepdim, "max")


def min(
    input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False
) -> Tensor | ValuesAndIndices:
    """The smallest element; with an axis (values, indices) along it; with a tensor `minimum`."""
    return _extreme(input, dim, keepdim, "min")


def _extreme(
    input: Tensor, dim: int | Tensor | None, keepdim: bool, name: str
) -> Tensor | ValuesAndIndices:
    largest = name == "max"
    if dim is None:
        return (reduction.amax if largest else reduction.amin)(input)
    if not isinstance(dim, int):
        return (elementwise.maximum if largest else elementwise.minimum)(input, dim)
    axis = shapes.normalize_dim(dim, len(input.shape), name)
    if not input.shape:
        return ValuesAndIndices(input.clone(), argmax(input))
    indices = (reduction.argmax if largest else reduction.argmin)(input, axis, True)
    values = indexing.gather(input, indices, axis)
    if not keepdim:
        values, indices = values.squeeze(axis), indices.squeeze(axis)
    return ValuesAndIndices(values, indices)


def var(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Mean squared distance from the mean, over the count less `correction` (1 by default)."""
    return reduction.var(*_spread(input, dim, unbiased, correction, "var"), keepdim)


def std(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Square root of `var`."""
    return reduction.std(*_spread(input, dim, unbiased, correction, "std"), keepdim)


def _spread(
    input: Tensor, dim: Dim | bool, unbiased: bool | None, correction: float | None, name: str
) -> tuple[Tensor, tuple[int, ...], float]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return (
        input,
        shapes.normalize_dims(dim or None if dim != 0 else 0, input.ndim, name),
        correction,
    )


def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Running sum along an axis."""
    if dtype is not None:
        input = as_operand(input, dtype, None)
    return reduction.cumsum(input, shapes.normalize_dim(dim, len(input.shape), "cumsum"))


def norm(input: Tensor, p: float | str = "fro", dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The vector p-norm along the axes; "fro" is the 2-norm."""
    size = elementwise.abs(input)
    if p in ("fro", 2):
        return elementwise.sqrt(reduction.sum(size * size, dim, keepdim))
    if p == float("inf"):
        return reduction.amax(size, dim, keepdim)
    if p == float("-inf"):
        return reduction.amin(size, dim, keepdim)
    if p == 0:
        return reduction.sum((input != 0).to(size.dtype), dim, keepdim)
    if p == 1:
        return reduction.sum(size, dim, keepdim)
    return reduction.sum(size**p, dim, keepdim) ** (1 / float(p))


def _one_dim(input: Tensor, dim: int | None, name: str) -> int | None:
    return None if dim is None else shapes.normalize_dim(dim, len(input.shape), name)
