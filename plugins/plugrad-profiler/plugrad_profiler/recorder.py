"""Taking the time: a wrapper around every operator's hook, on every backend, while a profile is
open.

A wrapper stands outside of all kernels and of the operator's body, so a composite without a kernel
is timed as a whole and the operators of its body inside of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any, final

from plugrad import backends, discovery, ops
from plugrad.hooks import kernel
from plugrad_profiler.report import Line, chrome_trace, summary, text

_numbers = count()


@final
@dataclass(slots=True)
class Call:
    """One call of an operator, or one span of the program (`backend` is then empty).

    Times are in nanoseconds, `start` since the profile was opened; `inner` is the part of
    `duration` that other calls inside took. `operands` are the shapes and dtypes of its tensors.
    """

    name: str
    backend: str
    thread: int
    depth: int
    start: int
    duration: int = 0
    inner: int = 0
    operands: tuple[str, ...] = ()

    @property
    def own(self) -> int:
        """The time that passed in no inner call."""
        return self.duration - self.inner


class _Open(threading.local):
    """The calls of a thread that have not returned."""

    def __init__(self) -> None:
        self.calls: list[Call] = []


@final
@dataclass
class Profile:
    """What was recorded, in the order in which calls returned. `declined` counts those that neither
    a kernel nor a body behind the hook took: dispatch then runs the body itself.
    """

    synchronize: bool = True
    calls: list[Call] = field(default_factory=list)
    declined: int = 0
    began: int = 0
    _open: _Open = field(default_factory=_Open, repr=False)

    def lines(self, *, by_operands: bool = False) -> list[Line]:
        """One line per operator and backend, or per operands too; the most own time first."""
        return summary(self.calls, by_operands=by_operands)

    def table(self, *, by_operands: bool = False, most: int | None = 30) -> str:
        """The lines as a table, at most so many."""
        return text(self.lines(by_operands=by_operands), most)

    def __str__(self) -> str:
        return self.table()

    def save_trace(self, path: str | Path) -> None:
        """Write the calls in Chrome's trace format, JSON."""
        Path(path).write_text(chrome_trace(self.calls), encoding="utf-8")

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Record a part of the program under a name: a step, an epoch, a layer."""
        call = self._begin(name, "")
        try:
            yield
        finally:
            self._end(call)

    def _begin(self, name: str, backend: str) -> Call:
        open_ = self._open.calls
        call = Call(
            name, backend, threading.get_ident(), len(open_), perf_counter_ns() - self.began
        )
        open_.append(call)
        return call

    def _end(self, call: Call, *, keep: bool = True) -> None:
        call.duration = perf_counter_ns() - self.began - call.start
        open_ = self._open.calls
        open_.pop()
        if open_:
            open_[-1].inner += call.duration
        if keep:
            self.calls.append(call)

    def wrappers(self, backend: str) -> SimpleNamespace:
        """The plugin for one backend: a wrapper per operator that has a hook."""
        operators = [each for each in ops.operators.values() if each.geometry is None]
        return SimpleNamespace(**{each.name: self._wrapper(each, backend) for each in operators})

    def _wrapper(self, operator: Any, backend: str) -> Callable[..., Any]:
        name, tensors = operator.name, len(operator.tensors)

        def timed(*arguments: Any) -> Generator[None, Any, Any]:
            call = self._begin(name, backend)
            result = None
            try:
                result = yield
                if self.synchronize and result is not None:
                    backends.backend(backend).service("synchronize")(None)
            finally:
                self._end(call, keep=result is not None)
            if result is None:
                self.declined += 1
            else:
                call.operands = tuple(_described(arguments[:tensors], backend))
            return result

        # pluggy reads the names of parameters from what a function says that it wraps.
        timed.__wrapped__ = operator.function  # type: ignore[attr-defined]
        return kernel(wrapper=True, tryfirst=True)(timed)


def _described(arguments: tuple[Any, ...], backend: str) -> Iterator[str]:
    spec_of = backends.backend(backend).service("array_spec")
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _described(argument, backend)
        elif argument is not None:
            shape, dtype = spec_of(argument)
            yield f"{dtype.name}{list(shape)}"


@contextmanager
def profile(*, synchronize: bool = True) -> Iterator[Profile]:
    """Record the operators that are called in the block, on every installed backend and in every
    thread.

    `synchronize` waits for the device after each, so that the time is the kernel's and not that of
    its launch; without it a device goes on working while the host runs ahead.
    """
    prof = Profile(synchronize, began=perf_counter_ns())
    number = next(_numbers)
    names = {name: f"plugrad_profiler-{number}-{name}" for name in discovery.names()}
    installed: list[str] = []
    try:
        for backend, name in names.items():
            backends.register(prof.wrappers(backend), name=name, backend=backend)
            installed.append(name)
        yield prof
    finally:
        for name in installed:
            backends.unregister(name)
