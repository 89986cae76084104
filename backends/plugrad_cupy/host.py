"""What is computed on the host: the arrays go there and the results come back, and the call waits
for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy
import numpy as np

from plugrad_cupy.arrays import index_of
from plugrad_cupy.devices import enter


def on_host(function: Callable[..., Any], x: Any, *others: Any) -> Any:
    """A NumPy kernel applied to arrays of a device, and to parameters."""
    found = function(_fetched(x), *[_fetched(each) for each in others])
    enter(index_of(x))
    if isinstance(found, tuple):
        return tuple([cupy.asarray(np.asarray(each)) for each in found])
    return cupy.asarray(np.asarray(found))


def _fetched(value: Any) -> Any:
    return value.get() if isinstance(value, cupy.ndarray) else value
