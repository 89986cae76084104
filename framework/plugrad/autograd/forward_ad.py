"""Forward mode by hand: duals inside a level. `plugrad.func.jvp` does the same for a function.

In a level every operator carries the tangents of its operands on to its result. Levels may be
nested; a dual belongs to one of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

from plugrad.errors import AutogradError
from plugrad.forward import DualLevel, dual, tangent_of
from plugrad.func.duals import check_tangent
from plugrad.levels import Level
from plugrad.tape import mode, node_of
from plugrad.tensor import Tensor


class UnpackedDualTensor(NamedTuple):
    """A value, and how it moves; `tangent` is `None` if it does not."""

    primal: Any
    tangent: Any


def enter_dual_level() -> int:
    """Begin a level, and get its number."""
    return DualLevel(allocates=False).__enter__().level


def exit_dual_level(*, level: int | None = None) -> None:
    """End the innermost level, which must have that number if one is given."""
    frame: Level | None = mode.frame
    if not isinstance(frame, DualLevel) or level not in (None, frame.level):
        asked = "the innermost level" if level is None else f"level {level}"
        raise AutogradError(
            f"exit_dual_level: {asked} is not one of forward mode that was entered last; levels "
            "end in the opposite order of their beginning"
        )
    frame.__exit__()


@final
class dual_level:
    """A level for the block; when it ends, duals count as their primals."""

    def __enter__(self) -> int:
        self._level = enter_dual_level()
        return self._level

    def __exit__(self, *exception: object) -> None:
        exit_dual_level(level=self._level)


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """The tensor, moving along a tangent of the same shape and dtype, at a level (the innermost).

    It shares memory with `tensor`, and its place in the graph.
    """
    frame = _frame("make_dual", level)
    if frame is None:
        raise AutogradError(
            "make_dual: there is no level to make it in; write `with forward_ad.dual_level():`"
        )
    check_tangent("make_dual", tensor, tangent)
    made = dual(tensor, tangent, frame)
    made.node = node_of(tensor)
    return made


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value and the tangent of a dual; any other tensor does not move."""
    frame = _frame("unpack_dual", level)
    if frame is None or getattr(tensor, "frame", None) is not frame:
        return UnpackedDualTensor(tensor, None)
    moving: Any = tensor
    return UnpackedDualTensor(moving.primal, tangent_of(moving))


def _frame(operator: str, level: int | None) -> DualLevel | None:
    """The innermost level of forward mode, or the one with that number."""
    frame: Level | None = mode.frame
    while frame is not None:
        if isinstance(frame, DualLevel) and level in (None, frame.level):
            return frame
        frame = frame.parent
    if level is not None:
        raise AutogradError(f"{operator}: no level {level} of forward mode is running")
    return None
