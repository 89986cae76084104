"""How many threads a kernel may use, and whose turn it is to use them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numba
from numba.core import config

from plugrad.hooks import kernel
from plugrad_numpy import threads as blas

# Steps of about a nanosecond from which several threads pay: waking them takes 13 µs when they have
# just worked, and up to 100 µs when they sleep.
PAYING = 200_000


_lock = threading.Lock()
_most: int = vars(config)["NUMBA_NUM_THREADS"]
_count = _most


@contextmanager
def taken() -> Iterator[bool]:
    """Claim the threads for the block.

    False: there is one thread only, or they are at work for another Python thread, which Numba's
    own thread pool does not survive and the others do not profit from. Then compute serially.
    """
    if _count == 1 or not _lock.acquire(blocking=False):
        yield False
        return
    chosen_by_user = numba.get_num_threads()
    try:
        numba.set_num_threads(_count)
        yield True
    finally:
        numba.set_num_threads(chosen_by_user)
        _lock.release()


def _forked() -> None:
    # The threads stayed behind in the parent, and OpenMP would end a child that asks for them.
    global _most, _count, _lock
    _most = _count = 1
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@kernel
def threads_set(count: int) -> bool:
    """Kernels, and the matrix products of NumPy's BLAS."""
    global _count
    _count = min(count, _most)
    return blas.threads_set(_count)


@kernel
def threads_count() -> int:
    """As set, but no more than there are processors, or than `NUMBA_NUM_THREADS` allows."""
    return _count
