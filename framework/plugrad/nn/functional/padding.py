"""Padding: borders of one number, or of elements from inside."""

from __future__ import annotations

from collections.abc import Sequence

from plugrad.creation import tensor
from plugrad.errors import ArgumentError, ShapeError, UnsupportedError
from plugrad.ops import indexing, joining
from plugrad.shapes import as_ints
from plugrad.tensor import Tensor

_MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """More elements before and after the last axes; `pad` holds two numbers per axis, the last axis
    first.

    Negative numbers take away. The new elements are `value`, or the mirror image without the edge
    ("reflect"), the edge ("replicate"), the opposite side ("circular").
    """
    numbers = as_ints(pad, "pad", "pad")
    if len(numbers) % 2 or len(numbers) > 2 * input.ndim:
        raise ArgumentError(
            "pad", "pad", expected=f"two numbers for each of at most {input.ndim} axes", got=numbers
        )
    pairs = [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), 2)]
    margins = ((0, 0),) * (input.ndim - len(pairs)) + tuple(reversed(pairs))
    if mode == "constant":
        return joining.pad(input, margins, 0 if value is None else value)
    if mode not in _MODES:
        raise ArgumentError("pad", "mode", expected=f"one of {_MODES}", got=repr(mode))
    if value:
        raise ArgumentError("pad", "value", expected=f"none where mode is {mode!r}", got=value)
    if input.ndim - len(pairs) not in (1, 2) or len(pairs) > 3:
        raise UnsupportedError(
            "pad",
            "pad",
            expected=f"the 1 to 3 spatial axes of (N, C, *) or (C, *) where mode is {mode!r}",
            got=f"{len(pairs)} axes of {tuple(input.shape)}",
        )
    for axis, (before, after) in enumerate(margins):
        if before or after:
            positions = _positions(mode, input.shape[axis], before, after, axis)
            index = tensor(positions, device=input.device)
            input = indexing.index_select(input, index, axis)
    return input


def _positions(mode: str, size: int, before: int, after: int, axis: int) -> list[int]:
    """Which elements of the axis stand along the padded one."""
    most = {"reflect": size - 1, "circular": size}.get(mode)
    if size == 0 or (most is not None and max(before, after) > most) or size + before + after < 0:
        raise ShapeError(
            "pad",
            "pad",
            expected=f"what mode {mode!r} finds in axis {axis}, which has {size} elements",
            got=(before, after),
        )
    wanted = range(-before, size + after)
    if mode == "circular":
        # What is taken away is no part of the circle.
        first, last = max(-before, 0), size - max(-after, 0)
        return [first + (position - first) % (last - first) for position in wanted]
    if mode == "replicate":
        return [min(max(position, 0), size - 1) for position in wanted]
    mirrored = [abs(position) for position in wanted]
    return [2 * (size - 1) - position if position >= size else position for position in mirrored]
