"""Training: small models learn, along the curve of the float64 NumPy reference, to the same end."""

from __future__ import annotations

import numpy as np
import pytest

import plugrad
from plugrad_conformance.answers import backend_of
from plugrad_conformance.models import EXERCISES, Exercise, Training, recorded
from plugrad_conformance.models.bodies import bodies_alone
from plugrad_conformance.rows import to_numpy

LEVEL = 3

# By their bodies operators take several times as long; what is wrong shows in the first steps.
_BODILY_STEPS = 25


def trained(exercise: Exercise, device: str, steps: int | None = None) -> Training:
    """The exercise done on the device in float32."""
    manifest = backend_of(device).manifest
    computed = manifest.dtypes if manifest.computes is None else manifest.computes
    if not {plugrad.float32, plugrad.int64} <= set(computed):
        pytest.skip(f"{device} does not compute in float32 and int64, which training takes")
    return Training(exercise, device).run(steps)


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_model_learns_along_the_curve_of_the_reference(exercise: Exercise, device: str) -> None:
    training = trained(exercise, device)
    recorded(exercise).check(training)
    quality = training.evaluate()[1]
    assert quality >= exercise.goal, f"{exercise} reached {quality:.3f} of {exercise.goal}"


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_model_learns_along_that_curve_by_bodies_alone(exercise: Exercise, device: str) -> None:
    with bodies_alone(device):
        recorded(exercise).check(trained(exercise, device, _BODILY_STEPS))


def test_rows_of_a_table_that_no_batch_names_keep_their_bits(device: str) -> None:
    (exercise,) = [each for each in EXERCISES if each.name == "embedding"]
    before, after = trained(exercise, device, 0), trained(exercise, device)
    named = np.unique(exercise.data()[0], axis=0)
    for column, table in enumerate(("users", "items")):
        was, is_ = (to_numpy(getattr(each.model, table).weight) for each in (before, after))
        others = np.setdiff1d(np.arange(len(was)), named[:, column])
        assert len(others) > len(was) / 2
        np.testing.assert_array_equal(is_[others], was[others], err_msg=table)
        assert not np.array_equal(is_, was)
