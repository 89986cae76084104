"""Sizes, axes and broadcasting: arithmetic on plain tuples.

Strides count elements, never bytes, and are never negative. Where a function can raise, `operator`
names the call in the error. A tensor without axes accepts axis 0 and -1, as PyTorch's does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import Any, SupportsIndex, cast

from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError

Shape = tuple[int, ...]
Strides = tuple[int, ...]


class Size(tuple[int, ...]):
    """A tensor's shape as users see it: a tuple that also counts its elements."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return math.prod(self)

    def __getitem__(self, key: Any) -> Any:
        found = cast("Any", super().__getitem__(key))
        return Size(found) if isinstance(key, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(super().__add__(other))

    def __repr__(self) -> str:
        return f"plugrad.Size({list(self)})"


def numel(shape: Sequence[int]) -> int:
    """The number of elements; 1 without axes."""
    return math.prod(shape)


# --- memory layout --------------------------------------------------------------------------------


def contiguous_strides(shape: Shape) -> Strides:
    """Strides of a row-major tensor; an axis of size 0 counts as 1, so that no stride is 0."""
    step = 1
    strides: list[int] = []
    for size in shape[::-1]:
        strides.append(step)
        if size > 1:
            step *= size
    strides.reverse()
    return tuple(strides)


def is_contiguous(shape: Shape, strides: Strides) -> bool:
    """Whether the elements lie row-major without gaps; axes of size 1 may have any stride."""
    step = 1
    for size, stride in zip(shape[::-1], strides[::-1]):
        if size != 1:
            if stride != step:
                return 0 in shape
            step *= size
    return True


def is_dense(shape: Shape, strides: Strides) -> bool:
    """Whether the elements fill one block, each place once, in whatever order of axes."""
    if 0 in shape:
        return True
    step = 1
    for stride, size in sorted((st, n) for n, st in zip(shape, strides) if n != 1):
        if stride != step:
            return False
        step *= size
    return True


def overlaps(shape: Shape, strides: Strides) -> bool:
    """Whether two positions may share one place in memory.

    Exact where each axis steps clear over the ones with smaller strides (permuted, sliced and
    diagonal views) or repeats a place (expanded ones). Interleaved strides give True, though some
    of them do not collide.
    """
    if 0 in shape:
        return False
    reach = 0
    for stride, size in sorted((st, n) for n, st in zip(shape, strides) if n != 1):
        if stride <= reach:
            return True
        reach += (size - 1) * stride
    return False


def extent(shape: Shape, strides: Strides, offset: int = 0) -> int:
    """How many elements a storage must have for the tensor to lie inside it."""
    if 0 in shape:
        return 0
    return offset + 1 + sum((size - 1) * stride for size, stride in zip(shape, strides))


# --- parameters -----------------------------------------------------------------------------------


def as_ints(
    values: Sequence[SupportsIndex], operator: str, argument: str = "size"
) -> tuple[int, ...]:
    """The values as plain ints; DtypeError, which is a TypeError, at the first that is none."""
    try:
        return tuple(map(index, values))
    except TypeError as error:
        raise DtypeError(operator, argument, expected="integers", got=repr(values)) from error


def to_tuple(
    value: SupportsIndex | Sequence[SupportsIndex], n: int, operator: str, argument: str
) -> tuple[int, ...]:
    """A parameter per spatial axis: one int, or a sequence of one, stands for all `n`."""
    if value.__class__ is int:
        return (cast(int, value),) * n
    values = as_ints(value if isinstance(value, Sequence) else (value,), operator, argument)
    if len(values) == n:
        return values
    if len(values) == 1:
        return values * n
    raise ArgumentError(operator, argument, expected=f"one int or {n} of them", got=value)


def normalize_dim(dim: SupportsIndex, ndim: int, operator: str, argument: str = "dim") -> int:
    """The axis counted from the left."""
    limit = ndim or 1
    try:
        axis = index(dim)
    except TypeError as error:
        raise DtypeError(operator, argument, expected="an integer", got=repr(dim)) from error
    if -limit <= axis < limit:
        return axis + limit if axis < 0 else axis
    expected = f"an axis from {-limit} to {limit - 1}"
    raise RangeError(operator, argument, expected=expected, got=axis)


def normalize_dims(
    dims: SupportsIndex | Sequence[SupportsIndex] | None,
    ndim: int,
    operator: str,
    argument: str = "dim",
) -> tuple[int, ...]:
    """The axes counted from the left, ascending. None means all; an empty sequence means none.

    A tensor without axes gives (), whichever of its names (0, -1) is used. ShapeError where an
    axis is named twice.
    """
    if dims is None:
        return tuple(range(ndim))
    # The usual classes first: asking the abstract Sequence takes several times as long.
    if not isinstance(dims, (tuple, list, Sequence)):
        axis = normalize_dim(dims, ndim, operator, argument)
        return (axis,) if ndim else ()
    axes = [normalize_dim(dim, ndim, operator, argument) for dim in dims]
    if len(axes) > 1:
        if len(set(axes)) != len(axes):
            raise ShapeError(operator, argument, expected="each axis once", got=tuple(dims))
        axes.sort()
    return tuple(axes) if ndim else ()


# --- shapes from shapes ---------------------------------------------------------------------------


def broadcast_shapes(operator: str, *shapes: Shape) -> Shape:
    """The shape that all of them expand to, aligned at the last axis; an axis of size 1 repeats."""
    if not shapes:
        return ()
    out = shapes[0]
    for shape in shapes[1:]:
        if shape == out:
            continue
        if len(shape) > len(out):
            shape, out = out, shape
        lead = len(out) - len(shape)
        sizes = list(out[:lead])
        for a, b in zip(out[lead:], shape):
            if a == b or b == 1:
                sizes.append(a)
            elif a == 1:
                sizes.append(b)
            else:
                raise _clash(operator, shapes)
        out = tuple(sizes)
    return out


def _clash(operator: str, shapes: Sequence[Shape]) -> ShapeError:
    """Which two shapes disagree, and at which axis."""
    for axis in range(-1, -1 - max(map(len, shapes)), -1):
        real = [s for s in shapes if len(s) >= -axis and s[axis] != 1]
        for other in real[1:]:
            if other[axis] != real[0][axis]:
                got = (
                    f"{real[0]} and {other}: sizes {real[0][axis]} and {other[axis]} at axis {axis}"
                )
                expected = "shapes that broadcast, sizes equal or 1"
                return ShapeError(operator, "operands", expected=expected, got=got)
    raise AssertionError("shapes that broadcast")


def reduce_shape(shape: Shape, dims: Sequence[int], keepdim: bool) -> Shape:
    """The shape after a reduction over `dims`, counted from the left."""
    if keepdim:
        return tuple([1 if axis in dims else size for axis, size in enumerate(shape)])
    return tuple([size for axis, size in enumerate(shape) if axis not in dims])


def infer_shape(sizes: Sequence[SupportsIndex], count: int, operator: str) -> Shape:
    """The shape with its -1, if any, replaced by what `count` elements need; ShapeError where
    they do not fit.
    """
    shape = as_ints(sizes, operator, "shape")
    known = 1
    hole = -1
    for axis, size in enumerate(shape):
        if size >= 0:
            known *= size
        elif size == -1 and hole < 0:
            hole = axis
        else:
            expected = "sizes from 0 up, and -1 at most once"
            raise ShapeError(operator, "shape", expected=expected, got=shape)
    if hole < 0:
        if known == count:
            return shape
    elif known == 0:
        hint = "beside a size of 0 any size would do for -1: write it out"
        expected = f"a shape of {count} elements"
        raise ShapeError(operator, "shape", expected=expected, got=shape, hint=hint)
    elif count % known == 0:
        return (*shape[:hole], count // known, *shape[hole + 1 :])
    raise ShapeError(operator, "shape", expected=f"a shape of {count} elements", got=shape)


def squeeze_shape(
    shape: Shape, dims: SupportsIndex | Sequence[SupportsIndex] | None, operator: str
) -> Shape:
    """Without the axes of size 1 among `dims` (None: all); longer axes stay."""
    axes = normalize_dims(dims, len(shape), operator)
    return tuple([size for axis, size in enumerate(shape) if size != 1 or axis not in axes])


def unsqueeze_shape(shape: Shape, dim: SupportsIndex, operator: str) -> Shape:
    """With a new axis of size 1 at `dim`, counted in the result."""
    axis = normalize_dim(dim, len(shape) + 1, operator)
    return (*shape[:axis], 1, *shape[axis:])


def flatten_shape(
    shape: Shape, start_dim: SupportsIndex, end_dim: SupportsIndex, operator: str
) -> Shape:
    """With the axes from `start_dim` to `end_dim`, both included, as one; () becomes (1,)."""
    start = normalize_dim(start_dim, len(shape), operator, "start_dim")
    end = normalize_dim(end_dim, len(shape), operator, "end_dim")
    if start > end:
        expected = f"an axis not after end_dim ({end})"
        raise ShapeError(operator, "start_dim", expected=expected, got=start)
    return (*shape[:start], numel(shape[start : end + 1]), *shape[end + 1 :])


def unflatten_shape(
    shape: Shape, dim: SupportsIndex, sizes: Sequence[SupportsIndex], operator: str
) -> Shape:
    """With the axis `dim` as several; one of the sizes may be -1."""
    axis = normalize_dim(dim, len(shape), operator)
    if not shape or not sizes:
        got = "a tensor without axes" if not shape else "no sizes"
        raise ShapeError(operator, "sizes", expected="an axis and what to split it into", got=got)
    return (*shape[:axis], *infer_shape(sizes, shape[axis], operator), *shape[axis + 1 :])


def class_axis(shape: Shape) -> int:
    """Along which axis of a loss's input the classes are: the first, after one for the batch."""
    return 0 if len(shape) == 1 else 1
