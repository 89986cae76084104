"""What the modules that test the Numba backend share. They skip themselves before importing it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad_numba import cache

# The beginning of a program, in which `passes.count` then says how often something was compiled.
COUNT_PASSES = """
    import numba.core.event as events
    import plugrad as pg

    class Passes(events.Listener):
        count = 0
        def on_start(self, event):
            self.count += 1
        def on_end(self, event):
            pass

    passes = Passes()
    events.register("numba:run_pass", passes)
"""


@pytest.fixture(scope="module", autouse=True)
def cache_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for the own kernels of a module that imports this, unless the run has one."""
    if os.environ.get("PLUGRAD_CACHE"):
        yield cache.cache_folder()
        return
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLUGRAD_CACHE", str(folder))
        cache.cache_folder.cache_clear()
        yield folder
    cache.cache_folder.cache_clear()


def run(program: str, **environment: str) -> str:
    """What a program prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def normal(*shape: int, dtype: Any = np.float32) -> Any:
    return np.random.default_rng(sum(shape)).normal(0, 2, shape).astype(dtype)


def places(count: int, *shape: int) -> Any:
    return np.random.default_rng(count).integers(0, count, shape)


def of_numpy(kernel: Any) -> Any:
    """NumPy's kernel for the same operator, or the body on NumPy's kernels."""
    return pg.backends.backend("numpy").answering(kernel.__name__)[0].function
