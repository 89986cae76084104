"""Batching (vmap): a tensor that stands for one example of a batch, so that an operator on it acts
on the whole batch at once.

A batched tensor wraps a *physical* one whose axis 0 is the batch, or which has none and is the same
for every example. Its own spec is the example's and known to no plan, so dispatch hands each call
to `interpret`. Nodes of the tape hang on the wrappers as on any tensor, and on the physical tensors
too: a gradient taken inside is each example's own, one taken outside that of the whole.

An operator without a rule (`plugrad.batching.rules`) runs its body on wrapped tensors, or else runs
once for each example.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

from plugrad.batching.rules import FAMILIES, NAMES, Rule, each_example, pairs, values, with_batch
from plugrad.dispatch import Origin, dispatch, flatten
from plugrad.errors import InPlaceError, UnsupportedError
from plugrad.levels import (
    Level,
    Lifted,
    created,
    is_tracked,
    lifted,
    record_lifted,
    spec_of_each,
)
from plugrad.op import Operator
from plugrad.storage import Storage
from plugrad.tape import Leaf, mode, node_of


@final
class Frame(Level):
    """One running vmap: how many examples, and what randomness means to them."""

    __slots__ = ("randomness", "size")

    def __init__(self, size: int, randomness: str) -> None:
        super().__init__(allocates=False)
        self.size = size
        self.randomness = randomness

    def create(self, operator: Operator, params: tuple[Any, ...]) -> Any:
        """Call an operator without tensors: memory and random numbers may be each example's own."""
        if operator.parameters[:2] == ("seed", "offset") and "shape" in operator.parameters:
            return self._draw(operator, params)
        if self.allocates and operator.name in ("full", "empty"):
            return wrapped(self.outside(_enlarged, operator, self.size, params), self, True)
        return self.outside(created, operator, params)

    def lift(self, value: Any) -> Any:
        """A tensor of this level, the same for every example if it was of an outer one."""
        return value if value.level == self.level else wrapped(value, self, False)

    def _draw(self, operator: Operator, params: tuple[Any, ...]) -> Any:
        if self.randomness == "error":
            raise UnsupportedError(
                operator.name,
                "randomness",
                expected="'same' or 'different', to draw random numbers inside vmap",
                got="'error'",
                hint="pass vmap(..., randomness='different')",
            )
        if self.randomness == "same":
            return wrapped(self.outside(created, operator, params), self, False)
        # A stream of its own, of `size` times the words: it overlaps no later draw.
        seed = (params[0] + self.size * 0x9E3779B97F4A7C15) % (1 << 64)
        params = (seed, params[1] * self.size, *params[2:])
        return wrapped(self.outside(_enlarged, operator, self.size, params), self, True)


def _enlarged(operator: Operator, size: int, params: tuple[Any, ...]) -> Any:
    position = operator.parameters.index("shape")
    shape = (size, *params[position])
    return created(operator, (*params[:position], shape, *params[position + 1 :]))


class Batched(Lifted):
    """What a class of tensors needs to be a batched one; floor 5 mixes it into Tensor."""

    __slots__ = ()

    frame: Frame
    physical: Any
    batched: bool
    kind: ClassVar[type[Any]]

    def interpret(self, operator: Operator, arguments: tuple[Any, ...], params: Any) -> Any:
        """Call an operator for the whole batch. This is the operand of the innermost vmap."""
        frame = self.frame
        if not frame.open:
            self.left_behind(operator.name)
        return _interpret(frame, operator, arguments, params)

    def beneath(self) -> tuple[Any, ...]:
        """The whole batch."""
        return (self.physical,)

    def left_behind(self, operator: str) -> Any:
        """There is no example without a vmap."""
        raise UnsupportedError(
            operator,
            "tensors",
            expected="those of a vmap that is running",
            got="one that a finished vmap left behind",
            hint="return it from the mapped function",
        )

    def alias(self: Any) -> Any:
        """The same memory without a place in this level's graph."""
        return wrapped(self.physical, self.frame, self.batched)

    def native(self) -> Any:
        """There is no array of one example."""
        raise no_data("native")

    def settle(self) -> Storage:
        """There is no storage of one example."""
        raise no_data("storage")

    @property
    def layout(self: Any) -> tuple[tuple[int, ...], int]:
        """Strides and offset of the first example."""
        strides, offset = self.physical.layout
        return (strides[1:] if self.batched else strides), offset


def no_data(operator: str) -> UnsupportedError:
    """The error of asking for the numbers of one example."""
    return UnsupportedError(
        operator,
        "self",
        expected="a tensor with data of its own",
        got="one that vmap maps over",
        hint="what depends on the data must be said with operators, such as where()",
    )


def wrapped(physical: Any, frame: Frame, batched: bool) -> Any:
    """A tensor that stands for each example of `physical`, or for `physical` in each example."""
    shape = physical.spec.shape
    value = lifted(Batched.kind, shape[1:] if batched else shape, physical, frame)
    value.physical = physical
    value.batched = batched
    return value


