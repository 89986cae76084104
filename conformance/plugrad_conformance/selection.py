"""Which rows and questions a run asks, and hence how many rows it must have seen at its end."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from plugrad import ops
from plugrad.dtypes import BY_NAME, DType
from plugrad.hooks import CONTRACT_VERSION
from plugrad_conformance.levels import HIGHEST, Question, level_of_row, rows_by_name
from plugrad_conformance.rows import Row


class SelectionError(ValueError):
    """An option that selects nothing that exists."""


@final
@dataclass(frozen=True, slots=True)
class Selection:
    """Levels up to `level`; `operators` and `dtypes` where they are given; operators that stood in
    `contract` already.
    """

    level: int = HIGHEST
    operators: frozenset[str] | None = None
    dtypes: frozenset[DType] | None = None
    contract: int = CONTRACT_VERSION

    @property
    def whole(self) -> bool:
        """Whether it leaves nothing of its levels out."""
        return self.operators is None and self.dtypes is None

    def wants(self, question: Question) -> bool:
        """Whether a question is to be asked."""
        if question.level > self.level or not self._knows(question.operator):
            return False
        if self.operators is not None and question.operator not in self.operators:
            return False
        return question.row is None or self._wants_dtype(question.row.dtype)

    def rows(self) -> list[Row]:
        """The rows that must be asked."""
        return [row for row in self._rows() if self._knows(row.case.name)]

    def not_required(self) -> list[Row]:
        """The rows of operators that are newer than the contract."""
        return [row for row in self._rows() if not self._knows(row.case.name)]

    def _rows(self) -> list[Row]:
        return [
            row
            for row in rows_by_name().values()
            if level_of_row(row) <= self.level
            and (self.operators is None or row.case.name in self.operators)
            and self._wants_dtype(row.dtype)
        ]

    def _wants_dtype(self, dtype: DType) -> bool:
        return self.dtypes is None or dtype in self.dtypes

    def _knows(self, operator: str | None) -> bool:
        return operator is None or ops.operators[operator].since <= self.contract


def select(
    level: int | None, operators: str | None, dtypes: str | None, contract: int
) -> Selection:
    """The selection that comma-separated options make; SelectionError for a name that nothing
    has.
    """
    if level is not None and not 0 <= level <= HIGHEST:
        raise SelectionError(f"--level: expected 0 to {HIGHEST}, got {level}")
    if not 1 <= contract <= CONTRACT_VERSION:
        raise SelectionError(f"--against: expected 1 to {CONTRACT_VERSION}, got {contract}")
    chosen = Selection(
        HIGHEST if level is None else level,
        _names("--operators", operators, ops.operators),
        _dtypes(dtypes),
        contract,
    )
    if not chosen.rows():
        raise SelectionError(f"no row is left by {describe(chosen)}, contract {contract}")
    return chosen


def describe(chosen: Selection) -> str:
    """The options that make a selection, in words."""
    parts = [f"level {chosen.level}"]
    if chosen.operators is not None:
        parts.append(f"operators {', '.join(sorted(chosen.operators))}")
    if chosen.dtypes is not None:
        parts.append(f"dtypes {', '.join(sorted(dtype.name for dtype in chosen.dtypes))}")
    return ", ".join(parts)


def _dtypes(text: str | None) -> frozenset[DType] | None:
    names = _names("--dtypes", text, BY_NAME)
    return None if names is None else frozenset(BY_NAME[name] for name in names)


def _names(option: str, text: str | None, known: Iterable[Any]) -> frozenset[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            advice = f"; did you mean {near[0]}?" if near else ""
            raise SelectionError(f"{option}: there is no {name!r}{advice}")
    return frozenset(names)
