"""Forward mode (jvp): a tensor together with its tangent, the direction in which it moves.

A dual wraps a *primal*, the value, and a *tangent* of the same shape, `None` while it stands still.
An operator on duals acts on the primals as always, and `plugrad.forward.rules` say how the result
moves; a composite without a derivative of its own runs its body on duals. A dual has data: it may
be printed and branched on. When its level has ended it counts as its primal.

Tangents are values that nobody writes to: a write into a dual gives it, or the dual that it is a
view of, a new tangent, and a view then looks at its base's again.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

from plugrad.dispatch import Origin, dispatch, flatten
from plugrad.errors import InPlaceError, UnsupportedError
from plugrad.forward.rules import is_moving, look, push, spread, zeros
from plugrad.levels import Level, Lifted, created, is_tracked, lifted, record_lifted
from plugrad.op import Operator
from plugrad.ops.creation import copy_
from plugrad.ops.views import overwrite
from plugrad.storage import Storage
from plugrad.tape import Leaf, mode


@final
class DualLevel(Level):
    """One running differentiation."""

    __slots__ = ()

    def create(self, operator: Operator, params: tuple[Any, ...]) -> Any:
        """Call an operator without tensors: what it makes does not move, but may be written to."""
        made = self.outside(created, operator, params)
        return dual(made, None, self) if self.allocates and _can_move(made) else made

    def lift(self, value: Any) -> Any:
        """A dual; one that does not move, if it is not a dual yet."""
        return value if _is_own(value, self) else dual(value, None, self)


class Dual(Lifted):
    """What a class of tensors needs to be one of duals; floor 5 mixes it into Tensor."""

    __slots__ = ()

    frame: DualLevel
    primal: Any
    # As last seen; `tangent_of` looks whether the base of a view has another one by now.
    tangent: Any
    seen: Any
    kind: ClassVar[type[Any]]

    def interpret(self, operator: Operator, arguments: tuple[Any, ...], params: Any) -> Any:
        """Call an operator forwards. This is the operand of the innermost level."""
        frame = self.frame
        if not frame.open:
            return dispatch(operator, _ended(arguments), params)
        return _interpret(frame, operator, arguments, params)

    def beneath(self) -> tuple[Any, ...]:
        """The value, and the tangent if it moves."""
        tangent = tangent_of(self)
        return (self.primal,) if tangent is None else (self.primal, tangent)

    def left_behind(self, operator: str) -> Any:
        """The primal remains."""
        return self.primal

    def alias(self) -> Any:
        """The same memory, moving alike, without a place in this level's graph."""
        return dual(self.primal, tangent_of(self), self.frame)

    def native(self) -> Any:
        """The primal's array."""
        return self.primal.native()

    def settle(self) -> Storage:
        """The primal's storage."""
        return self.primal.settle()

    @property
    def layout(self) -> tuple[tuple[int, ...], int]:
        """The primal's strides and offset."""
        return self.primal.layout


def dual(primal: Any, tangent: Any, frame: DualLevel) -> Any:
    """A tensor that moves along a tangent, or not if that is `None`."""
    value = lifted(Dual.kind, primal.spec.shape, primal, frame)
    value.primal = primal
    value.tangent = tangent
    value.seen = None
    return value


def primal_of(argument: Any, frame: DualLevel) -> Any:
    """What a tensor, or each of a tuple, is outside the level."""
    if type(argument) is tuple:
        return tuple([primal_of(each, frame) for each in argument])
    return argument.primal if _is_own(argument, frame) else argument


def tangent_in(argument: Any, frame: DualLevel) -> Any:
    """How a tensor, or each of a tuple, moves at the level; `None` if it does not."""
    if type(argument) is tuple:
        return tuple([tangent_in(each, frame) for each in argument])
    return tangent_of(argument) if _is_own(argument, frame) else None


def tangent_of(value: Any) -> Any:
    """How a dual moves."""
    base = _base(value)
    if base is not value and base.tangent is not value.seen:
        value.seen = base.tangent
        value.tangent = value.frame.outside(_look_again, base, value.origin.steps)
    return value.tangent


def _look_again(base: Any, steps: Any) -> Any:
    tangent, shape, layout = base.tangent, base.spec.shape, base.primal.layout
    for operator, params in steps:
        tangent = look(operator, layout, tangent, params)
        shape, *layout = operator.geometry(shape, *layout, *params)
    return tangent


def moves_outside(value: Any) -> bool:
    """Whether a tensor that this one is made of moves at an outer level."""
    return value.level > 0 and any(
        [
            (isinstance(each, Dual) and tangent_of(each) is not None) or moves_outside(each)
            for each in value.beneath()
        ]
    )


def _base(value: Any) -> Any:
    """The dual that this one is a view of, or itself."""
    origin = value.origin
    if origin is None or not _is_own(origin.base, value.frame):
        return value
    return origin.base


