"""The strict backend passes: what the kit asks needs nothing but the contract."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
import strict
from saboteurs.questions import Question, modules, questions

import plugrad
from plugrad import discovery
from plugrad_conformance.rows import Row, typical_dtype


@pytest.fixture(scope="module", autouse=True)
def offered() -> Iterator[None]:
    """The backend, for the tests of this module."""
    strict.offer()
    yield
    plugrad.backends.unload(strict.NAME)
    discovery.withdraw(strict.NAME)


def is_typical(question: Question) -> bool:
    """Whether a question is about an operator's first variant in its typical dtype, or about no
    row.
    """
    row = next((each for each in question.arguments.values() if isinstance(each, Row)), None)
    if row is None:
        return True
    first = row.variant == next(iter(row.case.variants))
    return first and row.dtype in (*typical_dtype(row.case), plugrad.float64)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__.rpartition(".")[2])
def test_strict_backend_passes_the_typical_rows(module: ModuleType) -> None:
    asked = [each for each in questions(module) if is_typical(each)]
    complaints = {str(each): each.ask(strict.NAME) for each in asked}
    assert asked
    assert {name: complaint for name, complaint in complaints.items() if complaint} == {}


def test_strict_backend_breaks_at_what_numpy_would_take() -> None:
    kernels = plugrad.backends.backend(strict.NAME)
    x = kernels.service("array_adopt")(np.ones((2, 3), np.float32), None)
    add, total = kernels.resolve("add"), kernels.resolve("sum")
    assert add is not None
    assert total is not None
    with pytest.raises(strict.BrokenContractError, match="array of this backend"):
        add(x, np.ones((2, 3), np.float32))
    with pytest.raises(strict.BrokenContractError, match="dim"):
        total(x, (-1,), False)
    with pytest.raises(strict.BrokenContractError, match="keepdim"):
        total(x, (1,), np.bool_(False))
    with pytest.raises(strict.BrokenContractError, match="compared"):
        assert x == x
