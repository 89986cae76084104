"""Memory of a training loop, without the garbage collector: what a step leaves behind."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from test_training import batch, mlp, step

import plugrad as pg


def test_a_thousand_steps_end_with_the_memory_of_ten(benchmark: Any) -> None:
    run = step(pg, mlp(pg), *batch(pg, 64))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            run()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(990):
            run()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    benchmark.extra_info["bytes_per_step"] = growth / 990
    benchmark.pedantic(run, rounds=5)
    print(f"\nmemory after 1,000 steps less memory after 10: {growth} bytes")
    assert growth < 64 * 1024
