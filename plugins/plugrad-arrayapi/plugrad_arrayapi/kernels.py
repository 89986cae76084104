"""What every family of kernels knows: the library's namespace, and dtypes both ways.

The standard has no half precision, mixes no dtypes, and orders no bools; the helpers bridge that.
"""

from __future__ import annotations

from typing import Any

import array_api_compat

from plugrad import dtypes
from plugrad.dtypes import DType

Array = Any

HALVES = (dtypes.float16, dtypes.bfloat16)
STORED = tuple([dtype for dtype in dtypes.ALL if dtype not in HALVES])


class Kernels:
    """The base of all families."""

    def __init__(self, library: Any) -> None:
        # What the library's own namespace lacks or names otherwise, array-api-compat adds.
        self.xp: Any = array_api_compat.array_namespace(library.asarray(0))
        self.native = {dtype: getattr(self.xp, dtype.name) for dtype in STORED}
        # As arrays name them: NumPy's `float32` is a class, an array's dtype is not.
        self.portable: dict[Any, DType] = {
            self.xp.empty(0, dtype=native).dtype: dtype for dtype, native in self.native.items()
        }

    def kind(self, x: Array) -> str:
        """`bool`, `int`, `float` or `complex`."""
        return self.portable[x.dtype].kind

    def copy(self, x: Array) -> Array:
        """The same elements in memory of their own, in C order."""
        return self.xp.asarray(x, copy=True)

    def like(self, number: float, x: Array) -> Array:
        """A number as a 0-d array of an array's dtype."""
        return self.xp.asarray(number, dtype=x.dtype)

    def ordered(self, x: Array) -> Array:
        """Bools, which the standard does not order, as integers."""
        return self.xp.astype(x, self.xp.uint8) if self.kind(x) == "bool" else x

    def truth(self, x: Array) -> Array:
        """Whether elements are nonzero."""
        return x if self.kind(x) == "bool" else x != self.like(0, x)

    def added(self, x: Array, y: Array) -> Array:
        """Sum; of bools their disjunction."""
        return self.xp.logical_or(x, y) if self.kind(x) == "bool" else self.xp.add(x, y)

    def multiplied(self, x: Array, y: Array) -> Array:
        """Product; of bools their conjunction."""
        return self.xp.logical_and(x, y) if self.kind(x) == "bool" else self.xp.multiply(x, y)
