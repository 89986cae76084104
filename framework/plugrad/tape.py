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
from typing import Any, ClassVar, final

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


class _Switch(_Recording):
    """A decorator with parentheses and without."""

    _wanted: ClassVar[bool]

    def __new__(cls, orig_func: Callable[..., Any] | None = None) -> Any:
        made = super().__new__(cls)
        if orig_func is None:
            return made
        made.__init__()
        return made(orig_func)

    def __init__(self, orig_func: Callable[..., Any] | None = None) -> None:
        super().__init__(self._wanted)


@final
class no_grad(_Switch):
    """Operators in the block, or in the decorated function, are not recorded."""

    _wanted = False


@final
class enable_grad(_Switch):
    """Operators in the block are recorded, even inside `no_grad`."""

    _wanted = True


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

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """For each input the node that its cotangent goes to, `None` if to none, and which of that
        node's outputs the input is.
        """
        found: list[tuple[Any, int]] = []
        for parent in self.parents:
            for each in parent if parent.__class__ is tuple else (parent,):
                one_of_several = each.__class__ is Output
                found.append((each.parents[0], each.index) if one_of_several else (each, 0))
        return tuple(found)

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(grad_outputs)` before the node pulls; it may return others in their place."""

        def replaced(g: Any) -> Any:
            several = self.spec.__class__ is tuple
            given = hook(tuple(g) if several else (g,))
            return given if given is None or several else given[0]

        if self.hooks is None:
            self.hooks = {}
        return RemovableHandle(self.hooks, replaced)

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(grad_inputs, grad_outputs)` after the node has pulled; it may return others in
        the place of `grad_inputs`.
        """
        raise NotImplementedError


_handles = count()


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook out."""

    def __init__(
        self,
        hooks: dict[Any, Any],
        hook: Callable[..., Any],
        other: RemovableHandle | None = None,
    ) -> None:
        self._hooks = hooks
        self._other = other
        # A number of its own: the handle may be gone, and its id another's, while the hook stays.
        self._key = next(_handles)
        hooks[self._key] = hook

    def remove(self) -> None:
        """Take the hook out."""
        self._hooks.pop(self._key, None)
        if self._other is not None:
            self._other.remove()


def run_post_hooks(hooks: dict[int, Callable[..., Any]], pulled: Any, g: Any) -> Any:
    """What a node has pulled, after the hooks that see it."""
    given = tuple(g) if g.__class__ is list else (g,)
    for hook in list(hooks.values()):
        replaced = hook(tuple(pulled), given)
        if replaced is not None:
            pulled = replaced
    return pulled


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

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook((), grad_outputs)` after a gradient was added."""
        seen: list[Any] = []
        before = self.register_prehook(seen.append)
        if self.post_hooks is None:
            self.post_hooks = {}
        return RemovableHandle(self.post_hooks, lambda: hook((), seen.pop()), before)

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

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return self.parents[0].register_hook(hook)

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
