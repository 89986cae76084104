"""The memory of devices: figures, what is kept for the next array, and giving it back."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

import plugrad as pg
from plugrad.errors import UnsupportedError

SIZE = 1 << 24  # float32 elements: 64 MiB

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="only glibc on Linux tells what the host's memory is used for",
)

FAULTS = """
import resource
import plugrad as pg
x = pg.ones(1 << 22)
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        y = x + x
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@needs_glibc
def test_figures_of_the_host() -> None:
    before = pg.memory.memory_allocated()
    x = pg.ones(SIZE)
    assert pg.memory.memory_allocated() - before >= 4 * SIZE
    assert pg.memory.memory_reserved() >= 4 * SIZE
    assert pg.memory.max_memory_reserved() >= pg.memory.memory_reserved() > 0
    free, total = pg.memory.mem_get_info("numpy")
    assert 0 < free < total
    stats = pg.memory.memory_stats()
    assert set(stats) == {
        "allocated_bytes.all.current",
        "reserved_bytes.all.current",
        "reserved_bytes.all.peak",
    }
    table = pg.memory.memory_summary()
    assert table.startswith("numpy\n")
    assert "unknown" in table
    assert x.sum() == SIZE


@needs_glibc
def test_what_is_freed_is_given_back_on_demand() -> None:
    x = pg.ones(SIZE)
    held = pg.memory.memory_reserved()
    del x
    pg.memory.empty_cache()
    assert held - pg.memory.memory_reserved() > 2 * SIZE
    pg.memory.reset_peak_memory_stats()
    assert pg.memory.max_memory_reserved() < held


def test_the_host_counts_no_peak_of_its_arrays() -> None:
    with pytest.raises(UnsupportedError, match="max_memory_allocated: device: expected one that"):
        pg.memory.max_memory_allocated()


@needs_glibc
@pytest.mark.parametrize("kept", [True, False])
def test_a_result_lands_in_pages_that_the_last_one_had(kept: bool) -> None:
    environment = {**os.environ, "PLUGRAD_KEEP_MEMORY": "1" if kept else "0"}
    found = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    faults = int(found.stdout)
    assert faults < 100 if kept else faults > 1000
