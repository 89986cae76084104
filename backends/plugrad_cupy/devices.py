"""Which device and which stream a call runs on.

CuPy keeps both per thread. The first call of a thread on a device makes that device's compute
stream, which does not block, CuPy's current one there; from then on CuPy's current stream is the
truth, so that a program's own CuPy code runs in the same order.
"""

from __future__ import annotations

import threading
from typing import Any

import cupy

from plugrad.errors import BackendUnavailableError


class _Thread(threading.local):
    """What a thread has done: the devices that it has entered, and the one that it chose."""

    def __init__(self) -> None:
        self.entered: set[int] = set()
        self.chosen = 0


_thread = _Thread()
_streams: dict[int, Any] = {}
_making = threading.Lock()


def count() -> int:
    """How many devices there are; raises with the driver's reason when that is none."""
    try:
        found = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise BackendUnavailableError(
            "cuda", str(error), hint="install or update NVIDIA's driver; nvidia-smi shows it"
        ) from error
    if not found:
        raise BackendUnavailableError("cuda", "the driver sees no device")
    return found


def chosen() -> int:
    """The index that `cuda` without one means in this thread."""
    return _thread.chosen


def choose(index: int) -> int:
    """Let `cuda` without an index mean this device from now on in this thread; returns the device
    before.
    """
    before, _thread.chosen = _thread.chosen, index
    return before


def enter(index: int) -> None:
    """Make a device, and at the first call its compute stream, current in this thread."""
    if cupy.cuda.get_device_id() != index:
        cupy.cuda.Device(index).use()
    if index not in _thread.entered:
        compute_stream(index).use()
        _thread.entered.add(index)


def compute_stream(index: int) -> Any:
    """The stream on which a device computes, unless a program chooses another; the device must be
    current.
    """
    stream = _streams.get(index)
    if stream is None:
        with _making:
            stream = _streams.get(index)
            if stream is None:
                stream = _streams[index] = cupy.cuda.Stream(non_blocking=True)
    return stream


def current_stream(index: int) -> Any:
    """The stream that this thread's calls on a device run on."""
    enter(index)
    return cupy.cuda.get_current_stream()
