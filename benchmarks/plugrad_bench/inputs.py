"""The operands of a row: the same numbers on every side, drawn by NumPy."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from plugrad_bench.sides import Side


@final
class Inputs:
    """Draws float32 tensors for one side; two of these draw the same."""

    def __init__(self, side: Side) -> None:
        self.xp = side.xp
        self._side = side
        self._random = np.random.default_rng(0)

    def normal(self, *shape: int) -> Any:
        """From the standard normal distribution."""
        return self._tensor(self._random.standard_normal(shape, np.float32))

    def ones(self, *shape: int) -> Any:
        """Nothing but 1."""
        return self._tensor(np.ones(shape, np.float32))

    def zeros(self, *shape: int) -> Any:
        """Nothing but 0."""
        return self._tensor(np.zeros(shape, np.float32))

    def mask(self, *shape: int) -> Any:
        """True or false, as often."""
        return self._tensor(self._random.random(shape) < 0.5)

    def below(self, end: int, *shape: int) -> Any:
        """Integers from 0 on, as wide as indices are."""
        return self._tensor(self._random.integers(0, end, shape))

    def _tensor(self, array: Any) -> Any:
        with self._side.creating():
            return self.xp.tensor(array)
