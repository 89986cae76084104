"""Tensors and numbers side by side: which dtype they meet in, and numbers as tensors of it."""

from __future__ import annotations

from typing import Any

from plugrad import dtypes
from plugrad.constants import constant
from plugrad.dispatch import dispatch, operators
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError

NUMBERS = frozenset({bool, int, float, complex})
_NUMBERS_PER_OPERATOR = 1 << 8


def promoted(operator: str, operands: list[Any]) -> DType:
    """The dtype in which the operands meet."""
    first = getattr(operands[0], "spec", None)
    if first is not None and all(getattr(o, "spec", None) is first for o in operands):
        return first.dtype
    dimensioned: list[DType] = []
    zero_dim: list[DType] = []
    scalars: list[type] = []
    for operand in operands:
        spec = getattr(operand, "spec", None)
        if spec is not None:
            (dimensioned if spec.shape else zero_dim).append(spec.dtype)
        else:
            scalars.append(_as_number(operator, operand).__class__)
    return dtypes.promote(dimensioned, zero_dim, scalars)


def remember_number(numbers: dict[Any, Any], operator: str, tensor: Any, number: Any) -> None:
    """Keep a number that an operator met beside a tensor, as a tensor, by the tensor's spec.

    Only where the tensor's dtype stays as it is: then the same two meet again without promotion.
    """
    if type(number) in NUMBERS and not getattr(tensor, "level", 0) and number == number:
        spec = tensor.spec
        if promoted(operator, [tensor, number]) is spec.dtype and type(number) is not complex:
            if len(numbers) >= _NUMBERS_PER_OPERATOR:
                numbers.clear()
            known = constant(number, spec.dtype, spec.device)
            numbers[spec, type(number), number or repr(number)] = known


def _as_number(operator: str, value: Any) -> Any:
    if isinstance(value, (bool, int, float, complex)):
        return value
    # A scalar of an array library says what it is.
    item = getattr(value, "item", None)
    if item is None or getattr(value, "shape", ()) != ():
        raise ArgumentError(
            operator,
            "operand",
            expected="a tensor or a number",
            got=type(value).__name__,
            hint="make it one with plugrad.as_tensor()",
        )
    return item()


def device_of(operator: str, arguments: tuple[Any, ...]) -> Any:
    """The device of the first tensor among the arguments."""
    for argument in arguments:
        if getattr(argument, "spec", None) is not None:
            return argument.spec.device
    raise ArgumentError(operator, "operands", expected="at least one tensor", got="only numbers")


def as_operand(value: Any, dtype: DType | None, device: Any) -> Any:
    """A tensor of that dtype (`None`: its own) from a tensor or a number."""
    spec = getattr(value, "spec", None)
    if spec is None:
        number = _as_number("operand", value)
        return constant(number, dtype or dtypes.of_scalar(number), device)
    if dtype is None or spec.dtype is dtype:
        return value
    return dispatch(operators["cast"], (value,), (dtype,))
