"""Rounding, exaggerated: a plugin that moves every result at random, by as much as a float32 kernel
may err. So one learns how far a sound backend can stray.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, final

import numpy as np

import plugrad
from plugrad_conformance.case import EXACT, Case
from plugrad_conformance.cases import CASES

UNIT = 2.0**-23  # the last place of a float32 at 1
_PLUGIN = "plugrad_conformance.noise"


@contextmanager
def rounding_noise(seed: int, backend: str = "numpy") -> Iterator[None]:
    """In the block, results of operators that round carry noise of float32's size, whatever their
    dtype.

    An element moves by up to as many units as its operator's tolerance class has of its own, and
    where the class says that errors follow the largest element, by up to a unit of that. What an
    operator's body calls carries none of its own.
    """
    noise = _Noise(seed)
    wrappers = {
        case.name: plugrad.kernel(wrapper=True)(noise.wrapper(case))
        for case in CASES
        if case.operator.geometry is None
    }
    plugrad.backends.register(SimpleNamespace(**wrappers), name=_PLUGIN, backend=backend)
    try:
        yield
    finally:
        plugrad.backends.unregister(_PLUGIN)


@final
class _Noise:
    def __init__(self, seed: int) -> None:
        self._draw = np.random.RandomState(seed)
        self._depth = 0  # of operators within bodies of operators

    def wrapper(self, case: Case) -> Callable[[], Any]:
        """Around the kernels of an operator."""
        tolerance = case.tolerance
        own = UNIT * tolerance.own
        spread = UNIT if tolerance.steps + tolerance.terms else 0.0
        if case.operator.writes:
            spread = 0.0  # a written state, such as a mean of squares, must keep its sign

        def wrapper() -> Any:
            self._depth += 1
            try:
                result = yield
            finally:
                self._depth -= 1
            if self._depth or tolerance is EXACT:
                return result
            return self._moved(result, own, spread, bool(case.operator.writes))

        return wrapper

    def _moved(self, value: Any, own: float, spread: float, in_place: bool) -> Any:
        if isinstance(value, tuple):
            return tuple([self._moved(each, own, spread, in_place) for each in value])
        array = np.asarray(value)
        if array.dtype.kind != "f" or not array.size:
            return value
        reach = own * np.abs(array) + spread * np.max(np.abs(array))
        moved = array + reach * self._draw.uniform(-1, 1, array.shape)
        if not in_place:
            return moved.astype(array.dtype)
        array[...] = moved
        return value
