"""The band that a training must stay in: curves of the float64 NumPy reference, and how far sound
float32 arithmetic strays from them.

Both are recorded in `reference.json`, by `python -m plugrad_conformance.models --record`. How far
is measured: as NumPy's own float32 run and runs with exaggerated rounding (`noise.py`) go, which
stray about ten times as far as NumPy does. The band is `TIMES` as wide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

import numpy as np

import plugrad
from plugrad_conformance import journal
from plugrad_conformance.models.noise import UNIT, rounding_noise
from plugrad_conformance.models.training import EVALUATE_EVERY, Exercise, Training

FILE = Path(__file__).with_name("reference.json")
TIMES = 4.0
NOISY_RUNS = 16
_LISTED = 4

Values = np.ndarray[Any, np.dtype[np.float64]]


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """What one quantity of the reference was, here and there, and how far sound runs stray."""

    places: tuple[str, ...]
    values: tuple[float, ...]
    strays: tuple[float, ...]

    @property
    def room(self) -> Values:
        """How far from the reference each number may be."""
        room = TIMES * np.array(self.strays) + UNIT * np.maximum(1, np.abs(self.values))
        return room * journal.page().widening

    def outside(self, found: Sequence[float]) -> list[str]:
        """The numbers outside the band, in order; NaN is one. A curve may end early."""
        missed, room = self._missed(found)
        for off, allowed in zip(missed, room, strict=True):
            journal.note_error(float(off), float(allowed))
        return [
            f"{place} is {number:.9g}, the float64 reference {value:.9g}: off by {off:.2g}, "
            f"allowed {allowed:.2g}"
            for place, number, value, off, allowed in zip(
                self.places, found, self.values, missed, room, strict=False
            )
            if not off <= allowed
        ]

    def share(self, found: Sequence[float]) -> float:
        """The part of the band that was needed: above 1 the curve has left it."""
        missed, room = self._missed(found)
        return float(np.max(missed / room, initial=0))

    def _missed(self, found: Sequence[float]) -> tuple[Values, Values]:
        count = len(found)
        return np.abs(np.array(found) - self.values[:count]), self.room[:count]


@final
@dataclass(frozen=True, slots=True)
class Band:
    """The curves of an exercise: the loss of each step, that on the held-out data after every
    tenth, and how far each parameter has come in the end.
    """

    losses: Curve
    held_out: Curve
    moved: Curve

    def share(self, training: Training) -> float:
        """The part of the band that a training needed."""
        losses, held_out, moved = numbers(training)
        curves = self.losses.share(losses), self.held_out.share(held_out)
        return max(*curves, self.moved.share(moved))

    def check(self, training: Training) -> None:
        """Raise unless the curves of a training lie in the band, with what leaves it first and
        what that means.
        """
        losses, held_out, moved = numbers(training)
        on_training = self.losses.outside(losses)
        on_held_out = self.held_out.outside(held_out)
        parameters = self.moved.outside(moved)
        found = [*on_training[:1], *on_held_out[:1], *parameters[:_LISTED]]
        if not found:
            return
        if on_training and on_training[0].startswith("loss 1 "):
            cause = "the first loss is that of the initial weights: look at these, the forward pass"
            cause += ", the batch or the loss itself"
        elif on_training and on_training[0].startswith("loss 2 "):
            cause = "the first loss is right: look at the gradients and the optimizer's step"
        elif not on_training and on_held_out:
            cause = "the losses in training are right: look at what only evaluation uses, such as "
            cause += "running statistics"
        else:
            cause = "the first steps are right: look at what changes later, such as momenta and "
            cause += "schedules, and at what errs little"
        more = len(parameters) - _LISTED
        others = [f"and {more} parameters more"] if more > 0 else []
        exercise = training.exercise
        raise AssertionError(
            f"{exercise} left the band\n  " + "\n  ".join([*found, *others, cause])
        )


def numbers(training: Training) -> tuple[list[float], list[float], list[float]]:
    """The three curves of a training. How far the parameters have come is known of a whole one."""
    whole = len(training.losses) == training.exercise.steps
    return training.losses, training.held_out, list(training.moved().values()) if whole else []


def recorded(exercise: Exercise) -> Band:
    """The band of an exercise, from the file."""
    curves = _content()[exercise.name]
    return Band(**{name: Curve(**_tuples(curve)) for name, curve in curves.items()})


@cache
def _content() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def _tuples(curve: dict[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(values) for name, values in curve.items()}


# recording ----------------------------------------------------------------------------------------


def reference(exercise: Exercise) -> Training:
    """The training that all others are compared with: NumPy, in float64."""
    return Training(exercise, "numpy", plugrad.float64).run()


def measure(exercise: Exercise, noisy_runs: int = NOISY_RUNS) -> Band:
    """The band, from the reference, NumPy's float32 run and noisy runs."""
    exact = reference(exercise)
    runs = [numbers(Training(exercise, "numpy", plugrad.float32).run())]
    for seed in range(noisy_runs):
        with rounding_noise(seed):
            runs.append(numbers(Training(exercise, "numpy", plugrad.float64).run()))
    losses, held_out, moved = (
        np.max(np.abs(np.array(curves) - np.array(true)), axis=0)
        for curves, true in zip(zip(*runs, strict=True), numbers(exact), strict=True)
    )
    # Each step rounds each parameter once, by up to half a unit, and where a factor is rounded, in
    # the same direction every time: noise, which has no direction, misses that.
    sizes = [float(p.detach().square().sum().sqrt().item()) for p in exact.model.parameters()]
    moved = np.maximum(moved, np.array(sizes) * exercise.steps * UNIT / 2 / TIMES)
    names = [name for name, _ in exact.model.named_parameters()]
    steps = range(1, exercise.steps + 1)
    later = steps[EVALUATE_EVERY - 1 :: EVALUATE_EVERY]
    # What has once strayed does not find back: later numbers get the room of earlier ones.
    grown = np.maximum.accumulate
    return Band(
        _curve([f"loss {step}" for step in steps], exact.losses, grown(losses)),
        _curve([f"held-out loss after {n}" for n in later], exact.held_out, grown(held_out)),
        _curve([f"the way of {name}" for name in names], exact.moved().values(), moved),
    )


def _curve(places: list[str], values: Any, strays: Values) -> Curve:
    rounded = [float(f"{value:.12g}") for value in values]
    return Curve(tuple(places), tuple(rounded), tuple([float(f"{s:.1e}") for s in strays]))


def record(exercises: Sequence[Exercise], file: Path = FILE) -> None:
    """Measure the bands and write the file."""
    bands = {exercise.name: asdict(measure(exercise)) for exercise in exercises}
    file.write_text(_laid_out(bands) + "\n")


def _laid_out(bands: dict[str, Any]) -> str:
    """JSON with one line per list."""
    exercises = []
    for name, curves in bands.items():
        lines = [
            f'  "{curve}": {{\n'
            + ",\n".join(f'   "{kind}": {json.dumps(values)}' for kind, values in content.items())
            + "\n  }"
            for curve, content in curves.items()
        ]
        exercises.append(f' "{name}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(exercises) + "\n}"
