"""Positions that lie outside of their axis.

A kernel that meets one leaves that element out and writes a note into the host's memory, where
devices reach it; the host reads it whenever it waits for a device, and raises then. Waiting at each
call would cost more than most calls. With `CUDA_LAUNCH_BLOCKING=1` in the environment, as PyTorch
has it, each call waits, and the traceback shows the culprit.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import final

import cupy
import numpy as np

from plugrad.errors import RangeError
from plugrad_cupy.devices import current_stream

_BLOCKING = os.environ.get("CUDA_LAUNCH_BLOCKING", "0") not in ("", "0")
_REMEMBERED = 4096  # calls that are told apart when the host hears of a wrong position


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """What a tensor of positions counts along: its name in the contract, the axis, the array's
    shape, and whether positions below 0 count from the end.
    """

    argument: str
    axis: int
    shape: tuple[int, ...]
    negative: bool

    def error(self, operator: str, position: int) -> RangeError:
        """What the host raises."""
        size = self.shape[self.axis]
        expected = (
            f"positions from {-size if self.negative else 0} to {size - 1} along axis "
            f"{self.axis} of {self.shape}"
        )
        if not size:
            expected = f"no positions: axis {self.axis} of {self.shape} is empty"
        return RangeError(operator, self.argument, expected=expected, got=position)


@final
class _Notes:
    """Memory that devices write to and the host reads: the call, the position, which tensor."""

    def __init__(self) -> None:
        self.pinned = cupy.cuda.alloc_pinned_memory(24)
        self.words = np.frombuffer(self.pinned, np.int64, 3)
        self.words[:] = 0
        self.address = self.words.ctypes.data


_notes: _Notes | None = None
_lock = threading.Lock()
_numbers = count(1)
_calls: OrderedDict[int, tuple[str, tuple[Axis, ...]]] = OrderedDict()


def watch(operator: str, axes: tuple[Axis, ...]) -> tuple[int, int]:
    """What a kernel needs to note a wrong position: the notes' address, and the call's number."""
    global _notes
    with _lock:
        if _notes is None:
            _notes = _Notes()
        number = next(_numbers)
        _calls[number] = operator, axes
        if len(_calls) > _REMEMBERED:
            _calls.popitem(last=False)
    return _notes.address, number


def check() -> None:
    """Raise if a kernel has met a wrong position; the host has just waited for it."""
    if _notes is None or not _notes.words[0]:
        return
    number, position, which = _notes.words.tolist()
    _notes.words[:] = 0
    operator, axes = _calls.get(number, ("indexing", (Axis("index", 0, (0,), False),)))
    raise axes[which if which < len(axes) else 0].error(operator, position)


def check_now(index: int) -> None:
    """After a call: wait for it, if the environment says so."""
    if _BLOCKING:
        current_stream(index).synchronize()
        check()
