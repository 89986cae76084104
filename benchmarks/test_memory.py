"""Memory of a training loop, without the garbage collector: what a step leaves behind."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

from plugrad_bench.inputs import Inputs
from plugrad_bench.sides import open_side
from plugrad_bench.steps import STEPS


def test_a_thousand_steps_end_with_the_memory_of_ten(benchmark: Any) -> None:
    [mlp] = [step for step in STEPS if step.label == "MLP, Adam"]
    run = mlp.begin(Inputs(open_side("numpy", threads=1)))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            run()
        # Collecting also empties the interpreter's own free lists, which fill up in the first few
        # hundred steps; what it finds to collect must be nothing.
        assert gc.collect() == 0
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(990):
            run()
        cycles = gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    benchmark.extra_info["bytes_after_1000_steps"] = growth
    benchmark.pedantic(run, rounds=5)
    print(f"\nmemory after 1,000 steps less memory after 10: {growth} bytes, {cycles} in cycles")
    assert cycles == 0
    assert growth < 16 * 1024
