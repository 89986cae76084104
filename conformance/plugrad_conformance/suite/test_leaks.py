"""Leaks: with the garbage collector off, a thousand calls end with the memory of ten.

Four figures are watched. The interpreter's memory blocks grow with every object that is left
behind, be it as small as an array's header; objects that only the collector would find are counted
by it afterwards. The process's resident memory shows what lies outside the interpreter, if it is
large. And where the backend counts the memory of its devices, its count must be what it was.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest

import plugrad
from plugrad_conformance.answers import backend_of, claim
from plugrad_conformance.models import EXERCISES, Exercise, Training
from plugrad_conformance.models.heavy import HEAVY
from plugrad_conformance.rows import Row, to_numpy
from plugrad_conformance.suite.test_determinism import rows_with_values, run_row

LEVEL = 4

_WARM = 10
_STEPS = 1000
#: Exercises that are trained for all of these steps; the others, of more calls, for a tenth.
_LONG = ("mlp", "embedding")
_CALLS = 30
_HEAVY_CALLS = 10
#: A leak leaves something at every call. What grows in the first of several windows only, each
#: longer than the one before, is a table that fills.
_WINDOWS = 5
_LONGEST = 320
_BLOCKS_PER_CALL = 0.5
#: Bytes of resident memory that come and go with the allocator's moods.
_MOODS = 8 << 20


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """What is in use: objects in cycles since the last look, the interpreter's blocks, bytes of the
    process (0 where the system does not tell), and arrays and bytes of the device (0 where the
    backend does not).
    """

    cycles: int
    blocks: int
    resident: int
    arrays: int
    allocated: int


def memory(device: str) -> Memory:
    """What is in use now, without what plugrad and the interpreter keep for later calls."""
    for forget in plugrad.backends.watchers:
        forget()
    backend, where = backend_of(device), plugrad.device(device)
    backend.service("synchronize")(where.index)
    arrays = allocated = 0
    ask = backend.resolve("memory_statistics")
    statistics = None if ask is None else ask(where.index)
    if statistics is not None and statistics.arrays is not None:  # of the device, not the process
        arrays, allocated = statistics.arrays, statistics.allocated
    # The interpreter keeps thousands of the names that were looked up, and its free lists go on
    # growing for as many calls; collecting empties those.
    _forget_names()
    cycles = gc.collect()
    return Memory(cycles, sys.getallocatedblocks(), _resident(), arrays, allocated)


# Under its first name until Python 3.12.
_forget_names: Callable[[], None] = (
    vars(sys).get("_clear_internal_caches") or vars(sys)["_clear_type_cache"]
)


def _resident() -> int:
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def without_collector() -> Iterator[None]:
    """In the block nothing but reference counts frees memory. What was there before is not looked
    at again, so that collecting by hand takes microseconds.
    """
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def refuse_growth(call: Callable[[], Any], count: int, device: str, what: str) -> None:
    """Raise if so many calls, after a few to warm up, leave memory behind in each of several
    windows.
    """
    with without_collector():
        for _ in range(min(_WARM, count)):
            call()
        leaks: list[str] = []
        for window in range(_WINDOWS):
            if window:
                count = max(count, min(2 * count, _LONGEST))
            before = memory(device)
            for _ in range(count):
                call()
            after = memory(device)
            leak = _growth(before, after, count)
            if not leak:
                return
            leaks.append(f"{count} calls left {leak}")
    raise AssertionError(f"{what} on {device!r} leaves memory behind: {'; then '.join(leaks)}")


def _growth(before: Memory, after: Memory, count: int) -> str:
    found = []
    if after.cycles > count * _BLOCKS_PER_CALL:
        found.append(f"{after.cycles} objects in cycles")
    blocks = after.blocks - before.blocks
    if blocks > count * _BLOCKS_PER_CALL:
        found.append(f"{blocks} blocks of the interpreter's memory")
    resident = after.resident - before.resident
    if resident > _MOODS:
        found.append(f"{resident >> 10} KiB of the process's")
    if after.arrays > before.arrays:
        found.append(f"{after.arrays - before.arrays} arrays of the device's")
    if after.allocated > before.allocated:
        found.append(f"{after.allocated - before.allocated} bytes of the device's")
    return ", ".join(found)


@pytest.mark.parametrize("row", rows_with_values(), ids=str)
def test_operator_leaves_nothing_behind(row: Row, device: str) -> None:
    if claim(row, device) != "computes":
        pytest.skip(f"{device} does not compute in all of {sorted(map(str, row.dtypes))}")
    refuse_growth(lambda: run_row(row, device), _CALLS, device, str(row))


@pytest.mark.parametrize("name", HEAVY)
def test_large_call_leaves_nothing_behind(name: str, device: str) -> None:
    refuse_growth(lambda: HEAVY[name](device), _HEAVY_CALLS, device, name)


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_training_step_leaves_nothing_behind(exercise: Exercise, device: str) -> None:
    training = Training(exercise, device)
    steps = _STEPS if exercise.name in _LONG else _STEPS // 10
    refuse_growth(training.step, steps - _WARM, device, f"a step of {exercise}")


def test_moving_between_host_and_device_leaves_nothing_behind(device: str) -> None:
    kept = plugrad.rand(200, 300, device=device)

    def there_and_back() -> None:
        array = to_numpy(kept)
        plugrad.tensor(array, device=device).add_(kept)
        kept[0].tolist()
        kept[0, 0].item()
        kept.to("numpy").to(device)

    refuse_growth(there_and_back, 100, device, "moving")


def test_error_in_a_call_leaves_nothing_behind(device: str) -> None:
    x = plugrad.rand(40, 30, device=device, requires_grad=True)

    def fail() -> None:
        with pytest.raises(plugrad.errors.PlugradError):
            ((x * 2).exp() @ x).sum().backward()

    refuse_growth(fail, _CALLS, device, "a refused call")
