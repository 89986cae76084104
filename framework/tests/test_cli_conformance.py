"""`plugrad conformance` hands its options on, and says what to install where the kit is missing."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from plugrad.cli import app
from plugrad.cli import conformance as command

RUNNER = CliRunner()


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run, each with status 1."""
    seen: list[list[str]] = []

    def call(arguments: list[str]) -> int:
        seen.append(arguments)
        return 1

    monkeypatch.setattr(command, "find_spec", lambda name: object())
    monkeypatch.setattr(command.subprocess, "call", call)
    return seen


def test_conformance_hands_its_options_to_the_kit(called: list[list[str]]) -> None:
    given = ["--level", "1", "--operators", "tanh", "--json", "r.json", "--update-expectations"]
    done = RUNNER.invoke(app, ["conformance", "numpy", *given])
    assert done.exit_code == 1, done.output
    head = [sys.executable, "-m", "plugrad_conformance", "--backend", "numpy"]
    assert called == [[*head, *given]]


def test_conformance_draws_earlier_results(called: list[list[str]]) -> None:
    RUNNER.invoke(app, ["conformance", "--report", "a.json", "--report", "b.json"])
    assert called[0][3:] == ["--report", "a.json", "b.json"]


@pytest.mark.parametrize(
    "arguments", [[], ["numpy", "--report", "a.json"], ["numpy", "--level", "5"]]
)
def test_conformance_wants_a_backend_or_results(
    called: list[list[str]], arguments: list[str]
) -> None:
    assert RUNNER.invoke(app, ["conformance", *arguments]).exit_code == 2
    assert called == []


def test_conformance_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, called: list[list[str]]
) -> None:
    def find(name: str) -> Any:
        return None if name in ("xdist", "pytest_timeout") else object()

    monkeypatch.setattr(command, "find_spec", find)
    done = RUNNER.invoke(app, ["conformance", "numpy"])
    assert done.exit_code == 2
    assert "pytest-xdist, pytest-timeout missing" in done.output
    assert "pip install 'plugrad[conformance]'" in done.output
    assert called == []
