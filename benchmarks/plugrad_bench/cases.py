"""Cases: the rows at their sizes, and the training steps, chosen by name and made ready to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

from plugrad_bench.errors import MisuseError
from plugrad_bench.inputs import Inputs
from plugrad_bench.rows import ROWS, Row
from plugrad_bench.sides import Side
from plugrad_bench.sizes import size_label
from plugrad_bench.steps import STEPS, Step

STEP_FAMILY = "training step"


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table. `size` is `None` where there is nothing to choose; `random` says that
    results differ from side to side.
    """

    label: str
    family: str
    size: int | None
    random: bool
    prepare: Callable[[Side], tuple[Callable[..., Any], tuple[Any, ...]]]

    @property
    def name(self) -> str:
        """`sum, last axis @ 4K`."""
        return self.label if self.size is None else f"{self.label} @ {size_label(self.size)}"


def operator_cases(operators: Sequence[str] | None, sizes: Sequence[int]) -> list[Case]:
    """Every row, or those of these operators, at every size."""
    known = {row.operator for rows in ROWS.values() for row in rows}
    unknown = [name for name in operators or () if name not in known]
    if unknown:
        raise MisuseError(
            f"--operators: there is no benchmark of {', '.join(unknown)}; "
            f"there are {', '.join(sorted(known))}"
        )
    return [
        _case_of_row(row, family, size)
        for family, rows in ROWS.items()
        for row in rows
        if operators is None or row.operator in operators
        for size in sizes
    ]


def step_cases() -> list[Case]:
    """Every training step."""
    return [_case_of_step(step) for step in STEPS]


def _case_of_row(row: Row, family: str, size: int) -> Case:
    def prepare(side: Side) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return row.function(side.xp), row.operands(Inputs(side), size)

    return Case(row.label, family, size, row.random, prepare)


def _case_of_step(step: Step) -> Case:
    def prepare(side: Side) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        with side.creating():
            return step.begin(Inputs(side)), ()

    return Case(step.label, STEP_FAMILY, None, step.random, prepare)
