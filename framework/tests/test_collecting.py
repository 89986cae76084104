"""Elements sent to positions and combined there, and written in the order of a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError

from .helpers import check_gradients

COMBINE: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "prod": lambda x: float(np.prod(x)),
    "mean": lambda x: float(np.mean(x)),
    "amax": max,
    "amin": min,
}


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def collected(
    x: np.ndarray, index: np.ndarray, source: np.ndarray, dim: int, reduce: str, own: bool
) -> np.ndarray:
    """Slow and plain: the elements of each place, then what becomes of them."""
    out = x.copy()
    for place in np.ndindex(x.shape):
        sent = [
            source[each]
            for each in np.ndindex(index.shape)
            if (*each[:dim], index[each], *each[dim + 1 :]) == place
        ]
        if sent:
            out[place] = COMBINE[reduce]([x[place], *sent] if own else sent)
    return out


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("reduce", COMBINE)
def test_elements_are_combined_at_their_positions(reduce: str, own: bool) -> None:
    rng = np.random.default_rng(3)
    for dim, shape in ((0, (7, 4)), (1, (3, 6))):
        x, source = values(3, 5), values(*shape, seed=1)
        index = rng.integers(0, x.shape[dim], shape)
        ours = pg.tensor(x).scatter_reduce(
            dim, pg.tensor(index), pg.tensor(source), reduce, include_self=own
        )
        expected = collected(x, index, source, dim, reduce, own)
        np.testing.assert_allclose(ours.numpy(), expected)


@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin"])
def test_slices_are_combined_at_their_positions(reduce: str) -> None:
    x, index, source = values(3, 4), np.array([2, 0, 2]), values(3, 4, seed=1)
    ours = pg.tensor(x).index_reduce(0, pg.tensor(index), pg.tensor(source), reduce)
    wide = np.repeat(index[:, None], 4, 1)
    np.testing.assert_allclose(ours.numpy(), collected(x, wide, source, 0, reduce, True))


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("reduce", COMBINE)
def test_gradients_agree_with_differences(reduce: str, own: bool) -> None:
    index = pg.tensor([[0, 2, 2], [1, 1, 0]])
    check_gradients(
        lambda x, y: x.scatter_reduce(1, index, y, reduce, include_self=own),
        values(2, 3),
        values(2, 3, seed=1),
    )


def test_those_that_tie_for_the_largest_share_the_gradient() -> None:
    x = pg.tensor([1.0, 5.0], requires_grad=True)
    source = pg.tensor([2.0, 2.0, 5.0], requires_grad=True)
    x.scatter_reduce(0, pg.tensor([0, 0, 1]), source, "amax").sum().backward()
    assert x.grad is not None
    assert source.grad is not None
    assert x.grad.tolist() == [0, 0.5]
    assert source.grad.tolist() == [0.5, 0.5, 0.5]


def test_integers_and_bools_have_extremes_and_whole_means() -> None:
    at, sent = pg.tensor([0, 0]), pg.tensor([4, 7], dtype=pg.uint8)
    x = pg.tensor([5, 1], dtype=pg.uint8)
    assert x.scatter_reduce(0, at, sent, "amin", include_self=False).tolist() == [4, 1]
    assert x.scatter_reduce(0, at, sent, "amax", include_self=False).tolist() == [7, 1]
    assert x.scatter_reduce(0, at, sent, "mean").tolist() == [5, 1]
    truth = pg.tensor([True, False])
    assert truth.scatter_reduce(0, at, ~truth, "amin", include_self=False).tolist() == [False] * 2


# masks and flat positions -----------------------------------------------------------------------


def test_a_mask_takes_the_first_elements_of_a_source() -> None:
    x, mask = pg.zeros(2, 3), pg.tensor([True, False, True])
    assert x.masked_scatter(mask, pg.arange(1.0, 9)).tolist() == [[1, 0, 2], [3, 0, 4]]
    assert x.masked_scatter(pg.zeros(3, dtype=pg.bool), pg.zeros(0)).tolist() == x.tolist()
    check_gradients(lambda a, b: a.masked_scatter(mask, b), values(2, 3), values(5))


def test_elements_are_put_at_flat_positions() -> None:
    x, at = pg.zeros(2, 3), pg.tensor([0, 4, -1])
    assert x.put(at, pg.tensor([1.0, 2, 3])).tolist() == [[1, 0, 0], [0, 2, 3]]
    twice = x.put(pg.tensor([[1, 1]]), pg.tensor([1.0, 2]), accumulate=True)
    assert twice.tolist() == [[0, 3, 0], [0, 0, 0]]


def test_positions_fill_a_given_number_of_rows() -> None:
    x = pg.tensor([[1, 0], [0, 2]])
    assert x.nonzero_static(size=1).tolist() == [[0, 0]]
    assert x.nonzero_static(size=3, fill_value=-7).tolist() == [[0, 0], [1, 1], [-7, -7]]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.scatter_reduce(0, pg.tensor([0]), pg.ones(1), "max"), ArgumentError),
        (lambda x: x.scatter_reduce(0, pg.tensor([3]), pg.ones(1), "amax"), RangeError),
        (lambda x: x.scatter_reduce(0, pg.tensor([[0]]), pg.ones(1), "amax"), ShapeError),
        (lambda x: x.scatter_reduce(0, pg.tensor([0, 1]), pg.ones(1), "amax"), ShapeError),
        (lambda x: x.scatter_reduce(0, pg.tensor([0]), pg.ones(1).double(), "sum"), DtypeError),
        (
            lambda x: x.to(pg.complex64).scatter_reduce(
                0, pg.tensor([0]), pg.ones(1, dtype=pg.complex64), "amax"
            ),
            DtypeError,
        ),
        (lambda x: x.index_reduce(0, pg.tensor([0]), pg.ones(1), "sum"), ArgumentError),
        (lambda x: x.index_reduce(0, pg.tensor([0]), pg.ones(2), "amax"), ShapeError),
        (lambda x: x.masked_scatter(pg.tensor([1, 0, 1]), x), DtypeError),
        (lambda x: x.masked_scatter(x == 0, x.double()), DtypeError),
        (lambda x: x.masked_scatter(x == 0, pg.ones(2)), RangeError),
        (lambda x: x.masked_scatter(x == 0, pg.ones(0)), ShapeError),
        (lambda x: x.put(pg.tensor([3]), pg.ones(1)), RangeError),
        (lambda x: x.put(pg.tensor([1, 2]), pg.ones(1)), ShapeError),
        (lambda x: x.nonzero_static(size=-1), RangeError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.zeros(3))
