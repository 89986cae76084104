"""Modes of a thread that see what the graph keeps and what it pulls: hooks that pack saved tensors,
and the search for NaN.

They cost nothing while nobody uses one: rules of derivatives then know nothing of them. With the
first user every rule is exchanged for a watched one, with the last one back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, final

from plugrad.errors import AutogradError
from plugrad.tape import no_grad, node_of
from plugrad.value import Value

Pack = Callable[[Any], Any]
Unpack = Callable[[Any], Any]
Judge = Callable[[Any, Any, Sequence[Any]], None]


class _Watch(threading.local):
    """Per thread: the innermost hooks, how a call is traced, and who judges what was pulled."""

    hooks: tuple[Pack, Unpack] | None = None
    trace: Callable[[], Any] | None = None
    judge: Judge | None = None


watch = _Watch()

# Of all threads together, how many modes are on; and what is called when that changes from or to 0.
_counting = threading.Lock()
_count = 0
exchangers: list[Callable[[], None]] = []


def in_use() -> bool:
    """Whether some thread watches, so that new rules must be watched ones."""
    return _count > 0


def begin() -> None:
    """One mode more is on."""
    _change(1)


def end() -> None:
    """One mode less is on."""
    _change(-1)


def _change(by: int) -> None:
    global _count
    with _counting:
        before, _count = _count, _count + by
        if 0 in (before, _count):
            for exchange in exchangers:
                exchange()


@final
class Packed:
    """What a hook made of a saved tensor, and the tensor's place in the graph."""

    __slots__ = ("_node", "_packed", "_unpack")

    # Nobody writes to it.
    memory = None

    def __init__(self, packed: Any, unpack: Unpack, node: Any) -> None:
        self._packed = packed
        self._unpack = unpack
        self._node = node

    def alias(self) -> Any:
        """The tensor without a place in the graph."""
        with no_grad():
            value = self._unpack(self._packed)
        if not isinstance(value, Value):
            raise AutogradError(
                f"saved_tensors_hooks: unpack must return a tensor, got {type(value).__name__}"
            )
        return value.alias()

    def open(self) -> Any:
        """The tensor at its place in the graph."""
        value = self.alias()
        value.node = self._node
        return value


@final
class Trace:
    """Where an operator was called."""

    __slots__ = ("place",)

    memory = None

    def __init__(self, place: Any) -> None:
        self.place = place


def packed(saved: Any) -> Any:
    """What is kept of a saved tensor, or of a tuple: itself, or what this thread's hooks make of
    it.
    """
    hooks = watch.hooks
    if hooks is None or saved is None:
        return saved
    if saved.__class__ is tuple:
        return tuple([packed(each) for each in saved])
    with no_grad():
        return Packed(hooks[0](saved), hooks[1], node_of(saved))


def unpacked(kept: Any) -> Any:
    """The saved tensor again."""
    if kept.__class__ is tuple:
        return tuple([unpacked(each) for each in kept])
    return kept.open() if kept.__class__ is Packed else kept


def closed(saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a node keeps: what was saved, packed, and last where it was called, if it is traced."""
    kept = packed(saved) if saved else saved
    return kept if watch.trace is None else (*kept, Trace(watch.trace()))


def opened(node: Any, count: int) -> tuple[Sequence[Any], Any]:
    """What a node saved, `count` tensors; and where it was called, if that is known."""
    if not count and not node.saved:
        return (), None
    kept = node.recall()
    trace = kept[count] if len(kept) > count else None
    return [unpacked(each) for each in kept[:count]], trace


def judged(node: Any, trace: Any, cotangents: Sequence[Any]) -> Sequence[Any]:
    """The cotangents that a node pulled, if nobody objects."""
    if watch.judge is not None:
        watch.judge(node, None if trace is None else trace.place, cotangents)
    return cotangents
