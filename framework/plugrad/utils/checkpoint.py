"""Checkpoints of the forward pass: saved tensors are thrown away, and computed anew when backward
needs them. Memory for time: T. Chen et al., Training deep nets with sublinear memory cost, arXiv
1604.06174.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, final

from plugrad import random
from plugrad.amp.autocast_mode import casting_as
from plugrad.autograd.graph import saved_tensors_hooks
from plugrad.errors import ArgumentError, AutogradError
from plugrad.precision import casting
from plugrad.tape import enable_grad
from plugrad.tensor import Tensor

# Files whose lines are not the program's: plugrad's, and rules that it has compiled.
_OURS = (str(Path(__file__).parents[1]), "<derivative of ")

Contexts = Callable[[], tuple[AbstractContextManager[Any], AbstractContextManager[Any]]]


def noop_context_fn() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """No context around forward, and none around its repetition."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Contexts = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, of which backward keeps the arguments alone: it calls the
    function again when it needs what that saved.

    The function must do the same both times. `preserve_rng_state` draws the same random numbers
    again, and autocast is as it was. `context_fn` gives a context for each of the two calls;
    `determinism_check` compares the shapes, dtypes and devices of what was saved ("none": not);
    `early_stop` ends the second call as soon as everything is there again. `use_reentrant` names
    one of PyTorch's two implementations: here there is one, which does what PyTorch's without
    reentry does, so that either value will do. With `debug` the error of a function that does
    something else the second time names the lines that saved the tensors.
    """
    if determinism_check not in ("default", "none"):
        raise ArgumentError(
            "checkpoint",
            "determinism_check",
            expected="'default' or 'none'",
            got=determinism_check,
        )
    before, during = context_fn()
    again = _Again(
        *(function, args, kwargs, preserve_rng_state, determinism_check),
        early_stop and _switches.early_stop,
        debug if _switches.debug is None else _switches.debug,
        during,
    )
    with saved_tensors_hooks(again.forget, again.recall), before:
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """Functions one after the other, cut into so many segments: all but the last are checkpoints.

    `functions` is a `Sequential` or a sequence of callables.
    """
    layers = list(functions.children()) if hasattr(functions, "children") else list(functions)
    if not 0 < segments <= len(layers):
        raise ArgumentError(
            "checkpoint_sequential",
            "segments",
            expected=f"from 1 to {len(layers)}, the number of functions",
            got=segments,
        )
    size = len(layers) // segments
    for start in range(0, size * (segments - 1), size):
        part = _chain(layers[start : start + size])
        input = checkpoint(part, input, preserve_rng_state=preserve_rng_state)
    return _chain(layers[size * (segments - 1) :])(input)


def _chain(layers: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    def run(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return run


class CheckpointError(AutogradError):
    """A function that is computed again did something else than the first time."""


class _Switches(threading.local):
    """What blocks of this thread ask for; `None` leaves it to the call."""

    early_stop: bool = True
    debug: bool | None = None


_switches = _Switches()


@contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """In the block checkpoints are made that end the second call as soon as everything is there
    again, unless they say otherwise themselves; or, if not `enable`, go on to its end.
    """
    before, _switches.early_stop = _switches.early_stop, enable
    try:
        yield
    finally:
        _switches.early_stop = before


@contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """In the block `debug` is this for every checkpoint; `None` leaves it to them."""
    before, _switches.debug = _switches.debug, enabled
    try:
        yield
    finally:
        _switches.debug = before


class _Enough(BaseException):
    """Everything that backward needs has been computed again."""


@final
class _Again:
    """What one checkpoint needs to compute its saved tensors again: they are known by the order in
    which they were saved.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        preserve_rng_state: bool,
        determinism_check: str,
        early_stop: bool,
        debug: bool,
        context: AbstractContextManager[Any],
    ) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._rng = random.get_rng_state() if preserve_rng_state else None
        self._precision = casting.targets
        self._checks = determinism_check == "default"
        self._early_stop = early_stop
        self._context = context
        self._specs: list[Any] = []
        # With `debug`, the lines that saved them.
        self._lines: list[str] | None = [] if debug else None
        self._found: dict[int, Tensor] = {}

    def forget(self, tensor: Tensor) -> int:
        """Keep the number of a saved tensor, not the tensor."""
        self._specs.append(tensor.spec)
        if self._lines is not None:
            self._lines.append(_line())
        return len(self._specs) - 1

    def recall(self, number: int) -> Tensor:
        """The saved tensor; all are computed again if it is not at hand."""
        if number not in self._found:
            self._repeat()
        if number not in self._found:
            raise CheckpointError(
                f"checkpoint: the function saved {len(self._specs)} tensors for backward the first "
                f"time and {len(self._found)} the second; it must do the same both times"
                + self._where(number)
            )
        return self._found.pop(number)

    def _repeat(self) -> None:
        self._found.clear()
        count = 0

        def collect(tensor: Tensor) -> None:
            nonlocal count
            if count < len(self._specs):
                self._check(count, tensor)
                self._found[count] = tensor.detach()
            count += 1
            if self._early_stop and count == len(self._specs):
                raise _Enough

        outside = random.get_rng_state()
        try:
            if self._rng is not None:
                random.set_rng_state(self._rng)
            with (
                enable_grad(),
                casting_as(self._precision),
                saved_tensors_hooks(collect, _refuse),
                self._context,
            ):
                self._function(*self._args, **self._kwargs)
        except _Enough:
            pass
        finally:
            random.set_rng_state(outside)

    def _check(self, number: int, tensor: Tensor) -> None:
        if self._checks and repr(tensor.spec) != repr(self._specs[number]):
            raise CheckpointError(
                f"checkpoint: saved tensor {number} was {self._specs[number]} the first time and "
                f"is {tensor.spec} the second; the function must do the same both times"
                + self._where(number)
                + (f", the second time at {_line()}" if self._lines is not None else "")
            )

    def _where(self, number: int) -> str:
        if self._lines is None:
            return "; debug=True tells where"
        return f"; tensor {number} was saved at {self._lines[number]}"


def _line() -> str:
    """The line of the program, outside plugrad, that runs now."""
    frames = traceback.extract_stack()
    outside = [each for each in frames if not each.filename.startswith(_OURS)]
    last = (outside or frames)[-1]
    return f"{last.filename}:{last.lineno}: {last.line}"


def _refuse(kept: None) -> Tensor:
    raise AutogradError("checkpoint: backward inside a function that is computed again")
