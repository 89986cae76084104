"""Values: every operator, variant and dtype against float64, whatever the memory order; and inputs
are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad import ops
from plugrad_conformance.case import Case
from plugrad_conformance.check import assert_close
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
def test_values_are_those_of_the_float64_reference(
    row: Row, device: str, record_property: Callable[[str, object], None]
) -> None:
    backend = plugrad.backends.backend(plugrad.device(device).type)
    if row.dtype not in backend.manifest.dtypes:
        record_property("plugrad", "unsupported")
        with pytest.raises(plugrad.errors.PlugradError):
            row.run(to_tensors(row.arrays(), device), row.params(device))
        return
    arrays, params = row.arrays(), row.params(device)
    tensors = to_tensors(arrays, device)
    bodies = backend.fallbacks[row.case.name]
    results = row.run(tensors, params)
    status = status_of(row, backend, bodies)
    record_property("plugrad", status)
    tolerance = row.case.tolerance
    if status in ("composite", "declined"):
        tolerance = tolerance.stepwise(row.dtype)
    for position, (got, want) in enumerate(zip(results, row.want(arrays, params), strict=True)):
        what = f"result {position}"
        assert_close(to_numpy(got), want, row, device, what=what, tolerance=tolerance)
    for position, (array, tensor) in enumerate(zip(arrays, tensors, strict=True)):
        if position not in row.case.operator.writes:
            for before, after in zip(leaves((array,)), leaves((tensor,)), strict=True):
                np.testing.assert_array_equal(
                    to_numpy(after), before, err_msg=f"{row}: the operator changed its input"
                )


def status_of(row: Row, backend: Any, bodies_before: int) -> str:
    """Who answered: a kernel, the body because there is no kernel, the body because the kernel
    declined, or nobody.
    """
    if row.case.operator.geometry is not None:
        return "view"
    if backend.fallbacks[row.case.name] == bodies_before:
        return "native"
    return "composite" if backend.resolve(row.case.name) is None else "declined"


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
            np.testing.assert_array_equal(
                to_numpy(tensor), kept, err_msg=f"{row}: memory outside the result has changed"
            )


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
    return not case.operator.writes and case.operator.tensors


@pytest.mark.parametrize("row", rows(does_not_write, typical_dtype), ids=str)
def test_result_has_memory_of_its_own_unless_it_is_a_view(row: Row, device: str) -> None:
    tensors = to_tensors(row.arrays(), device)
    results = row.run(tensors, row.params(device))
    if row.case.operator.geometry is not None:
        assert results[0].untyped_storage() is tensors[0].untyped_storage()
        return
    before = [to_numpy(each) for each in leaves(tensors)]
    for result in results:
        if result.numel() and result.dtype is not plugrad.bool:
            ops.elementwise.add_(result, 1)
        elif result.numel():
            ops.comparison.logical_not_(result)
    for tensor, array in zip(leaves(tensors), before, strict=True):
        np.testing.assert_array_equal(
            to_numpy(tensor), array, err_msg=f"{row}: the result shares memory with an input"
        )


@pytest.mark.parametrize(
    "row", rows(lambda case: case.operator.writes and has_reference(case), typical_dtype), ids=str
)
def test_what_is_written_is_returned_and_counted(row: Row, device: str) -> None:
    tensors = to_tensors(row.arrays(), device)
    targets = [each for i in row.case.operator.writes for each in leaves((tensors[i],))]
    before = [target.version for target in targets]
    results = row.run(tensors, row.params(device))
    assert all(got is target for got, target in zip(results, targets, strict=True))
    assert [target.version for target in targets] == [version + 1 for version in before]
