"""Windows of signals: known shapes, symmetry, periods and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, RangeError
from plugrad.signal import windows

# What each is of 5 points, as functions of where a point is from -1 to 1.
SHAPES: dict[str, tuple[dict[str, Any], Callable[[np.ndarray], np.ndarray]]] = {
    "bartlett": ({}, lambda x: 1 - abs(x)),
    "blackman": ({}, lambda x: 0.42 + 0.5 * np.cos(np.pi * x) + 0.08 * np.cos(2 * np.pi * x)),
    "cosine": ({}, lambda x: np.cos(np.pi * x * 0.4)),
    "exponential": ({"tau": 3.0}, lambda x: np.exp(-abs(x) * 2 / 3)),
    "gaussian": ({"std": 0.9}, lambda x: np.exp(-((2 * x / 0.9) ** 2) / 2)),
    "general_cosine": ({"a": [0.7, 0.2]}, lambda x: 0.7 + 0.2 * np.cos(np.pi * x)),
    "general_hamming": ({"alpha": 0.6}, lambda x: 0.6 + 0.4 * np.cos(np.pi * x)),
    "hamming": ({}, lambda x: 0.54 + 0.46 * np.cos(np.pi * x)),
    "hann": ({}, lambda x: np.cos(np.pi * x / 2) ** 2),
    "kaiser": ({"beta": 3.0}, lambda x: np.i0(3 * np.sqrt(1 - x * x)) / np.i0(3)),
    "nuttall": (
        {},
        lambda x: (
            0.3635819
            + 0.4891775 * np.cos(np.pi * x)
            + 0.1365995 * np.cos(2 * np.pi * x)
            + 0.0106411 * np.cos(3 * np.pi * x)
        ),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_window_has_its_shape(name: str) -> None:
    options, shape = SHAPES[name]
    made = getattr(windows, name)(5, **options, dtype=pg.float64).numpy()
    np.testing.assert_allclose(made, shape(np.linspace(-1, 1, 5)), atol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_periodic_window_is_the_longer_one_without_its_end(name: str) -> None:
    options, _ = SHAPES[name]
    function = getattr(windows, name)
    longer = function(7, **options)
    np.testing.assert_array_equal(function(6, **options, sym=False).numpy(), longer[:-1].numpy())
    assert function(1, **options).tolist() == [1]
    assert function(0, **options).shape == (0,)


def test_center_of_a_periodic_exponential_may_be_given() -> None:
    made = windows.exponential(3, center=0, sym=False, dtype=pg.float64)
    np.testing.assert_allclose(made.numpy(), np.exp([0, -1, -2]))


def test_window_may_want_a_gradient() -> None:
    assert windows.hann(4, requires_grad=True).requires_grad


def test_bad_windows_are_refused() -> None:
    with pytest.raises(RangeError, match="hann: window_length"):
        windows.hann(-1)
    with pytest.raises(DtypeError, match="float32 or float64"):
        windows.hann(3, dtype=pg.float16)
    with pytest.raises(ArgumentError, match="std"):
        windows.gaussian(3, std=0.0)
    with pytest.raises(ArgumentError, match="tau"):
        windows.exponential(3, tau=-1.0)
    with pytest.raises(ArgumentError, match="center"):
        windows.exponential(3, center=1.0)
    with pytest.raises(ArgumentError, match="several weights"):
        windows.general_cosine(3, a=[])
    with pytest.raises(ArgumentError, match="beta"):
        windows.kaiser(3, beta=-1.0)
