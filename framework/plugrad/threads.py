"""How many threads of the host a call may use, on every backend alike."""

from __future__ import annotations

import os

from plugrad.backends import Backend, greeters, loaded
from plugrad.errors import ArgumentError

_wanted: int | None = None


def set_num_threads(num: int) -> None:
    """Let kernels, and the libraries that they call, use at most so many threads for one call.

    Holds for the backends in use and for those that come into use later. A backend takes no more
    than the machine has processors.
    """
    if type(num) is not int or num < 1:
        raise ArgumentError(
            "set_num_threads", "num", expected="an int of at least 1", got=repr(num)
        )
    global _wanted
    _wanted = num
    for backend in loaded():
        _tell(backend)


def get_num_threads() -> int:
    """How many threads a call may use: the most that a backend in use takes.

    While none is in use that has threads, what was set, or else how many processors there are.
    """
    services = [backend.resolve("threads_count") for backend in loaded()]
    counts: list[int] = [service() for service in services if service is not None]
    return max(counts, default=_wanted or _processors())


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _tell(backend: Backend) -> None:
    service = backend.resolve("threads_set")
    if service is not None and _wanted is not None:
        service(_wanted)


greeters.append(_tell)
