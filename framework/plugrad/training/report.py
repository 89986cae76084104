"""What a training amounts to: scores per class, a table of the epochs, a picture of both curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import final

from plugrad.training.loop import EpochResult


@final
@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one class is found. `precision`: how many of those found are right; `recall`: how
    many of those there are were found; `support`: how many there are. A quotient of nothing is 0.
    """

    label: int
    precision: float
    recall: float
    support: int


def class_scores(found: Sequence[int], true: Sequence[int], classes: int) -> list[ClassScore]:
    """One score per class."""
    scores: list[ClassScore] = []
    for label in range(classes):
        right = sum(f == t == label for f, t in zip(found, true, strict=True))
        named, support = found.count(label), true.count(label)
        precision, recall = right / max(named, 1), right / max(support, 1)
        scores.append(ClassScore(label, precision, recall, support))
    return scores


def metrics_csv(history: Sequence[EpochResult]) -> str:
    """The epochs as comma-separated values, one line each."""
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in fields(EpochResult)], lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(result) for result in history)
    return text.getvalue()


def draw_learning_curve(history: Sequence[EpochResult], file: Path) -> None:
    """Loss and error of both sets over the epochs, as PNG; ImportError without matplotlib."""
    from matplotlib.figure import Figure

    epochs = [result.epoch for result in history]
    figure = Figure(figsize=(9, 4), layout="constrained")
    losses, errors = figure.subplots(1, 2)
    losses.plot(epochs, [result.train_loss for result in history], label="training")
    losses.plot(epochs, [result.test_loss for result in history], label="held out")
    errors.plot(epochs, [100 * (1 - result.train_accuracy) for result in history], label="training")
    errors.plot(epochs, [100 * (1 - result.test_accuracy) for result in history], label="held out")
    for axes, what in ((losses, "cross entropy"), (errors, "errors, %")):
        axes.set(xlabel="epoch", ylabel=what, yscale="log" if axes is losses else "linear")
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    figure.savefig(file, format="png", dpi=120)
