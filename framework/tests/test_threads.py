"""How many threads a call may use: one setting for kernels and for the libraries that they call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_info

import plugrad as pg
from plugrad.errors import ArgumentError


@pytest.fixture(autouse=True)
def setting() -> Iterator[None]:
    before = pg.get_num_threads()
    yield
    pg.set_num_threads(before)


def threads_of_blas() -> int:
    return max(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")


def test_number_of_threads_reaches_numpys_matrix_products() -> None:
    pg.ones(1)
    pg.set_num_threads(1)
    assert (pg.get_num_threads(), threads_of_blas()) == (1, 1)


def test_number_set_before_a_backend_is_used_holds_once_it_is() -> None:
    pg.backends.unload("numpy")
    pg.set_num_threads(1)
    assert pg.get_num_threads() == 1
    pg.backends.backend("numpy").service("threads_set")(2)
    pg.backends.unload("numpy")
    pg.ones(1)
    assert threads_of_blas() == 1


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True])
def test_number_of_threads_is_an_int_of_at_least_one(count: object) -> None:
    with pytest.raises(ArgumentError, match="an int of at least 1") as raised:
        pg.set_num_threads(count)  # type: ignore[arg-type]
    assert (raised.value.operator, raised.value.argument) == ("set_num_threads", "num")
