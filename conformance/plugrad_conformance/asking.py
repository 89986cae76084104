"""Where questions are asked: which are left out, how long each may take, and the fact that each
leaves in its report. In a run with workers this happens in them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, final

import pytest

import plugrad
from plugrad.hooks import CONTRACT_VERSION
from plugrad_conformance import expectations, journal, levels, scope
from plugrad_conformance.answers import claim
from plugrad_conformance.check import MismatchError
from plugrad_conformance.expectations import Expectations
from plugrad_conformance.isolation import IMPATIENT, LIMITS, Scratch, Watchdog
from plugrad_conformance.levels import Question
from plugrad_conformance.program import program
from plugrad_conformance.results import Fact, as_property
from plugrad_conformance.rows import Row
from plugrad_conformance.selection import Selection, SelectionError, select

PROPERTY = "plugrad"  # the name under which a report carries its fact
EVERY_DTYPE = "every_dtype"


def device_of(config: pytest.Config) -> str:
    """The device to test on; a backend that cannot be used ends the run with its reason."""
    try:
        device = plugrad.backends.resolve_device(config.getoption("--backend"))
        for name in scope.plugins:
            if name not in plugrad.backends.backend(device.type).origins:
                plugrad.backends.enable(name, backend=device.type)
    except plugrad.errors.BackendError as error:
        pytest.exit(str(error), returncode=4)
    return str(device)


def backend_name(config: pytest.Config) -> str:
    """The name of the backend, without an index."""
    return str(config.getoption("--backend")).partition(":")[0]


def selection_of(config: pytest.Config) -> Selection:
    """What the options select."""
    against = config.getoption("--against")
    try:
        return select(
            config.getoption("--level"),
            config.getoption("--operators"),
            config.getoption("--dtypes"),
            _contract(config) if against is None else against,
        )
    except SelectionError as error:
        raise pytest.UsageError(str(error)) from None


def _contract(config: pytest.Config) -> int:
    try:
        return plugrad.backends.backend(backend_name(config)).manifest.contract
    except plugrad.errors.BackendError:
        return CONTRACT_VERSION  # the first question says what is wrong with the backend


def expectations_of(config: pytest.Config) -> Expectations:
    """The backend's expectations, or those of a given file."""
    given = config.getoption("--expectations")
    name = backend_name(config)
    try:
        found = Path(given) if given else expectations.locate(name)
        return expectations.read(found, expectations.version_of(name))
    except plugrad.errors.BackendError:
        return Expectations()
    except expectations.ExpectationError as error:
        raise pytest.UsageError(str(error)) from None


def scratch_of(config: pytest.Config) -> Scratch:
    """The folder that this run's processes share."""
    run = getattr(config, "workerinput", {}).get("testrunuid")
    return Scratch(run or str(os.getpid()))


