"""Shapes and strides as kernels take them: with as few axes as say the same, and divisions by sizes
as products.
"""

from __future__ import annotations

from collections.abc import Sequence

_SMALL = 1 << 31  # what an index must stay below to be computed in 32 bits

Axis = tuple[int, ...]  # a size, and a stride for each array that is walked over


def collapse(sizes: Sequence[int], *strides: Sequence[int]) -> list[Axis]:
    """Axes, slowest first, without those of size 1, and with neighbours made one where every array
    lies so; at least one.
    """
    axes: list[Axis] = []
    for size, *steps in zip(sizes, *strides, strict=True):
        if size == 1:
            continue
        if axes and all(
            [outer == inner * size for outer, inner in zip(axes[-1][1:], steps, strict=True)]
        ):
            axes[-1] = (axes[-1][0] * size, *steps)
        else:
            axes.append((size, *steps))
    return axes or [(1, *[0] * len(strides))]


def is_small(axes: Sequence[Axis]) -> bool:
    """Whether every index and every place stays below 2**31."""
    count, reach = 1, [0] * len(axes[0][1:])
    for size, *steps in axes:
        count *= size
        reach = [far + (size - 1) * abs(step) for far, step in zip(reach, steps, strict=True)]
    return max(count, *reach) < _SMALL


def divider(size: int) -> tuple[int, int, int]:
    """The fields of `Divider`: the size, and the factor and the shift that divide by it."""
    size = max(size, 1)  # nothing is divided where nothing is
    shift = (size - 1).bit_length()
    factor = ((1 << 32) * ((1 << shift) - size)) // size + 1
    return size, factor & 0xFFFFFFFF, shift


def walk(axes: Sequence[Axis], most: int) -> tuple[int, ...]:
    """The fields of `Walk<most>` over axes of one stride each, in elements."""
    spare = most - len(axes)
    dividers = [n for size, _ in axes for n in divider(min(size, _SMALL))]
    strides = [stride for _, stride in axes]
    return (len(axes), is_small(axes), *dividers, *[0] * (3 * spare), *strides, *[0] * spare)


def walk_layout(most: int) -> str:
    """The `struct` format of `Walk<most>`."""
    return f"2i{3 * most}I{most}q"


def c_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides in elements of an array in C order."""
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
