"""Determinism: the same program gives the same bits, however often and whatever ran in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad_conformance.answers import claim
from plugrad_conformance.models import EXERCISES, Exercise, Training
from plugrad_conformance.models.heavy import HEAVY
from plugrad_conformance.rows import Row, leaves, to_numpy, to_tensors, typical_rows

LEVEL = 4

_RUNS = 4
_STEPS = 5
_SIZES = (7, 12, 48, 257, 5 * 20000)


def bits(tensors: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Shape, dtype and bytes of each tensor."""
    arrays = [to_numpy(tensor) for tensor in tensors]
    return [(array.shape, array.dtype.name, array.tobytes()) for array in arrays]


def litter(device: str, number: int) -> None:
    """Leave memory of many sizes behind, with other contents each time, for those to find who read
    what they have not written. Allocators keep several pieces of a size at hand.
    """
    held = [
        plugrad.full((size,), float("nan") if number % 2 else 1e30 * number, device=device)
        for size in _SIZES
        for _ in range(8)
    ]
    del held


def refuse_differences(run: Callable[[], list[Any]], device: str, what: str) -> None:
    """Run several times; raise unless all results have the bits of the first."""
    first = bits(run())
    for number in range(1, _RUNS):
        litter(device, number)
        for place, (again, once) in enumerate(zip(bits(run()), first, strict=True)):
            if again != once:
                raise AssertionError(
                    f"{what} on {device!r}: result {place} of run {number + 1} has not the bits of "
                    f"the first; {_difference(once, again)}"
                )


def _difference(once: tuple[Any, ...], again: tuple[Any, ...]) -> str:
    if once[:2] != again[:2]:
        return f"{once[:2]} before, {again[:2]} now"
    width = len(once[2]) // max(1, int(np.prod(once[0])))
    before, now = (np.frombuffer(each[2], np.uint8).reshape(-1, width) for each in (once, again))
    wrong = np.flatnonzero(np.any(before != now, axis=1))
    return f"{len(wrong)} of {len(before)} elements differ, the first in place {wrong[0]}"


def run_row(row: Row, device: str) -> list[Any]:
    """The row's results and, where it has them, gradients, as new tensors."""
    tensors = to_tensors(row.arrays(), device)
    differentiable = row.case.differentiable and not row.case.operator.writes
    inputs: list[Any] = []
    if differentiable and row.dtype.is_floating_point:
        inputs = [each for each in leaves(tensors) if each.is_floating_point()]
        for each in inputs:
            each.requires_grad_()
    results = row.run(tensors, row.params(device))
    used = [each for each in results if each.requires_grad]
    found = [each.detach() for each in results]
    if used:
        cotangents = [each.detach() * 0 + 0.75 for each in used]
        gradients = plugrad.autograd.grad(used, inputs, cotangents, allow_unused=True)
        found += [each for each in gradients if each is not None]
    return found


def is_defined(row: Row) -> bool:
    """Whether the operator says what its result's elements are."""
    return row.case.reference is not None


def rows_with_values() -> list[Row]:
    """The typical rows of all operators that say what their result's elements are."""
    return [row for row in typical_rows() if is_defined(row)]


@pytest.mark.parametrize("row", rows_with_values(), ids=str)
def test_operator_gives_the_same_bits_again(row: Row, device: str) -> None:
    if claim(row, device) != "computes":
        pytest.skip(f"{device} does not compute in all of {sorted(map(str, row.dtypes))}")
    refuse_differences(lambda: run_row(row, device), device, str(row))


@pytest.mark.parametrize("name", HEAVY)
def test_large_call_gives_the_same_bits_again(name: str, device: str) -> None:
    refuse_differences(lambda: HEAVY[name](device), device, name)


@pytest.mark.parametrize("exercise", EXERCISES, ids=str)
def test_training_gives_the_same_bits_again(exercise: Exercise, device: str) -> None:
    def run() -> list[Any]:
        training = Training(exercise, device).run(_STEPS)
        return [plugrad.tensor(training.losses), *training.model.state_dict().values()]

    refuse_differences(run, device, str(exercise))
