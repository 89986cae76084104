"""Running sums and their like, and what undoes them: differences and slopes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.dtypes import DType, bool_
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions import joining, views
from plugrad.functions.axes import shaped, with_axis
from plugrad.functions.reduction import ValuesAndIndices
from plugrad.ops import comparison, reduction
from plugrad.ops.creation import clone
from plugrad.ops.views import slice_dim
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def cumsum(
    input: Tensor, dim: int, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Running sum along an axis."""
    return reduction.cumsum(as_operand(input, dtype, None), _axis(input, dim, "cumsum"))


@delivers
def cumprod(
    input: Tensor, dim: int, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Running product along an axis."""
    return reduction.cumprod(as_operand(input, dtype, None), _axis(input, dim, "cumprod"))


@delivers
def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """`log(cumsum(exp(input)))` along an axis, without overflow."""
    return reduction.logcumsumexp(input, _axis(input, dim, "logcumsumexp"))


@delivers
def cummax(input: Tensor, dim: int, *, out: Any = None) -> ValuesAndIndices:
    """The largest element so far along an axis, and where it stands, the last of equals."""
    return _running(reduction.cummax, input, dim, "cummax")


@delivers
def cummin(input: Tensor, dim: int, *, out: Any = None) -> ValuesAndIndices:
    """The smallest element so far along an axis, and where it stands, the last of equals."""
    return _running(reduction.cummin, input, dim, "cummin")


def _running(extreme: Any, input: Tensor, dim: int, name: str) -> ValuesAndIndices:
    found = extreme(with_axis(input), _axis(input, dim, name))
    return ValuesAndIndices(*[shaped(each, input.spec.shape) for each in found])


def _axis(input: Tensor, dim: int, name: str) -> int:
    return shapes.normalize_dim(dim, len(input.spec.shape), name)


# differences --------------------------------------------------------------------------------------


@delivers
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Each element less the one before it along an axis, `n` times over; of bools, whether they
    differ. `prepend` and `append` are put on either end of the axis first.
    """
    if n < 0:
        raise RangeError("diff", "n", expected="at least 0", got=n)
    if not input.spec.shape:
        raise ShapeError("diff", "input", expected="at least one axis", got=input.spec.shape)
    axis = _axis(input, dim, "diff")
    parts = [each for each in (prepend, input, append) if each is not None]
    if len(parts) > 1:
        input = joining.cat(parts, axis)
    if n == 0 and len(parts) == 1:
        return clone(input)
    difference = comparison.ne if input.spec.dtype is bool_ else _less
    for _ in range(min(n, input.spec.shape[axis])):
        size = input.spec.shape[axis]
        input = difference(
            slice_dim(input, axis, 1, size, 1), slice_dim(input, axis, 0, size - 1, 1)
        )
    return input


def _less(x: Any, y: Any) -> Any:
    return x - y


def gradient(
    input: Tensor,
    *,
    spacing: float | Sequence[float] | Sequence[Tensor] | None = 1,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> list[Tensor]:
    """The slope along each axis, or those named: central differences, one-sided ones of
    `edge_order` 1 or 2 at the ends.

    `spacing` is the distance of neighbours: a number for all axes, one for each, or a vector of
    coordinates for each.
    """
    if input.spec.dtype is bool_:
        raise DtypeError("gradient", "input", expected="numbers", got=input.spec.dtype)
    if edge_order not in (1, 2):
        raise ArgumentError("gradient", "edge_order", expected="1 or 2", got=edge_order)
    axes = shapes.normalize_dims(dim, len(input.spec.shape), "gradient")
    steps: list[Any]
    if spacing is None or isinstance(spacing, (int, float)):
        steps = [1 if spacing is None else spacing] * len(axes)
    else:
        steps = list(spacing)
        if len(steps) != len(axes):
            raise ArgumentError(
                "gradient", "spacing", expected=f"{len(axes)}, one for each axis", got=len(steps)
            )
    return [_slope(input, axis, step, edge_order) for axis, step in zip(axes, steps, strict=True)]


def _slope(x: Any, axis: int, step: Any, edge_order: int) -> Any:
    size = x.spec.shape[axis]
    if size <= edge_order:
        raise ShapeError(
            "gradient",
            "input",
            expected=f"at least {edge_order + 1} elements along axis {axis}",
            got=x.spec.shape,
        )
    gaps = _gaps(x, axis, step, size)
    slopes = diff(x, dim=axis) / gaps

    def part(y: Any, start: int, stop: int) -> Any:
        return slice_dim(y, axis, start, stop, 1)

    inner = part(slopes, 0, 0)
    if size > 2:
        # Of the parabola through three points: the slopes beside it, each by the other's distance.
        before, after = part(gaps, 0, size - 2), part(gaps, 1, size - 1)
        left, right = part(slopes, 0, size - 2), part(slopes, 1, size - 1)
        inner = (left * after + right * before) / (before + after)
    first, last = part(slopes, 0, 1), part(slopes, size - 2, size - 1)
    if edge_order == 2:
        first = _at_end(first, part(slopes, 1, 2), part(gaps, 0, 1), part(gaps, 1, 2))
        last = _at_end(
            last,
            part(slopes, size - 3, size - 2),
            part(gaps, size - 2, size - 1),
            part(gaps, size - 3, size - 2),
        )
    return joining.cat((first, inner, last), axis)


def _at_end(slope: Any, next_slope: Any, gap: Any, next_gap: Any) -> Any:
    return slope + (slope - next_slope) * gap / (gap + next_gap)


def _gaps(x: Any, axis: int, step: Any, size: int) -> Any:
    """The distances of neighbours, along the axis."""
    column = tuple([size - 1 if d == axis else 1 for d in range(len(x.spec.shape))])
    if not isinstance(step, Value):
        return x.new_full(column, step, dtype=None if x.spec.dtype.kind == "int" else x.spec.dtype)
    if step.spec.shape != (size,):
        raise ShapeError("gradient", "spacing", expected=f"shape {(size,)}", got=step.spec.shape)
    places: Any = step
    return views.reshape(diff(places), column)


# integrals ----------------------------------------------------------------------------------------


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral along an axis by the trapezoidal rule, at the places `x`, or `dx` apart."""
    return reduction.sum(_trapezoids(y, x, dx, dim, "trapezoid"), dim) / 2.0


trapz = trapezoid


def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1
) -> Tensor:
    """The integrals by the trapezoidal rule up to each place but the first."""
    return cumsum(_trapezoids(y, x, dx, dim, "cumulative_trapezoid"), dim) / 2.0


def _trapezoids(y: Any, x: Any, dx: float, dim: int, name: str) -> Any:
    """Twice the area between each place and the next."""
    if not y.spec.shape:
        raise ShapeError(name, "y", expected="at least one axis", got=y.spec.shape)
    if y.spec.dtype is bool_:
        raise DtypeError(name, "y", expected="an int, float or complex dtype", got=y.spec.dtype)
    if x is not None and dx != 1:
        raise ArgumentError(name, "dx", expected="nothing where x is given", got=dx)
    axis = _axis(y, dim, name)
    size = y.spec.shape[axis]
    both = slice_dim(y, axis, 1, size, 1) + slice_dim(y, axis, 0, max(size - 1, 0), 1)
    if x is None:
        return both if dx == 1 else both * dx
    if len(x.spec.shape) == 1:
        return both * views.reshape(diff(x), (-1, *(1,) * (len(y.spec.shape) - 1 - axis)))
    if len(x.spec.shape) < len(y.spec.shape):
        x = views.reshape(x, (*(1,) * (len(y.spec.shape) - len(x.spec.shape)), *x.spec.shape))
    return both * diff(x, dim=dim)
