"""Extremes, sums without NaN, variances with means, covariances and distances against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError

from .helpers import check_gradients


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def test_both_extremes_come_together() -> None:
    x = values(3, 4)
    both = pg.aminmax(pg.tensor(x), dim=1, keepdim=True)
    np.testing.assert_array_equal(both.min.numpy(), x.min(1, keepdims=True))
    np.testing.assert_array_equal(both.max.numpy(), x.max(1, keepdims=True))
    assert pg.tensor(x).aminmax().max.item() == x.max()


def test_sums_and_means_leave_nan_out() -> None:
    x = values(3, 4)
    x[0, 1] = x[2] = np.nan
    y = pg.tensor(x)
    np.testing.assert_allclose(y.nansum(1).numpy(), np.nansum(x, 1))
    np.testing.assert_allclose(y[:2].nanmean(1, keepdim=True).numpy()[:, 0], np.nanmean(x[:2], 1))
    assert y.nanmean(1).isnan().tolist() == [False, False, True]
    assert y.nansum(dtype=pg.float32).dtype is pg.float32


def test_nonzero_elements_are_counted() -> None:
    x = pg.tensor([[0.0, 1, float("nan")], [0, 0, -2]])
    assert x.count_nonzero().item() == 3
    assert x.count_nonzero(1).tolist() == [2, 1]
    assert x.count_nonzero((0, 1)).item() == 3


def test_variance_and_mean_come_together() -> None:
    x = values(3, 4)
    y = pg.tensor(x)
    for function, spread in ((pg.var_mean, np.var), (pg.std_mean, np.std)):
        wide, mean = function(y, 1, correction=2, keepdim=True)
        np.testing.assert_allclose(wide.numpy(), spread(x, 1, ddof=2, keepdims=True))
        np.testing.assert_allclose(mean.numpy(), x.mean(1, keepdims=True))
        assert function(y, False)[0].item() == pytest.approx(spread(x))


def test_covariances_agree_with_numpys() -> None:
    x = values(3, 6)
    y = pg.tensor(x)
    often, weight = np.array([1, 2, 1, 3, 1, 2]), np.array([0.5, 1, 1, 2, 0.1, 1])
    np.testing.assert_allclose(y.cov().numpy(), np.cov(x))
    np.testing.assert_allclose(y.cov(correction=0).numpy(), np.cov(x, ddof=0))
    weighted = y.cov(fweights=pg.tensor(often), aweights=pg.tensor(weight))
    np.testing.assert_allclose(weighted.numpy(), np.cov(x, fweights=often, aweights=weight))
    np.testing.assert_allclose(y[0].cov().item(), np.cov(x[0]))
    np.testing.assert_allclose(y.corrcoef().numpy(), np.corrcoef(x))
    assert y[0].corrcoef().item() == 1
    waves = x + 1j * values(3, 6, seed=1)
    np.testing.assert_allclose(pg.tensor(waves).cov().numpy(), np.cov(waves))


def test_slices_above_the_norm_are_scaled_down_to_it() -> None:
    x = np.array([[3.0, 4.0], [0.3, 0.4]])
    made = pg.tensor(x).renorm(2, 0, 1.0)
    np.testing.assert_allclose(made.numpy(), [[0.6, 0.8], [0.3, 0.4]], rtol=1e-6)
    assert pg.dist(pg.tensor(x[0]), pg.tensor(x[1])).item() == pytest.approx(4.5)
    assert pg.dist(pg.tensor(x[0]), pg.tensor(x[1]), 1).item() == pytest.approx(6.3)


def test_broadcasting_is_undone_by_a_sum() -> None:
    x = values(2, 3, 4)
    undone = pg.tensor(x).sum_to_size(3, 1)
    np.testing.assert_allclose(undone.numpy(), x.sum((0, 2))[:, None])
    assert pg.ones(2, 3).sum_to_size(2, 3).sum().item() == 6


def test_gradients_agree_with_differences() -> None:
    x = values(3, 5)
    for function in (
        lambda y: y.cov(),
        lambda y: y.corrcoef(),
        lambda y: y.renorm(2, 0, 1.5),
        lambda y: pg.std_mean(y, 1)[0],
        lambda y: y.nanmean(1),
    ):
        check_gradients(function, x)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.to(pg.complex64).nansum(), DtypeError),
        (lambda x: x.long().nanmean(), DtypeError),
        (lambda x: pg.zeros(2, 2, 2).cov(), ShapeError),
        (lambda x: x.bool().cov(), DtypeError),
        (lambda x: pg.zeros(2, 2, 2).corrcoef(), ShapeError),
        (lambda x: x.cov(fweights=pg.ones(2)), ArgumentError),
        (lambda x: x.cov(aweights=pg.ones(3)), ArgumentError),
        (lambda x: x.cov(aweights=-pg.ones(2)), RangeError),
        (lambda x: x[0].renorm(2, 0, 1.0), ShapeError),
        (lambda x: x.renorm(0, 0, 1.0), RangeError),
        (lambda x: x.renorm(2, 0, -1.0), RangeError),
        (lambda x: x[:0].aminmax(), ShapeError),
        (lambda x: x.sum_to_size(3), ShapeError),
        (lambda x: x.sum_to_size(1, 2, 2), ShapeError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.zeros(2, 2))
