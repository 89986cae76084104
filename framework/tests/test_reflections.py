"""Householder's reflections: `geqrf` and `ormqr`."""

from __future__ import annotations

import numpy as np
import pytest

import plugrad as pg
from plugrad import linalg
from plugrad.errors import ShapeError

from .helpers import check_gradients

MATRICES = np.random.default_rng(3).normal(size=(2, 5, 3))


def test_reflections_are_lapacks() -> None:
    found = pg.geqrf(pg.tensor(MATRICES))
    for i, matrix in enumerate(MATRICES):
        raw, tau = np.linalg.qr(matrix, mode="raw")
        np.testing.assert_allclose(found.a[i].numpy(), raw.T, atol=1e-12)
        np.testing.assert_allclose(found.tau[i].numpy(), tau, atol=1e-12)


def test_reflections_of_wide_complex_matrices_give_them_back() -> None:
    x = pg.tensor(MATRICES[0].T + 1j * MATRICES[1].T)
    a, tau = x.geqrf()
    again = pg.ormqr(a, tau, pg.triu(a))
    np.testing.assert_allclose(again.numpy(), x.numpy(), atol=1e-12)


def test_column_in_place_already_is_not_turned() -> None:
    a, tau = pg.geqrf(pg.tensor([[-2.0, 1.0], [0.0, 3.0], [0.0, 0.0]]))
    assert tau.tolist() == [0, 0]
    assert a.tolist() == [[-2, 1], [0, 3], [0, 0]]


def test_no_columns_have_no_reflections() -> None:
    a, tau = pg.geqrf(pg.ones(2, 4, 0))
    assert a.shape == (2, 4, 0)
    assert tau.shape == (2, 0)
    other = pg.ones(4, 3)
    assert pg.equal(pg.ormqr(pg.ones(4, 0), pg.ones(0), other), other)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
def test_product_is_with_the_square_q(left: bool, transpose: bool) -> None:
    x = pg.tensor(MATRICES[0] + 1j * MATRICES[1])
    a, tau = pg.geqrf(x)
    square = pg.cat([a, pg.zeros(5, 2, dtype=a.dtype)], 1)
    q = linalg.householder_product(square, tau)
    q = q.mH if transpose else q
    other = pg.tensor(np.random.default_rng(4).normal(size=(5, 5))).to(a.dtype)
    found = a.ormqr(tau, other, left, transpose)
    np.testing.assert_allclose(found.numpy(), (q @ other if left else other @ q).numpy())


def test_product_is_differentiable_in_all_operands() -> None:
    raw, tau = np.linalg.qr(MATRICES[0], mode="raw")
    check_gradients(pg.ormqr, raw.T.copy(), tau, MATRICES[1], second_order=False)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="geqrf"):
        pg.geqrf(pg.ones(3))
    with pytest.raises(ShapeError, match="5 rows"):
        pg.ormqr(pg.ones(5, 3), pg.ones(3), pg.ones(4, 2))
    with pytest.raises(ShapeError, match="at most 3 numbers"):
        pg.ormqr(pg.ones(5, 3), pg.ones(4), pg.ones(5, 2))
