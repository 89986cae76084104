"""Elements by their rank along an axis: median, quantiles, the k-th smallest, the most frequent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plugrad import dtypes, shapes
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import delivers
from plugrad.functions import views
from plugrad.functions.axes import flat, with_axis
from plugrad.functions.reduction import ValuesAndIndices
from plugrad.ops import elementwise, indexing, reduction, sorting
from plugrad.ops.comparison import isnan, logical_not, where
from plugrad.ops.creation import arange, full
from plugrad.ops.joining import cat
from plugrad.ops.views import reshape, slice_dim
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def kthvalue(
    input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Any = None
) -> ValuesAndIndices:
    """The `k`-th smallest element along an axis, from 1 on, and where it stands."""
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "kthvalue")
    size = with_axis(input).spec.shape[axis]
    if not 1 <= k <= size:
        raise RangeError("kthvalue", "k", expected=f"1 to {size}, the size of axis {axis}", got=k)
    return _at_rank(input, axis, keepdim, lambda x: k - 1)


@delivers
def median(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None
) -> Tensor | ValuesAndIndices:
    """The element in the middle, the lower of two; with an axis (values, indices) along it.

    A NaN among the elements is the median.
    """
    return _median(input, dim, keepdim, _middle, "median")


@delivers
def nanmedian(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None
) -> Tensor | ValuesAndIndices:
    """`median` of the elements that are not NaN."""
    return _median(input, dim, keepdim, _middle_number, "nanmedian")


Rank = Callable[[Any], Any]


def _median(
    input: Tensor, dim: int | None, keepdim: bool, rank: Rank, name: str
) -> Tensor | ValuesAndIndices:
    if input.spec.dtype.kind not in ("int", "float"):
        raise DtypeError(name, "input", expected="an int or float dtype", got=input.spec.dtype)
    if dim is None:
        if not input.spec.numel and input.spec.dtype.is_floating_point:
            return full((), float("nan"), input.spec.dtype, input.spec.device)
        return _at_rank(flat(input), 0, False, rank, name).values
    axis = shapes.normalize_dim(dim, len(input.spec.shape), name)
    return _at_rank(input, axis, keepdim, rank, name)


def _middle(ordered: Any) -> Any:
    size = ordered.spec.shape[-1]
    if not ordered.spec.dtype.is_floating_point:
        return (size - 1) // 2
    numbers = _count_numbers(ordered)
    return where(numbers < size, numbers, (size - 1) // 2)  # the first NaN, if there is one


def _middle_number(ordered: Any) -> Any:
    if not ordered.spec.dtype.is_floating_point:
        return (ordered.spec.shape[-1] - 1) // 2
    return elementwise.clamp_min(elementwise.floor_divide(_count_numbers(ordered) - 1, 2), 0)


def _count_numbers(x: Any) -> Any:
    return reduction.sum(logical_not(isnan(x)), -1, True)


def _at_rank(
    input: Any, axis: int, keepdim: bool, rank: Rank, name: str = "kthvalue"
) -> ValuesAndIndices:
    """The element at a rank, a number or a tensor of one for each line, and its position."""
    x = views.movedim(with_axis(input), axis, -1)
    if not x.spec.shape[-1]:
        raise ShapeError(name, "input", expected="at least one element along dim", got=input.shape)
    ordered, order = sorting.sort(x, len(x.spec.shape) - 1, False, True)
    place = rank(ordered)
    if isinstance(place, int):
        chosen = [slice_dim(each, -1, place, place + 1, 1) for each in (ordered, order)]
    else:
        last = len(x.spec.shape) - 1
        chosen = [indexing.gather(each, place, last) for each in (ordered, order)]
    return _back(chosen, input, axis, keepdim)


def _back(chosen: Any, input: Any, axis: int, keepdim: bool) -> ValuesAndIndices:
    if not input.spec.shape or not keepdim:
        return ValuesAndIndices(*[views.squeeze(each, -1) for each in chosen])
    return ValuesAndIndices(*[views.movedim(each, -1, axis) for each in chosen])


@delivers
def mode(
    input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Any = None
) -> ValuesAndIndices:
    """The most frequent element along an axis, the least of several, and where it last stands."""
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "mode")
    x = views.movedim(with_axis(input), axis, -1)
    last, size = len(x.spec.shape) - 1, x.spec.shape[-1]
    if not size:
        raise ShapeError("mode", "input", expected="at least one element along dim", got=x.shape)
    ordered, order = sorting.sort(x, last, False, True)
    place = views.expand_as(arange(0, 1, size, dtypes.int64, x.spec.device), x)
    # Where a run of equal elements began, and so how long it is by now.
    steps = slice_dim(ordered, last, 1, size, 1) != slice_dim(ordered, last, 0, size - 1, 1)
    first = full((*x.spec.shape[:-1], 1), 0, dtypes.int64, x.spec.device)
    begun = cat((first, where(steps, slice_dim(place, last, 1, size, 1), 0)), last)
    length = place - reduction.cummax(begun, last)[0]
    end = reduction.argmax(length, last, True)
    chosen = [indexing.gather(each, end, last) for each in (ordered, order)]
    return _back(chosen, input, axis, keepdim)


# between ranks ------------------------------------------------------------------------------------


@delivers
def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """The value below which the share `q` of the elements lies; of several `q` one each, along a
    new first axis. A NaN among the elements is every quantile.

    Between two elements `interpolation` decides: "linear", "lower", "higher", "nearest" or
    "midpoint". Without `dim` of the flattened tensor.
    """
    return _quantile(input, q, dim, keepdim, interpolation, "quantile")


@delivers
def nanquantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """`quantile` of the elements that are not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, "nanquantile")


