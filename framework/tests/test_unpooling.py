"""Pooling beyond the largest and the mean, held against one window after the other."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError

from .helpers import check_gradients

rng = np.random.default_rng(37)
SIZES = [(7,), (5, 6), (4, 5, 4)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("p", [1, 2, 3, np.inf])
def test_power_means_are_norms_of_windows(sizes: tuple[int, ...], p: float) -> None:
    x = rng.random((2, 3, *sizes)) + 0.1
    counts = [(n - 3) // 2 + 1 for n in sizes]
    expected = np.zeros((2, 3, *counts))
    for place in product(*map(range, counts)):
        window = x[(..., *[slice(2 * at, 2 * at + 3) for at in place])]
        expected[(..., *place)] = np.linalg.norm(window.reshape(2, 3, -1), p, axis=-1)
    layer = getattr(nn, f"LPPool{len(sizes)}d")(p, 3, stride=2)
    np.testing.assert_allclose(layer(pg.tensor(x)).numpy(), expected)
    np.testing.assert_allclose(layer(pg.tensor(x[0])).numpy(), expected[0])
    if sizes == (7,) and p != np.inf:
        check_gradients(lambda x: F.lp_pool1d(x, p, 3, 2), x)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("padding", [0, 1])
def test_unpooling_puts_the_largest_back(sizes: tuple[int, ...], padding: int) -> None:
    spatial = len(sizes)
    x = rng.standard_normal((2, 3, *sizes))
    pool = getattr(F, f"max_pool{spatial}d")
    values, indices = pool(pg.tensor(x), 3, 2, padding, return_indices=True)
    unpool = getattr(nn, f"MaxUnpool{spatial}d")(3, 2, padding)
    for output_size in (sizes, (2, 3, *sizes)):
        found = unpool(values, indices, output_size).numpy()
        chosen = found != 0
        np.testing.assert_array_equal(found, np.where(chosen, x, 0))
        assert set(found[chosen]) == set(values.flatten().tolist())


def test_unpooling_without_a_size_takes_the_least_that_could_be() -> None:
    x = pg.tensor(rng.standard_normal((2, 3, 7, 5)))
    values, indices = F.max_pool2d(x, 3, 2, return_indices=True)
    found = nn.MaxUnpool2d(3, 2)(values, indices)
    assert found.shape == (2, 3, 7, 5)
    assert nn.MaxUnpool2d(3, 2)(values[0], indices[0]).tolist() == found[0].tolist()


def test_unpooling_has_gradients() -> None:
    indices = pg.tensor([[[0, 3, 5]]])
    check_gradients(lambda x: F.max_unpool1d(x, indices, 2), rng.standard_normal((1, 1, 3)))


def test_unpooling_refuses_what_does_not_fit() -> None:
    x, indices = pg.ones(1, 1, 3), pg.tensor([[[0, 3, 5]]])
    with pytest.raises(ArgumentError, match=r"output_size: expected 1 sizes, less than"):
        F.max_unpool1d(x, indices, 2, output_size=(8,))
    with pytest.raises(ShapeError, match=r"indices: expected the input's \(1, 1, 3\)"):
        F.max_unpool1d(x, indices[..., :2], 2)
    with pytest.raises(DtypeError, match="indices: expected int64"):
        F.max_unpool1d(x, indices.int(), 2)
    with pytest.raises(RangeError):
        F.max_unpool1d(x, indices + 1, 2)


def starts(sample: float, size: int, count: int, kernel: int) -> list[int]:
    step = (size - kernel) / (count - 1)
    return [int((i + sample) * step) - int(sample * step) for i in range(count - 1)] + [
        size - kernel
    ]


@pytest.mark.parametrize(("sizes", "counts"), [((7, 9), (3, 5)), ((5, 7, 6), (2, 4, 3))])
def test_fractional_pooling_takes_windows_at_drawn_places(
    sizes: tuple[int, ...], counts: tuple[int, ...]
) -> None:
    spatial = len(sizes)
    x, samples = rng.standard_normal((2, 3, *sizes)), rng.random((2, 3, spatial))
    layer = getattr(nn, f"FractionalMaxPool{spatial}d")(
        2, counts, return_indices=True, _random_samples=pg.tensor(samples)
    )
    values, indices = layer(pg.tensor(x))
    order = (1, 0) if spatial == 2 else (0, 1, 2)
    for n, c in product(range(2), range(3)):
        drawn = [samples[n, c, order[axis]] for axis in range(spatial)]
        axes = [starts(*each, 2) for each in zip(drawn, sizes, counts, strict=True)]
        for place in product(*map(range, counts)):
            window = [slice(axis[at], axis[at] + 2) for axis, at in zip(axes, place, strict=True)]
            assert values[(n, c, *place)].item() == x[(n, c, *window)].max()
    flat = x.reshape(2, 3, -1)
    seen = np.take_along_axis(flat, indices.numpy().reshape(2, 3, -1), 2)
    assert np.array_equal(seen, values.numpy().reshape(2, 3, -1))


def test_fractional_pooling_draws_and_has_gradients() -> None:
    x = pg.tensor(rng.standard_normal((1, 2, 8, 8)))
    pg.manual_seed(0)
    first = F.fractional_max_pool2d(x, 2, output_ratio=0.6)
    assert first.shape == (1, 2, 4, 4)
    pg.manual_seed(0)
    assert F.fractional_max_pool2d(x, 2, output_ratio=0.6).tolist() == first.tolist()
    assert F.fractional_max_pool2d(x[0], 2, (3, 5)).shape == (2, 3, 5)
    samples = pg.tensor([[[0.3, 0.8]]]).double()
    check_gradients(
        lambda x: F.fractional_max_pool2d(x, 2, 3, _random_samples=samples),
        rng.permutation(25).reshape(1, 1, 5, 5),
        second_order=False,
    )


def test_fractional_pooling_refuses_what_does_not_fit() -> None:
    x = pg.ones(1, 1, 4, 4)
    with pytest.raises(ArgumentError, match="either a size or an output_ratio"):
        nn.FractionalMaxPool2d(2)
    with pytest.raises(ArgumentError, match="either a size or an output_ratio"):
        nn.FractionalMaxPool2d(2, 3, 0.5)
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        nn.FractionalMaxPool2d(2, output_ratio=1.5)
    with pytest.raises(ArgumentError, match="output_size: expected a size"):
        F.fractional_max_pool2d(x, 2)
    with pytest.raises(ShapeError, match=r"from 1 to \(3, 3\)"):
        F.fractional_max_pool2d(x, 2, 4)
    with pytest.raises(ShapeError, match="_random_samples"):
        F.fractional_max_pool2d(x, 2, 2, _random_samples=pg.ones(1, 1, 3))
