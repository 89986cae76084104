"""Levels, and what a question is about. Both follow from a question's name alone, so that they are
known of a question whose process has ended, too.

A module of the suite says its level in a line `LEVEL = 2`. Questions of level 1 about an operator
without a body belong to level 0: primitives are what a backend begins with. The levels are
cumulative.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

from plugrad import ops
from plugrad_conformance.rows import Row, every_row

LEVELS = (
    "storage and primitives",
    "all operators",
    "gradients",
    "training",
    "whole programs",
)
HIGHEST = len(LEVELS) - 1
SUITE = Path(__file__).parent / "suite"

_MARKER = re.compile(r"^LEVEL = (\d)$", re.MULTILINE)
_NAME = re.compile(
    r"(?:.*/)?(?P<module>test_\w+)\.py::(?P<function>\w+)(?:\[(?P<given>.*)\])?$", re.DOTALL
)


@final
@dataclass(frozen=True, slots=True)
class Question:
    """One question: its name, its level, and the operator and row that it is about, if any.

    `subject` is the row's id, or the question's own name: what a status belongs to.
    """

    name: str
    level: int
    subject: str
    operator: str | None
    row: Row | None


@cache
def level_of_module(module: str) -> int:
    """The level that a module of the suite says; ValueError where it says none."""
    found = _MARKER.search((SUITE / f"{module}.py").read_text(encoding="utf-8"))
    if found is None or int(found[1]) > HIGHEST:
        raise ValueError(
            f"{module}.py: expected a line `LEVEL = n`, n from 0 to {HIGHEST}, which says to which "
            f"level its questions belong"
        )
    return int(found[1])


@cache
def rows_by_name() -> dict[str, Row]:
    """Every row of the case table by its id."""
    return {str(row): row for row in every_row()}


def level_of_row(row: Row) -> int:
    """The lowest level that counts the row."""
    return _at_most(1, row.case.operator)


def question_of(node_id: str) -> Question:
    """What a test asks, from its pytest id; the id of its parameters begins with the row's, or is
    the operator's name.
    """
    parsed = _NAME.match(node_id)
    if parsed is None:
        raise ValueError(f"{node_id!r} is no question of the suite")
    module, function, given = parsed["module"], parsed["function"], parsed["given"]
    level = level_of_module(module)
    name = f"{module.removeprefix('test_')}.{function.removeprefix('test_')}"
    own = name if given is None else f"{name}[{given}]"
    words = (given or "").split("-")
    operator: Any = ops.operators.get(words[0])
    if operator is None:
        return Question(name, level, own, None, None)
    row = rows_by_name().get("-".join(words[:3]))
    subject = own if row is None else str(row)
    return Question(name, _at_most(level, operator), subject, operator.name, row)


def _at_most(level: int, operator: Any) -> int:
    return 0 if level == 1 and operator.body is None else level
