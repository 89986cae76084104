"""Rows: every case × variant × dtype, in fixed order and with readable names. A test takes a row
and a backend's name.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

import plugrad
from plugrad.dtypes import DType
from plugrad_conformance import scope
from plugrad_conformance.case import DEVICE, DTYPE, Array, Call, Case, Placeholder, native
from plugrad_conformance.cases import CASES

Arrays = tuple[Any, ...]


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One case in one variant and one dtype."""

    case: Case
    variant: str
    dtype: DType

    def __str__(self) -> str:
        return f"{self.case.name}-{self.dtype.name}-{self.variant}"

    @property
    def call(self) -> Call:
        """The recipes and parameters."""
        return self.case.variants[self.variant]

    @property
    def recipes(self) -> list[Array]:
        """The recipes of all tensors, tuples opened."""
        return list(leaves(self.call.tensors))

    @property
    def dtypes(self) -> set[DType]:
        """The dtypes of the tensors and parameters."""
        named = [self.dtype if each is DTYPE else each for each in self.call.params.values()]
        found = {each for each in named if isinstance(each, DType)}
        found |= {recipe.dtype or self.dtype for recipe in leaves(self.call.tensors)}
        return found or {self.dtype}

    def arrays(self) -> Arrays:
        """The tensors' contents in NumPy: the same at every call, and equal numbers for every dtype
        of a kind.
        """
        draw = np.random.default_rng(zlib.crc32(f"{self.case.name}-{self.variant}".encode()))
        return nested(lambda recipe: recipe.make(draw, self.dtype), self.call.tensors)

    def params(self, device: str) -> tuple[Any, ...]:
        """The parameters, on a device."""
        chosen = {DTYPE: self.dtype, DEVICE: plugrad.backends.resolve_device(device)}
        values = self.call.params.values()
        return tuple([chosen[v] if isinstance(v, Placeholder) else v for v in values])

    def want(self, arrays: Arrays, params: tuple[Any, ...]) -> Arrays:
        """What the reference gives, in the widest dtype of its kind: one array per result."""
        assert self.case.reference is not None
        with np.errstate(all="ignore"):
            out = self.case.reference(*nested(self._widened, arrays), *params)
        return tuple(map(np.asarray, leaves((out,))))

    def _widened(self, array: Any) -> Any:
        if array.dtype.kind == "c":
            return array.astype(np.complex128)
        if array.dtype.kind in "biu":
            if not self.case.as_float:
                return array
            array = array.astype(native(plugrad.get_default_dtype()))
        return array.astype(np.float64)

    def run(self, tensors: tuple[Any, ...], params: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call the operator as users do; what is promised of its results, or what it has written,
        as a flat tuple.
        """
        return tuple(leaves((self.case.apply(tensors, params),)))

    def result_dtype(self, want: Any, device: str) -> np.dtype[Any]:
        """What dtype a result must have: NumPy's own for bools and integers, else the row's, or its
        real or complex half.
        """
        if self.case.result is not None:
            return native(self.case.result(self.dtype, self.params(device)))
        if want.dtype.kind in "biu":
            return want.dtype
        inexact = self.dtype.kind in ("float", "complex")
        base = self.dtype if inexact else plugrad.get_default_dtype()
        return native(base.to_complex() if want.dtype.kind == "c" else base.to_real())


def rows(
    where: Callable[[Case], Any] = lambda case: True,
    dtypes: Callable[[Case], Any] = lambda case: case.dtypes,
) -> list[Row]:
    """The rows of all cases that `where` admits, for the dtypes that `dtypes` gives; only those of
    the operators that the run is about.
    """
    return [
        Row(case, variant, dtype)
        for case in CASES
        if scope.admits(case.name) and where(case)
        for dtype in dtypes(case)
        for variant in case.variants
    ]


def every_row() -> list[Row]:
    """The rows of the whole table, whatever the run is about."""
    return [
        Row(case, variant, dtype)
        for case in CASES
        for dtype in case.dtypes
        for variant in case.variants
    ]


def typical_rows(where: Callable[[Case], Any] = lambda case: True) -> list[Row]:
    """The first variant of each operator's first case in its typical dtype."""
    firsts = {case.operator: case for case in reversed(CASES)}
    return [
        Row(case, next(iter(case.variants)), typical_dtype(case)[0])
        for case in CASES
        if case is firsts[case.operator] and where(case)
    ]


def typical_dtype(case: Case) -> tuple[DType, ...]:
    """float32, or else the first dtype that the case has: for what does not depend on the dtype."""
    return (plugrad.float32,) if plugrad.float32 in case.dtypes else tuple(case.dtypes[:1])


def widest_dtypes(case: Case) -> tuple[DType, ...]:
    """float64 and complex128 where the case has them: for derivatives."""
    return tuple([d for d in (plugrad.float64, plugrad.complex128) if d in case.dtypes])


def nested(function: Callable[[Any], Any], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The function of every value, where a value may be None or a tuple of values."""
    return tuple(
        [
            nested(function, each)
            if type(each) is tuple
            else each
            if each is None
            else function(each)
            for each in values
        ]
    )


def leaves(values: Any) -> Iterator[Any]:
    """The values that are not None, tuples opened."""
    for value in values:
        if type(value) is tuple:
            yield from leaves(value)
        elif value is not None:
            yield value


def to_tensor(array: Any, device: str) -> Any:
    """A tensor with a copy of an array."""
    return plugrad.tensor(np.asarray(array), device=device)


def to_tensors(arrays: Arrays, device: str) -> tuple[Any, ...]:
    """Tensors with copies of arrays."""
    return nested(lambda array: to_tensor(array, device), arrays)


def to_numpy(value: Any) -> Any:
    """A copy of a tensor's elements; raises if the backend's array is not what the tensor's spec
    says.
    """
    describe = plugrad.backends.backend(value.device.type).service("array_spec")
    shape, dtype = describe(value.native())
    if (tuple(shape), dtype) != (value.spec.shape, value.dtype):
        raise AssertionError(
            f"array and spec differ: the backend's array has shape {tuple(shape)} and dtype "
            f"{dtype}, the spec says {value.spec.shape} and {value.dtype}"
        )
    return np.array(value.detach().numpy())
