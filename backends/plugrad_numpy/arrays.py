"""What every kernel module needs: dtypes both ways, IEEE arithmetic without warnings, half
precision done in single.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import wraps
from typing import Any

import ml_dtypes
import numpy as np

from plugrad import dtypes

NATIVE: dict[dtypes.DType, np.dtype[Any]] = {
    dtype: np.dtype(ml_dtypes.bfloat16 if dtype is dtypes.bfloat16 else dtype.name)
    for dtype in dtypes.ALL
}
PORTABLE = {native: dtype for dtype, native in NATIVE.items()}
HALVES = (NATIVE[dtypes.float16], NATIVE[dtypes.bfloat16])

HALF_CHARS = "".join(native.char for native in HALVES)


def _quiet_context() -> Context:
    context = copy_context()
    context.run(np.seterr, all="ignore")
    return context


class _Quiet(threading.local):
    """Contexts of a thread in which NumPy does not warn of infinities and NaNs: they are results.

    Entering `np.errstate` at each call would cost more than a small addition; running a ufunc in a
    prepared context, by `run`, costs next to nothing, and leaves the user's own settings alone. No
    context can be entered twice: kernels, which may call others, take one of those that are `free`.
    """

    def __init__(self) -> None:
        self.run = _quiet_context().run
        self.free: list[Context] = []


ieee = _Quiet()


def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a whole kernel of several steps."""

    @wraps(function)
    def run(*arguments: Any) -> Any:
        free = ieee.free
        context = free.pop() if free else _quiet_context()
        try:
            return context.run(function, *arguments)
        finally:
            free.append(context)

    return run


def in_single(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compute half-precision operands in float32 and round once: sums of halves lose nothing on the
    way.
    """

    @wraps(function)
    def run(x: Any, *rest: Any) -> Any:
        if x.dtype.char not in HALF_CHARS:
            return function(x, *rest)
        wide = [
            each.astype(np.float32)
            if isinstance(each, np.ndarray | np.generic) and each.dtype == x.dtype
            else each
            for each in (x, *rest)
        ]
        with np.errstate(all="ignore"):
            return function(*wide).astype(x.dtype)

    return run
