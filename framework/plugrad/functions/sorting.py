"""Order as users call it: sorted elements with their positions, and search among sorted ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad import dtypes, shapes
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions.axes import flat, shaped, with_axis
from plugrad.functions.reduction import ValuesAndIndices
from plugrad.ops import comparison, indexing
from plugrad.ops import sorting as ops
from plugrad.ops.comparison import where
from plugrad.ops.creation import full
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

Number = bool | int | float


@delivers
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *, out: Any = None
) -> ValuesAndIndices:
    """The elements along an axis in order, and where they stood. NaN counts as largest."""
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "sort")
    return _pair(ops.sort(with_axis(input), axis, descending, stable), input)


@delivers
def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements along the first axis in order."""
    return sort(input, 0).values


@delivers
def argsort(
    input: Tensor,
    dim: int = -1,
    descending: bool = False,
    stable: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Where the elements stood that `sort` puts in order."""
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "argsort")
    return shaped(ops.argsort(with_axis(input), axis, descending, stable), input.spec.shape)


@delivers
def topk(
    input: Tensor,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,
    *,
    out: Any = None,
) -> ValuesAndIndices:
    """The `k` largest, or smallest, elements along an axis, that one first, and where they stood.

    They come in order in any case; `sorted` is there for callers of PyTorch's function.
    """
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "topk")
    if input.spec.dtype is dtypes.bool_:
        raise DtypeError("topk", "input", expected="numbers", got=input.spec.dtype)
    return _pair(ops.topk(with_axis(input), int(k), axis, largest), input)


def _pair(results: tuple[Any, Any], input: Tensor) -> ValuesAndIndices:
    values, order = results
    if input.spec.shape:
        return ValuesAndIndices(values, order)
    return ValuesAndIndices(shaped(values, ()), shaped(order, ()))


# search -------------------------------------------------------------------------------------------


@delivers
def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | Number,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Where each value would have to stand in a sequence that ascends along its last axis, so that
    it stays in order: before its equals, or behind them with `right` or `side="right"`.

    One sequence serves all values; several have the values' sizes on all axes but the last.
    `sorter` holds positions that bring the sequence into order.
    """
    if side not in (None, "left", "right"):
        raise ArgumentError("searchsorted", "side", expected="'left' or 'right'", got=side)
    if side == "left" and right:
        raise ArgumentError("searchsorted", "side", expected="'right', as right is set", got=side)
    if sorter is not None:
        if sorter.spec.shape != sorted_sequence.spec.shape:
            raise ShapeError(
                "searchsorted",
                "sorter",
                expected=str(sorted_sequence.spec.shape),
                got=sorter.spec.shape,
            )
        sorted_sequence = indexing.gather(sorted_sequence, sorter, len(sorter.spec.shape) - 1)
    values = input if isinstance(input, Value) else _number(input, sorted_sequence)
    dtype = dtypes.promote_types(sorted_sequence.spec.dtype, values.spec.dtype)
    found = ops.searchsorted(
        as_operand(sorted_sequence, dtype, None),
        as_operand(values, dtype, None),
        right or side == "right",
    )
    return as_operand(found, dtypes.int32, None) if out_int32 else found


@delivers
def bucketize(
    input: Tensor | Number,
    boundaries: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The number of the bucket, between ascending boundaries, that each value falls into.

    A value equal to a boundary falls into the bucket that ends there, with `right` into the next.
    """
    if len(boundaries.spec.shape) != 1:
        raise ShapeError("bucketize", "boundaries", expected="one axis", got=boundaries.spec.shape)
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def _number(value: Number, like: Tensor) -> Any:
    return full((), value, like.spec.dtype, like.spec.device)


@delivers
def isin(
    elements: Tensor | Number,
    test_elements: Tensor | Number,
    *,
    assume_unique: bool = False,
    invert: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Whether each element is one of `test_elements`; with `invert`, whether it is none.

    `assume_unique` is there for callers of PyTorch's function.
    """
    x: Any = elements
    if any([isinstance(e, Value) and e.spec.dtype is dtypes.bool_ for e in (x, test_elements)]):
        raise DtypeError("isin", "elements", expected="numbers", got=dtypes.bool_)
    known: Any = test_elements
    if not isinstance(x, Value):
        if not isinstance(known, Value):
            raise ArgumentError("isin", "elements", expected="at least one tensor", got=elements)
        x = as_operand(x, None, known.spec.device)
    elif not isinstance(known, Value):
        known = as_operand(known, None, x.spec.device)
    dtype = dtypes.promote_types(x.spec.dtype, known.spec.dtype)
    x, known = as_operand(x, dtype, None), flat(as_operand(known, dtype, None))
    size = known.spec.numel
    if not size:
        return full(x.spec.shape, invert, dtypes.bool_, x.spec.device)
    ordered = ops.sort(known, 0, False, False)[0]
    place = ops.searchsorted(ordered, x, False)
    found = indexing.index(ordered, (where(place < size, place, 0),))
    return (comparison.ne if invert else comparison.eq)(found, x)
