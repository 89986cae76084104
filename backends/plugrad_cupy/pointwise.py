"""How one line of C becomes the kernels of an elementwise operator, and how they are called.

`add = arithmetic("add(x, y)", "plus(x, y)")` is an operator: the contract's signature, and what C
computes of one element of each operand. Its kernels are made in `sources/elementwise.cu`: one for
operands that lie in memory alike, 16 bytes at a time, and one for any strides.
"""

from __future__ import annotations

from math import prod
from types import FunctionType
from typing import Any, final

import numpy as np

from plugrad.hooks import kernel as hook
from plugrad_cupy import modules
from plugrad_cupy.arrays import new, view
from plugrad_cupy.devices import enter
from plugrad_cupy.layouts import c_strides, collapse, divider, is_small
from plugrad_cupy.modules import CTYPES, blocks_for
from plugrad_cupy.strided import contiguous

_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "V": "float", "c": "complex"}
_BOOL = np.dtype(bool)
_MOST_AXES = 8
_MOST_OPERANDS = 3
_MOST_PLANS = 1 << 10
_THREADS = (256, 1, 1)
_DENSE = "4Pq3i"
_STRIDED = f"4Pq2i{3 * _MOST_AXES}I{4 * _MOST_AXES}q"


def kind_of(dtype: np.dtype[Any]) -> str:
    """bool, int, float or complex."""
    return _KINDS[dtype.kind]


@final
class Family:
    """Operators that are compiled together: one module per dtype holds those that take it."""

    def __init__(self) -> None:
        self.operators: list[Pointwise] = []

    def __call__(
        self,
        signature: str,
        formula: str,
        takes: str = "bool int float complex",
        *,
        result: str = "T",
        first: str = "T",
    ) -> Any:
        """The kernel of one operator.

        `takes` are the kinds of dtypes that the formula is for, others are declined; `T` in it is
        the dtype. `result` is the C type of the result, `first` that of the first operand.
        """
        name, operands = signature.removesuffix(")").split("(")
        made = Pointwise(self, name, operands.split(", "), formula, takes.split(), result, first)
        self.operators.append(made)
        return made.hook()

    def lines(self, dtype: np.dtype[Any]) -> str:
        """The text that makes the operators' kernels for one dtype."""
        kind = kind_of(dtype)
        return "".join([each.line() for each in self.operators if kind in each.takes])

    def is_for(self, dtype: np.dtype[Any]) -> bool:
        """Whether any operator takes the dtype."""
        return any(kind_of(dtype) in each.takes for each in self.operators)


@final
class Pointwise:
    """One operator: what it computes, and for each layout of operands that came the plan."""

    def __init__(
        self,
        family: Family,
        name: str,
        operands: list[str],
        formula: str,
        takes: list[str],
        result: str,
        first: str,
    ) -> None:
        self.family = family
        self.operands = operands
        self.formula = formula
        self.takes = takes
        self.result = result
        self.first = first
        self.name = name
        self._plans: dict[Any, Any] = {}

    def line(self) -> str:
        """The operator as `elementwise.cu` takes it."""
        names = ", ".join([*self.operands, *("_2", "_3")[len(self.operands) - 1 :]])
        return (
            f"OPERATOR({self.name}, {len(self.operands)}, {self.result}, {self.first}, ({names}), "
            f"{self.formula})\n"
        )

    def hook(self) -> Any:
        """The kernel that plugrad calls: a function with the contract's parameters."""
        run = self

        def unary(x):
            return run(x)

        def binary(x, y):
            return run(x, y)

        def ternary(x, y, z):
            return run(x, y, z)

        made = hook((unary, binary, ternary)[len(self.operands) - 1])
        made.pointwise = self
        return renamed(made, self.operands)

    def __call__(self, *operands: Any) -> Any:
        key = tuple([part for x in operands for part in (x.dtype, x.shape, x.strides)])
        try:
            plan = self._plans[key]
        except KeyError:
            plan = self._plan(key, operands)
        return None if plan is None else plan(operands)

    def into(self, out: Any, operands: tuple[Any, ...]) -> Any:
        """Write the result into an array of any layout; None where that is not for this kernel."""
        key = (out.dtype, out.strides, *[(x.dtype, x.shape, x.strides) for x in operands])
        try:
            plan = self._plans[key]
        except KeyError:
            plan = self._plan(key, operands, out)
        if plan is None or any([_overlap(out, x) for x in operands]):
            return None
        return plan(operands, out)

    def _plan(self, key: Any, operands: tuple[Any, ...], out: Any = None) -> Plan | None:
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        dtype = operands[-1].dtype
        plan = None
        own = [_BOOL if self.first == "bool" else dtype] + [dtype] * (len(operands) - 1)
        if kind_of(dtype) in self.takes and [x.dtype for x in operands] == own:
            result = self._result_dtype(dtype)
            if out is None or out.dtype == result:
                plan = Plan(self, dtype, result, operands, out)
        self._plans[key] = plan
        return plan

    def _result_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        if self.result == "T":
            return dtype
        if self.result == "bool":
            return _BOOL
        return np.dtype(dtype.char.lower()) if dtype.kind == "c" else dtype

    def kernel(self, form: str, dtype: np.dtype[Any], layout: str) -> Any:
        """One of the operator's two kernels."""
        types = (CTYPES[dtype],)
        lines = self.family.lines(dtype)
        return modules.kernel("elementwise.cu", f"{self.name}_{form}", types, layout, lines)


