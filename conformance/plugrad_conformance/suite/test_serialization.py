"""Checkpoints: what one backend saves, every other loads bit by bit and goes on with. The others
are all that are ready on this machine; NumPy always is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import plugrad
from plugrad import dtypes
from plugrad.dtypes import DType
from plugrad.inventory import backend_states
from plugrad_conformance.answers import backend_of
from plugrad_conformance.case import native
from plugrad_conformance.models import EXERCISES, Exercise, Training, recorded
from plugrad_conformance.rows import to_numpy

LEVEL = 4

#: One with dropout, momenta and a schedule by steps; one with running statistics and Adam's counts.
CONTINUED = [each for each in EXERCISES if each.name in ("mlp", "cnn")]


def partners(device: str, *needed: DType) -> list[str]:
    """One device of each backend that is ready and stores the dtypes, the tested one first."""
    ready = [state.devices[0] for state in backend_states() if state.condition == "ready"]
    others = [each for each in ready if plugrad.device(each).type != plugrad.device(device).type]
    found = [each for each in (device, *others) if set(needed) <= set(_stored(each))]
    if device not in found:
        pytest.skip(f"{device} does not store {' and '.join(map(str, needed))}")
    return found


def pairs(device: str, *needed: DType) -> Iterator[tuple[str, str]]:
    """The tested device with itself and, in both directions, with each other."""
    for other in partners(device, *needed):
        yield device, other
        if other != device:
            yield other, device


def _stored(device: str) -> tuple[DType, ...]:
    return backend_of(device).manifest.dtypes


def extremes(dtype: DType) -> Any:
    """Every kind of number that the dtype has, two rows of six."""
    kind = native(dtype)
    if dtype is dtypes.bool_:
        return (np.arange(12) % 3 == 0).reshape(2, 6)
    if dtype.kind == "int":
        limits = np.iinfo(kind)
        few = [limits.min, limits.max, 0, 1, limits.max - 1, limits.min + 1]
        return np.array([few, few[::-1]], kind)
    real = native(dtype.to_real())
    limits = ml_dtypes.finfo(real)
    tiny, most = float(limits.smallest_subnormal), float(limits.max)
    few = np.array([np.nan, np.inf, -np.inf, -0.0, tiny, -most], real)
    if dtype.is_complex:
        return np.stack([few, few[::-1]] * 2, axis=-1).reshape(2, 12).view(kind)
    # A NaN with a payload and a sign is other bits than NumPy's own.
    marked = np.array([-1], f"int{8 * real.itemsize}").view(real)
    return np.stack([few, np.concatenate([few[:5] / 3, marked])]).astype(kind)


def bits(tensor: Any) -> tuple[Any, ...]:
    """Shape, dtype and bytes."""
    array = to_numpy(tensor)
    return array.shape, array.dtype.name, array.tobytes()


def moved(state: Any, device: str) -> Any:
    """What a device loads of what was saved."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "state.safetensors"
        plugrad.save(state, file)
        return plugrad.load(file, device)


# contents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda dtype: dtype.name)
def test_numbers_of_every_kind_arrive_with_their_bits(dtype: DType, device: str) -> None:
    array = extremes(dtype)
    for here, there in pairs(device, dtype):
        whole = plugrad.tensor(array, device=here)
        state = {
            "whole": whole,
            "turned": whole.t(),
            "part": whole[1, ::2],
            "one": whole[0, 1],
            "none": whole[:0],
        }
        for name, tensor in moved(state, there).items():
            assert tensor.device == plugrad.device(there)
            assert bits(tensor) == bits(state[name]), f"{name}, {dtype}, {here} to {there}"


def test_equal_states_make_equal_files(device: str) -> None:
    here: list[bytes] = []
    with TemporaryDirectory() as folder:
        for each in ("numpy", device):
            state = {
                "step": 3,
                "weights": [plugrad.tensor(extremes(plugrad.float32), device=each)],
                "mask": plugrad.tensor([[True], [False]], device=each).expand(2, 3),
            }
            file = Path(folder) / "state.safetensors"
            plugrad.save(state, file)
            here.append(file.read_bytes())
    assert here[0] == here[1], "the same content gives another file than the reference backend's"


def test_file_tells_shapes_and_dtypes_without_a_backend(device: str) -> None:
    stored = _stored(device)
    state = {each.name: plugrad.tensor(extremes(each), device=device) for each in stored}
    loaded = moved(state, "meta")
    found = {name: (tuple(each.shape), each.dtype) for name, each in loaded.items()}
    assert found == {each.name: ((2, 6), each) for each in stored}
    assert {str(each.device) for each in loaded.values()} == {"meta"}


def test_loaded_tensors_have_memory_of_their_own(device: str) -> None:
    for here, there in pairs(device, plugrad.float32):
        saved = plugrad.tensor(extremes(plugrad.float32), device=here)
        before = bits(saved)
        loaded = moved({"x": saved}, there)["x"]
        loaded.fill_(7)
        assert bits(saved) == before
        assert set(loaded.flatten().tolist()) == {7.0}


# trainings ----------------------------------------------------------------------------------------


def halfway(exercise: Exercise, device: str) -> dict[str, Any]:
    """The state of a training after half of its steps."""
    return Training(exercise, device).run(exercise.steps // 2).state_dict()


def resumed(exercise: Exercise, state: dict[str, Any], device: str) -> Training:
    """The training that goes on from a state to the end, in a program that had drawn other numbers
    before.
    """
    training = Training(exercise, device)
    plugrad.manual_seed(987654321)
    training.load_state_dict(moved(state, device))
    return training.run()


@pytest.mark.parametrize("exercise", CONTINUED, ids=str)
def test_training_that_is_saved_goes_on_elsewhere(exercise: Exercise, device: str) -> None:
    found = partners(device, plugrad.float32)
    if len(found) == 1:
        pytest.skip(f"no backend but {device} is ready on this machine")
    half = {each: halfway(exercise, each) for each in found}
    for here, there in pairs(device, plugrad.float32):
        if here != there:
            try:
                recorded(exercise).check(resumed(exercise, half[here], there))
            except AssertionError as error:
                error.add_note(f"saved on {here}, gone on with on {there}")
                raise


@pytest.mark.parametrize("exercise", CONTINUED, ids=str)
def test_training_that_is_resumed_ends_with_the_same_bits(exercise: Exercise, device: str) -> None:
    partners(device, plugrad.float32)
    whole = Training(exercise, device).run()
    parts = resumed(exercise, halfway(exercise, device), device)
    assert parts.losses == whole.losses
    assert parts.held_out == whole.held_out
    ends = (training.model.state_dict() for training in (whole, parts))
    for (name, one), other in zip(next(ends).items(), next(ends).values(), strict=True):
        assert bits(one) == bits(other), name
