"""What one call leaves behind must not be seen in another: results keep their values, new numbers
give new results, one tensor may be given twice, and two may share their memory.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad_conformance.case import Array, Case
from plugrad_conformance.check import assert_close, assert_untouched
from plugrad_conformance.rows import (
    Arrays,
    Row,
    leaves,
    nested,
    rows,
    to_numpy,
    to_tensor,
    to_tensors,
    typical_dtype,
    typical_rows,
)
from plugrad_conformance.suite.test_forward import overwrite, overwrite_all

LEVEL = 1

_LATER = 3  # calls after the second: buffers are handed out in turn


def has_reference(case: Case) -> bool:
    return case.reference is not None


def reads_tensors(case: Case) -> bool:
    return bool(case.operator.tensors) and has_reference(case)


def makes_tensors(case: Case) -> bool:
    return not case.operator.tensors and has_reference(case)


# one call after the other -------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows(reads_tensors, typical_dtype), ids=str)
def test_next_call_gives_new_results_and_leaves_the_old_ones(row: Row, device: str) -> None:
    params, operator = row.params(device), row.case.operator
    given = to_tensors(row.arrays(), device)
    old = row.run(given, params)
    before = [to_numpy(each) for each in old]
    if operator.geometry is None:
        # What is computed does not wait for its operands.
        for position, tensor in enumerate(given):
            if position not in operator.writes:
                for each in leaves((tensor,)):
                    overwrite(each)
        refuse_changes(old, before, f"{row}: result {{}} changed with its operands")
    second = other_numbers(row, 97)
    new = row.run(to_tensors(second, device), params)
    for position, (got, want) in enumerate(zip(new, row.want(second, params), strict=True)):
        what = f"result {position} of the second call"
        assert_close(to_numpy(got), want, row, device, what=what, arrays=second)
    after = [to_numpy(each) for each in new]
    for number in range(_LATER):
        row.run(to_tensors(other_numbers(row, number), device), params)
    if operator.geometry is None:
        refuse_changes(old, before, f"{row}: result {{}} of the first call changed in another")
    refuse_changes(new, after, f"{row}: result {{}} of the second call changed in another")
    if operator.writes or operator.geometry is not None:
        return
    for result in old:
        overwrite(result)
    refuse_changes(new, after, f"{row}: result {{}} of both calls lies in the same memory")


@pytest.mark.parametrize("row", rows(makes_tensors, typical_dtype), ids=str)
def test_what_was_made_is_made_anew(row: Row, device: str) -> None:
    params = row.params(device)
    first = row.run((), params)
    made = [to_numpy(each) for each in first]
    overwrite_all(first, str(row))
    written = [to_numpy(each) for each in first]
    second = row.run((), params)
    refuse_changes(second, made, f"{row}: result {{}} is what was written into the first one")
    overwrite_all(second, str(row))
    refuse_changes(first, written, f"{row}: result {{}} of both calls lies in the same memory")


def refuse_changes(results: tuple[Any, ...], before: list[Any], message: str) -> None:
    """Raise unless results have the bits that they had; the message has a place for a number."""
    for position, (result, kept) in enumerate(zip(results, before, strict=True)):
        assert_untouched(to_numpy(result), kept, message.format(position))


def other_numbers(row: Row, seed: int) -> Arrays:
    """Arrays as the row's, with other numbers drawn."""
    draw = np.random.default_rng(seed)
    return nested(lambda recipe: recipe.make(draw, row.dtype), row.call.tensors)


# one memory for two tensors -----------------------------------------------------------------------


def twins(row: Row) -> list[int]:
    """Which of a row's tensors may be one and the same: those of the shape and dtype of the last
    that has the row's.
    """
    recipes = row.recipes
    own = [each for each in recipes if each.dtype is None]
    return [i for i, each in enumerate(recipes) if own and _facts(each) == _facts(own[-1])]


def _facts(recipe: Array) -> tuple[Any, ...]:
    return recipe.shape, recipe.dtype


def may_repeat(case: Case) -> bool:
    return reads_tensors(case) and (not case.operator.writes or case.operator.family == "in_place")


def repeated_rows() -> list[Row]:
    """The rows in which one tensor can stand for two."""
    return [row for row in rows(may_repeat, typical_dtype) if len(twins(row)) > 1]


def overlapping_rows() -> list[Row]:
    """Those that write nothing, with tensors that have a first axis to be shifted along."""
    return [
        row
        for row in repeated_rows()
        if not row.case.operator.writes and row.recipes[twins(row)[-1]].shape
    ]


