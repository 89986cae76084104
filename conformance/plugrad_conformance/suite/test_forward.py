"""Values: every operator, variant and dtype against float64, whatever the memory order; and inputs
are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad import ops
from plugrad.dtypes import DType
from plugrad_conformance.answers import backend_of
from plugrad_conformance.case import Case
from plugrad_conformance.cases import is_repeated
from plugrad_conformance.check import assert_close, assert_untouched
from plugrad_conformance.layouts import LAYOUTS, Layout
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


def laid_out(layout: Layout) -> list[Any]:
    """The rows with a tensor that the layout fits."""
    found = rows(lambda case: has_reference(case) and case.layouts, typical_dtype)
    return [
        pytest.param(row, layout, id=f"{row}-{layout.name}")
        for row in found
        if any(layout.fits(recipe.shape) for recipe in leaves(row.call.tensors))
        and not (layout.name == "expanded" and not row.case.may_expand)
    ]


@pytest.mark.parametrize("row", rows(has_reference), ids=str)
def test_values_are_those_of_the_float64_reference(row: Row, device: str) -> None:
    backend = backend_of(device)
    arrays, params = row.arrays(), row.params(device)
    tensors = to_tensors(arrays, device)
    bodies = backend.fallbacks[row.case.name]
    results = row.run(tensors, params)
    tolerance = row.case.tolerance
    if backend.fallbacks[row.case.name] > bodies:
        tolerance = tolerance.stepwise(row.dtype)
    for position, (got, want) in enumerate(zip(results, row.want(arrays, params), strict=True)):
        what = f"result {position}"
        assert_close(to_numpy(got), want, row, device, what=what, tolerance=tolerance)
    for position, (array, tensor) in enumerate(zip(arrays, tensors, strict=True)):
        if position not in row.case.operator.writes:
            for before, after in zip(leaves((array,)), leaves((tensor,)), strict=True):
                assert_untouched(to_numpy(after), before, f"{row}: the operator changed its input")


@pytest.mark.parametrize(
    ("row", "layout"), [each for layout in LAYOUTS for each in laid_out(layout)]
)
def test_values_do_not_depend_on_the_order_in_memory(row: Row, layout: Layout, device: str) -> None:
    arrays = nested(lambda a: layout.value(a) if layout.fits(a.shape) else a, row.arrays())
    stored = nested(lambda a: layout.store(a) if layout.fits(a.shape) else a, row.arrays())
    bases = to_tensors(stored, device)
    tensors = looked(bases, arrays, layout)
    params = row.params(device)
    results = row.run(tensors, params)
    for position, (got, want) in enumerate(zip(results, row.want(arrays, params), strict=True)):
        what = f"result {position}"
        assert_close(
            to_numpy(got), want, row, device, what=what, arrays=row.arrays(), layout=layout
        )
    # Neither an input nor what lies between the elements of a written view has changed.
    for position, base in enumerate(bases):
        for array, tensor, kept in zip(
            leaves((arrays[position],)), leaves((base,)), leaves((stored[position],)), strict=True
        ):
            if layout.name == "flipped" or not layout.fits(array.shape):
                continue
            if position in row.case.operator.writes:
                restored = layout.look(tensor, array.shape)
                ops.creation.copy_(restored, plugrad.tensor(array, device=device))
            message = f"{row}: memory outside the result has changed"
            assert_untouched(to_numpy(tensor), kept, message)


def rows_of_several() -> list[Row]:
    """The rows of operators with several tensors, some of which have a shape to lay out."""
    found = rows(lambda case: has_reference(case) and case.layouts, typical_dtype)
    return [row for row in found if len(uneven(row)) > 1]


def uneven(row: Row) -> list[int]:
    """Which of a row's tensors can lie in another order."""
    return [
        position
        for position, recipe in enumerate(leaves(row.call.tensors))
        if any(layout.fits(recipe.shape) for layout in LAYOUTS[:2])
    ]


@pytest.mark.parametrize("row", rows_of_several(), ids=str)
def test_values_do_not_depend_on_which_input_is_out_of_order(row: Row, device: str) -> None:
    params = row.params(device)
    for chosen in uneven(row):
        for layout in orders_of(row, chosen):
            arrays = one_changed(row.arrays(), chosen, layout.value)
            stored = one_changed(row.arrays(), chosen, layout.store)
            tensors = one_changed(
                to_tensors(stored, device), chosen, layout.look, row.recipes[chosen].shape
            )
            results = row.run(tensors, params)
            for position, (got, want) in enumerate(
                zip(results, row.want(arrays, params), strict=True)
            ):
                what = f"result {position}, tensor {chosen} {layout.name} in memory"
                assert_close(to_numpy(got), want, row, device, what=what, arrays=arrays)


