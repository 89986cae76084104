"""The contract: every operator has a row, kernels have the contract's signature, both ways of
calling agree, and a kernel gives what the operator's body gives.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad import ops
from plugrad_conformance.answers import backend_of, call_kernel, kernels_of
from plugrad_conformance.case import Case, family_of
from plugrad_conformance.cases import CASES, FAMILIES, is_repeated, name_of
from plugrad_conformance.check import allowed_error, assert_close
from plugrad_conformance.derivative import Problem
from plugrad_conformance.layouts import LAYOUTS
from plugrad_conformance.rows import (
    Row,
    leaves,
    rows,
    to_numpy,
    to_tensors,
    typical_dtype,
    widest_dtypes,
)

LEVEL = 1

OPERATORS = list(ops.operators.values())
WITH_HOOK = [operator for operator in OPERATORS if operator.geometry is None]


# structure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_operator_has_a_row_in_the_file_of_its_family(operator: Any) -> None:
    files = {
        name_of(family) for family in FAMILIES for case in family.CASES if case.operator is operator
    }
    wanted = family_of(operator)
    assert files == {wanted}, (
        f"{operator.name}: its row belongs into cases/{wanted}.py, found in {files or 'none'}"
    )


def test_variants_of_an_operator_have_names_of_their_own() -> None:
    names = Counter(str(row) for row in rows())
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_stated_derivative_is_checked_by_some_row(operator: Any) -> None:
    checked = any(case.differentiable for case in CASES if case.operator is operator)
    assert checked or not operator.pulls, f"{operator.name} has a derivative that no row checks"


@pytest.mark.parametrize("operator", WITH_HOOK, ids=lambda operator: operator.name)
def test_kernel_has_the_signature_of_its_contract(operator: Any, device: str) -> None:
    for hook in kernels_of(operator, device):
        names = tuple(inspect.signature(hook.function).parameters)
        assert names == (*operator.tensors, *operator.parameters), hook.plugin_name


@pytest.mark.parametrize("operator", WITH_HOOK, ids=lambda operator: operator.name)
def test_kernel_answers_some_row(operator: Any, device: str) -> None:
    kernels = kernels_of(operator, device)
    assert kernels or operator.body is not None, f"{operator.name}: a primitive without a kernel"
    tried = rows(lambda case: case.operator is operator, stored_on(device))
    for hook in kernels:
        # Some answer only where memory is in an order that suits them.
        answers = (
            call_kernel(row, device, hook.function, layout) is not None
            for layout in (None, *LAYOUTS)
            for row in tried
            if layout is None or row.case.layouts
        )
        assert any(answers), (
            f"{operator.name}: the kernel of {hook.plugin_name} declines every row; "
            "does it lack a return?"
        )


def stored_on(device: str) -> Callable[[Case], Any]:
    """The dtypes of a case that the backend stores."""
    stored = backend_of(device).manifest.dtypes
    return lambda case: [dtype for dtype in case.dtypes if dtype in stored]


# ways of calling ----------------------------------------------------------------------------------


def has_hook(case: Case) -> bool:
    return case.operator.geometry is None and case.reference is not None and not is_repeated(case)


def kernel_answer(row: Row, device: str, kernel: Callable[..., Any]) -> Any:
    """What a kernel gives for a row's tensors, as NumPy's arrays; None where it declines."""
    answer = call_kernel(row, device, kernel)
    if answer is None:
        return None
    to_host = backend_of(device).service("array_to_numpy")
    return [np.array(to_host(each)) for each in leaves((answer,))]


@pytest.mark.parametrize("row", rows(has_hook, typical_dtype), ids=str)
def test_hook_call_and_resolved_kernel_agree(row: Row, device: str) -> None:
    backend = backend_of(device)
    resolved = backend.resolve(row.case.name)
    direct = None if resolved is None else kernel_answer(row, device, resolved)
    hooked = kernel_answer(row, device, backend.hook(row.case.name))
    if direct is None:
        # Then the body answers the hook, or nobody, where the body needs the tensors themselves.
        operator = row.case.operator
        assert (hooked is None) == (operator.body is None or bool(operator.writes))
        direct = [
            to_numpy(each)
            for each in leaves(
                (row.case.function(*to_tensors(row.arrays(), device), *row.params(device)),)
            )
        ]
    if hooked is not None:
        for one, other in zip(direct, hooked, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(row), strict=True)


# bodies -------------------------------------------------------------------------------------------


def is_composite(case: Case) -> bool:
    return case.operator.body is not None and has_hook(case)


@pytest.mark.parametrize("row", rows(is_composite), ids=str)
def test_kernel_gives_what_the_body_gives(row: Row, device: str) -> None:
    operator = row.case.operator
    arrays, params = row.arrays(), row.params(device)
    arguments = to_tensors(arrays, device)
    if operator.prepare is not None:
        arguments, params = operator.prepare(arguments, params)
    with plugrad.no_grad():
        answer = row.case.apply(arguments, params, operator.body)
        bodily = [to_numpy(each) for each in leaves((answer,))]
    for position, (body, want) in enumerate(
        zip(bodily, row.want(arrays, row.params(device)), strict=True)
    ):
        tolerance = row.case.tolerance.stepwise(row.dtype)
        what = f"the body's result {position}"
        assert_close(body, want, row, device, what=what, tolerance=tolerance)


def states_derivative_of_body(case: Case) -> bool:
    return is_composite(case) and case.differentiable and case.operator.pulls and not case.opaque


@pytest.mark.parametrize(
    "row",
    rows(states_derivative_of_body, widest_dtypes),
    ids=str,
)
def test_stated_derivative_is_that_of_the_body(row: Row, device: str) -> None:
    problem = Problem(row, device)
    cotangents = problem.cotangents()
    stated = problem.gradients(cotangents)
    bodily = problem.gradients(cotangents, row.case.operator.body)
    for position, (got, want) in enumerate(zip(stated, bodily, strict=True)):
        room = 64 * allowed_error(want, want.dtype, row.arrays(), row.case.tolerance) + 1e-12
        assert_close(
            got, want, row, device, what=f"gradient {position}", room=room, cotangents=cotangents
        )
