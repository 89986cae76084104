"""Specs: shape, dtype and device of a result are what the operator's rule says, what its array has,
and what the meta device infers without data.
"""

from __future__ import annotations

from typing import Any

import pytest

import plugrad
from plugrad_conformance import journal
from plugrad_conformance.answers import backend_of, claim, who_answers
from plugrad_conformance.case import Case
from plugrad_conformance.rows import Row, leaves, nested, rows, to_tensors

LEVEL = 1


def spec_is_known_beforehand(case: Case) -> bool:
    """Whether the elements have no say in the shape, and the device is that of the operands."""
    return case.name not in ("nonzero", "masked_select", "to_device")


def facts(spec: Any) -> tuple[Any, ...]:
    return tuple(spec.shape), spec.dtype


@pytest.mark.every_dtype
@pytest.mark.parametrize("row", rows(), ids=str)
def test_result_has_the_spec_that_is_promised_and_inferred(row: Row, device: str) -> None:
    if claim(row, device) == "lacks":
        journal.note_answer("unsupported")
        with pytest.raises(plugrad.errors.UnsupportedError):
            row.run(to_tensors(row.arrays(), device), row.params(device))
        return
    journal.note_answer(*who_answers(row, device))
    backend, operator = backend_of(device), row.case.operator
    tensors, params = to_tensors(row.arrays(), device), row.params(device)
    results = tuple(leaves((row.case.function(*tensors, *params),)))
    computed = [facts(each) for each in results]
    described = [backend.service("array_spec")(each.native()) for each in results]
    assert computed == [(tuple(shape), dtype) for shape, dtype in described], (
        "array and spec differ"
    )
    assert {each.device for each in results} <= {plugrad.device(device)}
    if not spec_is_known_beforehand(row.case):
        return
    if operator.rule is not None:
        promised = leaves((rule_spec(operator, tensors, params),))
        assert computed == [facts(each) for each in promised], "result and rule differ"
    without_data = nested(lambda tensor: tensor.to("meta"), tensors)
    inferred = tuple(leaves((row.case.function(*without_data, *row.params("meta")),)))
    assert computed == [facts(each) for each in inferred], "result and inference differ"
    assert {each.device for each in inferred} <= {plugrad.device("meta")}


def rule_spec(operator: Any, tensors: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """What the operator's rule says of a call."""
    if operator.prepare is not None:
        tensors, params = operator.prepare(tensors, params)
    specs = nested(lambda tensor: tensor.spec, tensors)
    known = dict(zip((*operator.tensors, *operator.parameters), (*specs, *params), strict=True))
    return operator.rule(*[known[name] for name in operator.rule_names])
