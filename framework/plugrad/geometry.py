"""Views: where the elements of a tensor lie after an operator that moves no data.

A geometry is (shape, strides, offset), counted in elements of one storage. Each view operator maps
a geometry to a geometry; its last parameter is the operator that an error names.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_int
from typing import SupportsIndex

from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.shapes import (
    Shape,
    Strides,
    as_ints,
    contiguous_strides,
    infer_shape,
    normalize_dim,
    numel,
)

Geometry = tuple[Shape, Strides, int]


# --- reshaping ------------------------------------------------------------------------------------


def view(
    shape: Shape,
    strides: Strides,
    offset: int,
    new_shape: Sequence[SupportsIndex],
    operator: str = "view",
) -> Geometry:
    """The same elements in the same order under another shape, one size of which may be -1."""
    target = infer_shape(new_shape, numel(shape), operator)
    found = view_strides(shape, strides, target)
    if found is None:
        expected = f"a shape that strides {strides} of {shape} can serve without a copy"
        hint = "use reshape(), or contiguous() first"
        raise ShapeError(operator, "shape", expected=expected, got=target, hint=hint)
    return target, found, offset


def view_strides(shape: Shape, strides: Strides, new_shape: Shape) -> Strides | None:
    """Strides under which the elements take `new_shape`, of as many elements; None if only a copy
    has them.

    The axes fall into runs that are contiguous in themselves; the new axes must tile each run
    (ATen's computeStride).
    """
    if shape == new_shape:
        return strides
    if 0 in shape or not shape:
        return contiguous_strides(new_shape)
    found = [0] * len(new_shape)
    target = len(new_shape) - 1
    base = strides[-1]
    run = covered = 1  # elements in the run so far, and in the new axes laid over it
    for axis in range(len(shape) - 1, -1, -1):
        run *= shape[axis]
        if axis and (shape[axis - 1] == 1 or strides[axis - 1] == run * base):
            continue
        while target >= 0 and (covered < run or new_shape[target] == 1):
            found[target] = covered * base
            covered *= new_shape[target]
            target -= 1
        if covered != run:
            return None
        if axis:
            base = strides[axis - 1]
            run = covered = 1
    return tuple(found)


def permute(
    shape: Shape,
    strides: Strides,
    offset: int,
    dims: Sequence[SupportsIndex],
    operator: str = "permute",
) -> Geometry:
    """Axis `dims[i]` becomes axis i."""
    ndim = len(shape)
    axes = [axis + ndim if axis < 0 else axis for axis in as_ints(dims, operator, "dims")]
    if sorted(axes) != list(range(ndim)):
        if len(axes) == ndim:
            for dim in dims:
                normalize_dim(dim, ndim, operator, "dims")
        expected = f"each of the {ndim} axes once"
        raise ShapeError(operator, "dims", expected=expected, got=tuple(dims))
    return tuple([shape[axis] for axis in axes]), tuple([strides[axis] for axis in axes]), offset


def expand(
    shape: Shape,
    strides: Strides,
    offset: int,
    sizes: Sequence[SupportsIndex],
    operator: str = "expand",
) -> Geometry:
    """Axes of size 1 repeated (stride 0) up to `sizes`, which may name new axes on the left; -1
    keeps a size.
    """
    target = as_ints(sizes, operator)
    lead = len(target) - len(shape)
    if lead < 0:
        expected = f"at least {len(shape)} sizes, for {shape}"
        raise ShapeError(operator, "size", expected=expected, got=target)
    out = list(target)
    steps = [0] * lead
    for axis, size, stride in zip(range(lead, len(target)), shape, strides):
        wanted = target[axis]
        if wanted == -1 or wanted == size:
            out[axis] = size
            steps.append(stride)
        elif size == 1:
            steps.append(0)
        else:
            expected = f"{size} or -1 at axis {axis - len(target)}, as in {shape}"
            raise ShapeError(operator, "size", expected=expected, got=target)
    if out and min(out) < 0:
        expected = "sizes from 0 up, and -1 only for axes that are there"
        raise ShapeError(operator, "size", expected=expected, got=target)
    return tuple(out), tuple(steps), offset


# --- cutting --------------------------------------------------------------------------------------


def slice_bounds(
    size: int,
    start: SupportsIndex | None,
    stop: SupportsIndex | None,
    step: SupportsIndex | None = 1,
    operator: str = "slice",
) -> tuple[int, int, int]:
    """(start, stop, step) of a Python slice over an axis: 0 <= start <= stop <= size, step > 0."""
    try:
        first, last, hop = slice(start, stop, step).indices(size)
    except TypeError as error:
        got = repr((start, stop, step))
        raise DtypeError(operator, "slice", expected="integers or None", got=got) from error
    except ValueError:  # a step of 0
        first = last = hop = 0
    if hop <= 0:
        hint = "flip() reverses an axis"
        raise ArgumentError(operator, "step", expected="a step above 0", got=hop, hint=hint)
    return first, max(first, last), hop


def slice_dim(
    shape: Shape,
    strides: Strides,
    offset: int,
    dim: SupportsIndex,
    start: SupportsIndex | None,
    stop: SupportsIndex | None,
    step: SupportsIndex | None = 1,
    operator: str = "slice",
) -> Geometry:
    """A Python slice of one axis, with negative bounds and None as Python takes them."""
    axis = _existing_dim(dim, shape, operator)
    first, last, hop = slice_bounds(shape[axis], start, stop, step, operator)
    stride = strides[axis]
    return (
        (*shape[:axis], (last - first + hop - 1) // hop, *shape[axis + 1 :]),
        (*strides[:axis], stride * hop, *strides[axis + 1 :]),
        offset + first * stride,
    )


def select(
    shape: Shape,
    strides: Strides,
    offset: int,
    dim: SupportsIndex,
    index: SupportsIndex,
    operator: str = "select",
) -> Geometry:
    """One position of an axis, which goes."""
    axis = _existing_dim(dim, shape, operator)
    size = shape[axis]
    try:
        position = as_int(index)
    except TypeError as error:
        raise DtypeError(operator, "index", expected="an integer", got=repr(index)) from error
    if not -size <= position < size:
        expected = f"an index from {-size} to {size - 1} at axis {axis} of {shape}"
        raise RangeError(operator, "index", expected=expected, got=position)
    if position < 0:
        position += size
    return (
        shape[:axis] + shape[axis + 1 :],
        strides[:axis] + strides[axis + 1 :],
        offset + position * strides[axis],
    )


def _existing_dim(dim: SupportsIndex, shape: Shape, operator: str) -> int:
    if not shape:
        raise RangeError(operator, "dim", expected="a tensor with axes", got="one without")
    return normalize_dim(dim, len(shape), operator)


def diagonal(
    shape: Shape,
    strides: Strides,
    offset: int,
    above: int = 0,
    dim1: SupportsIndex = 0,
    dim2: SupportsIndex = 1,
    operator: str = "diagonal",
) -> Geometry:
    """The diagonal of two axes as a new last axis; `above` (PyTorch's offset) shifts it towards
    the end of `dim2`, below 0 towards that of `dim1`.
    """
    row = normalize_dim(dim1, len(shape), operator, "dim1")
    column = normalize_dim(dim2, len(shape), operator, "dim2")
    if row == column:
        raise ShapeError(operator, "dim2", expected=f"an axis other than dim1 ({row})", got=dim2)
    length = min(shape[row] + min(above, 0), shape[column] - max(above, 0))
    if length > 0:
        offset += above * strides[column] if above > 0 else -above * strides[row]
    kept = [axis for axis in range(len(shape)) if axis != row and axis != column]
    return (
        (*[shape[axis] for axis in kept], max(length, 0)),
        (*[strides[axis] for axis in kept], strides[row] + strides[column]),
        offset,
    )


# --- windows --------------------------------------------------------------------------------------


def window_count(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False
) -> int:
    """How many windows fit along an axis padded on both sides; below 1 where none does.

    `ceil_mode` admits a last window that hangs over the end, provided that it starts inside the
    input or its left padding: PyTorch's rule, without which it could see padding alone.
    """
    spare = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return spare // stride + 1
    count = -(-spare // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def window_counts(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    operator: str,
    ceil_mode: bool = False,
) -> Shape:
    """`window_count` of each spatial axis. ShapeError where none fits, ArgumentError for a
    parameter below its least value.
    """
    least = (("kernel_size", kernel, 1), ("stride", stride, 1), ("dilation", dilation, 1))
    for argument, values, minimum in (*least, ("padding", padding, 0)):
        if min(values) < minimum:
            expected = f"values from {minimum} up"
            raise ArgumentError(operator, argument, expected=expected, got=tuple(values))
    axes = zip(sizes, kernel, stride, padding, dilation, strict=True)
    counts = [window_count(*axis, ceil_mode) for axis in axes]
    if min(counts) < 1:
        padded = tuple([size + 2 * pad for size, pad in zip(sizes, padding)])
        reach = tuple([step * (size - 1) + 1 for size, step in zip(kernel, dilation)])
        expected = f"a window that fits the padded input {padded}"
        raise ShapeError(operator, "kernel_size", expected=expected, got=reach)
    return tuple(counts)


def windows(
    shape: Shape,
    strides: Strides,
    offset: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    operator: str = "windows",
) -> Geometry:
    """(N, C, *spatial), already padded, as (N, C, *out, *kernel): every window that a convolution
    or a pooling sees, overlapping in memory.
    """
    lead = len(shape) - len(kernel)
    sizes, steps = shape[lead:], strides[lead:]
    out = window_counts(sizes, kernel, stride, (0,) * len(kernel), dilation, operator)
    return (
        (*shape[:lead], *out, *kernel),
        (
            *strides[:lead],
            *[step * hop for step, hop in zip(steps, stride)],
            *[step * gap for step, gap in zip(steps, dilation)],
        ),
        offset,
    )


def unfold(
    shape: Shape,
    strides: Strides,
    offset: int,
    dim: SupportsIndex,
    size: int,
    step: int,
    operator: str = "unfold",
) -> Geometry:
    """Windows of `size` along an axis, each `step` after the last, laid along a new last axis."""
    axis = normalize_dim(dim, len(shape), operator, "dimension")
    room, stride = (shape[axis], strides[axis]) if shape else (1, 1)
    if not 0 <= size <= room:
        raise ShapeError(operator, "size", expected=f"a size from 0 to {room}", got=size)
    if step <= 0:
        raise ArgumentError(operator, "step", expected="a step above 0", got=step)
    if not shape:
        return (size,), (1,), offset
    return (
        (*shape[:axis], (room - size) // step + 1, *shape[axis + 1 :], size),
        (*strides[:axis], stride * step, *strides[axis + 1 :], stride),
        offset,
    )


# --- any geometry ---------------------------------------------------------------------------------


def as_strided(
    shape: Shape,
    strides: Strides,
    offset: int,
    new_shape: Sequence[SupportsIndex],
    new_strides: Sequence[SupportsIndex],
    new_offset: int | None = None,
    operator: str = "as_strided",
) -> Geometry:
    """The geometry that is named, whatever was (None keeps the offset).

    The storage is not seen here: the caller must hold `extent` of the result against its size.
    """
    sizes = as_ints(new_shape, operator)
    steps = as_ints(new_strides, operator, "stride")
    start = offset if new_offset is None else new_offset
    if len(sizes) != len(steps):
        raise ShapeError(operator, "stride", expected=f"one stride per size {sizes}", got=steps)
    for argument, values in (("size", sizes), ("stride", steps), ("storage_offset", (start,))):
        if values and min(values) < 0:
            raise ShapeError(operator, argument, expected="values from 0 up", got=values)
    return sizes, steps, start
