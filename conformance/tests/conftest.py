"""Lets the tests here import the packages beside them, and ends a run with what they found out."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say the rates of detection, wherever they were measured: workers cannot print."""
    for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get(
        "failed", []
    ):
        for name, text in report.user_properties:
            if name == "detection":
                terminalreporter.write_line(str(text))
