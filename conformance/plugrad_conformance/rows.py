"""Rows: every case × variant × dtype, in fixed order and with readable names. A test takes a row and a backend's name."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import plugrad
from plugrad.dtypes import DType
from plugrad_conformance.case import DEVICE, DTYPE, Array, Call, Case
from plugrad_conformance.cases import CASES


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

    def arrays(self) -> tuple[Any, ...]:
        """The tensors' contents in NumPy; the same at every call, and of equal numbers for every dtype of a kind."""
        draw = np.random.default_rng(zlib.crc32(f"{self.case.name}-{self.variant}".encode()))
        return nested(lambda recipe: recipe.make(draw, self.dtype), self.call.tensors)

    def params(self, device: str) -> tuple[Any, ...]:
        """The parameters, on a device."""
        filled = {DTYPE: self.dtype, DEVICE: plugrad.device(device)}
        return tuple(
            [
                filled[value] if type(value) is type(DTYPE) else value
                for value in self.call.params.values()
            ]
        )

    def want(self, arrays: tuple[Any, ...], params: tuple[Any, ...]) -> tuple[Any, ...]:
        """What the reference gives, in the widest dtype of its kind: one array per result."""
        assert self.case.reference is not None
        with np.errstate(all="ignore"):
            out = self.case.reference(*nested(self._widened, arrays), *params)
        return tuple(map(np.asarray, out if type(out) is tuple else (out,)))

    def _widened(self, array: Any) -> Any:
        if array.dtype.kind == "c":
            return array.astype(np.complex128)
        own = array.dtype.kind in "biu" and not self.case.as_float
        return array if own else array.astype(np.float64)

    def run(self, tensors: tuple[Any, ...], params: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call the operator as users do; its results, or what it has written."""
        out = self.case.function(*tensors, *params)
        return out if type(out) is tuple else (out,)


def rows(
    where: Callable[[Case], Any] = lambda case: True, dtypes: Callable[[Case], Any] | None = None
) -> list[Row]:
    """The rows of all cases that `where` admits; for `dtypes` instead of the case's own."""
    return [
        Row(case, variant, dtype)
        for case in CASES
        if where(case)
        for dtype in (case.dtypes if dtypes is None else dtypes(case))
        for variant in case.variants
    ]


def typical_dtype(case: Case) -> tuple[DType, ...]:
    """float32, or else the first dtype that the case has: for what does not depend on the dtype."""
    return (plugrad.float32,) if plugrad.float32 in case.dtypes else tuple(case.dtypes[:1])


def widest_dtypes(case: Case) -> tuple[DType, ...]:
    """float64 and complex128 where the case has them: for derivatives."""
    return tuple([d for d in (plugrad.float64, plugrad.complex128) if d in case.dtypes])


def nested(function: Callable[[Any], Any], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The function of every value, where values may be None or tuples of values."""
    return tuple(
        [
            nested(function, value) if type(value) is tuple else None if value is None else function(value)
            for value in values
        ]
    )


def leaves(values: Any) -> Iterator[Any]:
    """The values that are not None, tuples opened."""
    for value in values:
        if type(value) is tuple:
            yield from leaves(value)
        elif value is not None:
            yield value


def tensor(array: np.ndarray[Any, Any], device: str) -> Any:
    """A tensor with a copy of an array."""
    return plugrad.tensor(array, device=device)


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """A copy of a tensor's elements."""
    return np.array(value.detach().numpy())


def is_recipe(value: Any) -> bool:
    """Whether a value of a call's tensors makes a single tensor."""
    return type(value) is Array
