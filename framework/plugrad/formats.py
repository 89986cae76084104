"""Memory formats: in which order a tensor's axes lie in memory. They change strides, never values.

Channels last is the order (N, *spatial, C) of axes named (N, C, *spatial).
"""

from __future__ import annotations

from typing import Any, final

from plugrad.errors import KindError, ShapeError
from plugrad.shapes import Shape, Strides, contiguous_strides, is_contiguous, is_dense


@final
class MemoryFormat:
    """A way to lay out axes. `order` are those of a fixed number, from the slowest to the fastest;
    without one the format serves any number.
    """

    __slots__ = ("name", "order")

    def __init__(self, name: str, order: tuple[int, ...] = ()) -> None:
        self.name = name
        self.order = order

    def __repr__(self) -> str:
        return f"plugrad.{self.name}"

    def __reduce__(self) -> str:
        return self.name


#: C order: the last axis is the fastest.
contiguous_format = MemoryFormat("contiguous_format")
#: The order of the tensor that is copied, or C order where that is not without gaps.
preserve_format = MemoryFormat("preserve_format")
#: Of images (N, C, H, W): the channels of a pixel lie side by side.
channels_last = MemoryFormat("channels_last", (0, 2, 3, 1))
#: Of volumes (N, C, D, H, W).
channels_last_3d = MemoryFormat("channels_last_3d", (0, 2, 3, 4, 1))


def target_strides(
    memory_format: Any, shape: Shape, strides: Strides | None, operator: str
) -> Strides:
    """The strides of a tensor made in a format; `strides` are those of the tensor that it is made
    after, `None` where there is no such tensor.
    """
    checked(memory_format, operator)
    if memory_format is preserve_format:
        if strides is None:
            raise KindError(operator, "memory_format", expected="another format", got=memory_format)
        return _preserved(shape, strides)
    order = memory_format.order
    if not order:
        return contiguous_strides(shape)
    if len(order) != len(shape):
        raise ShapeError(
            operator, "memory_format", expected=f"{len(order)} axes for {memory_format}", got=shape
        )
    return strides_in_order(shape, order)


def checked(memory_format: Any, operator: str) -> MemoryFormat:
    """A memory format; refuses everything else."""
    if not isinstance(memory_format, MemoryFormat):
        raise KindError(
            operator,
            "memory_format",
            expected="a memory format, such as plugrad.channels_last",
            got=type(memory_format).__name__,
        )
    return memory_format


def has_format(memory_format: MemoryFormat, shape: Shape, strides: Strides) -> bool:
    """Whether a tensor lies in a format, axes of size 1 aside."""
    order = memory_format.order
    if not order:
        return is_contiguous(shape, strides)
    if len(order) != len(shape):
        return False
    return is_contiguous(
        tuple([shape[axis] for axis in order]), tuple([strides[axis] for axis in order])
    )


def nearest(shape: Shape, strides: Strides) -> MemoryFormat:
    """The format for channels whose order the axes are in, with gaps or without, else C order."""
    for each in (channels_last, channels_last_3d):
        if len(each.order) == len(shape) and 0 not in shape and strides[1]:
            step = 0
            for axis in reversed(each.order):
                # Of one channel and one pixel nobody can tell: that is C order.
                if strides[axis] < step or (axis == 0 and step == strides[1]):
                    break
                step = strides[axis] * shape[axis]
            else:
                return each
    return contiguous_format


def strides_in_order(shape: Shape, order: tuple[int, ...]) -> Strides:
    """Strides without gaps of axes that are named from the slowest to the fastest."""
    found = [0] * len(shape)
    for axis, stride in zip(
        order, contiguous_strides(tuple([shape[axis] for axis in order])), strict=True
    ):
        found[axis] = stride
    return tuple(found)


def slowest_first(shape: Shape, strides: Strides) -> tuple[int, ...]:
    """The axes by falling strides. One that repeats its elements stays where it is among the
    others; of two with the same stride the longer is the slower.
    """
    order: list[int] = []
    for axis in range(len(shape)):
        place = len(order)
        for before in range(len(order) - 1, -1, -1):
            other = order[before]
            if 0 in (strides[axis], strides[other]):
                continue
            if (strides[axis], shape[axis]) <= (strides[other], shape[other]):
                break
            place = before
        order.insert(place, axis)
    return tuple(order)


def _preserved(shape: Shape, strides: Strides) -> Strides:
    if is_dense(shape, strides) and 0 not in shape:
        return strides
    return strides_in_order(shape, slowest_first(shape, strides))