def orders_of(row: Row, chosen: int) -> list[Layout]:
    """The first order that one of a row's tensors can lie in; where its elements are only read, and
    say no positions, that in which they repeat, too.
    """
    recipe, writes = row.recipes[chosen], row.case.operator.writes
    written = [i in writes for i, each in enumerate(row.call.tensors) for _ in leaves((each,))]
    fitting = [each for each in LAYOUTS if each.fits(recipe.shape)]
    read = row.case.expands and recipe.dtype is None and not written[chosen]
    return [fitting[0], *[each for each in fitting if each.name == "expanded" and read]]


def one_changed(
    values: tuple[Any, ...], chosen: int, function: Callable[..., Any], *more: Any
) -> tuple[Any, ...]:
    """The values with a function applied to one of them."""
    places = count()
    return nested(lambda value: function(value, *more) if next(places) == chosen else value, values)


def looked(bases: tuple[Any, ...], arrays: tuple[Any, ...], layout: Layout) -> tuple[Any, ...]:
    """The tensors as the layout looks at their stored form."""
    found = []
    for base, array in zip(bases, arrays, strict=True):
        if type(array) is tuple:
            found.append(looked(base, array, layout))
        elif array is not None and layout.fits(array.shape):
            found.append(layout.look(base, array.shape))
        else:
            found.append(base)
    return tuple(found)


def does_not_write(case: Case) -> bool:
    return not case.operator.writes and case.operator.tensors and not is_repeated(case)


def one_of_each_kind(case: Case) -> list[DType]:
    """float32, int64, bool and complex64, as far as the case has them: a kernel may find nothing to
    do for one of them alone.
    """
    wanted = (plugrad.float32, plugrad.int64, plugrad.bool, plugrad.complex64)
    return [dtype for dtype in wanted if dtype in case.dtypes]


@pytest.mark.parametrize("row", rows(does_not_write, one_of_each_kind), ids=str)
def test_result_has_memory_of_its_own_unless_it_is_a_view(row: Row, device: str) -> None:
    tensors = to_tensors(row.arrays(), device)
    results = row.run(tensors, row.params(device))
    if row.case.operator.geometry is not None:
        assert results[0].untyped_storage() is tensors[0].untyped_storage()
        return
    before = [to_numpy(each) for each in leaves(tensors)]
    overwrite_all(results, str(row))
    for tensor, array in zip(leaves(tensors), before, strict=True):
        message = f"{row}: the result shares memory with an input"
        assert_untouched(to_numpy(tensor), array, message)


def overwrite_all(results: tuple[Any, ...], what: str) -> None:
    """Change every element of results, each of which must have a place of its own."""
    before = [to_numpy(each) for each in results]
    for result in results:
        overwrite(result)
    for position, (result, old) in enumerate(zip(results, before, strict=True)):
        with np.errstate(all="ignore"):
            want = ~old if old.dtype.kind == "b" else (old + old.dtype.type(1)).astype(old.dtype)
        message = f"{what}: result {position} cannot be written like memory of its own"
        np.testing.assert_array_equal(to_numpy(result), want, err_msg=message)


def overwrite(tensor: Any) -> None:
    """Change every element."""
    if tensor.dtype is plugrad.bool:
        ops.comparison.logical_not_(tensor)
    else:
        ops.elementwise.add_(tensor, 1)


@pytest.mark.parametrize(
    "row",
    rows(lambda case: case.operator.writes and not is_repeated(case), typical_dtype),
    ids=str,
)
def test_what_is_written_is_returned_and_counted(row: Row, device: str) -> None:
    tensors = to_tensors(row.arrays(), device)
    targets = [each for i in row.case.operator.writes for each in leaves((tensors[i],))]
    before = [target.version for target in targets]
    results = row.run(tensors, row.params(device))
    assert all(got is target for got, target in zip(results, targets, strict=True))
    # A body may write more than once.
    assert all(target.version > version for target, version in zip(targets, before, strict=True))