@final
class Asking:
    """The hooks around each question of the suite."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._selection = selection_of(config)
        self._expectations = expectations_of(config)
        self._scratch = scratch_of(config)
        self._patient = config.pluginmanager.hasplugin("timeout")
        worker = getattr(config, "workerinput", {}).get("workerid")
        # A watchdog in the only process would end the run.
        self._watchdog = Watchdog(self._scratch.stacks_of(worker)) if worker else None
        self._questions: dict[str, Question] = {}
        self._device: str | None = None

    def choose(self, items: list[pytest.Item], suite: Path) -> None:
        """Leave out the questions that the options do not ask for."""
        kept: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            if not item.path.is_relative_to(suite):
                kept.append(item)
                continue
            question = self._read(item)
            (kept if self._selection.wants(question) else left).append(item)
            self._questions[item.nodeid] = question
        if left:
            self._config.hook.pytest_deselected(items=left)
            items[:] = kept

    def _read(self, item: pytest.Item) -> Question:
        try:
            question = levels.question_of(item.nodeid)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None
        given: Any = getattr(item, "callspec", None)
        row = given.params.get("row") if given else None
        in_table = isinstance(row, Row) and str(row) in levels.rows_by_name()
        if in_table and question.subject != str(row):
            raise pytest.UsageError(
                f"{item.nodeid}: the id of a question about the row {row} must begin with it"
            )
        return question

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        question = self._questions.get(item.nodeid)
        if question is None:
            return (yield)
        journal.begin(self._expectations.widening(question.subject, question.name))
        limit = self._limit(item, question)
        if self._patient:
            item.add_marker(pytest.mark.timeout(limit))
        dog = self._watchdog
        with dog.guard(1.5 * limit + 5) if dog else nullcontext():
            return (yield)

    def _limit(self, item: pytest.Item, question: Question) -> float:
        given = item.get_closest_marker("timeout")
        if given is not None:
            return float(given.args[0] if given.args else given.kwargs["timeout"])
        chosen = self._config.getoption("timeout", None)
        limit = chosen or LIMITS[question.level]
        return min(limit, IMPATIENT) if self._scratch.was_slow(question.operator) else limit

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        question = self._questions.get(item.nodeid)
        if question is None:
            return
        ended = self._scratch.how_ended(question.subject)
        if ended:
            pytest.skip(f"this row has its status already: {ended}")
        row = _row_of(item)
        if row is None or item.get_closest_marker(EVERY_DTYPE):
            return
        if self._claim(row) == "lacks":
            pytest.skip(f"{self._device} does not store all of {sorted(map(str, row.dtypes))}")

    def _claim(self, row: Row) -> str:
        if self._device is None:
            self._device = device_of(self._config)
        return claim(row, self._device)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        question = self._questions.get(item.nodeid)
        if question is not None and (report.when == "call" or report.outcome != "passed"):
            fact = self._fact(item, question, call, report)
            report.user_properties.append((PROPERTY, as_property(fact)))
        return report

    def _fact(
        self,
        item: pytest.Item,
        question: Question,
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
    ) -> Fact:
        page = journal.page()
        fact = Fact(item.nodeid, report.outcome, seconds=round(call.duration, 4))
        fact.answer, fact.by, fact.remark = page.answer, page.by, page.remark
        fact.achieved, fact.allowed, fact.widening = page.achieved, page.allowed, page.widening
        row = _row_of(item)
        if row is not None:
            fact.claimed = self._claim(row) == "computes"
        if report.outcome == "failed" and call.excinfo is not None:
            self._explain(fact, question, row, call.excinfo.value)
            if fact.outcome in ("expected", "unsupported"):
                report.outcome = "skipped"
                report.wasxfail = fact.message
        return fact

    def _explain(
        self, fact: Fact, question: Question, row: Row | None, error: BaseException
    ) -> None:
        """Say what went wrong, and whether that was to be expected."""
        fact.error = type(error).__name__
        lines = str(error).strip().splitlines() or [""]
        fact.message = f"{fact.error}: {lines[0]}" if lines[0] else fact.error
        names = [kind.__name__ for kind in type(error).__mro__]
        if isinstance(error, MismatchError):
            fact.message, fact.program = error.problem, error.program
        elif isinstance(error, pytest.fail.Exception) and "from pytest-timeout" in str(error):
            names = ["timeout"]
            fact.outcome, fact.error = "timeout", "timeout"
            fact.message = "stopped: it took longer than its time"
            self._scratch.note_end(question.subject, question.operator, "timeout")
        if row is not None and not fact.program:
            fact.program = program_of(row, device_of(self._config))
        if not fact.claimed and isinstance(error, plugrad.errors.UnsupportedError):
            fact.outcome = "unsupported"
            return
        judge(fact, self._expectations, question, names)


def judge(fact: Fact, known: Expectations, question: Question, names: list[str]) -> None:
    """Turn an error that an expectation names into what was expected."""
    for entry in known.of(question.subject, question.name):
        refused = entry.kind == "unsupported"
        typed = plugrad.errors.PlugradError.__name__ in names
        if entry.allows(names) and (typed or not refused):
            fact.outcome = "unsupported" if refused else "expected"
            fact.expectation = entry.number
            fact.message = f"{entry.kind}: {entry.reason} [{fact.message}]"


def program_of(row: Row, device: str) -> str:
    """A program that repeats a row's call, whatever went wrong with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nobody is asked here
        return program(row, device, row.arrays(), None, None)


def _row_of(item: pytest.Item) -> Row | None:
    given: Any = getattr(item, "callspec", None)
    row = given.params.get("row") if given else None
    return row if isinstance(row, Row) else None
