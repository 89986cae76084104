"""A plan as a pytest run: a test for each case on each side, those of one case in one group of
pytest-benchmark's, whose JSON takes in what was found.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, final

import pytest

import plugrad
from plugrad_bench import suite
from plugrad_bench.machine import describe_machine
from plugrad_bench.measure import measure
from plugrad_bench.plan import Plan
from plugrad_bench.results import KEY, Comparison

# The settings of the folder and of the environment that a run starts in have no say.
_SETTINGS = f"-c {os.devnull} --import-mode=importlib --capture=no --benchmark-quiet".split()
_SETTINGS += ["-p", "no:cacheprovider", "-p", "no:xdist"]
_UNHEARD = ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")

Progress = Callable[[int, int, str], None]


class SessionError(Exception):
    """pytest could not run the suite."""


def run(plan: Plan, file: Path, progress: Progress) -> Comparison:
    """Measure everything and write the JSON, after Ctrl-C with what there is by then.

    `progress` hears how many tests are done, how many there are, and which is next.
    """
    session = _Session(plan, progress)
    assert suite.__file__ is not None
    folder = str(Path(suite.__file__).parent)
    arguments = [suite.__file__, *_SETTINGS, "--rootdir", folder, "--benchmark-json", str(file)]
    for name in _UNHEARD:
        os.environ.pop(name, None)
    # pytest's own words go nowhere: the table says it all.
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        pytest.main(arguments, plugins=[session])
    if session.trouble:
        raise SessionError("\n".join(session.trouble))
    if not session.saved:  # pytest-benchmark has no use for a run in which every case was declined
        file.write_text(json.dumps({KEY: session.comparison.as_dict()}), encoding="utf-8")
    return session.comparison


@final
class _Session:
    """The hooks of one run."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.comparison = Comparison(
            plan.reference.name,
            {side.name: side.description for side in plan.sides},
            plan.threads,
            plan.quick,
            plugrad.__version__,
            describe_machine(),
        )
        self.trouble: list[str] = []
        self.saved = False
        self._plan = plan
        self._cases = {case.name: case for case in plan.operators + plan.steps}
        self._sides = {side.name: side for side in plan.sides}
        self._progress = progress

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One for each case on each side, in the table's order."""
        operators = metafunc.function.__name__ == suite.test_operator.__name__
        cases = self._plan.operators if operators else self._plan.steps
        tests = [
            pytest.param(
                case.name,
                side.name,
                id=f"{case.name} - {side.name}",
                marks=pytest.mark.benchmark(group=case.name, timer=side.clock),
            )
            for case in cases
            for side in self._plan.sides
        ]
        metafunc.parametrize(("case", "side"), tests)

    @pytest.fixture
    def compared(
        self, benchmark: Any, request: pytest.FixtureRequest
    ) -> Callable[[str, str], None]:
        """`compared(case, side)`: measure it beside the reference, and keep what was found."""

        def call(case: str, side: str) -> None:
            done, all_of_them = len(self.comparison.measurements), len(request.session.items)
            self._progress(done, all_of_them, f"{case} on {side}")
            try:
                found = measure(
                    benchmark,
                    self._cases[case],
                    self._sides[side],
                    self._plan.reference,
                    self._plan.effort,
                )
            except KeyboardInterrupt:
                benchmark.has_error = True  # its rounds so far are no measurement
                raise
            self.comparison.measurements.append(found)
            benchmark.extra_info.update(asdict(found))
            if found.failed:
                pytest.fail(found.problem)
            if found.problem:
                pytest.skip(found.problem)

        return call

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Put the comparison beside pytest-benchmark's own words."""
        output_json[KEY] = self.comparison.as_dict()
        self.saved = True

    def pytest_keyboard_interrupt(self) -> None:
        """Note that there is more to measure."""
        self.comparison.interrupted = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why there are no tests."""
        if report.failed:
            self.trouble.append(str(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Keep what ended pytest."""
        self.trouble.append(str(excrepr))
