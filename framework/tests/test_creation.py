"""Tensors from sizes and ranges, and windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError

WINDOWS: dict[str, Callable[[int], np.ndarray]] = {
    "hann_window": np.hanning,
    "hamming_window": np.hamming,
    "blackman_window": np.blackman,
    "bartlett_window": np.bartlett,
    "kaiser_window": lambda length: np.kaiser(length, 12.0),
}


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("length", [1, 2, 9, 16])
def test_windows_agree_with_numpys(name: str, length: int) -> None:
    window = getattr(pg, name)
    symmetric = window(length, False, dtype=pg.float64)
    np.testing.assert_allclose(symmetric.numpy(), WINDOWS[name](length), atol=1e-12)
    if length > 1:
        periodic = window(length, dtype=pg.float64)
        np.testing.assert_allclose(periodic.numpy(), WINDOWS[name](length + 1)[:-1], atol=1e-12)
    assert window(0).shape == (0,)


def test_lines_take_complex_numbers_and_tensors() -> None:
    line = pg.linspace(0, 1 + 2j, 3)
    assert line.dtype is pg.complex64
    assert line.tolist() == [0, 0.5 + 1j, 1 + 2j]
    assert pg.linspace(pg.tensor(0.0), pg.tensor(2), 3).tolist() == [0, 1, 2]
    powers = pg.logspace(0, 3, 4, 2.0, dtype=pg.int64)
    assert powers.tolist() == [1, 2, 4, 8]


def test_range_includes_its_end() -> None:
    assert pg.range(1, 2, 0.5).tolist() == [1, 1.5, 2]
    assert pg.range(5, 0, -2, dtype=pg.int64).tolist() == [5, 3, 1]


def test_layouts_can_be_chosen() -> None:
    assert pg.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    chosen = pg.empty_permuted((2, 3, 4), (1, 0, 2))
    assert chosen.shape == (2, 3, 4)
    assert chosen.stride() == (4, 8, 1)


def test_results_are_delivered_where_the_caller_wants_them() -> None:
    out = pg.empty(3)
    assert pg.arange(3.0, out=out) is out
    assert out.tolist() == [0, 1, 2]
    pg.eye(2, out=(square := pg.empty(0)))
    assert square.tolist() == [[1, 0], [0, 1]]
    pair = pg.empty(0), pg.empty(0, dtype=pg.int64)
    pg.sort(pg.tensor([2.0, 1.0]), out=pair)
    assert [each.tolist() for each in pair] == [[1, 2], [1, 0]]


def test_likes_require_grad_when_asked() -> None:
    x = pg.zeros(2)
    for like in (pg.zeros_like, pg.ones_like, pg.empty_like, pg.rand_like, pg.randn_like):
        assert like(x, requires_grad=True).requires_grad
    assert pg.scalar_tensor(2).dtype is pg.float32


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: pg.hann_window(-1), RangeError),
        (lambda: pg.hann_window(4, dtype=pg.int64), DtypeError),
        (lambda: pg.linspace(0, 1, -1), ArgumentError),
        (lambda: pg.linspace(0, 1j, 3, dtype=pg.float32), DtypeError),
        (lambda: pg.linspace(pg.zeros(2), 1, 3), ShapeError),
        (lambda: pg.range(0, 5, -1), ArgumentError),
        (lambda: pg.arange(0, 5, 0), ArgumentError),
        (lambda: pg.empty_strided((2,), (1, 1)), ArgumentError),
        (lambda: pg.empty_strided((2,), (-1,)), ArgumentError),
        (lambda: pg.empty_permuted((2, 3), (0, 0)), ArgumentError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call()
