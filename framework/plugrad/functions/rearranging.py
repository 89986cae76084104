"""Elements moved about: repeated, mirrored, turned, put on diagonals, written into views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import dtypes, geometry, shapes
from plugrad.errors import ArgumentError, RangeError, ShapeError
from plugrad.families import delivers
from plugrad.functions import joining, views
from plugrad.functions.axes import flat, with_axis
from plugrad.functions.keys import as_positions
from plugrad.ops import creation, indexing, sorting
from plugrad.ops import views as ops
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


# repeated -----------------------------------------------------------------------------------------


def tile(input: Tensor, dims: Any = (), *more: int) -> Tensor:
    """The whole tensor repeated along each axis; with fewer numbers than axes, along the last."""
    counts = views.sizes_of("tile", (dims, *more))
    return joining.repeat(input, (1,) * (len(input.spec.shape) - len(counts)) + counts)


def repeat_interleave(
    input: Tensor,
    repeats: int | Tensor | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element, or each slice of an axis, repeated on the spot: all as often, or each of them
    as a vector of integers says. Without `dim` the tensor is flattened first.

    Of a vector alone, each position as often as its element says. `output_size`, the sum of the
    repeats, saves waiting for the device.
    """
    if repeats is None:
        places = creation.arange(0, 1, input.spec.numel, dtypes.int64, input.spec.device)
        return repeat_interleave(places, input, 0, output_size=output_size)
    x: Any = flat(input) if dim is None else with_axis(input)
    axis = (
        0 if dim is None else shapes.normalize_dim(dim, len(input.spec.shape), "repeat_interleave")
    )
    shape = x.spec.shape
    if isinstance(repeats, Value) and repeats.spec.numel == 1 and shape[axis] != 1:
        repeats = int(repeats.item())
    if not isinstance(repeats, Value):
        if repeats < 0:
            raise RangeError("repeat_interleave", "repeats", expected="at least 0", got=repeats)
        wide = ops.expand(
            views.unsqueeze(x, axis + 1), (*shape[: axis + 1], repeats, *shape[axis + 1 :])
        )
        # Copied first: along an axis of one element the repeats would share its memory.
        wide = creation.clone(wide)
        return views.reshape(wide, (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :]))
    if repeats.spec.shape != (shape[axis],):
        raise ShapeError(
            "repeat_interleave",
            "repeats",
            expected=f"a number or {shape[axis]} of them",
            got=repeats.spec.shape,
        )
    counts: Any = as_positions("repeat_interleave", "repeats", repeats, input)
    if counts.spec.numel and bool((counts < 0).any()):
        raise RangeError("repeat_interleave", "repeats", expected="none below 0", got=repeats)
    ends = counts.cumsum(0)
    total = output_size if output_size is not None else int(counts.sum())
    places = creation.arange(0, 1, total, dtypes.int64, x.spec.device)
    return indexing.index_select(x, sorting.searchsorted(ends, places, True), axis)


# mirrored and turned ------------------------------------------------------------------------------


def fliplr(input: Tensor) -> Tensor:
    """The second axis in reverse order."""
    return joining.flip(_with_axes(input, 2, "fliplr"), 1)


def flipud(input: Tensor) -> Tensor:
    """The first axis in reverse order."""
    return joining.flip(_with_axes(input, 1, "flipud"), 0)


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned `k` quarters in the plane of two axes, from the first towards the second."""
    ndim = len(input.spec.shape)
    axes = [shapes.normalize_dim(dim, ndim, "rot90", "dims") for dim in dims]
    if len(set(axes)) != 2 or len(axes) != 2 or ndim < 2:
        raise ArgumentError("rot90", "dims", expected="two different axes", got=tuple(dims))
    first, second = axes
    match k % 4:
        case 1:
            return views.transpose(joining.flip(input, second), first, second)
        case 2:
            return joining.flip(input, axes)
        case 3:
            return views.transpose(joining.flip(input, first), first, second)
        case _:
            return creation.clone(input)


def _with_axes(input: Tensor, least: int, name: str) -> Tensor:
    if len(input.spec.shape) < least:
        raise ShapeError(
            name, "input", expected=f"at least {least} axes", got=tuple(input.spec.shape)
        )
    return input


# diagonals ----------------------------------------------------------------------------------------


@delivers
def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The diagonal of a matrix; of a vector, the matrix that has it there and 0 elsewhere."""
    match len(input.spec.shape):
        case 1:
            return diag_embed(input, diagonal)
        case 2:
            return creation.clone(ops.diagonal(input, diagonal, 0, 1))
        case _:
            raise ShapeError("diag", "input", expected="one or two axes", got=input.spec.shape)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements on a diagonal."""
    return diag_embed(flat(input), offset)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last axis laid on the diagonals of two new axes, 0 elsewhere."""
    ndim = len(input.spec.shape) + 1
    if ndim < 2:
        raise ShapeError("diag_embed", "input", expected="at least one axis", got=input.spec.shape)
    first = shapes.normalize_dim(dim1, ndim, "diag_embed", "dim1")
    second = shapes.normalize_dim(dim2, ndim, "diag_embed", "dim2")
    if first == second:
        raise ArgumentError("diag_embed", "dim2", expected=f"another axis than {dim1}", got=dim2)
    size = input.spec.shape[-1] + abs(offset)
    shape = list(input.spec.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, size)
    return ops.place(input, tuple(shape), "diagonal", (offset, first, second))


def fill_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Write a number on the main diagonal, in place; with `wrap` a tall matrix's goes on below."""
    shape = input.spec.shape
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise ShapeError(
            "fill_diagonal_",
            "input",
            expected="a matrix, or more axes of one size",
            got=tuple(shape),
        )
    step = sum(input.layout[0])
    size = min(shape)
    offset = input.storage_offset()
    creation.fill_(views.as_strided(input, (size,), (step,), offset), fill_value)
    rows, columns = shape[:2]
    if wrap and len(shape) == 2 and rows > columns + 1:
        for start in range(columns + 1, rows, columns + 1):
            creation.fill_(ops.diagonal(input, -start, 0, 1), fill_value)
    return input


# written into views -------------------------------------------------------------------------------


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with `src` written at one position of an axis."""
    return _written(input, src, "select", (int(dim), int(index)), "select_scatter")


@delivers
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with `src` written over a slice of an axis."""
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "slice_scatter")
    bounds = geometry.slice_bounds(input.spec.shape[axis], start, end, step, "slice_scatter")
    return _written(input, src, "slice_dim", (axis, *bounds), "slice_scatter")


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy with `src` written on the diagonals of two axes."""
    return _written(input, src, "diagonal", (offset, dim1, dim2), "diagonal_scatter")


def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """A copy, in C order, with `src` written where `as_strided` would look at it."""
    params = (
        shapes.as_ints(size, "as_strided_scatter"),
        shapes.as_ints(stride, "as_strided_scatter"),
        storage_offset or 0,
    )
    if shapes.extent(*params) > input.spec.numel:
        raise ShapeError(
            "as_strided_scatter",
            "size",
            expected=f"a view inside {input.spec.numel} elements",
            got=params,
        )
    return _written(input, src, "as_strided", params, "as_strided_scatter")


def _written(input: Any, src: Any, view: str, params: tuple[Any, ...], name: str) -> Any:
    operator = getattr(ops, view).operator
    shape, _, _ = operator.geometry(
        input.spec.shape, shapes.contiguous_strides(input.spec.shape), 0, *params
    )
    if src.spec.shape != shape:
        raise ShapeError(name, "src", expected=shape, got=src.spec.shape)
    return ops.overwrite(input, src.to(input.spec.dtype), ((operator, params),))
