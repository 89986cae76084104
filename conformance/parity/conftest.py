"""The judge of every test, and at the end of a run what all of them found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from .coverage import NAMESPACES, cover
from .differences import differences
from .judging import PROPERTY, Judge

torch.set_num_threads(1)

_STALE = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-page`."""
    parser.addoption(
        "--write-page", action="store_true", help="write docs/parity.md instead of checking it"
    )


def pytest_configure(config: pytest.Config) -> None:
    """PyTorch's warnings are its own affair."""
    config.addinivalue_line("filterwarnings", r"ignore:::torch\..*")


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    """A judge for one test, whose count goes with the test's report."""
    return Judge(request.node.user_properties)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a whole run in which a known difference did not show."""
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    whole = not config.option.keyword and all([Path(each).is_dir() for each in config.args])
    if reporter is None or hasattr(config, "workerinput") or not whole:
        return
    met = {tuple(each) for summary in _summaries(reporter) for each in summary["met"]}
    config.stash[_STALE] = [
        f"{pattern} ({entry.what}, {entry.calls}): {entry.reason}"
        for number, entry in enumerate(differences())
        for pattern in entry.names
        if (number, pattern) not in met
    ]
    if config.stash[_STALE]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The share of names that is there and the share of cases that agree, by namespace."""
    summaries = _summaries(terminalreporter)
    if not summaries:
        return
    compared: dict[str, int] = {}
    agreed: dict[str, int] = {}
    for summary in summaries:
        for name, (cases, good) in summary["tallies"].items():
            space = f"torch.{name}".rpartition(".")[0]
            compared[space] = compared.get(space, 0) + cases
            agreed[space] = agreed.get(space, 0) + good
    write = terminalreporter.write_line
    terminalreporter.section("plugrad beside PyTorch")
    write(f"{'namespace':36} {'names':>11} {'there':>6} {'cases':>8} {'agree':>7}")
    spaces = [*NAMESPACES, *sorted(set(compared) - set(NAMESPACES))]
    there = names = 0
    for space in spaces:
        text = f"{space:36} {'':>11} {'':>6}"
        if space in NAMESPACES:
            found = cover(space)
            count = len(found.present) + len(found.lacking)
            there, names = there + len(found.present), names + count
            text = f"{space:36} {len(found.present):>5}/{count:<5} {found.share:>6.0%}"
        cases = compared.get(space, 0)
        share = f"{agreed[space] / cases:>7.1%}" if cases else ""
        write(f"{text} {cases or '':>8} {share}")
    cases, good = sum(compared.values()), sum(agreed.values())
    write(f"{'all':36} {there:>5}/{names:<5} {there / names:>6.0%} {cases:>8} {good / cases:>7.1%}")
    for line in terminalreporter.config.stash.get(_STALE, []):
        write(f"a known difference that is none any more: {line}")


def _summaries(reporter: Any) -> list[dict[str, Any]]:
    reports = reporter.stats.get("passed", []) + reporter.stats.get("failed", [])
    return [
        value
        for report in reports
        for name, value in getattr(report, "user_properties", [])
        if name == PROPERTY
    ]
