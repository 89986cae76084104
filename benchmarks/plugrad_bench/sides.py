"""A side is what is measured: a backend of plugrad, by its device's name, or PyTorch itself, as
`torch` or `torch:cuda`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import Any, final

import plugrad
from plugrad.backends import backend, resolve_device
from plugrad.errors import UnsupportedError
from plugrad_bench.errors import MisuseError

TORCH, HOST = "torch", "cpu"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@final
@dataclass(frozen=True, slots=True)
class Side:
    """A namespace and a place in it.

    `xp` is `plugrad` or `torch`, which share their names; `creating()` makes new tensors land on
    the side's device; `clock()` is the time once the device has done all that it was asked;
    `refusals` are the exceptions that decline a call.
    """

    name: str
    description: str
    xp: Any
    creating: Callable[[], AbstractContextManager[Any]]
    clock: Callable[[], float]
    refusals: tuple[type[Exception], ...]


def open_side(name: str, threads: int) -> Side:
    """The side of that name, with so many threads; raises what keeps it from being used."""
    for variable in _THREADS:  # read when a library is loaded
        os.environ[variable] = str(threads)
    if name.partition(":")[0] == TORCH:
        return _pytorch(name, threads)
    return _plugrad(name, threads)


def _plugrad(name: str, threads: int) -> Side:
    device = resolve_device(name)
    behind = backend(device.type)
    plugrad.set_num_threads(threads)
    wait = behind.resolve("synchronize")
    model = behind.resolve("device_name")
    facts = [behind.distribution, model(device.index) if model else ""]
    return Side(
        name,
        ", ".join(filter(None, facts)),
        plugrad,
        partial(plugrad.device, device),
        perf_counter if wait is None else _clock_after(partial(wait, device.index)),
        (UnsupportedError,),
    )


def _pytorch(name: str, threads: int) -> Side:
    if find_spec(TORCH) is None:
        raise MisuseError(f"{name}: PyTorch is not installed; pip install torch")
    torch: Any = importlib.import_module(TORCH)
    torch.set_num_threads(threads)
    place = name.partition(":")[2] or HOST
    try:
        device = torch.device(place)
        torch.empty(0, device=device)
    except Exception as error:
        raise MisuseError(f"{name}: PyTorch has no device {place!r} here: {error}") from None
    wait = None if device.type == HOST else partial(torch.accelerator.synchronize, device)
    return Side(
        name,
        f"torch {torch.__version__}",
        torch,
        lambda: device,
        perf_counter if wait is None else _clock_after(wait),
        (NotImplementedError,),
    )


def _clock_after(wait: Callable[[], Any]) -> Callable[[], float]:
    def clock() -> float:
        wait()
        return perf_counter()

    return clock
