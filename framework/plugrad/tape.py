"""The tape: what an operator leaves behind so that it can be differentiated.

Every node has a sequence number higher than its parents', so the engine meets a node after all who
use it by taking the highest number first. Nodes point to parents, never to the tensors that own
them: no cycles, memory goes when the last tensor goes. An operator's result is saved as an alias
without its node for the same reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import count
from typing import Any, final

from plugrad.errors import GraphFreedError, VersionError
from plugrad.spec import Spec
from plugrad.value import Value

next_sequence: Callable[[], int] = count().__next__


class _Mode(threading.local):
    """Per thread: whether operators are recorded, and which vmap is the innermost that runs."""

    grad = True
    frame: Any = None


mode = _Mode()


class _Recording:
    """Sets whether operators are recorded: in a block, or in every call of a decorated function."""

    def __init__(self, grad: bool) -> None:
        self._grad = grad
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(mode.grad)
        mode.grad = self._grad

    def __exit__(self, *exception: object) -> None:
        mode.grad = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def with_mode(*arguments: Any, **options: Any) -> Any:
            with _Recording(self._grad):
                return function(*arguments, **options)

        return with_mode


@final
class no_grad(_Recording):
    """Operators in the block, or in the decorated function, are not recorded."""

    def __init__(self) -> None:
        super().__init__(False)


@final
class enable_grad(_Recording):
    """Operators in the block are recorded, even inside `no_grad`."""

    def __init__(self) -> None:
        super().__init__(True)


@final
class set_grad_enabled(_Recording):
    """Switch recording on or off: from now on, and back at the end if used as a block."""

    def __init__(self, mode_: bool) -> None:
        super().__init__(mode_)
        self._before.append(mode.grad)
        mode.grad = mode_

    def __enter__(self) -> None:
        """The constructor has switched already."""


def is_grad_enabled() -> bool:
    """Whether operators are recorded now, in this thread."""
    return mode.grad


class Node:
    """One step of the graph. `parents[i]` takes the cotangent of input i, or is `None` where none
    is wanted.

    `specs[i]` is what that cotangent must look like, `spec` what the node's own does. An input that
    is a sequence of tensors has tuples in both places; a node of several outputs has a tuple of
    specs.
    """

    __slots__ = ("__weakref__", "hooks", "parents", "sequence", "spec", "specs")

    parents: tuple[Any, ...]
    specs: tuple[Any, ...]
    spec: Any
    hooks: dict[int, Callable[..., Any]] | None

    def __init__(self, parents: tuple[Any, ...], specs: tuple[Any, ...], spec: Any) -> None:
        self.parents = parents
        self.specs = specs
        self.spec = spec
        self.sequence = next_sequence()
        self.hooks = None

    def name(self) -> str:
        """What a reader of the graph sees."""
        raise NotImplementedError

    def pull(self, g: Any) -> Sequence[Any]:
        """From the cotangent of the output those of the inputs; `None` where there is none."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go of what was saved."""
        raise NotImplementedError


@final
class Leaf(Node):
    """A tensor that the user wants the gradient of; the gradient lives here."""

    __slots__ = ("grad", "post_hooks")

    def __init__(self, spec: Spec) -> None:
        super().__init__((), (), spec)
        self.grad: Any = None
        self.post_hooks: dict[int, Callable[..., Any]] | None = None

    def name(self) -> str:
        return "AccumulateGrad"

    def pull(self, g: Any) -> Sequence[Any]:
        return ()

    def release(self) -> None:
        """A leaf saves nothing."""


@final
class Output(Node):
    """One of several outputs of a node: its cotangent waits there for those of the others."""

    __slots__ = ("index",)

    def __init__(self, producer: Node, index: int, spec: Spec) -> None:
        super().__init__((producer,), (spec,), spec)
        self.index = index

    def name(self) -> str:
        return self.parents[0].name()

    def pull(self, g: Any) -> Sequence[Any]:
        return (g,)

    def release(self) -> None:
        """The producer holds what was saved."""


def version_of(value: Value) -> int:
    """How often the tensor's storage was written in place."""
    return 0 if value.memory is None else value.memory.version


def changed(operator: str, value: Value, saved: int) -> VersionError:
    """The error of a saved tensor that somebody wrote to."""
    return VersionError(
        f"{operator}: a tensor of shape {value.spec.shape} that backward needs was changed "
        f"in place: it is at version {value.version}, expected version {saved}; "
        "use the out-of-place operator, or clone() first"
    )


def freed(operator: str) -> GraphFreedError:
    """The error of a second backward."""
    return GraphFreedError(
        f"{operator}: backward went through this graph a second time, after its saved tensors were "
        "freed; pass retain_graph=True the first time"
    )


def node_of(value: Value) -> Node | None:
    """The node that a cotangent of this tensor goes to.

    A view's own node is out of date once its base was written with gradient: then it is made anew
    from the base's.
    """
    origin = value.origin
    if origin is not None and origin.base.node is not origin.base_node:
        value.node = origin.rebuild()
        origin.base_node = origin.base.node
    return value.node
