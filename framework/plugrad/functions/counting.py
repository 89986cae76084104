"""How often what occurs: distinct elements, counts of integers, histograms.

Where the shape of a result depends on the elements, these wait for a device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad import creation, dtypes, shapes
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions import joining, views
from plugrad.functions.axes import flat, shaped, with_axis
from plugrad.ops import elementwise, indexing, reduction, sorting
from plugrad.ops.comparison import where
from plugrad.ops.creation import arange, full
from plugrad.ops.views import slice_dim
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


# distinct elements --------------------------------------------------------------------------------


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements in ascending order, or the distinct slices of an axis.

    With `return_inverse` also where each element went, with `return_counts` also how many went
    there: a tuple then. They come in order in any case; `sorted` is there for callers of PyTorch's
    function.
    """
    rows, axis = _rows(input, dim, "unique")
    order = _order(rows)
    ordered = indexing.index(rows, (order,))
    starts, group = _groups(ordered)
    inverse = indexing.scatter(group, order, group, 0)
    return _distinct(input, ordered, starts, inverse, axis, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The elements, or slices of an axis, that do not equal the one before; otherwise as
    `unique`.
    """
    rows, axis = _rows(input, dim, "unique_consecutive")
    starts, group = _groups(rows)
    return _distinct(input, rows, starts, group, axis, return_inverse, return_counts)


def _rows(input: Tensor, dim: int | None, name: str) -> tuple[Any, int | None]:
    """The elements along one axis, or the slices of an axis as rows."""
    if input.spec.dtype.is_complex:
        raise DtypeError(name, "input", expected="a bool, int or float dtype", got=input.dtype)
    x = input.detach()
    if dim is None:
        return flat(x), None
    axis = shapes.normalize_dim(dim, len(input.spec.shape), name)
    x = views.movedim(with_axis(x), axis, 0)
    if 0 in x.spec.shape[1:]:
        raise ShapeError(name, "input", expected="slices with elements", got=input.spec.shape)
    return views.reshape(x, (x.spec.shape[0], shapes.numel(x.spec.shape[1:]))), axis


def _order(rows: Any) -> Any:
    if len(rows.spec.shape) == 1:
        return sorting.argsort(rows, 0, False, True)
    # The first column decides, so it comes last: each sort keeps the order of equals.
    count, width = rows.spec.shape
    order = arange(0, 1, count, dtypes.int64, rows.spec.device)
    for column in reversed(range(width)):
        keys = indexing.index(views.select(rows, 1, column), (order,))
        order = indexing.index(order, (sorting.argsort(keys, 0, False, True),))
    return order


def _groups(rows: Any) -> tuple[Any, Any]:
    """Where runs of equal rows start, and the number of each row's run."""
    count = rows.spec.shape[0]
    steps: Any = slice_dim(rows, 0, 1, count, 1) != slice_dim(rows, 0, 0, max(count - 1, 0), 1)
    if len(rows.spec.shape) > 1:
        steps = reduction.any(steps, 1)
    begins = joining.cat((full((min(count, 1),), True, dtypes.bool_, rows.spec.device), steps))
    return indexing.columns(begins)[0], reduction.cumsum(begins, 0) - 1


def _distinct(
    input: Tensor,
    rows: Any,
    starts: Any,
    inverse: Any,
    axis: int | None,
    return_inverse: bool,
    return_counts: bool,
) -> Any:
    values = indexing.index(rows, (starts,))
    if axis is None:
        inverse = shaped(inverse, input.spec.shape)
    else:
        sizes = with_axis(input).spec.shape
        rest = (*sizes[:axis], *sizes[axis + 1 :])
        values = views.movedim(views.reshape(values, (starts.spec.numel, *rest)), 0, axis)
    results = [values]
    if return_inverse:
        results.append(inverse)
    if return_counts:
        total = full((1,), rows.spec.shape[0], dtypes.int64, rows.spec.device)
        ends = joining.cat((slice_dim(starts, 0, 1, starts.spec.numel, 1), total))
        results.append(slice_dim(ends, 0, 0, starts.spec.numel, 1) - starts)
    return tuple(results) if len(results) > 1 else values


# histograms ---------------------------------------------------------------------------------------


class Histogram(NamedTuple):
    """Counts, and the edges of the bins: one more than there are bins."""

    hist: Tensor
    bin_edges: Tensor


class HistogramDD(NamedTuple):
    """Counts, and the edges of the bins along each axis."""

    hist: Tensor
    bin_edges: tuple[Tensor, ...]


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each integer from 0 on occurs in a vector, or the sum of its elements' weights."""
    if input.spec.dtype.kind != "int" or len(input.spec.shape) != 1:
        raise DtypeError(
            "bincount", "input", expected="a vector of integers", got=input.spec, hint="ravel() it"
        )
    if minlength < 0:
        raise RangeError("bincount", "minlength", expected="at least 0", got=minlength)
    if weights is not None and weights.spec.shape != input.spec.shape:
        raise ShapeError(
            "bincount", "weights", expected=str(input.spec.shape), got=weights.spec.shape
        )
    index: Any = as_operand(input, dtypes.int64, None)
    size = minlength
    if index.spec.numel:
        if int(index.min()) < 0:
            raise RangeError("bincount", "input", expected="no negative integers", got=index.min())
        size = max(size, int(index.max()) + 1)
    if weights is None:
        ones: Any = full(index.spec.shape, 1, dtypes.int64, index.spec.device)
    elif weights.spec.dtype is dtypes.float32:
        ones = weights
    else:
        ones = as_operand(weights, dtypes.float64, None)
    return indexing.index_add(full((size,), 0, ones.spec.dtype, ones.spec.device), index, ones, 0)


@delivers
def histc(
    input: Tensor, bins: int = 100, min: float = 0, max: float = 0, *, out: Tensor | None = None
) -> Tensor:
    """How many elements fall into each of `bins` equal intervals from `min` to `max`, both ends
    included; the elements' own ends where the two are equal. Other elements and NaN do not count.
    """
    if not input.spec.dtype.is_floating_point:
        raise DtypeError("histc", "input", expected="a float dtype", got=input.dtype)
    halves = input.spec.dtype.itemsize == 2
    x = as_operand(flat(input.detach()), dtypes.float32 if halves else None, None)
    low, high = _ends("histc", x, bins, (min, max) if min != max else None, (min, min))
    inside = (x >= low) & (x <= high)
    place = elementwise.floor((x - low) * (bins / (high - low)))
    place = elementwise.clamp(where(inside, place, 0), 0, bins - 1).long()
    counts = full((bins,), 0, input.spec.dtype, input.spec.device)
    return indexing.index_add(counts, place, inside.to(input.spec.dtype), 0)


@delivers
def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: Any = None,
) -> Histogram:
    """How many elements, or how much weight, falls into each bin, and the bins' edges.

    `bins` are as many equal intervals over `range`, or over the elements, or the ascending edges.
    A bin holds its lower edge, the last one both. `density`: over the total and the bins' widths.
    """
    hist, (edges,) = _histogram(
        "histogram", flat(input).unsqueeze(1), [bins], range, weight, density
    )
    return Histogram(hist, edges)


