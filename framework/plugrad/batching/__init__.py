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

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, final

from plugrad.batching.rules import FAMILIES, NAMES, Rule, each_example, pairs, values, with_batch
from plugrad.dispatch import Origin, Plan, dispatch, flatten, record
from plugrad.errors import InPlaceError, UnsupportedError
from plugrad.op import Operator
from plugrad.spec import Spec
from plugrad.storage import Storage
from plugrad.tape import Leaf, mode, node_of


@final
class Frame:
    """One running vmap: how many examples, and what randomness means to them."""

    __slots__ = ("allocates", "level", "open", "parent", "randomness", "size")

    def __init__(self, size: int, randomness: str) -> None:
        self.parent: Frame | None = mode.frame
        self.level: int = 1 if self.parent is None else self.parent.level + 1
        self.size = size
        self.randomness = randomness
        self.open = True
        # Whether new memory is every example's own, to be written to: as in an operator's body.
        self.allocates = False

    def __enter__(self) -> Frame:
        mode.frame = self
        return self

    def __exit__(self, *exception: object) -> None:
        mode.frame = self.parent
        self.open = False

    @contextmanager
    def allocating(self, batched: bool = True) -> Iterator[None]:
        """In the block new memory is (or is not) every example's own."""
        before = mode.frame, self.allocates
        mode.frame, self.allocates = self, batched
        try:
            yield
        finally:
            mode.frame, self.allocates = before

    def create(self, operator: Operator, params: tuple[Any, ...]) -> Any:
        """Call an operator without tensors: memory and random numbers may be each example's own."""
        if operator.parameters[:2] == ("seed", "offset") and "shape" in operator.parameters:
            return self._draw(operator, params)
        if self.allocates and operator.name in ("full", "empty"):
            return wrapped(_outside(self, _enlarged, operator, self.size, params), self, True)
        return dispatch(operator, (), params)

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
            return wrapped(_outside(self, _created, operator, params), self, False)
        # A stream of its own, of `size` times the words: it overlaps no later draw.
        seed = (params[0] + self.size * 0x9E3779B97F4A7C15) % (1 << 64)
        params = (seed, params[1] * self.size, *params[2:])
        return wrapped(_outside(self, _enlarged, operator, self.size, params), self, True)


def _created(operator: Operator, params: tuple[Any, ...]) -> Any:
    frame: Frame | None = mode.frame
    return dispatch(operator, (), params) if frame is None else frame.create(operator, params)


def _enlarged(operator: Operator, size: int, params: tuple[Any, ...]) -> Any:
    position = operator.parameters.index("shape")
    shape = (size, *params[position])
    return _created(operator, (*params[:position], shape, *params[position + 1 :]))


def _outside(frame: Frame, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function as if this vmap, and those inside it, did not run."""
    before = mode.frame
    mode.frame = frame.parent
    try:
        return function(*arguments)
    finally:
        mode.frame = before


class Batched:
    """What a class of tensors needs to be a batched one; floor 5 mixes it into Tensor."""

    __slots__ = ()

    frame: Frame
    physical: Any
    batched: bool
    level: int
    kind: ClassVar[type[Any]]

    def interpret(self, operator: Operator, arguments: tuple[Any, ...], params: Any) -> Any:
        """Call an operator for the whole batch. This is the operand of the innermost vmap."""
        frame = self.frame
        if not frame.open:
            raise _left_behind(operator.name)
        return _interpret(frame, operator, arguments, params)

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


def _left_behind(operator: str) -> UnsupportedError:
    return UnsupportedError(
        operator,
        "tensors",
        expected="those of a vmap that is running",
        got="one that a finished vmap left behind",
        hint="return it from the mapped function",
    )


def wrapped(physical: Any, frame: Frame, batched: bool) -> Any:
    """A tensor that stands for each example of `physical`, or for `physical` in each example."""
    spec = physical.spec
    value = object.__new__(Batched.kind)
    value.spec = Spec(spec.shape[1:] if batched else spec.shape, spec.dtype, spec.device)
    value.array = value.place = value.node = value.origin = None
    if physical.memory is None:
        physical.memory = Storage()
    value.memory = physical.memory  # its version is the wrapper's too
    value.frame = frame
    value.physical = physical
    value.batched = batched
    value.level = frame.level
    return value


def operand(value: Any, frame: Frame) -> Any:
    """What a tensor is outside a vmap, and whether it has the batch axis."""
    if type(value) is tuple:
        return tuple([operand(each, frame) for each in value])
    if getattr(value, "level", 0) == frame.level:
        if value.frame is not frame:
            raise _left_behind("vmap")
        return value.physical, value.batched
    return value, False


def lift(value: Any, frame: Frame) -> Any:
    """A tensor of this vmap's level, from one of an outer level."""
    return value if value.level == frame.level else wrapped(value, frame, False)


def followed_outside(value: Any) -> bool:
    """Whether the tensor that this one stands for is in the graph of an outer level."""
    while value.level:
        value = value.physical
        if node_of(value) is not None:
            return True
    return False


# one call -----------------------------------------------------------------------------------------


def _interpret(
    frame: Frame, operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Any:
    if operator.prepare is not None:
        arguments, params = operator.prepare(arguments, params)
    _check(operator, arguments, params)
    tracked = mode.grad and any([_is_tracked(argument) for argument in arguments])
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
        out = _outside(frame, rule, frame.size, operator, operands, params)
        batched = rule is not _unbatched
        if type(out) is tuple:
            out = tuple([wrapped(each, frame, batched) for each in out])
        else:
            out = wrapped(out, frame, batched)
    if operator.differentiable:
        _record(operator, arguments, params, out)
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
        facts = dict(zip(operator.tensors, map(_spec, arguments), strict=True))
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
    twin = wrapped(_outside(frame, with_batch, (physical, False), frame.size), frame, True)
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
    if any([batched for _, batched in pairs(operands)]) and not all([b for _, b in written]):
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
        _outside(frame, rule, frame.size, operator, operands, params)
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


def _record(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...], out: Any
) -> None:
    specs = tuple([_spec(argument) for argument in arguments])
    record(operator, arguments, params, out, Plan(operator, None, _spec(out), specs))


def _spec(argument: Any) -> Any:
    if type(argument) is tuple:
        return tuple([_spec(each) for each in argument])
    return None if argument is None else argument.spec


def _is_tracked(argument: Any) -> bool:
    return any([node_of(each) is not None for each in flatten((argument,))])
