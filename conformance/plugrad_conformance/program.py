"""A failure as a program to paste: a row's tensors, the call, and what was expected.

Few numbers are written down, many as the pattern that they follow or the row that draws them. Where
there is neither, the program asks the kit about the row again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from plugrad.dtypes import BY_NAME, DType
from plugrad_conformance.layouts import LAYOUTS, Layout
from plugrad_conformance.rows import Row, every_row, leaves

_MOST_NUMBERS = 400


def program(
    row: Row,
    device: str,
    arrays: Sequence[Any],
    layout: Layout | None,
    want: Any,
    cotangents: Sequence[Any] = (),
) -> str:
    """Lines of Python that repeat a row's call, and its derivative where there are cotangents.

    `want` is None where nothing in particular was expected but that it runs.
    """
    expected = [] if want is None else [f"# expected: {_shortened(want)}"]
    try:
        lines = _call(row, device, arrays, layout, cotangents)
    except _TooManyNumbersError:
        options = ["--pyargs", "plugrad_conformance", "--backend", device, "-k", str(row)]
        lines = ["import pytest", f"pytest.main({options})"]
    return "\n".join([*lines, *expected])


class _TooManyNumbersError(ValueError):
    """An array that a program cannot hold."""


def _call(
    row: Row, device: str, arrays: Sequence[Any], layout: Layout | None, cotangents: Sequence[Any]
) -> list[str]:
    """The lines that call the operator, or its derivative where there are cotangents."""
    operator = row.case.operator
    text = _Text(row, device, layout, arrays, bool(cotangents))
    pairs = zip(operator.tensors, arrays, strict=True)
    operands = [text.operand(name, value) for name, value in pairs]
    operands += [_code(value) for value in row.params(device)]
    module = operator.function.__module__
    given = ", ".join(_tensor(cotangent, device) for cotangent in cotangents)
    lines = [*text.lines, f"out = {module}.{operator.name}({', '.join(operands)})"]
    if cotangents:
        lines.append(f"print(*plugrad.autograd.grad(out, [{', '.join(text.inputs)}], [{given}]))")
    else:
        lines.append("print(out)")
    head = ["import plugrad", *([] if module.startswith("plugrad.") else [f"import {module}"])]
    head += ["import numpy"] * any("numpy.r" in line for line in lines)
    return [*head, 'nan, inf = float("nan"), float("inf")', *lines]


def contents(row: str, layout: str | None = None) -> list[Any]:
    """The arrays of a row that has too many numbers to be written down, as a layout stores them."""
    case = next(each for each in every_row() if str(each) == row)
    orders = [each for each in LAYOUTS if each.name == layout]
    return [
        orders[0].store(array) if orders and orders[0].fits(array.shape) else array
        for array in leaves(case.arrays())
    ]


@final
class _Text:
    """The lines that make a row's tensors; `inputs` are the names of those that want a gradient."""

    def __init__(
        self, row: Row, device: str, layout: Layout | None, arrays: Sequence[Any], graded: bool
    ) -> None:
        self.lines: list[str] = []
        self.inputs: list[str] = []
        self._device = device
        self._layout = layout
        self._graded = graded
        pairs = zip(leaves(arrays), leaves(row.arrays()), strict=True)
        # Where in `contents` an array is found that is the row's own and large.
        self._large = {
            id(given): place
            for place, (given, own) in enumerate(pairs)
            if own.size > _MOST_NUMBERS and own.shape == given.shape and np.all(own == given)
        }
        if self._large:
            order = [] if layout is None else [repr(layout.name)]
            called = ", ".join([repr(str(row)), *order])
            self.lines.append("from plugrad_conformance.program import contents")
            self.lines.append(f"arrays = contents({called})")

    def operand(self, name: str, value: Any) -> str:
        """What stands for a tensor in the call."""
        if value is None:
            return "None"
        if type(value) is tuple:
            parts = [self.operand(f"{name}{i}", each) for i, each in enumerate(value)]
            return f"({', '.join(parts)},)"
        stored, look = value, ""
        if self._layout is not None and self._layout.fits(value.shape):
            stored, look = self._layout.store(value), self._layout.text(value.shape)
        if id(value) in self._large:
            made = f"plugrad.tensor(arrays[{self._large[id(value)]}], device={self._device!r})"
        else:
            made = _tensor(stored, self._device)
        if self._graded and value.dtype.kind not in "biu":
            made += ".requires_grad_()"
            self.inputs.append(name)
        self.lines.append(f"{name} = {made}")
        return f"{name}{look}"


def _tensor(array: Any, device: str) -> str:
    """The expression that makes a tensor with these elements."""
    place = f"dtype={BY_NAME[array.dtype.name]}, device={device!r}"
    if not array.size:
        return f"plugrad.zeros{array.shape}".replace(",)", ")")[:-1] + f", {place})"
    many = array.size > _MOST_NUMBERS
    return f"plugrad.tensor({_pattern(array) if many else _listed(array)}, {place})"


def _listed(array: Any) -> str:
    with np.errstate(all="ignore"):  # a signalling NaN
        return repr((array if array.dtype.kind in "biuc" else array.astype(np.float64)).tolist())


def _pattern(array: Any) -> str:
    """Many elements as a few that are each repeated and then all again, if that is what they are;
    else raises.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    bits = flat.view(f"V{flat.itemsize}")  # NaN equals NaN, and -0 is not 0
    changes = np.flatnonzero(bits[1:] != bits[:-1]) + 1
    run = int(changes[0]) if changes.size else 1
    heads = bits[::run]
    for period in range(1, min(_MOST_NUMBERS, heads.size) + 1):
        if np.array_equal(bits, np.resize(np.repeat(heads[:period], run), flat.shape)):
            listed = _listed(flat[::run][:period])
            each = listed if run == 1 else f"numpy.repeat({listed}, {run})"
            return f"numpy.resize({each}, {array.shape})"
    raise _TooManyNumbersError


def _shortened(array: Any) -> str:
    if array.size <= _MOST_NUMBERS:
        return _listed(array)
    return f"{array.size} numbers, the first of them {_listed(array.reshape(-1)[:5])}"


def _code(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_code, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, DType):
        return repr(value)
    kind = type(value).__name__
    if kind == "Device":
        return f"plugrad.device({str(value)!r})"
    return f"plugrad.ops.operators[{value.name!r}]" if kind == "Operator" else repr(value)
