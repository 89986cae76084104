"""Looking at every result: a wrapper around every operator's hook, on every backend, while a guard
is up.

An operator in a body may make a NaN that the body then masks. So a finding inside a composite
counts only if the composite's own result holds NaN, and then it is the one that is told.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any, Literal, final

from plugrad import backends, discovery, ops
from plugrad.hooks import kernel
from plugrad.tape import Node
from plugrad_nanguard.report import Finding, NanError, NanWarning, Operand

Action = Literal["raise", "warn", "collect"]

# `empty` may give anything; by the others the guard itself looks.
_UNWATCHED = {"empty", "isnan", "isinf", "sum"}
_numbers = count()


@final
@dataclass(slots=True)
class _Frame:
    """An operator that has not returned, and the first finding inside of it."""

    operator: str
    finding: Finding | None = None


class _Open(threading.local):
    def __init__(self) -> None:
        self.frames: list[_Frame] = []


@final
@dataclass
class Guard:
    """A guard that is up, or was. Unless the action is to raise, `findings` are all results with
    NaN in the order in which they appeared; the first that was `made` is where to look.
    """

    action: Action = "raise"
    findings: list[Finding] = field(default_factory=list)
    _names: list[str] = field(default_factory=list, repr=False)
    _open: _Open = field(default_factory=_Open, repr=False)

    def up(self) -> None:
        """Watch every operator on every installed backend."""
        number = next(_numbers)
        for backend in discovery.names():
            name = f"plugrad_nanguard-{number}-{backend}"
            backends.register(self._wrappers(backend), name=name, backend=backend)
            self._names.append(name)

    def down(self) -> None:
        """Take everything out again."""
        while self._names:
            backends.unregister(self._names.pop())

    def _wrappers(self, backend: str) -> SimpleNamespace:
        watched = [
            each
            for each in ops.operators.values()
            if each.geometry is None and each.name not in _UNWATCHED
        ]
        return SimpleNamespace(**{each.name: self._wrapper(each, backend) for each in watched})

    def _wrapper(self, operator: Any, backend: str) -> Callable[..., Any]:
        look = _Look(backend)

        def watched(*arguments: Any) -> Generator[None, Any, Any]:
            frames = self._open.frames
            frames.append(_Frame(operator.name))
            try:
                # What is about to be overwritten can be looked at only now.
                before = {i: look.count(arguments[i]) > 0 for i in operator.writes}
                result = yield
            finally:
                frame = frames.pop()
            if result is not None and look.count(result):
                finding = frame.finding or self._describe(operator, look, arguments, before, result)
                if frames:
                    frames[-1].finding = frames[-1].finding or finding
                else:
                    self._tell(finding)
            return result

        # pluggy reads the names of parameters from what a function says that it wraps.
        watched.__wrapped__ = operator.function  # type: ignore[attr-defined]
        return kernel(wrapper=True, tryfirst=True)(watched)

    def _describe(
        self, operator: Any, look: _Look, arguments: tuple[Any, ...], before: Any, result: Any
    ) -> Finding:
        operands: list[Operand] = []
        for position, (name, value) in enumerate(zip(operator.tensors, arguments, strict=False)):
            operands += look.operands(name, value, before.get(position))
        worst = max(look.arrays(result), key=look.count)
        shape, _ = look.spec(worst)
        return Finding(
            operator.name,
            look.backend,
            tuple(operands),
            shape,
            look.count(worst),
            look.size(worst),
            tuple([frame.operator for frame in self._open.frames]),
            _node_in_backward(),
            any(finding.made for finding in self.findings),
        )

    def _tell(self, finding: Finding) -> None:
        self.findings.append(finding)
        if self.action == "raise":
            raise NanError(finding)
        if self.action == "warn":
            warnings.warn(str(finding), NanWarning, stacklevel=3)


@final
class _Look:
    """Arrays of one backend, looked at with its own kernels: nothing is moved to the host but a
    number.
    """

    def __init__(self, backend: str) -> None:
        self.backend = backend

    def arrays(self, value: Any) -> Iterator[Any]:
        """The arrays of an argument or a result."""
        if isinstance(value, tuple):
            for each in value:
                yield from self.arrays(each)
        elif value is not None:
            yield value

    def spec(self, array: Any) -> tuple[tuple[int, ...], Any]:
        """Shape and dtype."""
        return backends.backend(self.backend).service("array_spec")(array)

    def size(self, array: Any) -> int:
        """How many elements."""
        size = 1
        for length in self.spec(array)[0]:
            size *= length
        return size

    def count(self, value: Any, what: str = "isnan") -> int:
        """How many NaN, or elements of which another operator holds."""
        owner = backends.backend(self.backend)
        total = 0
        for array in self.arrays(value):
            shape, dtype = self.spec(array)
            if dtype.kind in ("float", "complex") and self.size(array):
                marks = _kernel(owner, what)(array)
                found = _kernel(owner, "sum")(marks, tuple(range(len(shape))), False)
                data = owner.service("array_to_host")(found)
                total += int.from_bytes(bytes(data), "little")
        return total

    def operands(self, name: str, value: Any, before: bool | None) -> Iterator[Operand]:
        """An argument's arrays; those of a tuple are numbered."""
        arrays = list(self.arrays(value))
        for number, array in enumerate(arrays):
            shape, dtype = self.spec(array)
            held = self.count(array) > 0 if before is None else before
            own = f"{name}[{number}]" if isinstance(value, tuple) else name
            infinite = self.count(array, "isinf") > 0
            yield Operand(own, tuple(shape), dtype.name, held, infinite)


def _kernel(owner: Any, name: str) -> Callable[..., Any]:
    return owner.resolve(name)


def _node_in_backward() -> str:
    """The node of the graph whose formula is running, or nothing: the engine and its formulas hold
    it in a variable, and nobody else is asked to remember it for the sake of an error.
    """
    frame = sys._getframe()
    while frame is not None:
        for name in ("node", "self"):
            node = frame.f_locals.get(name)
            if isinstance(node, Node):
                return node.name()
        frame = frame.f_back
    return ""


@contextmanager
def nan_guard(action: Action = "raise") -> Iterator[Guard]:
    """Watch all operators in the block; "raise" stops at the first result with NaN, "warn" warns of
    each, "collect" only keeps the findings.
    """
    guard = Guard(action)
    guard.up()
    try:
        yield guard
    finally:
        guard.down()


_standing: list[Guard] = []


def enable(action: Action = "raise") -> Guard:
    """Watch all operators from now on."""
    disable()
    guard = Guard(action)
    guard.up()
    _standing.append(guard)
    return guard


def disable() -> None:
    """End what `enable` began."""
    while _standing:
        _standing.pop().down()