def _quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None,
    keepdim: bool,
    interpolation: str,
    name: str,
) -> Tensor:
    share = _checked_share(input, q, name)
    ndim = len(input.spec.shape)
    if dim is None:
        axis, x = 0, flat(input)
    else:
        axis = shapes.normalize_dim(dim, ndim, name)
        x = views.movedim(with_axis(input), axis, -1)
    last, size = len(x.spec.shape) - 1, x.spec.shape[-1]
    if not size:
        raise ShapeError(name, "input", expected="at least one element along dim", got=input.shape)
    ordered = sorting.sort(x, last, False, True)[0]
    numbers = _count_numbers(ordered)
    line = flat(share)
    if name == "quantile":
        ranks = where(numbers < size, size - 1.0, line * (size - 1))
    else:
        ranks = line * elementwise.clamp_min(numbers - 1, 0)
    found = _between(ordered, ranks, interpolation, name)
    if not share.spec.shape:
        found = views.squeeze(found, -1)
    else:
        found = views.movedim(found, -1, 0)
    if not keepdim:
        return found
    lead = share.spec.shape
    if dim is None:
        return reshape(found, (*lead, *(1,) * ndim))
    return views.unsqueeze(found, len(lead) + axis) if ndim else found


def _checked_share(input: Tensor, q: Any, name: str) -> Any:
    dtype = input.spec.dtype
    if dtype not in (dtypes.float32, dtypes.float64):
        raise DtypeError(name, "input", expected="float32 or float64", got=dtype)
    if not isinstance(q, Value):
        if not 0 <= q <= 1:
            raise RangeError(name, "q", expected="a share from 0 to 1", got=q)
        return full((), q, dtype, input.spec.device)
    share: Any = q
    if share.spec.dtype is not dtype:
        raise DtypeError(name, "q", expected=f"{dtype}, as the input", got=share.spec.dtype)
    if len(share.spec.shape) > 1:
        raise ShapeError(name, "q", expected="a number or a vector", got=share.spec.shape)
    return share


def _between(ordered: Any, ranks: Any, interpolation: str, name: str) -> Any:
    last = len(ordered.spec.shape) - 1

    def at(places: Any) -> Any:
        return indexing.gather(ordered, places.long(), last)

    ranks = views.expand(ranks, *ordered.spec.shape[:-1], ranks.spec.shape[-1])
    below = elementwise.floor(ranks)
    match interpolation:
        case "lower":
            return at(below)
        case "higher":
            return at(elementwise.ceil(ranks))
        case "nearest":
            return at(elementwise.round(ranks))
        case "linear" | "midpoint":
            low, high = at(below), at(elementwise.ceil(ranks))
            weight = 0.5 if interpolation == "midpoint" else ranks - below
            return low + (high - low) * weight
        case _:
            raise ArgumentError(
                name,
                "interpolation",
                expected="'linear', 'lower', 'higher', 'midpoint' or 'nearest'",
                got=interpolation,
            )
