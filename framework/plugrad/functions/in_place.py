"""Methods that write into their tensor, made from the functions that do not: `sin_` from `sin`,
`squeeze_` from `squeeze`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from plugrad import dtypes
from plugrad.errors import DtypeError, InPlaceError, ShapeError, UnsupportedError
from plugrad.ops.creation import clone, copy_
from plugrad.tape import Leaf, enable_grad, mode, node_of
from plugrad.value import wrap

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def writing(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function that writes what `function` gives into its first operand, whose shape that must
    have, and whose dtype must hold it.
    """
    name = function.__name__ + "_"

    @wraps(function)
    def call(input: Any, *others: Any, **options: Any) -> Any:
        _refuse_leaf(name, input)
        # A derivative that names the operand means it as it was before.
        tracked = mode.grad and node_of(input) is not None
        out = function(clone(input) if tracked else input, *others, **options)
        if out.spec.shape != input.spec.shape:
            raise ShapeError(
                name,
                "input",
                expected=f"shape {out.spec.shape}, which the operands broadcast to",
                got=input.spec.shape,
                hint=f"use the out-of-place {function.__name__}()",
            )
        if not dtypes.can_cast(out.spec.dtype, input.spec.dtype):
            raise DtypeError(
                name,
                "input",
                expected=f"a dtype that {out.spec.dtype} casts to",
                got=input.spec.dtype,
                hint=f"use the out-of-place {function.__name__}()",
            )
        return copy_(input, out)

    return _named(call, name, f"`{function.__name__}`, written into its first operand.")


def relayout(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function that turns a tensor into the view of it that `function` gives."""
    name = function.__name__ + "_"

    @wraps(function)
    def call(input: Any, *others: Any, **options: Any) -> Any:
        _refuse_leaf(name, input)
        if input.level:
            raise UnsupportedError(
                name,
                "input",
                expected="a tensor that no transform maps over or differentiates forwards",
                got="one that vmap or jvp has wrapped",
                hint=f"use {function.__name__}()",
            )
        storage = input.settle()
        before = wrap(None, input.spec, storage, input.layout)
        before.node, before.origin = input.node, input.origin
        with enable_grad():
            seen: Any = function(before, *others, **options)
        leaf = input.node if type(input.node) is Leaf else None
        storage.version += 1  # who saved the tensor as it was is told
        input.spec, input.array, input.place = seen.spec, None, seen.place
        if leaf is not None:
            leaf.spec = seen.spec
        elif node_of(before) is not None or before.origin is not None:
            input.node, input.origin = seen.node, seen.origin
        return input

    return _named(call, name, f"`{function.__name__}`, of which the tensor itself becomes a view.")


def _refuse_leaf(name: str, input: Any) -> None:
    base = input if input.origin is None else input.origin.base
    if mode.grad and type(base.node) is Leaf:
        kind = "a leaf" if base is input else "a view of a leaf"
        raise InPlaceError(
            f"{name}: {kind} that requires grad cannot be written in place; "
            "do it under plugrad.no_grad(), or write to a clone()"
        )


def _named(call: Callable[..., Any], name: str, doc: str) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return call
