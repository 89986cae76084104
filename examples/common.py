"""What the examples share: options, progress and pictures."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import plugrad as pg

console = Console(highlight=False)
_LINES = 10  # of progress, where there is no terminal to redraw


def options(description: str, steps: int) -> Namespace:
    """The command line: the backend becomes the default device, the seed is set."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--backend", help="numpy, numba, cuda, or any other that is installed")
    parser.add_argument(
        "--steps", type=int, default=steps, help="of training (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="the folder for the picture")
    chosen = parser.parse_args()
    if chosen.steps < 1:
        parser.error("--steps: at least 1")
    if chosen.backend is not None:
        pg.set_default_device(chosen.backend)
    pg.manual_seed(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    return chosen


class Training:
    """Counts steps, and shows what each has come to: `for step in training: training.show(...)`."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.history: list[float] = []
        self._said = ""

    def __iter__(self) -> Iterator[int]:
        columns = BarColumn(), TextColumn("{task.completed}/{task.total} {task.description}")
        with Progress(
            *columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task("", total=self.steps)
            for step in range(self.steps):
                yield step
                bar.update(task, advance=1, description=self._said)
                done = step + 1
                if (
                    not console.is_terminal
                    and done * _LINES // self.steps > step * _LINES // self.steps
                ):
                    console.print(f"step {done}/{self.steps}: {self._said}")

    def show(self, loss: float, **more: float) -> None:
        """The loss of this step, which is kept, and what else is to be seen."""
        self.history.append(loss)
        figures = {"loss": loss, **more}
        self._said = ", ".join([f"{name} {value:.4g}" for name, value in figures.items()])


def draw(file: Path, paint: Callable[[Any], None], width: float = 8, height: float = 4) -> None:
    """A picture, painted on matplotlib's figure; without matplotlib only a word about it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        console.print(
            "No picture: it needs matplotlib (pip install 'plugrad[plot]').", markup=False
        )
        return
    figure = Figure(figsize=(width, height), layout="constrained")
    paint(figure)
    figure.savefig(file, dpi=120)
    console.print(f"The picture is {file}", soft_wrap=True)
