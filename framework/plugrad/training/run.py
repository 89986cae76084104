"""A run's folder: checkpoint, metrics and learning curve. Each file is replaced as a whole or not
at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

from plugrad.creation import DeviceLike
from plugrad.errors import CheckpointError
from plugrad.serialize import load, replace_file, save
from plugrad.training.loop import Settings, Training, settings_of
from plugrad.training.report import draw_learning_curve, metrics_csv


@final
class Run:
    """Where a training leaves its files, after every complete epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.safetensors"
        self.metrics = folder / "metrics.csv"
        self.learning_curve = folder / "learning-curve.png"

    def begin(self, settings: Settings, device: DeviceLike = None) -> Training:
        """A new training, in place of what the folder held."""
        training = Training(settings, device)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                str(self.folder),
                f"cannot be made: {error.strerror}",
                hint="choose a folder that you may write to",
            ) from error
        self.keep(training)
        return training

    def resume(self, chosen: dict[str, Any], device: DeviceLike = None) -> Training:
        """The training whose checkpoint the folder holds; `chosen` settings must agree with it, but
        for more epochs.
        """
        path = str(self.checkpoint)
        if not self.checkpoint.exists():
            raise CheckpointError(
                path, "is not there: nothing to resume", hint="train without --resume first"
            )
        state = load(self.checkpoint)
        saved = settings_of(state, path)
        for name, value in chosen.items():
            if name != "epochs" and value != getattr(saved, name):
                raise CheckpointError(
                    path,
                    f"was trained with {name} {getattr(saved, name)}, got {value}",
                    hint="leave that option out to resume, or choose another folder",
                )
        settings = Settings(**{**state["settings"], **chosen})
        training = Training(settings, device)
        try:
            training.load_state_dict(state)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                path, f"does not fit: {error}", hint="train without --resume"
            ) from error
        if settings.epochs < training.epochs_done:
            raise CheckpointError(
                path,
                f"has {training.epochs_done} epochs, more than the {settings.epochs} asked for",
                hint="raise --epochs",
            )
        return training

    def keep(self, training: Training) -> None:
        """Write checkpoint and metrics."""
        save(training.state_dict(), self.checkpoint)
        table = metrics_csv(training.history)
        replace_file(self.metrics, lambda file: _write(file, table))

    def draw(self, training: Training) -> bool:
        """Draw the learning curve; False if matplotlib is not installed."""
        try:
            replace_file(
                self.learning_curve, lambda file: draw_learning_curve(training.history, file)
            )
        except ImportError:
            return False
        return True


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
