"""How many threads NumPy's matrix products take: those of its BLAS."""

from __future__ import annotations

from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from plugrad.hooks import kernel


@kernel
def threads_set(count: int) -> bool:
    """For the whole process: BLAS knows no other way."""
    _blas().limit(limits=count)
    return True


@kernel
def threads_count() -> int:
    """Of a BLAS that does not say, one."""
    return max([library["num_threads"] for library in _blas().info()], default=1)


@cache
def _blas() -> ThreadpoolController:
    np.dot(np.ones(1), np.ones(1))  # the libraries that are found are those that are loaded
    return ThreadpoolController().select(user_api="blas")
