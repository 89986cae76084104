"""Where answers come together: facts become rows, rows a result, and the result an exit status.
With workers this happens in the process that started them.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, cast, final

import pytest

import plugrad
from plugrad_conformance import levels
from plugrad_conformance.about import about
from plugrad_conformance.asking import (
    PROPERTY,
    device_of,
    expectations_of,
    judge,
    program_of,
    selection_of,
)
from plugrad_conformance.case import family_of
from plugrad_conformance.isolation import Scratch, is_timeout
from plugrad_conformance.levels import Question, question_of
from plugrad_conformance.reckoning import Reckoning
from plugrad_conformance.results import Entry, Fact, Result, as_property, neighbours


@final
class Verdict:
    """Collects what becomes of the questions of one run, which began at a time in seconds."""

    def __init__(self, config: pytest.Config, began: float) -> None:
        self._config = config
        self._selection = selection_of(config)
        self._expectations = expectations_of(config)
        self._entries: dict[str, Entry] = {}
        self._reckoning = Reckoning(self._expectations)
        self._remarks: Counter[str] = Counter()
        self._uncollected: list[str] = []
        self._scratch: Scratch | None = None
        self._began = began
        self.questions = 0
        self.result: Result | None = None

    def take(self, report: pytest.TestReport) -> None:
        """Take in what a report says of a question."""
        if self._scratch is None:
            run = getattr(getattr(report, "node", None), "workerinput", {}).get("testrunuid")
            self._share(run or str(os.getpid()))
        for name, value in report.user_properties:
            if name == PROPERTY:
                self._add(Fact(**cast("dict[str, Any]", value)))

    def take_uncollected(self, report: pytest.CollectReport) -> None:
        """Take in a module of the suite that cannot be imported."""
        lines = str(report.longrepr).strip().splitlines() or [""]
        self._uncollected.append(f"{report.nodeid} could not be collected: {lines[-1]}")

    def take_crash(self, node_id: str, report: Any) -> None:
        """Take in a question whose process has ended; marks the report with the fact."""
        question = question_of(node_id)
        words = ""
        if (node := getattr(report, "node", None)) is not None:
            words = self._share(node.workerinput["testrunuid"]).last_words(node.gateway.id)
        how = "timeout" if is_timeout(words) else "crash"
        fact = Fact(node_id, how, error=how)
        said = "its process was stopped: it took longer than its time"
        fact.message = said if how == "timeout" else "its process has ended"
        fact.message += f"\n{words}" if words else ""
        if question.row is not None:
            fact.program = program_of(question.row, device_of(self._config))
        judge(fact, self._expectations, question, [how])
        if self._scratch is not None:
            self._scratch.note_end(question.subject, question.operator, how)
        report.user_properties = [*report.user_properties, (PROPERTY, as_property(fact))]

    def _share(self, run: str) -> Scratch:
        """The folder of the run's processes, which goes when they do."""
        if self._scratch is None:
            self._scratch = Scratch(run)
            self._config.add_cleanup(self._scratch.remove)
        return self._scratch

    def _add(self, fact: Fact) -> None:
        question = question_of(fact.node)
        subject = question.subject
        self.questions += 1
        entry = self._entries.get(subject)
        if entry is None:
            entry = self._entries[subject] = _blank(question)
        entry.add(fact, question.name, question.level)
        self._reckoning.take(fact, question)
        if fact.remark:
            self._remarks[fact.remark] += 1

    def finish(self) -> Result:
        """Judge the run."""
        chosen, narrowed = self._selection, narrowing(self._config)
        rows = [str(row) for row in chosen.rows()]
        # Some answers are enough where somebody wants but some; else who answers must be known.
        silent = ("skipped",) if narrowed else ("skipped", "right")
        missing = [row for row in rows if self._status(row) in silent]
        problems, notes = [*self._uncollected], []
        if narrowed:
            asked = len(rows) - len(missing)
            notes.append(f"a part only ({narrowed}): {asked} of {len(rows)} rows asked")
        elif missing:
            problems.append(
                f"{len(missing)} of {len(rows)} rows were never asked: {_some(missing)}"
            )
            for row in missing:
                self._entries[row] = _never_asked(row)
        deep = not narrowed and chosen.level == levels.HIGHEST
        problems += self._reckoning.compare(
            self._entries, deep=deep, everything=deep and chosen.whole
        )
        notes += self._reckoning.unneeded(self._entries)
        if not getattr(self._config.option, "tx", None):
            notes.append(
                "not isolated: a kernel that ends the process ends the run; with -n, or by the "
                "command plugrad conformance, it costs its row"
            )
        kept = [self._entries[row].record() for row in rows if self._status(row) != "skipped"]
        neighbours(kept)
        notes += _underclaimed(kept)
        notes += [f"{text} ({count} times)" for text, count in self._remarks.items()]
        if self._config.getoption("--update-expectations"):
            notes.append(self._reckoning.rewrite(self._entries))
        checks = [entry for entry in self._entries.values() if entry.dtype is None]
        self.result = Result(
            about(
                self._config,
                chosen,
                self._expectations,
                narrowed=narrowed,
                questions=self.questions,
                began=self._began,
            ),
            kept,
            [check.record() for check in sorted(checks, key=lambda c: (c.level, c.id))],
            [str(row) for row in chosen.not_required()],
            problems,
            notes,
        )
        return self.result

    def _status(self, row: str) -> str:
        entry = self._entries.get(row)
        return "skipped" if entry is None else entry.status


def narrowing(config: pytest.Config) -> str:
    """The options of pytest's own that leave questions out, empty where there are none."""
    option = config.option
    given = {
        "-k": getattr(option, "keyword", ""),
        "-m": getattr(option, "markexpr", ""),
        "--deselect": getattr(option, "deselect", None),
        "--maxfail": getattr(option, "maxfail", 0),
        "--last-failed": getattr(option, "lf", False),
        "--stepwise": getattr(option, "stepwise", False),
    }
    found = [name for name, value in given.items() if value]
    found += [arg for arg in config.args if not _holds_suite(arg)]
    return ", ".join(found)


def _holds_suite(argument: str) -> bool:
    if "plugrad_conformance".startswith(argument) or argument == "plugrad_conformance.suite":
        return True
    return "::" not in argument and levels.SUITE.is_relative_to(Path(argument).resolve())


def _blank(question: Question) -> Entry:
    row, operator = question.row, question.operator
    family = None if operator is None else family_of(plugrad.ops.operators[operator])
    if row is None:
        return Entry(question.subject, operator, family, None, None, question.level)
    return Entry(
        question.subject, operator, family, row.dtype.name, row.variant, levels.level_of_row(row)
    )


def _never_asked(row: str) -> Entry:
    found = levels.rows_by_name()[row]
    operator = found.case.operator
    level = levels.level_of_row(found)
    entry = Entry(row, operator.name, family_of(operator), found.dtype.name, found.variant, level)
    entry.outcome, entry.question = "failed", "none"
    entry.message = "no question about this row was asked"
    return entry


def _underclaimed(rows: list[dict[str, Any]]) -> list[str]:
    """Dtypes that the manifest does not claim to compute in, and that rows are right in."""
    right = Counter(row["dtype"] for row in rows if row.get("underclaimed"))
    every = Counter(row["dtype"] for row in rows)
    return [
        f"under-claimed: the manifest does not claim to compute in {dtype}, and {count} of "
        f"{every[dtype]} rows of it are right"
        for dtype, count in right.items()
    ]


def _some(names: list[str], count: int = 5) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
