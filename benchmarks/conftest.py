"""Benchmarks against PyTorch: both sides in one process, one thread each, in alternating rounds.

A figure is the median over rounds of (our time / their time), so that a machine whose speed drifts
does not change it. Nothing here fails for being slow; the ratios are printed, and kept in the JSON
file that `--benchmark-json` writes.
"""

# ruff: noqa: E402 - NumPy and PyTorch read the number of threads when they are imported

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
import torch

Call = Callable[[], Any]

_ratios: list[tuple[str, str, float, float, float, float]] = []


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """PyTorch on one thread, as NumPy's BLAS is by its environment variable."""
    torch.set_num_threads(1)


@pytest.fixture
def versus(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., float]:
    """`versus(ours, theirs, name)`: time both in turn; returns the median ratio."""

    def run(
        ours: Call, theirs: Call, against: str = "torch", *, rounds: int = 41, calls: int = 1000
    ) -> float:
        for side in (ours, theirs):
            for _ in range(max(calls // 10, 3)):
                side()
        times: list[float] = []

        def their_round() -> None:
            start = perf_counter()
            for _ in range(calls):
                theirs()
            times.append((perf_counter() - start) / calls)

        def our_round() -> None:
            for _ in range(calls):
                ours()

        benchmark.pedantic(our_round, setup=their_round, rounds=rounds)
        mine = [seconds / calls for seconds in benchmark.stats.stats.data]
        ratios = sorted(a / b for a, b in zip(mine, times, strict=True))
        ratio = statistics.median(ratios)
        low, high = ratios[len(ratios) // 4], ratios[-len(ratios) // 4]
        benchmark.extra_info.update(
            against=against,
            ratio=ratio,
            ratio_quartiles=[low, high],
            ours_us=statistics.median(mine) * 1e6,
            theirs_us=statistics.median(times) * 1e6,
        )
        info = benchmark.extra_info
        _ratios.append(
            (request.node.name, against, info["ours_us"], info["theirs_us"], ratio, high - low)
        )
        return ratio

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of ratios."""
    if not _ratios:
        return
    terminalreporter.section(
        "median ratio of times, plugrad to the other: below 1 plugrad is faster"
    )
    terminalreporter.write_line(
        f"{'benchmark':44} {'against':10} {'plugrad':>10} {'other':>10} {'ratio':>7} {'spread':>7}"
    )
    for name, against, ours, theirs, ratio, spread in _ratios:
        terminalreporter.write_line(
            f"{name:44} {against:10} {ours:8.2f}us {theirs:8.2f}us {ratio:7.2f} {spread:7.2f}"
        )
