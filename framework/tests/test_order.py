"""Medians, quantiles, modes, searches: what follows from the order of elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError

from .helpers import check_gradients

NAN = float("nan")


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# ranks ------------------------------------------------------------------------------------------


def test_the_median_is_the_lower_of_two() -> None:
    assert pg.tensor([4.0, 1, 3, 2]).median().item() == 2
    middle = pg.tensor([[4, 1, 3], [9, 8, 7]]).median(1)
    assert middle.values.tolist() == [3, 8]
    assert middle.indices.tolist() == [2, 1]
    assert pg.tensor([[4, 1], [9, 8]]).median(0, keepdim=True).values.shape == (1, 2)


def test_a_nan_is_the_median_but_not_the_nanmedian() -> None:
    x = pg.tensor([[3.0, NAN, 1], [2, 4, 3]])
    found = x.median(1)
    assert found.values.isnan().tolist() == [True, False]
    assert found.indices.tolist() == [1, 2]
    assert x.nanmedian(1).values.tolist() == [1, 3]
    assert x.nanmedian().item() == 3
    assert pg.tensor([NAN, NAN]).nanmedian().isnan().item()
    assert pg.zeros(0).median().isnan().item()


def test_the_kth_value_counts_from_one() -> None:
    x = pg.tensor([[5.0, 2, 9], [1, 3, 2]])
    assert [x.kthvalue(k, 1).values.tolist() for k in (1, 3)] == [[2, 1], [9, 3]]
    assert x.kthvalue(2, 0, keepdim=True).indices.tolist() == [[0, 1, 0]]


def test_the_mode_is_the_least_of_the_most_frequent() -> None:
    found = pg.tensor([[3, 1, 3, 1, 2], [5, 5, 4, 4, 4]]).mode()
    assert found.values.tolist() == [1, 4]
    assert found.indices.tolist() == [3, 4]
    assert pg.tensor([[1, 2], [1, 2]]).mode(0, keepdim=True).values.tolist() == [[1, 2]]
    assert pg.tensor(7).mode().values.item() == 7


METHODS = {"linear": "linear", "lower": "lower", "higher": "higher", "midpoint": "midpoint"}


@pytest.mark.parametrize("interpolation", [*METHODS, "nearest"])
def test_quantiles_agree_with_numpys(interpolation: str) -> None:
    x = values(4, 6)
    y, q = pg.tensor(x), [0.0, 0.3, 0.5, 1.0]
    shares = pg.tensor(q, dtype=pg.float64)
    for dim in (None, 0, 1):
        expected = np.quantile(x, q, dim, method=interpolation)
        ours = y.quantile(shares, dim, interpolation=interpolation)
        np.testing.assert_allclose(ours.numpy(), expected)
    assert y.quantile(0.5, 1, keepdim=True).shape == (4, 1)
    assert y.quantile(shares, keepdim=True).shape == (4, 1, 1)


def test_a_nan_is_every_quantile_unless_it_is_left_out() -> None:
    x = values(3, 5)
    x[0, 2] = NAN
    y = pg.tensor(x)
    assert y.quantile(0.5, 1).isnan().tolist() == [True, False, False]
    np.testing.assert_allclose(y.nanquantile(0.3, 1).numpy(), np.nanquantile(x, 0.3, 1))


def test_gradients_go_to_the_chosen_elements() -> None:
    for function in (
        lambda y: y.median(1).values,
        lambda y: y.nanmedian(),
        lambda y: y.kthvalue(2, 0).values,
        lambda y: y.quantile(0.3, 1),
        lambda y: y.mode(1).values,
    ):
        check_gradients(function, values(3, 5))


# search -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("right", [False, True])
def test_search_finds_where_values_would_stand(right: bool) -> None:
    edges, x = np.array([1.0, 2, 2, 3, 5]), np.array([[0.0, 1, 2], [2.5, 5, NAN]])
    expected = np.searchsorted(edges, x, "right" if right else "left")
    found = pg.searchsorted(pg.tensor(edges), pg.tensor(x), right=right)
    np.testing.assert_array_equal(found.numpy(), expected)
    np.testing.assert_array_equal(
        pg.bucketize(pg.tensor(x), pg.tensor(edges), right=right).numpy(), expected
    )
    rows = np.sort(values(2, 3, 6), -1)
    y = values(2, 3, 4, seed=1)
    found = pg.searchsorted(pg.tensor(rows), pg.tensor(y), right=right, out_int32=True)
    assert found.dtype is pg.int32
    for place in np.ndindex(2, 3):
        side = "right" if right else "left"
        np.testing.assert_array_equal(
            found[place].numpy(), np.searchsorted(rows[place], y[place], side)
        )


def test_search_takes_numbers_a_sorter_and_two_dtypes() -> None:
    edges = pg.tensor([3, 1, 2])
    assert pg.searchsorted(edges, 2, sorter=pg.tensor([1, 2, 0])).item() == 1
    assert pg.searchsorted(pg.tensor([1, 2, 3]), pg.tensor([1.5]), side="right").tolist() == [1]
    assert pg.bucketize(2.5, pg.tensor([1.0, 2, 3])).item() == 2


def test_isin_knows_what_is_there() -> None:
    x = pg.tensor([[1, 2], [3, 4]])
    assert pg.isin(x, pg.tensor([2, 3, 9])).tolist() == [[False, True], [True, False]]
    assert pg.isin(x, 4, invert=True).tolist() == [[True, True], [True, False]]
    assert pg.isin(4, x).item() is True
    assert pg.isin(x, pg.tensor([])).any().item() is False
    assert pg.isin(pg.tensor([NAN]), pg.tensor([NAN])).tolist() == [False]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.kthvalue(0), RangeError),
        (lambda x: x.kthvalue(3), RangeError),
        (lambda x: x.bool().median(), DtypeError),
        (lambda x: x[:0].median(0), ShapeError),
        (lambda x: x[:0].mode(0), ShapeError),
        (lambda x: x.quantile(1.5), RangeError),
        (lambda x: x.long().quantile(0.5), DtypeError),
        (lambda x: x.quantile(x.double()[0]), DtypeError),
        (lambda x: x.quantile(x), ShapeError),
        (lambda x: x[:0].quantile(0.5), ShapeError),
        (lambda x: x.quantile(0.5, interpolation="cubic"), ArgumentError),
        (lambda x: pg.searchsorted(x[0], x, side="middle"), ArgumentError),
        (lambda x: pg.searchsorted(x[0], x, side="left", right=True), ArgumentError),
        (lambda x: pg.searchsorted(x, pg.ones(3, 2)), ShapeError),
        (lambda x: pg.searchsorted(x, x, sorter=pg.tensor([0, 1])), ShapeError),
        (lambda x: pg.searchsorted(x.to(pg.complex64), x.to(pg.complex64)), DtypeError),
        (lambda x: pg.ops.sorting.searchsorted(x[0], x.double(), False), DtypeError),
        (lambda x: pg.bucketize(x, x), ShapeError),
        (lambda x: pg.isin(1, 2), ArgumentError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.zeros(2, 2))
