"""What `import plugrad` costs in a fresh process, against an interpreter that imports nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
from time import perf_counter
from typing import Any


def seconds(code: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - start


def test_import(benchmark: Any) -> None:
    pairs = [(seconds("import plugrad"), seconds("pass")) for _ in range(15)]
    cost = statistics.median(ours - bare for ours, bare in pairs)
    benchmark.extra_info["import_seconds"] = cost
    benchmark.pedantic(seconds, args=("import plugrad",), rounds=3)
    print(f"\nimport plugrad: {cost:.3f} s beside the interpreter's own start")
