"""Every optimizer with every option, and every scheduler, step by step."""

from __future__ import annotations

from functools import partial

import pytest

from .judging import Judge
from .optimizers import (
    SCHEDULERS,
    OptimizerRow,
    compare_optimizer,
    compare_scheduler,
    rows,
)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_an_optimizer_takes_pytorchs_steps(row: OptimizerRow, judge: Judge) -> None:
    judge.hear(
        row.name,
        [(each.name, partial(compare_optimizer, row.name, each)) for each in row.settings()],
    )
    judge.rule()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_sets_pytorchs_rates(name: str, judge: Judge) -> None:
    judge.hear(
        f"optim.lr_scheduler.{name}",
        [
            (f"way{i}", lambda w=way: compare_scheduler(name, w))
            for i, way in enumerate(SCHEDULERS[name])
        ],
    )
    judge.rule()
