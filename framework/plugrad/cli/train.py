"""`plugrad train digits`: progress, table and files of one run."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from plugrad.backends import resolve_device
from plugrad.errors import ArgumentError
from plugrad.training import EpochResult, Run, Settings, Training, class_scores
from plugrad.training.models import CLASSES

# The digits' matrices are too small to share: with two threads of BLAS an epoch takes as long as
# with
# one, and four times as long where another program wants the second core. With one, the number of
# cores also has no say in the last bit. Read when the backend loads, which is after this is set.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
INTERRUPTED = 130  # what shells report of a program that Ctrl-C ended


def train_digits(chosen: dict[str, Any], backend: str | None, out: Path, *, resume: bool) -> None:
    """Train, or go on training, with the `chosen` settings and the defaults for the rest."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    if not chosen.get("lr", 1) > 0:
        raise ArgumentError("train", "--lr", expected="above 0", got=chosen["lr"])
    console = Console(highlight=False)
    run = Run(out)
    try:
        with resolve_device(backend) as device:
            training = run.resume(chosen) if resume else run.begin(Settings(**chosen))
            _announce(console, training, str(device), out)
            _train(console, run, training)
            _show_scores(console, training)
        _show_files(console, run, training)
    except KeyboardInterrupt:
        console.print(_interrupted(run), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


def _show_files(console: Console, run: Run, training: Training) -> None:
    if not run.draw(training):
        needed = "No learning curve: it needs matplotlib (pip install 'plugrad[plot]')."
        console.print(needed, markup=False, soft_wrap=True)  # brackets would be a style
    files = sorted(file.name for file in run.folder.iterdir() if not file.name.startswith("."))
    console.print(f"{run.folder} holds {', '.join(files)}", markup=False, soft_wrap=True)


def _interrupted(run: Run) -> str:
    if not run.checkpoint.exists():
        return "Interrupted before there was anything to keep."
    return (
        f"Interrupted. {run.checkpoint} holds the last complete epoch; "
        "the same command with --resume goes on from there."
    )


def _announce(console: Console, training: Training, device: str, out: Path) -> None:
    settings = training.settings
    weights = sum(parameter.numel() for parameter in training.model.parameters())
    console.print(
        f"{settings.model} with {weights:,} parameters on {device}: "
        f"{len(training.train_set):,} digits to learn from, {len(training.test_set)} held out, "
        f"seed {settings.seed}, into {out}",
        soft_wrap=True,
    )
    if training.epochs_done:
        console.print(f"Resumed after epoch {training.epochs_done} of {settings.epochs}.")


def _train(console: Console, run: Run, training: Training) -> None:
    bar = _bar(console) if console.is_terminal else None
    with bar or nullcontext():
        task = bar.add_task("", total=len(training.train_set)) if bar else None

        def show(seen: int, loss: float) -> None:
            if bar is not None and task is not None:
                epoch = f"epoch {training.epochs_done + 1}  loss {loss:.4f}"
                bar.update(task, completed=seen, description=epoch)

        for result in training.run(show):
            run.keep(training)
            console.print(_line(result, training.settings.epochs), soft_wrap=True)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,} of {task.total:,} samples"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def _line(result: EpochResult, epochs: int) -> str:
    return (
        f"epoch {result.epoch:>{len(str(epochs))}}/{epochs}  "
        f"loss {result.train_loss:.4f}  accuracy {100 * result.train_accuracy:6.2f} %  "
        f"held out: loss {result.test_loss:.4f}  accuracy {100 * result.test_accuracy:6.2f} %  "
        f"{result.samples_per_second:,.0f} samples/s"
    )


def _show_scores(console: Console, training: Training) -> None:
    found, true = training.predictions()
    table = Table("class", title="held-out digits", box=None, title_justify="left")
    for name in ("precision", "recall", "support"):
        table.add_column(name, justify="right")
    for score in class_scores(found, true, CLASSES):
        table.add_row(
            str(score.label), f"{score.precision:.3f}", f"{score.recall:.3f}", str(score.support)
        )
    console.print(table)
    right = sum(f == t for f, t in zip(found, true, strict=True))
    console.print(f"accuracy {100 * right / len(true):.2f} % ({right} of {len(true)})")
