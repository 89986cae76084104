"""`plugrad bench`: hands its options to the benchmarks, which are a package of their own and need
more than plugrad does.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from plugrad.cli.complaints import MISUSED, complain

_NEEDED = {
    "plugrad_bench": "the benchmarks themselves",
    "pytest": "pytest",
    "pytest_benchmark": "pytest-benchmark",
    "numpy": "numpy",
}


def bench(
    backends: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Backends to compare; torch is PyTorch itself, torch:cuda on its device.",
            show_default="all that can be used",
        ),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the others are compared with.",
            show_default="torch if installed, else numpy",
        ),
    ] = None,
    operators: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Measure these operators.", show_default="all"),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Numbers of elements, such as 8,4K,4M, or small, medium and large.",
            show_default="small,medium,large",
        ),
    ] = None,
    steps: Annotated[
        bool | None,
        typer.Option(
            "--steps/--no-steps",
            help="Measure training steps, too.",
            show_default="unless --operators are given",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few short rounds, and no large size: a first look.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a call may use.")] = 1,
    json: Annotated[Path, typer.Option(metavar="FILE", help="File for the figures.")] = Path(
        "plugrad-bench.json"
    ),
    picture: Annotated[Path, typer.Option(metavar="FILE", help="File for the picture.")] = Path(
        "plugrad-bench.png"
    ),
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File for a page of Markdown.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="JSON", help="Measure nothing, show this earlier result."),
    ] = None,
) -> None:
    """Compare the speed of backends: operators and training steps, beside PyTorch.

    Exits with 0 where all was measured or declined, 1 where something failed, 2 for a wrong option,
    4 for a backend that cannot be used.
    """
    missing = [title for module, title in _NEEDED.items() if find_spec(module) is None]
    if missing:
        complain(f"plugrad bench needs {', '.join(missing)}; pip install 'plugrad[bench]'")
        raise typer.Exit(MISUSED)
    options = {
        "--backends": backends,
        "--reference": reference,
        "--operators": operators,
        "--sizes": sizes,
        "--threads": threads,
        "--json": json,
        "--picture": picture,
        "--page": page,
        "--report": report,
    }
    arguments = [f"{name}={value}" for name, value in options.items() if value is not None]
    arguments += ["--quick"] * quick
    if steps is not None:
        arguments.append("--steps" if steps else "--no-steps")
    raise typer.Exit(_run([sys.executable, "-m", "plugrad_bench", *arguments]))


def _run(command: list[str]) -> int:
    """The status of a command, which Ctrl-C reaches, too, and which is given the time to save what
    it has.
    """
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
