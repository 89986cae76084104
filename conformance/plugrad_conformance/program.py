"""A failure as a program to paste: a row's tensors as literals, the call, and what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from plugrad.dtypes import BY_NAME, DType
from plugrad_conformance.case import family_of
from plugrad_conformance.layouts import Layout
from plugrad_conformance.rows import Row

_MOST_NUMBERS = 400


def program(
    row: Row,
    device: str,
    arrays: Sequence[Any],
    layout: Layout | None,
    want: Any,
    cotangents: Sequence[Any] = (),
) -> str:
    """Lines of Python that repeat a row's call, and its derivative where there are cotangents."""
    operator = row.case.operator
    lines = ["import plugrad", 'nan, inf = float("nan"), float("inf")']
    operands: list[str] = []
    inputs: list[str] = []
    for name, value in zip(operator.tensors, arrays, strict=True):
        operands.append(_operand(name, value, device, layout, lines, inputs, bool(cotangents)))
    operands += [_code(value) for value in row.params(device)]
    called = f"plugrad.ops.{family_of(operator)}.{operator.name}({', '.join(operands)})"
    lines.append(f"out = {called}")
    if cotangents:
        given = ", ".join(_literal(cotangent, device) for cotangent in cotangents)
        lines.append(f"print(*plugrad.autograd.grad(out, [{', '.join(inputs)}], [{given}]))")
    else:
        lines.append("print(out)")
    lines.append(f"# expected: {_shortened(want)}")
    return "\n".join(lines)


def _operand(
    name: str,
    value: Any,
    device: str,
    layout: Layout | None,
    lines: list[str],
    inputs: list[str],
    leaf: bool,
) -> str:
    if value is None:
        return "None"
    if type(value) is tuple:
        parts = [
            _operand(f"{name}{i}", each, device, layout, lines, inputs, leaf)
            for i, each in enumerate(value)
        ]
        return f"({', '.join(parts)},)"
    stored, look = value, ""
    if layout is not None and layout.fits(value.shape):
        stored, look = layout.store(value), layout.text(value.shape)
    made = _literal(stored, device)
    differentiable = leaf and value.dtype.kind not in "biu"
    if differentiable:
        made += ".requires_grad_()"
        inputs.append(name)
    lines.append(f"{name} = {made}")
    return f"{name}{look}"


def _literal(array: Any, device: str) -> str:
    place = f"dtype={BY_NAME[array.dtype.name]}, device={device!r}"
    if not array.size:
        return f"plugrad.zeros{array.shape}".replace(",)", ")")[:-1] + f", {place})"
    return f"plugrad.tensor({_shortened(array)}, {place})"


def _shortened(array: Any) -> str:
    wide = array if array.dtype.kind in "biuc" else array.astype(np.float64)
    if array.size <= _MOST_NUMBERS:
        return repr(wide.tolist())
    return f"... {array.size} numbers, the first of them {wide.reshape(-1)[:5].tolist()} ..."


def _code(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_code, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, DType):
        return repr(value)
    kind = type(value).__name__
    if kind == "Device":
        return f"plugrad.device({str(value)!r})"
    return f"plugrad.ops.operators[{value.name!r}]" if kind == "Operator" else repr(value)
