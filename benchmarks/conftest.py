"""What plugrad costs beside arithmetic. Both sides run in one process on one thread, in turn.

Nothing here fails for being slow; the ratios are printed, and kept in the JSON file that
`--benchmark-json` writes. Backends and operators are compared by `plugrad bench`.
"""

# ruff: noqa: E402 - NumPy and PyTorch read the number of threads when they are imported

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import statistics
from collections.abc import Callable
from typing import Any

import pytest
import torch

from plugrad_bench.clock import Call, in_turn
from plugrad_bench.results import Ratio
from plugrad_bench.wording import duration, times

_ratios: list[tuple[str, str, float, float, Ratio]] = []


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """PyTorch on one thread, as NumPy's BLAS is by its environment variable."""
    torch.set_num_threads(1)


@pytest.fixture
def versus(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """`versus(ours, theirs, name)`: time both in turn."""

    def run(
        ours: Callable[[], Any],
        theirs: Callable[[], Any],
        against: str = "torch",
        *,
        rounds: int = 41,
        calls: int = 1000,
    ) -> None:
        mine, other = Call(ours), Call(theirs)
        for call in (mine, other):
            call.round(max(calls // 10, 3))
        found = in_turn(benchmark, mine, other, rounds=rounds, calls=calls, others=calls)
        ratio = Ratio.of(found.mine, found.reference)
        ours_s, theirs_s = statistics.median(found.mine), statistics.median(found.reference)
        benchmark.extra_info.update(
            against=against,
            ratio=ratio.median,
            ratio_quartiles=[ratio.low, ratio.high],
            ours_us=ours_s * 1e6,
            theirs_us=theirs_s * 1e6,
        )
        _ratios.append((request.node.name, against, ours_s, theirs_s, ratio))

    return run


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of ratios."""
    if not _ratios:
        return
    terminalreporter.section(
        "median ratio of times, plugrad to the other: below 1 plugrad is faster"
    )
    terminalreporter.write_line(
        f"{'benchmark':44} {'against':10} {'plugrad':>10} {'other':>10} {'ratio':>7}  quartiles"
    )
    for name, against, ours, theirs, ratio in _ratios:
        terminalreporter.write_line(
            f"{name:44} {against:10} {duration(ours):>10} {duration(theirs):>10} "
            f"{times(ratio.median):>7}  {times(ratio.low)} to {times(ratio.high)}"
        )
