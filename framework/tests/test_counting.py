"""Distinct elements, counts and histograms against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError


def numbers(*shape: int, below: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, below, shape)


def assert_same(actual: pg.Tensor, expected: Any) -> None:
    np.testing.assert_array_equal(actual.numpy(), expected)


# distinct elements ------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [None, 0, 1])
def test_distinct_elements_and_slices_come_in_order(dim: int | None) -> None:
    x = numbers(9, 2, below=2) if dim != 1 else numbers(2, 9, below=2)
    values, inverse, counts = pg.tensor(x).unique(return_inverse=True, return_counts=True, dim=dim)
    expected = np.unique(x, return_inverse=True, return_counts=True, axis=dim)
    assert_same(values, expected[0])
    assert_same(inverse, expected[1].reshape(inverse.shape))
    assert_same(counts, expected[2])
    assert_same(pg.tensor(x).unique(dim=dim), expected[0])


def test_runs_of_equals_are_one_each() -> None:
    x = pg.tensor([1, 1, 2, 2, 2, 1])
    values, inverse, counts = x.unique_consecutive(return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 1]
    assert inverse.tolist() == [0, 0, 1, 1, 1, 2]
    assert counts.tolist() == [2, 3, 1]
    rows = pg.tensor([[1, 2], [1, 2], [3, 4], [1, 2]])
    assert rows.unique_consecutive(dim=0).tolist() == [[1, 2], [3, 4], [1, 2]]


def test_no_elements_have_no_distinct_ones() -> None:
    values, counts = pg.zeros(0).unique(return_counts=True)
    assert [values.shape, counts.shape] == [(0,), (0,)]
    assert pg.tensor(3).unique().tolist() == [3]


def test_each_nan_is_an_element_of_its_own() -> None:
    found = pg.tensor([float("nan"), 1.0, float("nan")]).unique()
    assert found.isnan().tolist() == [False, True, True]


# counts -----------------------------------------------------------------------------------------


def test_integers_are_counted_and_weighed() -> None:
    x, weights = numbers(20, below=6), np.random.default_rng(1).random(20)
    y = pg.tensor(x)
    assert_same(y.bincount(), np.bincount(x))
    assert_same(y.bincount(minlength=9), np.bincount(x, minlength=9))
    weighed = y.bincount(pg.tensor(weights))
    np.testing.assert_allclose(weighed.numpy(), np.bincount(x, weights))
    assert y.bincount(pg.tensor(weights).float()).dtype is pg.float32
    assert y.bincount(pg.tensor(x)).dtype is pg.float64
    assert pg.zeros(0, dtype=pg.int64).bincount(minlength=2).tolist() == [0, 0]


def test_a_histogram_counts_both_ends() -> None:
    x = pg.tensor([0.0, 1, 2, 2.5, 3, 4, float("nan")])
    assert x.histc(3, 0, 3).tolist() == [1, 1, 3]
    assert x[:6].histc(4).tolist() == [1, 1, 2, 2]
    assert pg.full((3,), 2.0).histc(2).tolist() == [0, 3]


@pytest.mark.parametrize("density", [False, True])
def test_histograms_agree_with_numpys(density: bool) -> None:
    x, weight = np.random.default_rng(0).normal(size=50), np.random.default_rng(1).random(50)
    y = pg.tensor(x)
    for bins, more in ((5, {}), (5, {"range": (-1.0, 1.0)}), (np.array([-2.0, 0, 0.5, 3]), {})):
        hist, edges = np.histogram(x, bins, density=density, weights=weight, **more)
        named = bins if isinstance(bins, int) else pg.tensor(bins)
        ours = pg.histogram(y, named, density=density, weight=pg.tensor(weight), **more)
        np.testing.assert_allclose(ours.hist.numpy(), hist)
        np.testing.assert_allclose(ours.bin_edges.numpy(), edges)


def test_histograms_of_points_have_an_axis_per_coordinate() -> None:
    points = np.random.default_rng(0).normal(size=(60, 2))
    hist, edges = np.histogramdd(points, [3, 4], density=True)
    ours = pg.histogramdd(pg.tensor(points), [3, 4], density=True)
    np.testing.assert_allclose(ours.hist.numpy(), hist)
    for edge, expected in zip(ours.bin_edges, edges, strict=True):
        np.testing.assert_allclose(edge.numpy(), expected)
    narrow = pg.histogramdd(pg.tensor(points), 2, range=[-1.0, 1, -2, 2]).hist
    expected = np.histogramdd(points, 2, range=[(-1, 1), (-2, 2)])[0]
    np.testing.assert_array_equal(narrow.numpy(), expected)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.to(pg.complex64).unique(), DtypeError),
        (lambda x: pg.zeros(2, 0).unique(dim=0), ShapeError),
        (lambda x: x.bincount(), DtypeError),
        (lambda x: x.long().bincount(), DtypeError),
        (lambda x: pg.tensor([-1]).bincount(), RangeError),
        (lambda x: pg.tensor([1]).bincount(minlength=-1), RangeError),
        (lambda x: pg.tensor([1]).bincount(x), ShapeError),
        (lambda x: x.long().histc(), DtypeError),
        (lambda x: x.histc(0), RangeError),
        (lambda x: x.histc(4, 3, 1), RangeError),
        (lambda x: (x / 0).histc(4), RangeError),
        (lambda x: x.long().histogram(3), DtypeError),
        (lambda x: x.histogram(3, weight=pg.ones(3)), ShapeError),
        (lambda x: x.histogram(3, range=(0.0, 1.0, 2.0)), ArgumentError),
        (lambda x: pg.histogramdd(x[0], 3), ShapeError),
        (lambda x: pg.histogramdd(x, [3]), ArgumentError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.ones(2, 2))