def _is_own(value: Any, frame: DualLevel) -> bool:
    return getattr(value, "frame", None) is frame


def _can_move(value: Any) -> bool:
    return value.spec.dtype.kind in ("float", "complex")


def _ended(argument: Any) -> Any:
    """Without the duals of levels that have ended."""
    if type(argument) is tuple:
        return tuple([_ended(each) for each in argument])
    while isinstance(argument, Dual) and not argument.frame.open:
        argument = argument.primal
    return argument


# one call -----------------------------------------------------------------------------------------


def _interpret(
    frame: DualLevel, operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Any:
    if operator.prepare is not None:
        arguments, params = operator.prepare(arguments, params)
    primals, tangents = primal_of(arguments, frame), tangent_in(arguments, frame)
    tracked = mode.grad and any([is_tracked(argument) for argument in arguments])
    if operator is copy_.operator:
        return _copy(frame, arguments, primals, tangents, params, tracked)
    if _needs_body(operator, tangents, tracked):
        return _run_body(frame, operator, arguments, params, tracked)
    out = frame.outside(dispatch, operator, primals, params)
    if operator.writes:
        targets = tuple([arguments[position] for position in operator.writes])
        return targets[0] if len(targets) == 1 else targets
    tangent = frame.outside(push, operator, primals, tangents, params, out)
    if type(out) is tuple:
        moved = (None,) * len(out) if tangent is None else tangent
        out = tuple([_wrap(each, t, frame) for each, t in zip(out, moved, strict=True)])
    else:
        out = _wrap(out, tangent, frame)
    if operator.differentiable and tracked:
        record_lifted(operator, arguments, params, out)
    if operator.geometry is not None:
        _remember_base(arguments[0], operator, params, out)
    return out


def _wrap(out: Any, tangent: Any, frame: DualLevel) -> Any:
    return dual(out, tangent, frame) if _can_move(out) else out


def _remember_base(base: Any, operator: Operator, params: tuple[Any, ...], out: Any) -> None:
    origin, step = base.origin, (operator, params)
    out.origin = (
        Origin(base, (step,)) if origin is None else Origin(origin.base, (*origin.steps, step))
    )
    out.seen = _base(out).tangent


def _needs_body(operator: Operator, tangents: tuple[Any, ...], tracked: bool) -> bool:
    """Whether only the operator's body, run on duals, tells how the result moves."""
    moving = [i for i, each in enumerate(tangents) if is_moving(each)]
    if operator.writes:
        if operator.body is None and moving:
            raise UnsupportedError(
                operator.name,
                "tensors",
                expected="in forward mode an operator that does not write, or has a body",
                got="one that writes and has none",
            )
        return operator.body is not None
    if operator.body is None:
        return False
    if not operator.pulls and not operator.pushes:
        return bool(moving) or tracked
    if operator.family in ("elementwise", "reduction"):
        return False
    return not all([i in operator.pushes for i in moving])


def _run_body(
    frame: DualLevel,
    operator: Operator,
    arguments: tuple[Any, ...],
    params: tuple[Any, ...],
    tracked: bool,
) -> Any:
    assert operator.body is not None
    with frame.allocating():
        out = operator.body(*arguments, *params)
    if tracked and operator.pulls and not operator.writes:
        for each in flatten((out,)):
            each.node = None
        record_lifted(operator, arguments, params, out)
    return out


def _copy(
    frame: DualLevel,
    arguments: tuple[Any, ...],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    params: tuple[Any, ...],
    tracked: bool,
) -> Any:
    """Write into a tensor: its base, or it itself, gets a new tangent."""
    target, source = arguments
    tangent = tangents[1]
    own = _is_own(target, frame)
    if tangent is not None and not own and _can_move(target):
        raise InPlaceError(
            "copy_: a tensor that forward mode does not follow cannot be written with values that "
            "move; use the out-of-place operator, or make the tensor with x.new_zeros(...) of an x "
            "that moves"
        )
    base = _base(target) if own else target
    if tracked and type(base.node) is Leaf:
        raise InPlaceError(
            "copy_: a leaf that requires grad cannot be written in place; write to a clone()"
        )
    frame.outside(dispatch, copy_.operator, primals, params)
    if own:
        frame.outside(_move, base, target, tangent)
    if tracked:
        assert copy_.operator.rebase is not None
        copy_.operator.rebase(target, source, *params)
    return target


def _move(base: Any, target: Any, tangent: Any) -> None:
    """How a base moves after a write of what moves so."""
    if base is target:
        base.tangent = None if tangent is None else spread(tangent, target.spec)
    elif tangent is not None or base.tangent is not None:
        before = zeros(base.spec) if base.tangent is None else base.tangent
        value = zeros(target.spec) if tangent is None else tangent
        base.tangent = overwrite(before, value, target.origin.steps)
