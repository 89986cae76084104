"""Expectations against what came: whatever the file says that is not so comes out here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import final

from plugrad_conformance import expectations, levels
from plugrad_conformance.expectations import UNEXPLAINED, Expectation, Expectations
from plugrad_conformance.levels import Question
from plugrad_conformance.results import Entry, Fact


@final
class Reckoning:
    """Follows which entries of a backend's file are met."""

    def __init__(self, known: Expectations) -> None:
        self._known = known
        self._met: set[tuple[int, str]] = set()
        self._needed: set[tuple[int, str]] = set()
        self._asked: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str], list[str]] = {}
        self._named = {row for _, row in known.pairs()}

    def take(self, fact: Fact, question: Question) -> None:
        """Take in what became of a question."""
        subject = question.subject
        if fact.outcome in ("failed", "timeout", "crash"):
            self._failed.setdefault((question.name, fact.error), []).append(subject)
        if subject not in self._named:
            return
        if fact.expectation:
            self._met.add((fact.expectation, subject))
        if fact.outcome != "skipped":
            self._asked.add((subject, question.name))
        if fact.widening > 1 and fact.ratio * fact.widening > 1:
            for each in self._known.of(subject, question.name):
                self._needed.add((each.number, subject))

    def compare(self, entries: Mapping[str, Entry], *, deep: bool, everything: bool) -> list[str]:
        """What the file says that is not so; marks the rows and checks that did better.

        `deep`: what was asked about was asked at all levels. `everything`: and nothing was left
        out.
        """
        problems: list[str] = []
        for entry, row in self._known.pairs():
            found = entries.get(row)
            if not _exists(row, entry):
                problems.append(f"expectations: {entry.place}: nothing is called {row!r}")
            elif found is None:
                if everything:
                    problems.append(f"expectations: {entry.place}: no question was {row!r}")
            elif (
                entry.kind != "tolerance"
                and (entry.number, row) not in self._met
                and self._was_asked(entry, row, deep)
            ):
                found.unexpected = (
                    f"expected {entry.raises} ({entry.reason}), but all went well: take {row} out "
                    f"of {entry.place}"
                )
        return problems

    def _was_asked(self, entry: Expectation, row: str, deep: bool) -> bool:
        if entry.question:
            return (row, entry.question) in self._asked
        return deep and any(subject == row for subject, _ in self._asked)

    def unneeded(self, entries: Mapping[str, Entry]) -> list[str]:
        """The tolerances that nothing has made use of."""
        return [
            f"expectations: {entry.place}: {row} is right without it"
            for entry, row in self._known.pairs()
            if entry.kind == "tolerance"
            and row in entries
            and (entry.number, row) not in self._needed
        ]

    def rewrite(self, entries: Mapping[str, Entry]) -> str:
        """Write the file as this run would have it; returns what was done, in a line."""
        path = self._known.path
        if path is None:
            return "expectations: this backend is no package, so that there is no place for a file"
        kept: list[Expectation] = []
        for entry in self._known.entries:
            rows = tuple([row for row in entry.rows if self._still_holds(entry, row, entries)])
            if rows:
                kept.append(replace(entry, number=len(kept) + 1, rows=rows))
        for (question, error), subjects in self._failed.items():
            rows = tuple(dict.fromkeys(subjects))
            reason = UNEXPLAINED + entries[rows[0]].message.splitlines()[0]
            kept.append(Expectation(len(kept) + 1, "bug", rows, reason, error, question))
        expectations.write(path, kept)
        return f"expectations: {path} has {len(kept)} entries now, {len(self._failed)} of them new"

    def _still_holds(self, entry: Expectation, row: str, entries: Mapping[str, Entry]) -> bool:
        """Whether an entry keeps a row: it met a failure, or nobody knows."""
        found = entries.get(row)
        if found is None:
            return _exists(row, entry)
        if entry.kind == "tolerance":
            return (entry.number, row) in self._needed
        return not found.unexpected


def _exists(name: str, entry: Expectation) -> bool:
    """Whether there is a row or question of that name, and the question that an entry names."""
    wanted = [entry.question] if entry.question else []
    if name not in levels.rows_by_name():
        wanted.append(name.partition("[")[0])
    for each in wanted:
        module, _, function = each.partition(".")
        file = levels.SUITE / f"test_{module}.py"
        if not file.exists() or f"def test_{function}(" not in file.read_text(encoding="utf-8"):
            return False
    return True
