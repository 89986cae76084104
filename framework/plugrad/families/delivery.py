"""`out=`: a result written into a tensor that the caller gives.

PyTorch's rules: the tensor has the result's shape or no elements at all, its dtype can hold the
result's, and no gradient flows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from plugrad import dtypes
from plugrad.dispatch import dispatch, operators
from plugrad.errors import ArgumentError, AutogradError, DeviceError, DtypeError, ShapeError
from plugrad.families.operands import as_operand
from plugrad.tape import mode, node_of
from plugrad.value import Value

F = TypeVar("F", bound=Callable[..., Any])


def deliver(operator: str, result: Any, out: Any) -> Any:
    """Write a result, or each of several, where the caller wants it; returns that."""
    if isinstance(result, tuple):
        return _deliver_each(operator, cast("tuple[Any, ...]", result), out)
    _check(operator, result, out)
    if out.spec.shape == result.spec.shape:
        return dispatch(operators["copy_"], (out, result), ())
    shared = result.memory is not None  # perhaps an operand's
    result = as_operand(result, out.spec.dtype, None)
    if shared:
        result = dispatch(operators["clone"], (result,), ())
    result.settle()
    out.spec, out.array = result.spec, None
    out.memory, out.place = result.memory, result.place
    return out


def _deliver_each(operator: str, results: tuple[Any, ...], out: Any) -> Any:
    if not issubclass(type(out), tuple | list) or len(out) != len(results):
        raise ArgumentError(
            operator, "out", expected=f"a tuple of {len(results)} tensors", got=type(out).__name__
        )
    for value, target in zip(results, out, strict=True):
        deliver(operator, value, target)
    named = getattr(type(results), "_make", None)
    return out if named is None else named(out)


def delivers(function: F) -> F:
    """Let a function's `out`, which it has to name but need not read, be delivered to."""
    name = function.__name__

    @wraps(function)
    def call(*arguments: Any, out: Any = None, **options: Any) -> Any:
        result = function(*arguments, **options)
        return result if out is None else deliver(name, result, out)

    return cast(F, call)


def _check(operator: str, result: Any, out: Any) -> None:
    if not isinstance(out, Value):
        raise ArgumentError(operator, "out", expected="a tensor", got=type(out).__name__)
    if mode.grad and not (node_of(result) is None and node_of(out) is None):
        raise AutogradError(
            f"{operator}: with out= no gradient can flow, but an argument requires grad; "
            "leave out= away, or call it under plugrad.no_grad()"
        )
    made, wanted = result.spec, out.spec
    if made.device is not wanted.device:
        raise DeviceError(operator, "out", expected=made.device, got=wanted.device)
    if not dtypes.can_cast(made.dtype, wanted.dtype):
        raise DtypeError(
            operator, "out", expected=f"a dtype that {made.dtype} casts to", got=wanted.dtype
        )
    if made.shape != wanted.shape and wanted.numel:
        raise ShapeError(
            operator,
            "out",
            expected=f"the result's shape {made.shape}, or no elements",
            got=wanted.shape,
        )