def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> HistogramDD:
    """`histogram` of points, whose coordinates lie along the last axis: an axis of bins for each.

    `range` gives both ends of every coordinate in turn.
    """
    if len(input.spec.shape) < 2:
        raise ShapeError("histogramdd", "input", expected="at least two axes", got=input.spec.shape)
    width = input.spec.shape[-1]
    each: list[Any] = [bins] * width if isinstance(bins, int) else list(bins)
    if len(each) != width:
        raise ArgumentError(
            "histogramdd", "bins", expected=f"{width}, one for each coordinate", got=len(each)
        )
    points = views.reshape(input, (-1, width))
    return HistogramDD(*_histogram("histogramdd", points, each, range, weight, density))


def _histogram(
    name: str,
    points: Any,
    bins: list[Any],
    ends: Sequence[float] | None,
    weight: Any,
    density: bool,
) -> tuple[Any, tuple[Any, ...]]:
    points = points.detach()
    dtype, device = points.spec.dtype, points.spec.device
    if not dtype.is_floating_point:
        raise DtypeError(name, "input", expected="a float dtype", got=dtype)
    weights = full((points.spec.shape[0],), 1, dtype, device) if weight is None else flat(weight)
    if weights.spec.numel != points.spec.shape[0]:
        raise ShapeError(name, "weight", expected=f"{points.spec.shape[0]} weights", got=weight)
    if ends is not None and len(ends) != 2 * len(bins):
        raise ArgumentError(name, "range", expected=f"{2 * len(bins)} numbers", got=ends)
    place: Any = full((), 0, dtypes.int64, device)
    inside: Any = full((), True, dtypes.bool_, device)
    edges: list[Any] = []
    for axis, count in enumerate(bins):
        x = points[:, axis].contiguous()
        if isinstance(count, Value):
            edge: Any = count
        else:
            its = None if ends is None else (ends[2 * axis], ends[2 * axis + 1])
            low, high = _ends(name, x, count, its, None)
            edge = creation.linspace(low, high, count + 1, dtype=dtype, device=device)
        last = edge.spec.numel - 1
        bin_ = sorting.searchsorted(edge, x, True) - 1
        bin_ = where(x == edge[-1], last - 1, bin_)
        inside = inside & (bin_ >= 0) & (bin_ < last)
        place = place * last + bin_
        edges.append(edge)
    sizes = tuple([edge.spec.numel - 1 for edge in edges])
    counts = full((shapes.numel(sizes),), 0, dtype, device)
    hist = indexing.index_add(counts, where(inside, place, 0), where(inside, weights, 0), 0)
    hist = views.reshape(hist, sizes)
    if density:
        hist = hist / reduction.sum(hist)
        for axis, edge in enumerate(edges):
            widths = edge[1:] - edge[:-1]
            hist = hist / views.reshape(widths, (-1, *(1,) * (len(sizes) - 1 - axis)))
    return hist, tuple(edges)


def _ends(
    name: str, x: Any, bins: int, given: Sequence[float] | None, fallback: Any
) -> tuple[float, float]:
    if bins < 1:
        raise RangeError(name, "bins", expected="at least 1", got=bins)
    if given is not None:
        low, high = given
    elif x.spec.numel:
        low, high = float(x.min()), float(x.max())
    else:
        low, high = fallback or (0.0, 1.0)
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise RangeError(name, "range", expected="finite ends", got=(low, high))
    if low > high:
        raise RangeError(name, "range", expected="ends that ascend", got=(low, high))
    return (low - 1, high + 1) if low == high and name == "histc" else _apart(low, high)


def _apart(low: float, high: float) -> tuple[float, float]:
    return (low - 0.5, high + 0.5) if low == high else (low, high)