def operand(value: Any, frame: Frame) -> Any:
    """What a tensor is outside a vmap, and whether it has the batch axis."""
    if type(value) is tuple:
        return tuple([operand(each, frame) for each in value])
    if getattr(value, "level", 0) == frame.level:
        if value.frame is not frame:
            return operand(value.left_behind("vmap"), frame)
        return value.physical, value.batched
    return value, False


# one call -----------------------------------------------------------------------------------------


def _interpret(
    frame: Frame, operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Any:
    if operator.prepare is not None:
        arguments, params = operator.prepare(arguments, params)
    _check(operator, arguments, params)
    tracked = mode.grad and any([is_tracked(argument) for argument in arguments])
    operands = tuple([operand(argument, frame) for argument in arguments])
    if operator.writes:
        return _write(frame, operator, arguments, operands, params, tracked)
    rule = None if tracked and _dissolves(operator) else _rule_of(operator, operands)
    out: Any
    if rule is None:
        out = _run_body(frame, operator, arguments, params)
        if not (tracked and operator.pulls):
            return out
        for each in flatten((out,)):
            each.node = None
    else:
        out = frame.outside(rule, frame.size, operator, operands, params)
        batched = rule is not _unbatched
        if type(out) is tuple:
            out = tuple([wrapped(each, frame, batched) for each in out])
        else:
            out = wrapped(out, frame, batched)
    if operator.differentiable:
        record_lifted(operator, arguments, params, out)
    if operator.geometry is not None:
        base, step = arguments[0], (operator, params)
        origin = base.origin
        out.origin = (
            Origin(base, (step,)) if origin is None else Origin(origin.base, (*origin.steps, step))
        )
    return out


def _check(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> None:
    """Have the operator's own rule refuse the example's shapes, so that errors speak of these."""
    if operator.geometry is not None:
        base = arguments[0]
        operator.geometry(base.spec.shape, *base.layout, *params)
    elif operator.rule is not None:
        facts = dict(zip(operator.tensors, map(spec_of_each, arguments), strict=True))
        facts.update(zip(operator.parameters, params, strict=True))
        if operator.rule(*[facts[name] for name in operator.rule_names]) is None:
            raise UnsupportedError(
                operator.name,
                operator.tensors[0],
                expected="an operator whose result has the same shape for every example",
                got="one whose result's shape depends on the data",
                hint="use where() with a mask",
            )


def _rule_of(operator: Operator, operands: tuple[Any, ...]) -> Rule | None:
    """The rule for a call; `None` where the body says it all."""
    if not any([batched for _, batched in pairs(operands)]):
        return _unbatched
    rule = operator.batching or NAMES.get(operator.name) or FAMILIES.get(operator.family)
    if rule is not None and (operator.family != "in_place" or operator.prepare is not None):
        return rule
    return None if operator.body is not None else each_example


def _dissolves(operator: Operator) -> bool:
    return operator.body is not None and not operator.pulls


def _unbatched(
    size: int, operator: Operator, operands: tuple[Any, ...], params: tuple[Any, ...]
) -> Any:
    return dispatch(operator, values(operands), params)


def _run_body(
    frame: Frame, operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Any:
    """The body on wrapped tensors. All get a batch axis: the body may write into copies of them."""
    assert operator.body is not None
    if not operator.writes:
        arguments = tuple([_as_batched(argument, frame) for argument in arguments])
    with frame.allocating():
        return operator.body(*arguments, *params)


def _as_batched(argument: Any, frame: Frame) -> Any:
    if argument is None:
        return None
    if type(argument) is tuple:
        return tuple([_as_batched(each, frame) for each in argument])
    physical, batched = operand(argument, frame)
    if batched:
        return argument
    twin = wrapped(frame.outside(with_batch, (physical, False), frame.size), frame, True)
    twin.node = node_of(argument)
    return twin


def _write(
    frame: Frame,
    operator: Operator,
    arguments: tuple[Any, ...],
    operands: tuple[Any, ...],
    params: tuple[Any, ...],
    tracked: bool,
) -> Any:
    targets = tuple([arguments[position] for position in operator.writes])
    written = pairs(tuple([operands[position] for position in operator.writes]))
    batched = any([batched for _, batched in pairs(operands)])
    if batched and not all([its for value, its in written if value is not None]):
        raise InPlaceError(
            f"{operator.name}: a tensor that vmap does not map over cannot be written with values "
            "that it does; use the out-of-place operator, or make the tensor with x.new_zeros(...) "
            "of a mapped x"
        )
    if tracked:
        for target in flatten(targets):
            _refuse_leaf(operator, target)
    rule = _rule_of(operator, operands)
    if rule is None or (tracked and _dissolves(operator)):
        _run_body(frame, operator, arguments, params)
    else:
        frame.outside(rule, frame.size, operator, operands, params)
        if tracked and operator.rebase is not None:
            operator.rebase(*arguments, *params)
    return targets[0] if len(targets) == 1 else targets


def _refuse_leaf(operator: Operator, target: Any) -> None:
    node = target.node if target.origin is None else target.origin.base.node
    if type(node) is Leaf:
        raise InPlaceError(
            f"{operator.name}: a leaf that requires grad cannot be written in place; "
            "write to a clone()"
        )
