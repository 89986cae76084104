"""Reductions as users call them: overloads, `correction`, pairs of values and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad import shapes
from plugrad.dtypes import bool_, get_default_dtype, int64, uint8
from plugrad.errors import ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions import views
from plugrad.functions.norms import norm as norm
from plugrad.ops import elementwise, indexing, reduction

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


Dim = int | Sequence[int] | None


class ValuesAndIndices(NamedTuple):
    """The chosen elements, and where along the axis they stood."""

    values: Tensor
    indices: Tensor


@delivers
def argmax(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Where the largest element is: along an axis, or in the flattened tensor."""
    return reduction.argmax(input, _one_dim(input, dim, "argmax"), keepdim)


@delivers
def argmin(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Where the smallest element is: along an axis, or in the flattened tensor."""
    return reduction.argmin(input, _one_dim(input, dim, "argmin"), keepdim)


@delivers
def max(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Any = None,
) -> Tensor | ValuesAndIndices:
    """The largest element; with an axis (values, indices) along it; with a tensor `maximum`."""
    return _extreme(input, dim if other is None else other, keepdim, "max")


@delivers
def min(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Any = None,
) -> Tensor | ValuesAndIndices:
    """The smallest element; with an axis (values, indices) along it; with a tensor `minimum`."""
    return _extreme(input, dim if other is None else other, keepdim, "min")


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
        return ValuesAndIndices(input.clone(), input.new_zeros((), dtype=int64))
    # Bools have an order, but no kernel that looks for places in it.
    ordered = as_operand(input, uint8, None) if input.dtype is bool_ else input
    indices = (reduction.argmax if largest else reduction.argmin)(ordered, axis, True)
    values = indexing.gather(input, indices, axis)
    if not keepdim:
        values, indices = values.squeeze(axis), indices.squeeze(axis)
    return ValuesAndIndices(values, indices)


@delivers
def logsumexp(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """`log(sum(exp(input)))` along the axes, without overflow; of no elements -inf. Integers become
    floats.
    """
    whole = input.dtype.kind in ("bool", "int")
    x = as_operand(input, get_default_dtype(), None) if whole else input
    return reduction.logsumexp(x, dim, keepdim)


@delivers
def var(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Mean squared distance from the mean, over the count less `correction` (1 by default)."""
    return reduction.var(*_spread(input, dim, unbiased, correction, "var"), keepdim)


@delivers
def std(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Square root of `var`."""
    return reduction.std(*_spread(input, dim, unbiased, correction, "std"), keepdim)


def _spread(
    input: Tensor, dim: Dim | bool, unbiased: bool, correction: float | None, name: str
) -> tuple[Tensor, tuple[int, ...], float]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = int(unbiased)
    return (
        input,
        shapes.normalize_dims(dim or None if dim != 0 else 0, input.ndim, name),
        correction,
    )


def sum_to_size(input: Tensor, size: Any = (), *more: int) -> Tensor:
    """The sum along axes that broadcasting `size` to the tensor's shape has added or repeated."""
    shape, own = views.sizes_of("sum_to_size", (size, *more)), input.spec.shape
    if shape == own != ():
        return input
    lead = len(own) - len(shape)
    if lead < 0 or shapes.broadcast_shapes("sum_to_size", shape, own) != own:
        raise ShapeError(
            "sum_to_size", "size", expected=f"a shape that broadcasts to {own}", got=shape
        )
    repeated = [lead + axis for axis, size_ in enumerate(shape) if size_ != own[lead + axis]]
    return views.reshape(reduction.sum(input, (*range(lead), *repeated)), shape)


def _one_dim(input: Tensor, dim: int | None, name: str) -> int | None:
    return None if dim is None else shapes.normalize_dim(dim, len(input.shape), name)
