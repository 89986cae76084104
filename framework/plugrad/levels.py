"""Levels: transforms that run inside each other, vmap and forward mode, and the tensors they wrap.

A wrapped tensor's own spec is known to no plan, so dispatch hands a call to the wrapper of the
innermost level (`interpret`), which calls the operator again on what lies beneath. Plain tensors
are at level 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from plugrad.dispatch import Plan, dispatch, flatten, record
from plugrad.op import Operator
from plugrad.spec import Spec
from plugrad.storage import Storage
from plugrad.tape import mode, node_of


class Level:
    """One running transform. `allocates` says whether memory that is made now is the transform's
    own, so that what it wraps can be written into it: as in an operator's body.
    """

    __slots__ = ("allocates", "level", "open", "parent")

    def __init__(self, allocates: bool) -> None:
        self.parent: Level | None = mode.frame
        self.level: int = 1 if self.parent is None else self.parent.level + 1
        self.open = True
        self.allocates = allocates

    def __enter__(self) -> Any:
        mode.frame = self
        return self

    def __exit__(self, *exception: object) -> None:
        mode.frame = self.parent
        self.open = False

    @contextmanager
    def allocating(self, allocates: bool = True) -> Iterator[None]:
        """In the block new memory is (or is not) the transform's own."""
        before = mode.frame, self.allocates
        mode.frame, self.allocates = self, allocates
        try:
            yield
        finally:
            mode.frame, self.allocates = before

    def outside(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function as if this transform, and those inside it, did not run."""
        before = mode.frame
        mode.frame = self.parent
        try:
            return function(*arguments)
        finally:
            mode.frame = before

    def create(self, operator: Operator, params: tuple[Any, ...]) -> Any:
        """Call an operator without tensors."""
        raise NotImplementedError

    def lift(self, value: Any) -> Any:
        """A tensor of this level, from one of an outer level."""
        raise NotImplementedError


class Lifted:
    """What a transform wraps a tensor in. `array` and `place` stay `None`: dispatch finds no plan.

    `beneath` are the tensors of outer levels that it is made of.
    """

    __slots__ = ()

    frame: Any
    level: int

    def beneath(self) -> tuple[Any, ...]:
        """The tensors that are wrapped."""
        raise NotImplementedError

    def left_behind(self, operator: str) -> Any:
        """What remains after the level has ended, or an error that says so."""
        raise NotImplementedError


def lifted(kind: type[Any], shape: tuple[int, ...], physical: Any, frame: Level) -> Any:
    """A wrapper of that kind; writes to the wrapped tensor count as its own."""
    spec = physical.spec
    value = object.__new__(kind)
    value.spec = Spec(shape, spec.dtype, spec.device)
    value.array = value.place = value.node = value.origin = None
    if physical.memory is None:
        physical.memory = Storage()
    value.memory = physical.memory
    value.frame = frame
    value.level = frame.level
    return value


def created(operator: Operator, params: tuple[Any, ...]) -> Any:
    """Call an operator without tensors at the level that runs now."""
    frame: Level | None = mode.frame
    return dispatch(operator, (), params) if frame is None else frame.create(operator, params)


def followed_outside(value: Any) -> bool:
    """Whether a tensor that this one is made of is in the graph of an outer level."""
    if not value.level:
        return False
    return any([node_of(each) is not None or followed_outside(each) for each in value.beneath()])


def is_tracked(argument: Any) -> bool:
    """Whether a tensor, or one of several, is in the graph of its own level."""
    return any([node_of(each) is not None for each in flatten((argument,))])


def spec_of_each(argument: Any) -> Any:
    """The spec of a tensor, of each tensor of a tuple, or `None`."""
    if type(argument) is tuple:
        return tuple([spec_of_each(each) for each in argument])
    return None if argument is None else argument.spec


def record_lifted(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...], out: Any
) -> None:
    """Leave a node on the tape of this level."""
    specs = tuple([spec_of_each(argument) for argument in arguments])
    record(operator, arguments, params, out, Plan(operator, None, spec_of_each(out), specs))