@final
class Plan:
    """What is decided once for operands of given dtypes, shapes and strides."""

    def __init__(
        self,
        operator: Pointwise,
        dtype: np.dtype[Any],
        result: np.dtype[Any],
        operands: tuple[Any, ...],
        out: Any,
    ) -> None:
        self._operator = operator
        self._dtype = dtype
        self._result = result
        self.shape = np.broadcast_shapes(*[x.shape for x in operands])
        self._count = prod(self.shape)
        self._spare = (0,) * (_MOST_OPERANDS - len(operands))
        self._strides: tuple[int, ...] | None = None
        self._copies = False
        whole = [x for x in operands if x.size != 1]
        like = out if out is not None else whole[0] if whole else operands[0]
        order = _in_elements(like, self.shape)
        alike = all([_in_elements(x, self.shape) == order for x in whole])
        if alike and like.size == self._count and _fills(like):
            self._dense(like, operands)
        else:
            self._strided(operands, out)

    def _dense(self, like: Any, operands: tuple[Any, ...]) -> None:
        widest = max([self._result.itemsize, *[x.itemsize for x in operands]])
        self._kernel = self._operator.kernel("dense", self._dtype, _DENSE)
        self._grid = blocks_for(self._count, _THREADS[0] * (16 // widest)), 1, 1
        self._tail = (self._count, *[int(x.size == 1) for x in operands], *self._spare)
        if not like.flags.c_contiguous:
            size = self._result.itemsize
            self._strides = tuple([step * size for step in _in_elements(like, self.shape)])

    def _strided(self, operands: tuple[Any, ...], out: Any) -> None:
        shape = self.shape
        last = c_strides(shape) if out is None else _in_elements(out, shape)
        axes = collapse(shape, *[_in_elements(x, shape) for x in operands], last)
        if len(axes) > _MOST_AXES:
            self._copies = True
            return
        blank = [0] * len(self._spare)
        sizes = [n for size, *_ in axes for n in divider(size)]
        strides = [n for _, *steps in axes for n in (*steps[:-1], *blank, steps[-1])]
        spare = _MOST_AXES - len(axes)
        self._kernel = self._operator.kernel("strided", self._dtype, _STRIDED)
        self._grid = blocks_for(self._count, _THREADS[0]), 1, 1
        self._tail = (
            *(self._count, len(axes), is_small(axes)),
            *(*sizes, *[0] * (3 * spare)),
            *(*strides, *[0] * (4 * spare)),
        )

    def __call__(self, operands: tuple[Any, ...], out: Any = None) -> Any:
        if self._copies:
            return None if out is not None else self._of_copies(operands)
        if out is None:
            out = new(self.shape, self._result, operands[0])
            if self._strides is not None:
                out = view(out, self.shape, self._strides)
        else:
            enter(out.data.device_id)
        if not self._count:
            return out
        pointers = [x.data.ptr for x in operands]
        self._kernel(self._grid, _THREADS, out.data.ptr, *pointers, *self._spare, *self._tail)
        return out

    def _of_copies(self, operands: tuple[Any, ...]) -> Any:
        """Too many axes: of copies, which lie alike."""
        spread: list[Any] = []
        for x in operands:
            strides = [step * x.itemsize for step in _in_elements(x, self.shape)]
            spread.append(contiguous(view(x, self.shape, tuple(strides))))
        return self._operator(*spread)


def in_place(function: Any, *names: str) -> Any:
    """The kernel that writes an operator's result into its first operand; it declines where another
    operand overlaps that in another layout.
    """
    run: Pointwise = function.pointwise

    def unary(x):
        return run.into(x, (x,))

    def binary(x, y):
        return run.into(x, (x, y))

    def ternary(x, y, z):
        return run.into(x, (x, y, z))

    made = (unary, binary, ternary)[len(run.operands) - 1]
    return renamed(hook(made), list(names) or run.operands)


def renamed(function: Any, names: list[str]) -> Any:
    """The function with other names for its parameters: hooks are told apart by them."""
    code = function.__code__.replace(co_varnames=tuple(names))
    made = FunctionType(code, function.__globals__, function.__name__, None, function.__closure__)
    made.__dict__.update(function.__dict__)
    return made


def _in_elements(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of an array that is broadcast to a shape, in elements."""
    size = x.itemsize
    own = [0 if n == 1 else stride // size for n, stride in zip(x.shape, x.strides, strict=True)]
    return (*[0] * (len(shape) - len(own)), *own)


def _fills(x: Any) -> bool:
    """Whether the elements lie without gaps or overlaps, in any order of the axes."""
    step = x.itemsize
    for stride, size in sorted(zip(x.strides, x.shape, strict=True)):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


def _overlap(out: Any, x: Any) -> bool:
    """Whether writing `out` element by element would change elements of `x` that are still to be
    read.
    """
    if x.data.ptr == out.data.ptr and x.strides == out.strides and x.shape == out.shape:
        return False
    (low, high), (start, stop) = _extent(out), _extent(x)
    return low < stop and start < high


def _extent(x: Any) -> tuple[int, int]:
    low = high = x.data.ptr
    for size, stride in zip(x.shape, x.strides, strict=True):
        if stride < 0:
            low += (size - 1) * stride
        else:
            high += (size - 1) * stride
    return low, high + x.itemsize