def turned(row: Row) -> list[int]:
    """The first two matrices of which one can be the other's transpose."""
    recipes = [(i, each) for i, each in enumerate(row.recipes) if each.dtype is None]
    return next(
        (
            [i, j]
            for i, one in recipes
            for j, other in recipes
            if i < j and len(one.shape) == 2 and other.shape == one.shape[::-1]
        ),
        [],
    )


def turned_rows() -> list[Row]:
    """The rows with such matrices."""
    found = rows(may_repeat, typical_dtype)
    return [row for row in found if not row.case.operator.writes and turned(row)]


def placed(values: Arrays, places: dict[int, Any]) -> Arrays:
    """The values with others in some places, counted with tuples opened."""
    numbers = iter(range(len(list(leaves(values)))))
    return nested(lambda value: places.get(next(numbers), value), values)


def check_shared(
    row: Row, device: str, places: dict[int, Any], look: Callable[[int], Any], what: str
) -> None:
    """Compare a call in which the tensors in some places, `look(place)`, hold these arrays."""
    arrays = placed(row.arrays(), places)
    tensors = placed(to_tensors(row.arrays(), device), {place: look(place) for place in places})
    params = row.params(device)
    results = row.run(tensors, params)
    for position, (got, want) in enumerate(zip(results, row.want(arrays, params), strict=True)):
        about = f"result {position} of {what}"
        assert_close(to_numpy(got), want, row, device, what=about, arrays=arrays)
    if not row.case.operator.writes:
        for position, (tensor, array) in enumerate(zip(leaves(tensors), leaves(arrays))):
            message = f"{row}: the operator changed input {position}"
            assert_untouched(to_numpy(tensor), array, message)


@pytest.mark.parametrize("row", repeated_rows(), ids=str)
def test_one_tensor_may_be_given_twice(row: Row, device: str) -> None:
    places = twins(row)
    array = list(leaves(row.arrays()))[places[-1]]
    tensor = to_tensor(array, device)
    what = f"one tensor given {len(places)} times"
    check_shared(row, device, dict.fromkeys(places, array), lambda place: tensor, what)


@pytest.mark.parametrize("row", overlapping_rows(), ids=str)
def test_tensors_may_overlap_in_memory(row: Row, device: str) -> None:
    places = twins(row)
    recipe = row.recipes[places[-1]]
    size = recipe.shape[0]
    longer = replace(recipe, shape=(size + len(places) - 1, *recipe.shape[1:]))
    base = longer.make(np.random.default_rng(3), row.dtype)
    windows = {place: slice(start, start + size) for start, place in enumerate(places)}
    tensor = to_tensor(base, device)
    arrays = {place: base[window] for place, window in windows.items()}
    check_shared(row, device, arrays, lambda place: tensor[windows[place]], "overlapping tensors")


@pytest.mark.parametrize("row", turned_rows(), ids=str)
def test_tensor_may_be_given_with_its_transpose(row: Row, device: str) -> None:
    first, second = turned(row)
    array = list(leaves(row.arrays()))[second].T
    tensor = to_tensor(array, device)
    arrays = {first: array, second: array.T}
    looks = {first: tensor, second: tensor.permute(1, 0)}
    check_shared(row, device, arrays, looks.__getitem__, "a tensor and its transpose")


# the process --------------------------------------------------------------------------------------


def settings() -> dict[str, Any]:
    """What belongs to the program that calls, and not to a backend."""
    return {
        "how NumPy treats errors": np.geterr(),
        "NumPy's random state": repr(np.random.get_state(legacy=False)),
        "Python's random state": random.getstate(),
        "the environment": dict(os.environ),
        "the working directory": os.getcwd(),
        "the warning filters": list(warnings.filters),
        "the default dtype": plugrad.get_default_dtype(),
    }


@pytest.mark.parametrize("row", typical_rows(), ids=str)
def test_call_leaves_the_process_as_it_was(row: Row, device: str) -> None:
    params = row.params(device)
    row.run(to_tensors(row.arrays(), device), params)  # the first one may load what it needs
    tensors = to_tensors(row.arrays(), device)
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        # What the first one may have set is set no more.
        np.random.random()
        random.random()
        before = settings()
        row.run(tensors, params)
        changed = [name for name, value in settings().items() if value != before[name]]
    assert not changed, f"{row} changed {', '.join(changed)}"
