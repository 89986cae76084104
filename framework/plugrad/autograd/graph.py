"""What the graph keeps for backward: hooks that put saved tensors elsewhere, and edges of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from plugrad import watching
from plugrad.devices import Device
from plugrad.dispatch import operators
from plugrad.errors import ArgumentError, AutogradError
from plugrad.ops.creation import clone
from plugrad.tape import Node as Node
from plugrad.tape import Output, node_of
from plugrad.tensor import Tensor
from plugrad.value import Value
from plugrad.watching import Pack, Unpack, watch


def _exchange_rules() -> None:
    """Let every call ask its operator anew which rule it leaves on the tape."""
    for operator in operators.values():
        for plan in list(operator.plans.values()):
            rules = getattr(plan, "rules", None)
            if rules:
                rules.clear()


watching.exchangers.append(_exchange_rules)


class _Refusing(threading.local):
    """Per thread: with which message hooks are refused, if they are."""

    message: str | None = None


_refusing = _Refusing()


class saved_tensors_hooks:
    """In the block a tensor that is saved for backward is given to `pack_hook`, and what that
    returns is kept in its place; backward gets what `unpack_hook` makes of it.

    The innermost block counts. Both run unrecorded. `unpack_hook` must return a tensor equal to the
    one packed; neither may write to it.
    """

    def __init__(self, pack_hook: Pack, unpack_hook: Unpack) -> None:
        self._hooks = pack_hook, unpack_hook
        self._before: list[Any] = []

    def __enter__(self) -> None:
        if _refusing.message is not None:
            raise AutogradError(_refusing.message)
        self._before.append(watch.hooks)
        watch.hooks = self._hooks
        watching.begin()

    def __exit__(self, *exception: object) -> None:
        watching.end()
        watch.hooks = self._before.pop()


class save_on_cpu(saved_tensors_hooks):
    """In the block tensors that are saved for backward wait on the CPU, and go back to their device
    when backward needs them: less memory there, at the price of two copies.

    `pin_memory` changes nothing here; `device_type` is whose memory PyTorch would pin.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(_to_cpu, _from_cpu)


def _to_cpu(tensor: Tensor) -> tuple[Device, Tensor]:
    return tensor.device, tensor.detach().to("cpu")


def _from_cpu(kept: tuple[Device, Tensor]) -> Tensor:
    device, tensor = kept
    return tensor.to(device)


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """In the block tensors may be written in place after they were saved for backward, which uses
    them as they were: it keeps copies.
    """

    def __init__(self) -> None:
        super().__init__(clone, _itself)


def _itself(kept: Tensor) -> Tensor:
    return kept


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """In the block entering `saved_tensors_hooks`, or what is made of it, raises an error with this
    message.
    """
    before, _refusing.message = _refusing.message, error_message
    try:
        yield
    finally:
        _refusing.message = before


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a write to the tensor, or to several, which plugrad did not see: backward then refuses
    to use what was saved of it before.
    """
    for each in (tensor,) if isinstance(tensor, Value) else tensor:
        each.settle().version += 1


class GradientEdge(NamedTuple):
    """A place in the graph that a cotangent can be sent to: a node, and which of its outputs."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place in the graph that a tensor's gradient belongs to."""
    node = node_of(tensor)
    if node is None:
        raise AutogradError("get_gradient_edge: the tensor does not require grad")
    if isinstance(node, Output):
        return GradientEdge(node.parents[0], node.index)
    return GradientEdge(node, 0)


class Handles:
    """Several hooks to be removed together."""

    def __init__(self, handles: Sequence[Any]) -> None:
        self._handles = tuple(handles)

    def remove(self) -> None:
        """Take all of them out."""
        for each in self._handles:
            each.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> Handles:
    """Call `fn(gradients)` once the gradients of all tensors are there, or `fn(gradient)` with the
    first (`mode` "any"). What a hook returns changes nothing.

    "all" counts each tensor once per call of `fn`: a backward that reaches only some of them leaves
    the rest to the next.
    """
    if mode not in ("all", "any"):
        raise ArgumentError("register_multi_grad_hook", "mode", expected="'all' or 'any'", got=mode)
    found: dict[int, Tensor] = {}

    def watcher(position: int) -> Callable[[Tensor], None]:
        def see(gradient: Tensor) -> None:
            first = not found
            found[position] = gradient
            complete = len(found) == len(tensors)
            if mode == "any" and first:
                fn(gradient)
            if complete:
                gradients = [found[i] for i in range(len(tensors))]
                found.clear()
                if mode == "all":
                    fn(gradients)

        return see

    return Handles([each.register_hook(watcher(i)) for i, each in enumerate(tensors)])
