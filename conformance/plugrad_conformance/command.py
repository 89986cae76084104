"""The command: asks a backend everything, under workers, from any folder, and shows the result.

python -m plugrad_conformance --backend NAME [--level N] [--json FILE] [--html FILE] …
python -m plugrad_conformance --report A.json B.json … --html FILE
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, final

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from plugrad.hooks import CONTRACT_VERSION
from plugrad_conformance import levels, results
from plugrad_conformance.plugin import Door
from plugrad_conformance.report import print_result, write_page
from plugrad_conformance.selection import SelectionError, select

OK, WRONG, MISUSED, UNUSABLE = 0, 1, 2, 4
_MOST_CRASHES = 200
# Workers share the cores; threads of BLAS under each of them would only get in their way.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PROBE = """
import sys
from plugrad.inventory import backend_state
state = backend_state(sys.argv[1])
print(f"{state.condition}: {state.reason}" if state.condition != "ready" else "ready")
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 where the backend conforms, 1 where it does not,
    2 for a wrong option, 4 for a backend that cannot be used.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    console = Console(file=sys.stdout, highlight=False)
    try:
        if options.report:
            return _report(parser, options, console)
        if options.backend is None:
            parser.error("--backend: which one?")
        return _run(options, console)
    except results.ResultError as error:
        Console(stderr=True).print(Text(str(error), style="bold red"), soft_wrap=True)
        return MISUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "plugrad_conformance", description="Prove a plugrad backend, or draw results of such runs."
    )
    add = parser.add_argument
    add("--backend", metavar="NAME", help="the backend to test")
    add("--level", type=int, choices=range(levels.HIGHEST + 1), help="ask up to this level")
    add("--operators", metavar="A,B", help="these operators only")
    add("--dtypes", metavar="A,B", help="rows of these dtypes only")
    add("--plugin", metavar="A,B", help="switch on these plugins; ask about their operators, too")
    add("--against", type=int, metavar="N", help="judge by this version of the contract")
    add("--json", type=Path, metavar="FILE", help="write the result there")
    add("--html", type=Path, metavar="FILE", help="write the page there")
    add("--expectations", type=Path, metavar="FILE", help="instead of the backend's own file")
    add("--update-expectations", action="store_true", help="rewrite that file")
    add("--workers", type=int, metavar="N", help="how many processes ask; default: one a core")
    add("--timeout", type=float, metavar="SECONDS", help="how long a question may take")
    add("--report", type=Path, nargs="+", metavar="JSON", help="draw these results, test nothing")
    return parser


def _report(parser: argparse.ArgumentParser, options: Any, console: Console) -> int:
    if options.backend is not None:
        parser.error("--report draws what was found before; leave --backend out")
    found = [results.read(path) for path in options.report]
    for each in found:
        print_result(console, each)
    if options.html is not None:
        write_page(found, options.html)
        console.print(f"{options.html} shows {len(found)} results", markup=False, soft_wrap=True)
    return OK if all(each.conforms for each in found) else WRONG


def _run(options: Any, console: Console) -> int:
    problem = _probe(options.backend.partition(":")[0])
    if problem:
        text = Text(f"{options.backend}: {problem}", style="bold red")
        Console(stderr=True).print(text, soft_wrap=True)
        return UNUSABLE
    try:
        contract = CONTRACT_VERSION if options.against is None else options.against
        select(options.level, options.operators, options.dtypes, contract)
    except SelectionError as error:  # else each worker would say so, and end
        Console(stderr=True).print(Text(str(error), style="bold red"), soft_wrap=True)
        return MISUSED
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    watch = _Watch(console)
    # pytest's own words go nowhere; its terminal stays, for pytest-timeout writes to the workers'.
    with (
        watch.progress if console.is_terminal else nullcontext(),
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
    ):
        status = pytest.main(_pytest_arguments(options), plugins=[watch])
    result = watch.result
    if result is None:
        for line in watch.complaints or [f"nothing was asked ({pytest.ExitCode(status).name})"]:
            Console(stderr=True).print(Text(line, style="bold red"), soft_wrap=True)
        return MISUSED
    result.problems += watch.complaints
    print_result(console, result)
    for path in filter(None, (options.json, options.html)):
        console.print(f"written: {path}", markup=False, soft_wrap=True)
    return OK if result.conforms and status == pytest.ExitCode.OK else WRONG


def _probe(name: str) -> str:
    """Why a backend cannot be used, empty if it can. Asked in a process of its own: a backend may
    end the one that it is loaded into.
    """
    done = subprocess.run([sys.executable, "-c", _PROBE, name], capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return f"loading it ended the process ({done.returncode})"
    return "" if lines[-1] == "ready" else lines[-1]


def _pytest_arguments(options: Any) -> list[str]:
    workers = options.workers or os.cpu_count() or 1
    arguments = [str(levels.SUITE), "-c", str(levels.SUITE / "pytest.ini")]
    arguments += ["-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "no:logging"]
    arguments += ["-n", str(workers), "--max-worker-restart", str(_MOST_CRASHES)]
    arguments += ["--dist", "worksteal", "--backend", options.backend]
    given = {
        "--level": options.level,
        "--operators": options.operators,
        "--dtypes": options.dtypes,
        "--plugin": options.plugin,
        "--against": options.against,
        "--timeout": options.timeout,
        "--expectations": _absolute(options.expectations),
        "--conformance-json": _absolute(options.json),
        "--conformance-html": _absolute(options.html),
    }
    for name, value in given.items():
        if value is not None:
            arguments += [name, str(value)]
    return arguments + ["--update-expectations"] * options.update_expectations


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.resolve()


@final
class _Watch:
    """Shows how far the run is, and keeps what it came to."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,} of {task.total:,} questions"),
            TimeElapsedColumn(),
        )
        self.progress = Progress(*columns, console=console, transient=True)
        self.complaints: list[str] = []
        self._task: TaskID | None = None
        self._wrong = 0
        self._door: Door | None = None

    @property
    def result(self) -> results.Result | None:
        """What the run came to, if it came to anything."""
        return self._door.result if self._door is not None else None

    def pytest_configure(self, config: pytest.Config) -> None:
        for plugin in config.pluginmanager.get_plugins():
            if isinstance(plugin, Door):
                self._door = plugin
        self._task = self.progress.add_task("starting", total=None)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        assert self._task is not None
        self.progress.update(self._task, total=len(ids), description="asking")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            assert self._task is not None
            self._wrong += report.failed
            said = f"asking, [red]{self._wrong} wrong[/red]" if self._wrong else "asking"
            self.progress.update(self._task, advance=1, description=said)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.complaints.append(f"{report.nodeid}: {str(report.longrepr).strip()[-500:]}")

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.complaints.append(str(excrepr).strip()[-2000:])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error and "Not properly terminated" not in str(error):
            self.complaints.append(f"{node.gateway.id}: {error}")
