"""The command: measures, keeps the figures as JSON, shows a table, draws a picture.

python -m plugrad_bench --backends numpy,numba [--operators A,B] [--sizes 8,4K] [--json FILE] …
python -m plugrad_bench --report FILE [--picture FILE]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from plugrad.errors import ArgumentError, PlugradError, UnknownBackendError
from plugrad_bench.errors import MisuseError
from plugrad_bench.page import write_page
from plugrad_bench.picture import draw
from plugrad_bench.plan import make_plan
from plugrad_bench.results import Comparison, read
from plugrad_bench.session import SessionError, run
from plugrad_bench.table import print_tables

OK, FAILED, MISUSED, UNUSABLE, INTERRUPTED = 0, 1, 2, 4, 130
JSON, PICTURE = Path("plugrad-bench.json"), Path("plugrad-bench.png")
# What a line of the tables needs where nobody's screen limits it.
_WIDE = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 where all was measured or declined, 1 where
    something failed, 2 for a wrong option, 4 for a backend that cannot be used, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        _check_folders(options)
        return _report(options) if options.report else _measure(options)
    except (MisuseError, ArgumentError, UnknownBackendError) as error:
        return _complain(error, MISUSED)
    except PlugradError as error:
        return _complain(error, UNUSABLE)
    except SessionError as error:
        return _complain(error, FAILED)
    except KeyboardInterrupt:
        return _complain("Interrupted before anything was measured.", INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "plugrad_bench", description="Compare the speed of plugrad's backends, and PyTorch's."
    )
    add = parser.add_argument
    add("--backends", metavar="A,B", help="which; torch is PyTorch itself")
    add("--reference", metavar="NAME", help="what they are compared with; default: torch, or numpy")
    add("--operators", metavar="A,B", help="these operators only")
    add(
        "--sizes", metavar="A,B", help="numbers of elements, such as 8,4K,4M, or small,medium,large"
    )
    add("--steps", action=argparse.BooleanOptionalAction, help="training steps, too")
    add("--quick", action="store_true", help="shorter rounds and fewer, and no large sizes")
    add("--threads", type=int, default=1, metavar="N", help="threads that a call may use")
    add("--json", type=Path, default=JSON, metavar="FILE", help="where the figures go")
    add("--picture", type=Path, default=PICTURE, metavar="FILE", help="where the picture goes")
    add("--page", type=Path, metavar="FILE", help="a page of Markdown with the figures")
    add("--report", type=Path, metavar="JSON", help="measure nothing, draw this earlier result")
    return parser


def _check_folders(options: Any) -> None:
    files = {"--json": options.json, "--picture": options.picture, "--page": options.page}
    for option, file in files.items():
        if file is not None and not file.resolve().parent.is_dir():
            raise MisuseError(f"{option}: there is no folder {str(file.parent)!r}")


def _measure(options: Any) -> int:
    if options.threads < 1:
        raise MisuseError(f"--threads: expected at least 1, got {options.threads}")
    plan = make_plan(
        options.backends,
        options.operators,
        options.sizes,
        options.reference,
        steps=options.steps,
        quick=options.quick,
        threads=options.threads,
    )
    console = _console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed} of {task.total}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    task = bar.add_task("starting", total=None)
    with bar if console.is_terminal else nullcontext():
        comparison = run(
            plan,
            options.json,
            lambda done, total, next_one: bar.update(
                task, completed=done, total=total, description=next_one
            ),
        )
    if not comparison.measurements:
        return _complain("Interrupted before anything was measured.", INTERRUPTED)
    _show(console, comparison, options)
    console.print(f"Figures: {options.json}", markup=False, soft_wrap=True)
    if comparison.interrupted:
        return _complain(f"Interrupted; {options.json} holds what was measured.", INTERRUPTED)
    return FAILED if any(each.failed for each in comparison.measurements) else OK


def _report(options: Any) -> int:
    _show(_console(), read(options.report), options)
    return OK


def _show(console: Console, comparison: Comparison, options: Any) -> None:
    print_tables(console, comparison)
    console.print()
    drawn = _draw(comparison, options.picture)
    console.print(drawn or f"Picture: {options.picture}", markup=False, soft_wrap=True)
    if options.page is not None:
        page, picture = options.page.resolve(), options.picture.resolve()
        beside = not drawn and picture.is_relative_to(page.parent)
        write_page(comparison, page, picture if beside else None)
        console.print(f"Page: {options.page}", markup=False, soft_wrap=True)


def _draw(comparison: Comparison, picture: Path) -> str:
    """Draw; returns why not."""
    if not any(comparison.ratios(side) for side in comparison.challengers):
        return f"No picture: there is nothing to compare with {comparison.reference}."
    try:
        draw(comparison, picture)
    except ImportError:
        return "No picture: it needs matplotlib (pip install 'plugrad[bench]')."
    return ""


def _console() -> Console:
    console = Console(file=sys.stdout, highlight=False)
    return console if console.is_terminal else Console(file=sys.stdout, width=_WIDE)


def _complain(what: object, status: int) -> int:
    Console(stderr=True).print(Text(" ".join(str(what).split()), style="bold red"), soft_wrap=True)
    return status
