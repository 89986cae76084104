"""Specs: shape, dtype and device of a result are what the operator's rule says, what its array has, and what the meta
device infers without data.
"""

from __future__ import annotations

from typing import Any

import plugrad
import pytest
from plugrad_conformance.case import Case
from plugrad_conformance.rows import Row, leaves, nested, rows, to_tensors


def spec_is_known_beforehand(case: Case) -> bool:
    return case.name not in ("nonzero", "masked_select", "to_device")


def facts(spec: Any) -> tuple[Any, ...]:
    return tuple(spec.shape), spec.dtype


@pytest.mark.parametrize("row", rows(), ids=str)
def test_result_has_the_spec_that_was_promised(row: Row, device: str) -> None:
    backend = plugrad.backends.backend(plugrad.device(device).type)
    if row.dtype not in backend.manifest.dtypes:
        pytest.skip(f"{device} does not store {row.dtype}")
    operator = row.case.operator
    tensors, params = to_tensors(row.arrays(), device), row.params(device)
    results = row.run(tensors, params)
    describe = backend.service("array_spec")
    for position, result in enumerate(results):
        shape, dtype = describe(result.native())
        assert (tuple(shape), dtype) == facts(result), f"{row}: result {position}'s array and spec differ"
        assert result.device is plugrad.device(device), f"{row}: result {position} is elsewhere"
    if operator.rule is not None and spec_is_known_beforehand(row.case):
        promised = list(leaves((rule_spec(operator, tensors, params),)))
        assert [facts(each) for each in results] == [facts(each) for each in promised], row


def rule_spec(operator: Any, tensors: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """What the operator's rule says of a call."""
    if operator.prepare is not None:
        tensors, params = operator.prepare(tensors, params)
    specs = nested(lambda tensor: tensor.spec, tensors)
    known = dict(zip((*operator.tensors, *operator.parameters), (*specs, *params), strict=True))
    return operator.rule(*[known[name] for name in operator.rule_names])


@pytest.mark.parametrize("row", rows(spec_is_known_beforehand), ids=str)
def test_meta_device_infers_the_same_spec(row: Row, device: str) -> None:
    backend = plugrad.backends.backend(plugrad.device(device).type)
    if row.dtype not in backend.manifest.dtypes:
        pytest.skip(f"{device} does not store {row.dtype}")
    tensors = to_tensors(row.arrays(), device)
    without_data = nested(lambda tensor: tensor.to("meta"), tensors)
    computed = row.run(tensors, row.params(device))
    inferred = row.run(without_data, row.params("meta"))
    assert [facts(each) for each in inferred] == [facts(each) for each in computed], row
    assert all(each.device is plugrad.device("meta") for each in inferred)
