"""Running products, extremes and sums of exponentials; differences, slopes and integrals."""

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


# running --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_scans_go_along_one_axis(dim: int) -> None:
    x = values(3, 5)
    y = pg.tensor(x)
    np.testing.assert_allclose(y.cumprod(dim).numpy(), np.cumprod(x, dim))
    np.testing.assert_allclose(y.logcumsumexp(dim).numpy(), np.logaddexp.accumulate(x, dim))
    np.testing.assert_array_equal(y.cummax(dim).values.numpy(), np.maximum.accumulate(x, dim))
    np.testing.assert_array_equal(y.cummin(dim).values.numpy(), np.minimum.accumulate(x, dim))


def test_running_extremes_take_the_last_of_equals_and_stay_at_a_nan() -> None:
    x = pg.tensor([1.0, 3, 2, 3, NAN, 4, NAN])
    largest, where = x.cummax(0)
    assert where.tolist() == [0, 1, 1, 3, 4, 4, 6]
    assert largest[:4].tolist() == [1, 3, 3, 3]
    assert largest[4:].isnan().all()
    assert x.cummin(0).indices.tolist() == [0, 0, 0, 0, 4, 4, 6]
    least = pg.tensor([200, 7, 7, 255], dtype=pg.uint8).cummin(0)
    assert least.values.tolist() == [200, 7, 7, 7]
    assert least.indices.tolist() == [0, 1, 2, 2]
    assert pg.tensor([True, False, True]).cummin(0).values.tolist() == [True, False, False]


def test_integers_are_multiplied_as_int64() -> None:
    product = pg.tensor([100, 100], dtype=pg.uint8).cumprod(0)
    assert product.tolist() == [100, 10000]
    assert product.dtype is pg.int64
    assert pg.tensor([1, 2]).cumprod(0, dtype=pg.float64).dtype is pg.float64


def test_a_tensor_without_axes_is_its_own_scan() -> None:
    x = pg.tensor(3.0)
    assert [x.cumprod(0).item(), x.cummax(-1).values.item(), x.logcumsumexp(0).item()] == [3, 3, 3]
    assert x.cummin(0).indices.tolist() == 0


def test_large_exponents_do_not_overflow() -> None:
    x = pg.tensor([1000.0, 1000.0, 2000.0])
    expected = [1000, 1000 + np.log(2), 2000]
    np.testing.assert_allclose(x.logcumsumexp(0).numpy(), expected, rtol=1e-6)


# With no zero, one, two, and one at either end.
@pytest.mark.parametrize("zeros", [(), (2,), (1, 3), (0,), (4,), (0, 1, 2, 3, 4)])
def test_the_product_has_every_derivative_at_zeros_too(zeros: tuple[int, ...]) -> None:
    x = values(5)
    x[list(zeros)] = 0
    check_gradients(lambda y: y.cumprod(0), x)


def test_gradients_of_scans_agree_with_differences() -> None:
    check_gradients(lambda y: y.logcumsumexp(1), values(2, 4))
    check_gradients(lambda y: y.cummax(1).values, values(2, 6))
    check_gradients(lambda y: y.cummin(0).values, values(6, 2))


# differences and integrals ----------------------------------------------------------------------


def test_differences_are_taken_again_and_again() -> None:
    x = values(3, 6)
    y = pg.tensor(x)
    np.testing.assert_allclose(y.diff(2).numpy(), np.diff(x, 2))
    np.testing.assert_allclose(y.diff(dim=0).numpy(), np.diff(x, axis=0))
    ends = np.ones((3, 2))
    joined = y.diff(prepend=pg.tensor(ends), append=pg.tensor(ends))
    np.testing.assert_allclose(joined.numpy(), np.diff(x, prepend=ends, append=ends))
    assert y.diff(9).shape == (3, 0)
    assert pg.tensor([True, False, False]).diff().tolist() == [True, False]


@pytest.mark.parametrize("edge_order", [1, 2])
def test_slopes_agree_with_numpys(edge_order: int) -> None:
    x = values(4, 5)
    y, at = pg.tensor(x), [np.array([0.0, 1, 3, 4]), np.array([0.0, 1, 3, 4, 7])]
    for ours, expected in (
        (pg.gradient(y, edge_order=edge_order), np.gradient(x, edge_order=edge_order)),
        (
            pg.gradient(y, spacing=[2.0, 0.5], edge_order=edge_order),
            np.gradient(x, 2.0, 0.5, edge_order=edge_order),
        ),
        (
            pg.gradient(y, spacing=[pg.tensor(each) for each in at], edge_order=edge_order),
            np.gradient(x, *at, edge_order=edge_order),
        ),
    ):
        for slope, right in zip(ours, expected, strict=True):
            np.testing.assert_allclose(slope.numpy(), right)
    (only,) = pg.gradient(y, dim=1)
    np.testing.assert_allclose(only.numpy(), np.gradient(x, axis=1))


def test_integrals_follow_the_trapezoidal_rule() -> None:
    y = pg.tensor([1.0, 2, 4, 8])
    assert pg.trapezoid(y).item() == 10.5
    assert pg.trapezoid(y, dx=2.0).item() == 21
    assert pg.trapezoid(y, pg.tensor([0.0, 2, 3, 3])).item() == 6
    assert pg.cumulative_trapezoid(y).tolist() == [1.5, 4.5, 10.5]
    rows = pg.stack([y, y], 1)
    assert pg.trapezoid(rows, dim=0).tolist() == [10.5, 10.5]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.to(pg.complex64).cummax(0), DtypeError),
        (lambda x: x.long().logcumsumexp(0), DtypeError),
        (lambda x: x.cumprod(2), RangeError),
        (lambda x: x.diff(-1), RangeError),
        (lambda x: x.sum().diff(), ShapeError),
        (lambda x: pg.gradient(x, spacing=[1.0]), ArgumentError),
        (lambda x: pg.gradient(x, edge_order=3), ArgumentError),
        (lambda x: pg.gradient(x, edge_order=2), ShapeError),
        (lambda x: pg.gradient(x, spacing=[pg.ones(3), pg.ones(2)]), ShapeError),
        (lambda x: pg.trapezoid(x.sum()), ShapeError),
        (lambda x: pg.trapezoid(x.bool()), DtypeError),
        (lambda x: pg.trapezoid(x, x, dx=2.0), ArgumentError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.zeros(2, 2))
