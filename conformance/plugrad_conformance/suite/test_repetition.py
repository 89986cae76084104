"""What one call leaves behind must not be seen in another: results keep their values, new numbers
give new results, and one tensor may be given twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad import ops
from plugrad_conformance.case import Array, Case
from plugrad_conformance.check import assert_close, assert_untouched
from plugrad_conformance.rows import (
    Row,
    leaves,
    nested,
    rows,
    to_numpy,
    to_tensors,
    typical_dtype,
)

LEVEL = 1


def has_reference(case: Case) -> bool:
    return case.reference is not None


def reads_tensors(case: Case) -> bool:
    return bool(case.operator.tensors) and has_reference(case)


@pytest.mark.parametrize("row", rows(reads_tensors, typical_dtype), ids=str)
def test_next_call_gives_new_results_and_leaves_the_old_ones(row: Row, device: str) -> None:
    first, second = row.arrays(), other_numbers(row)
    params = row.params(device)
    old = row.run(to_tensors(first, device), params)
    before = [to_numpy(each) for each in old]
    new = row.run(to_tensors(second, device), params)
    wanted = row.want(second, params)
    for position, (got, want) in enumerate(zip(new, wanted, strict=True)):
        what = f"result {position} of the second call"
        assert_close(to_numpy(got), want, row, device, what=what, arrays=second)
    for position, (result, kept) in enumerate(zip(old, before, strict=True)):
        message = f"{row}: result {position} of the first call changed in the second"
        assert_untouched(to_numpy(result), kept, message)
    if row.case.operator.writes or row.case.operator.geometry is not None:
        return
    kept_new = [to_numpy(each) for each in new]
    for result in old:
        overwrite(result)
    for position, (result, kept) in enumerate(zip(new, kept_new, strict=True)):
        message = f"{row}: result {position} of both calls lies in the same memory"
        assert_untouched(to_numpy(result), kept, message)


def overwrite(tensor: Any) -> None:
    """Change every element."""
    if tensor.dtype is plugrad.bool:
        ops.comparison.logical_not_(tensor)
    else:
        ops.elementwise.add_(tensor, 1)


def other_numbers(row: Row) -> tuple[Any, ...]:
    """Arrays as the row's, with other numbers drawn."""
    draw = np.random.default_rng(97)
    return nested(lambda recipe: recipe.make(draw, row.dtype), row.call.tensors)


def repeated_rows() -> list[Row]:
    """The rows that take several equal shapes of the row's dtype, so that one tensor can stand for
    two.
    """

    def may_repeat(case: Case) -> bool:
        return reads_tensors(case) and (
            not case.operator.writes or case.operator.family == "in_place"
        )

    return [row for row in rows(may_repeat, typical_dtype) if len(twins(row)) > 1]


def twins(row: Row) -> list[int]:
    """The positions of tensors that may be one and the same: those like the last one."""
    recipes = row.call.tensors
    last = max([i for i, each in enumerate(recipes) if isinstance(each, Array)], default=0)
    like = recipes[last]
    if not isinstance(like, Array):
        return []
    facts = (like.shape, like.dtype)
    return [
        i
        for i, each in enumerate(recipes)
        if isinstance(each, Array) and (each.shape, each.dtype) == facts
    ]


@pytest.mark.parametrize("row", repeated_rows(), ids=str)
def test_one_tensor_may_be_given_twice(row: Row, device: str) -> None:
    positions = twins(row)
    arrays, tensors = list(row.arrays()), list(to_tensors(row.arrays(), device))
    for position in positions:
        arrays[position], tensors[position] = arrays[positions[-1]], tensors[positions[-1]]
    params = row.params(device)
    results = row.run(tuple(tensors), params)
    wanted = row.want(tuple(arrays), params)
    for position, (got, want) in enumerate(zip(results, wanted, strict=True)):
        what = f"result {position} of one tensor given {len(positions)} times"
        assert_close(to_numpy(got), want, row, device, what=what, arrays=tuple(arrays))
    if row.case.operator.writes:
        return
    for position, (tensor, array) in enumerate(zip(leaves(tensors), leaves(arrays), strict=True)):
        message = f"{row}: the operator changed input {position}"
        assert_untouched(to_numpy(tensor), array, message)
