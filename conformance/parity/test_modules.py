"""Every module with PyTorch's weights, in training and evaluation."""

from __future__ import annotations

from functools import partial

import pytest

from .judging import Judge
from .modules import ModuleRow, compare_module, rows


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
def test_a_module_does_what_pytorchs_does(row: ModuleRow, judge: Judge) -> None:
    judge.hear(
        row.name,
        [
            (
                f"{call.name}-{'train' if training else 'eval'}" if call.make else call.name,
                partial(compare_module, row.name, call, training),
            )
            for call, training in row.calls()
        ],
    )
    judge.rule()
