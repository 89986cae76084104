"""The pytest plugin: the option that says which backend is tested, and the line on who answered."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

_KIT = Path(__file__).parent
_STATUS = "plugrad"  # the property in which the rows of values say who answered


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--backend`."""
    parser.addoption(
        "--backend",
        default="numpy",
        help="the plugrad backend that the conformance kit tests (default: %(default)s)",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In the kit's own tests a warning is an error, whatever the settings of the folder that it is
    run from.
    """
    for item in items:
        if item.path.is_relative_to(_KIT):
            item.add_marker(pytest.mark.filterwarnings("error"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many rows there were, and who answered them."""
    answered: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            status = dict(report.user_properties).get(_STATUS)
            if status is not None:
                answered[str(status) if outcome == "passed" else "failed"] += 1
    if answered:
        parts = ", ".join(f"{count} {status}" for status, count in answered.most_common())
        backend = config.getoption("--backend")
        terminalreporter.write_line(
            f"plugrad conformance, {backend}: {answered.total()} rows: {parts}"
        )
