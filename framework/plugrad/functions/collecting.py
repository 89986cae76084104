"""Elements sent to positions and combined with what stands there, and written in the order of a
mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad import dtypes, shapes
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import delivers
from plugrad.functions import joining, views
from plugrad.functions.axes import flat, shaped, with_axis
from plugrad.functions.keys import as_positions
from plugrad.ops import elementwise, indexing, reduction, sorting
from plugrad.ops.comparison import bitwise_not, where
from plugrad.ops.creation import clone, full
from plugrad.ops.views import expand, slice_dim

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@delivers
def scatter_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """A copy in which each element is the "sum", "prod", "mean", "amax" or "amin" of itself and of
    the elements of `src` that `index` sends to it along an axis; without itself where not
    `include_self`, if there is another.
    """
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "scatter_reduce")
    at: Any = with_axis(as_positions("scatter_reduce", "index", index, input))
    source: Any = with_axis(src)
    for place, (size, room) in enumerate(zip(at.spec.shape, source.spec.shape, strict=False)):
        if size < room:
            source = slice_dim(source, place, 0, size, 1)
    found = _reduced(
        with_axis(input), axis, at, source, reduce, include_self, "scatter_reduce", _REDUCTIONS
    )
    return shaped(found, input.spec.shape)


@delivers
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """`scatter_reduce` of whole slices of an axis: those of `source` where `index` sends them."""
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "index_reduce")
    positions: Any = with_axis(as_positions("index_reduce", "index", index, input))
    x: Any = with_axis(input)
    slices: Any = with_axis(source)
    wanted = (*x.spec.shape[:axis], positions.spec.numel, *x.spec.shape[axis + 1 :])
    if slices.spec.shape != wanted or len(positions.spec.shape) > 1:
        raise ShapeError(
            "index_reduce", "source", expected=f"shape {wanted}", got=slices.spec.shape
        )
    column = (positions.spec.numel, *(1,) * (len(wanted) - 1 - axis))
    at = expand(views.reshape(positions, column), wanted)
    found = _reduced(x, axis, at, slices, reduce, include_self, "index_reduce", _REDUCTIONS[1:])
    return shaped(found, input.spec.shape)


def _reduced(
    x: Any,
    axis: int,
    at: Any,
    source: Any,
    reduce: str,
    include_self: bool,
    name: str,
    known: tuple[str, ...],
) -> Any:
    if reduce not in known:
        raise ArgumentError(name, "reduce", expected=f"one of {', '.join(known)}", got=reduce)
    dtype = x.spec.dtype
    if not include_self:
        neutral = full(at.spec.shape, _neutral(reduce, dtype), dtype, x.spec.device)
        x = indexing.scatter(x, at, neutral, axis)
    match reduce:
        case "sum":
            return indexing.scatter_add(x, at, source, axis)
        case "prod":
            return indexing.scatter_mul(x, at, source, axis)
        case "amax":
            return sorting.scatter_max(x, at, source, axis)
        case "amin":
            # Unlike negation, the complement turns the order of all integers round.
            turned = elementwise.neg if dtype.is_floating_point else bitwise_not
            return turned(sorting.scatter_max(turned(x), at, turned(source), axis))
        case _:
            ones = full(at.spec.shape, 1, dtype, x.spec.device)
            own = full(x.spec.shape, int(include_self), dtype, x.spec.device)
            count = elementwise.clamp_min(indexing.scatter_add(own, at, ones, axis), 1)
            total = indexing.scatter_add(x, at, source, axis)
            divide = elementwise.floor_divide if dtype.kind == "int" else elementwise.div
            return divide(total, count)


def _neutral(reduce: str, dtype: Any) -> Any:
    match reduce:
        case "prod":
            return 1
        case "amax" | "amin":
            if dtype.kind == "bool":
                return reduce == "amin"
            if dtype.kind == "int":
                ends = dtypes.iinfo(dtype)
                return ends.min if reduce == "amax" else ends.max
            return float("-inf") if reduce == "amax" else float("inf")
        case _:
            return 0


# in the order of a mask ---------------------------------------------------------------------------


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The first elements of `source`, one after the other, where `mask`, broadcast, holds."""
    if mask.spec.dtype is not dtypes.bool_:
        raise DtypeError("masked_scatter", "mask", expected="a bool tensor", got=mask.spec.dtype)
    if source.spec.dtype is not input.spec.dtype:
        raise DtypeError(
            "masked_scatter", "source", expected=str(input.spec.dtype), got=source.spec.dtype
        )
    shape = shapes.broadcast_shapes("masked_scatter", input.spec.shape, mask.spec.shape)
    x, chosen = views.expand(input, shape), flat(views.expand(mask, shape))
    if not source.spec.numel:
        if bool(chosen.any()):
            raise ShapeError("masked_scatter", "source", expected="some elements", got="none")
        return clone(x)
    place = where(chosen, reduction.cumsum(chosen, 0) - 1, 0)
    return where(shaped(chosen, shape), shaped(indexing.index(flat(source), (place,)), shape), x)


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` written, or added, at positions of the flattened tensor."""
    at = flat(as_positions("put", "index", index, input))
    if source.spec.numel != at.spec.numel:
        raise ShapeError("put", "source", expected=f"{at.spec.numel} elements", got=source.shape)
    return shaped(
        indexing.index_put(flat(input), (at,), flat(source), accumulate), input.spec.shape
    )


@delivers
def nonzero_static(
    input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None
) -> Tensor:
    """`nonzero` with `size` rows: cut off, or filled up with `fill_value`."""
    if size < 0:
        raise RangeError("nonzero_static", "size", expected="at least 0", got=size)
    found: Any = indexing.nonzero(input)
    count, width = found.spec.shape
    if count >= size:
        return slice_dim(found, 0, 0, size, 1)
    rest = full((size - count, width), fill_value, dtypes.int64, found.spec.device)
    return joining.cat((found, rest), 0)
