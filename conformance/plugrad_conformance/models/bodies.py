"""Composites by their bodies alone: what a backend does that has none of the optional kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import plugrad
from plugrad import ops
from plugrad.backends import BODIES
from plugrad_conformance.answers import backend_of
from plugrad_conformance.rows import leaves, nested

_PLUGIN = "plugrad_conformance.bodies"


@contextmanager
def bodies_alone(device: str) -> Iterator[None]:
    """In the block no kernel answers for an operator that has a body."""
    backend = backend_of(device)
    kernels: dict[str, Callable[..., Any]] = {}
    for operator in ops.operators.values():
        if operator.body is None or operator.geometry is not None:
            continue
        if operator.writes:
            kernels[operator.name] = _writing(operator, device)
        else:
            (body,) = [
                hook.function
                for hook in backend.answering(operator.name)
                if hook.plugin_name == BODIES
            ]
            kernels[operator.name] = _shown_as(operator, body)
    plugin = SimpleNamespace(**{name: plugrad.kernel(each) for name, each in kernels.items()})
    plugrad.backends.register(plugin, name=_PLUGIN, backend=backend.name)
    try:
        yield
    finally:
        plugrad.backends.unregister(_PLUGIN)


def _shown_as(operator: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel with the contract's signature."""

    def kernel(*values: Any) -> Any:
        return function(*values)

    # The gate reads the names of parameters from what a function says that it wraps.
    vars(kernel)["__wrapped__"] = operator.function
    return kernel


def _writing(operator: Any, device: str) -> Callable[..., Any]:
    """The body over tensors with the arrays' elements, which are then copied back: not every array
    can share its memory with a tensor.
    """
    copy = backend_of(device).resolve("copy_")

    def lifted(array: Any) -> Any:
        return plugrad.as_tensor(array, device=device)

    def run(*values: Any) -> Any:
        count = len(operator.tensors)
        arrays = values[:count]
        tensors = nested(lifted, arrays)
        with plugrad.no_grad():
            operator.body(*tensors, *values[count:])
        for position in operator.writes:
            written = leaves((arrays[position],)), leaves((tensors[position],))
            for array, tensor in zip(*written, strict=True):
                copy(array, tensor.native())
        return tuple([arrays[position] for position in operator.writes])

    return _shown_as(operator, run)
