"""The pytest plugin: its options, and the door to what they set in motion.

Every pytest of an environment loads this module. It imports nothing of the kit until a question of
the suite turns up.
"""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any, final

import pytest

from plugrad_conformance import scope

_KIT = Path(__file__).parent
_SUITE = _KIT / "suite"
_PROPERTY = "plugrad"
_UNUSABLE = 4  # the exit status where the backend cannot be used


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("plugrad conformance", "what plugrad's conformance kit asks")
    add = group.addoption
    add(
        "--backend",
        default="numpy",
        help="the plugrad backend that the conformance kit tests (default: %(default)s)",
    )
    add("--level", type=int, metavar="N", help="ask up to this level, 0 to 4 (default: all)")
    add("--operators", metavar="A,B", help="ask about these operators only")
    add("--dtypes", metavar="A,B", help="ask about rows of these dtypes only")
    add("--against", type=int, metavar="N", help="judge by this version of the contract")
    add("--plugin", metavar="A,B", help="switch on these plugins; ask about their operators, too")
    add("--expectations", metavar="FILE", help="instead of the backend's own expectations.toml")
    add(
        "--update-expectations",
        action="store_true",
        help="rewrite the expectations: drop what does not fail, add what does",
    )
    add("--conformance-json", metavar="FILE", help="write the result there")
    add("--conformance-html", metavar="FILE", help="write the page that shows the result there")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Say what the run is about: the suite's conftest may be the next thing that is imported."""
    known = early_config.known_args_namespace
    scope.narrow(known.operators, known.plugin)


def pytest_configure(config: pytest.Config) -> None:
    """Name the kit's marker, and wait for a question."""
    config.addinivalue_line(
        "markers", "every_dtype: asked of rows in dtypes that the backend does not store, too"
    )
    config.pluginmanager.register(Door(config), "plugrad_conformance_door")


@final
class Door:
    """Wakes the kit when a question of the suite turns up, and passes on what becomes of it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.time()
        self._verdict: Any = None
        self._uncollected: list[pytest.CollectReport] = []

    @property
    def result(self) -> Any:
        """What the run came to, once it has ended."""
        return None if self._verdict is None else self._verdict.result

    @property
    def _leads(self) -> bool:
        """Whether reports come together in this process."""
        return not hasattr(self._config, "workerinput")

    def _wake(self) -> Any:
        if self._verdict is None:
            self._verdict = _module("verdict").Verdict(self._config, self._began)
            for report in self._uncollected:
                self._verdict.take_uncollected(report)
        return self._verdict

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let the kit choose its questions. A warning in one is an error, whatever the settings of
        the folder that it is run from.
        """
        ours = [item for item in items if item.path.is_relative_to(_SUITE)]
        for item in ours:
            item.add_marker(pytest.mark.filterwarnings("error"))
        if ours:
            if self._leads:
                _module("asking").device_of(self._config)  # ends the run where there is none
            asking = _module("asking").Asking(self._config)
            asking.choose(items, _SUITE)
            self._config.pluginmanager.register(asking, "plugrad_conformance_asking")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """End the run where there is no device, before a worker would."""
        if any(map(_is_of_suite, ids)):
            _module("asking").device_of(self._config)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what cannot be collected."""
        if report.failed and self._leads and _is_of_suite(report.nodeid):
            self._uncollected.append(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pass on what became of a question."""
        if self._leads and any(name == _PROPERTY for name, _ in report.user_properties):
            self._wake().take(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Pass on a question whose worker has ended."""
        if _is_of_suite(crashitem):
            self._wake().take_crash(crashitem, report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the run, write the files, and fail it where no single question has."""
        if self._verdict is None or not self._leads or session.exitstatus == _UNUSABLE:
            return
        result = self._verdict.finish()
        option: Any = self._config.getoption
        if option("--conformance-json"):
            result.write(Path(option("--conformance-json")))
        if option("--conformance-html"):
            _module("report").write_page([result], Path(option("--conformance-html")))
        if not result.conforms and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the table."""
        if self.result is not None:
            width = terminalreporter._tw.fullwidth
            markup = terminalreporter.hasmarkup
            text = _module("report").table_text(self.result, width, markup)
            terminalreporter.write_line("")
            terminalreporter.write_line(text)


def _is_of_suite(node_id: str) -> bool:
    name = Path(node_id.partition("::")[0]).name
    return name.startswith("test_") and (_SUITE / name).exists()


def _module(name: str) -> Any:
    # Importing it at the top would load NumPy into every pytest of the environment.
    return importlib.import_module(f"plugrad_conformance.{name}")
