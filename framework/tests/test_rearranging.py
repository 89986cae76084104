"""Stacked, split, repeated, turned, laid on diagonals, made into grids: against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, PlugradError, RangeError, ShapeError

from .helpers import check_gradients


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def assert_same(actual: pg.Tensor, expected: Any) -> None:
    np.testing.assert_array_equal(actual.detach().numpy(), expected, strict=True)


# joined and split -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hstack", "vstack", "dstack", "column_stack"])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (2, 3, 4)])
def test_stacks_agree_with_numpys(name: str, shape: tuple[int, ...]) -> None:
    x, y = values(*shape), values(*shape, seed=1)
    assert_same(getattr(pg, name)([pg.tensor(x), pg.tensor(y)]), getattr(np, name)([x, y]))


@pytest.mark.parametrize("name", ["hsplit", "vsplit", "dsplit"])
def test_splits_agree_with_numpys(name: str) -> None:
    x = values(4, 6, 8)
    for cuts in (2, (1, 3)):
        expected = getattr(np, name)(x, cuts)
        for ours, piece in zip(getattr(pg.tensor(x), name)(cuts), expected, strict=True):
            assert_same(ours, piece)
    assert [each.shape for each in pg.arange(6).hsplit(3)] == [(2,)] * 3


def test_blocks_lie_on_the_diagonal() -> None:
    made = pg.block_diag(pg.ones(2, 1), pg.tensor([2.0, 3]), pg.tensor(4.0))
    assert made.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 2, 3, 0], [0, 0, 0, 4]]
    check_gradients(pg.block_diag, values(2, 2), values(3))


# repeated and turned ----------------------------------------------------------------------------


def test_tensors_are_tiled_and_elements_repeated() -> None:
    x = values(2, 3)
    y = pg.tensor(x)
    for counts in ((2,), (2, 3), (2, 1, 2)):
        assert_same(y.tile(counts), np.tile(x, counts))
    assert_same(y.repeat_interleave(2), np.repeat(x, 2))
    assert_same(y.repeat_interleave(3, dim=1), np.repeat(x, 3, 1))
    often = pg.tensor([2, 0, 1])
    assert_same(y.repeat_interleave(often, 1), np.repeat(x, [2, 0, 1], 1))
    assert_same(y.repeat_interleave(often, 1, output_size=3), np.repeat(x, [2, 0, 1], 1))
    assert pg.repeat_interleave(often).tolist() == [0, 0, 2]
    check_gradients(lambda z: z.repeat_interleave(often, 1), x)


def test_tensors_are_mirrored_and_turned() -> None:
    x = values(2, 3, 4)
    y = pg.tensor(x)
    assert_same(y.fliplr(), np.fliplr(x))
    assert_same(y.flipud(), np.flipud(x))
    for quarters in range(-2, 5):
        assert_same(y.rot90(quarters, (0, 2)), np.rot90(x, quarters, (0, 2)))


# diagonals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-2, 0, 1])
def test_diagonals_are_read_and_laid(offset: int) -> None:
    x, matrix = values(3), values(3, 4)
    assert_same(pg.tensor(x).diag(offset), np.diag(x, offset))
    assert_same(pg.tensor(matrix).diag(offset), np.diag(matrix, offset))
    assert_same(pg.tensor(matrix).diagflat(offset), np.diagflat(matrix, offset))
    laid = pg.diag_embed(pg.tensor(matrix), offset, 0, 2)
    assert_same(laid.diagonal(offset, 0, 2), matrix)
    assert laid.count_nonzero().item() == 12
    check_gradients(lambda y: y.diag_embed(offset), values(2, 3))


def test_a_diagonal_is_filled_in_place() -> None:
    expected = np.zeros((7, 3))
    np.fill_diagonal(expected, 2, wrap=True)
    assert_same(pg.zeros(7, 3, dtype=pg.float64).fill_diagonal_(2, wrap=True), expected)
    assert pg.zeros(2, 2, 2).fill_diagonal_(1).nonzero().tolist() == [[0, 0, 0], [1, 1, 1]]


def test_views_are_written_into_copies() -> None:
    x = pg.zeros(3, 4)
    assert x.select_scatter(pg.ones(4), 0, -1).sum(1).tolist() == [0, 0, 4]
    assert x.slice_scatter(pg.ones(3, 2), 1, 0, None, 2)[0].tolist() == [1, 0, 1, 0]
    assert x.diagonal_scatter(pg.ones(2), -1).nonzero().tolist() == [[1, 0], [2, 1]]
    written = x.as_strided_scatter(pg.ones(2), (2,), (5,), 1)
    assert written.nonzero().tolist() == [[0, 1], [1, 2]]
    assert not x.any()
    check_gradients(lambda a, b: a.slice_scatter(b, 1, 1, 3), values(2, 4), values(2, 2))


# grids and products -----------------------------------------------------------------------------


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_grids_agree_with_numpys(indexing: str) -> None:
    axes = [values(3), values(4), values(2)]
    for count in (1, 2, 3):
        ours = pg.meshgrid(*[pg.tensor(each) for each in axes[:count]], indexing=indexing)
        for grid, expected in zip(ours, np.meshgrid(*axes[:count], indexing=indexing), strict=True):
            assert_same(grid, expected)


def test_products_and_combinations_are_rows() -> None:
    x, y = pg.tensor([1, 2]), pg.tensor([3, 4, 5])
    assert pg.cartesian_prod(x, y).tolist() == [[1, 3], [1, 4], [1, 5], [2, 3], [2, 4], [2, 5]]
    assert pg.cartesian_prod(x) is x
    assert pg.combinations(y).tolist() == [list(pair) for pair in combinations([3, 4, 5], 2)]
    assert pg.combinations(x, with_replacement=True).tolist() == [[1, 1], [1, 2], [2, 2]]
    assert pg.combinations(x, 3).shape == (0, 3)
    assert pg.combinations(x, 0).shape == (0,)


def test_axes_are_added_and_broadcast() -> None:
    vector = pg.arange(3)
    assert [each.shape for each in pg.atleast_2d(pg.tensor(1), vector)] == [(1, 1), (1, 3)]
    assert pg.atleast_1d(pg.tensor(1)).shape == (1,)
    assert pg.atleast_3d(vector).shape == (1, 3, 1)
    assert pg.atleast_3d(pg.ones(2, 3)).shape == (2, 3, 1)
    assert pg.broadcast_shapes((3, 1), 4, (2, 1, 1)) == (2, 3, 4)
    assert [each.shape for each in pg.broadcast_tensors(vector, pg.ones(2, 1))] == [(2, 3)] * 2


def test_powers_of_zero_have_a_gradient() -> None:
    x = np.array([0.0, 1, 2])
    assert_same(pg.vander(pg.tensor(x), 4), np.vander(x, 4))
    assert_same(pg.vander(pg.tensor(x), increasing=True), np.vander(x, increasing=True))
    check_gradients(lambda y: pg.vander(y, 3), x)


@pytest.mark.parametrize(("row", "col"), [(3, 4), (4, 3), (0, 3)])
@pytest.mark.parametrize("offset", [-2, 0, 1])
def test_positions_of_triangles_agree_with_numpys(row: int, col: int, offset: int) -> None:
    assert_same(pg.tril_indices(row, col, offset), np.array(np.tril_indices(row, offset, col)))
    assert_same(pg.triu_indices(row, col, offset), np.array(np.triu_indices(row, offset, col)))


def test_flat_positions_become_positions_along_axes() -> None:
    places = np.array([[0, 5], [11, 7]])
    for ours, expected in zip(
        pg.unravel_index(pg.tensor(places), (3, 4)), np.unravel_index(places, (3, 4)), strict=True
    ):
        assert_same(ours, expected)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.hsplit(3), ArgumentError),
        (lambda x: x.sum().hsplit(1), ShapeError),
        (lambda x: x.vsplit(0), ArgumentError),
        (lambda x: x.dsplit(1), ShapeError),
        (lambda x: pg.dstack([]), ArgumentError),
        (lambda x: pg.block_diag(pg.ones(2, 2, 2)), ShapeError),
        (lambda x: x.repeat_interleave(-1), RangeError),
        (lambda x: x.repeat_interleave(pg.tensor([1, -1]), 0), RangeError),
        (lambda x: x.repeat_interleave(pg.tensor([1, 1, 1]), 0), ShapeError),
        (lambda x: x.repeat_interleave(pg.ones(2), 0), DtypeError),
        (lambda x: x[0].fliplr(), ShapeError),
        (lambda x: x.rot90(1, (0, 0)), ArgumentError),
        (lambda x: x.rot90(1, (0, 1, 1)), ArgumentError),
        (lambda x: pg.ones(2, 2, 2).diag(), ShapeError),
        (lambda x: x.sum().diag_embed(), ShapeError),
        (lambda x: x.diag_embed(0, 1, 1), ArgumentError),
        (lambda x: x[0].fill_diagonal_(1), ShapeError),
        (lambda x: x.select_scatter(pg.ones(3), 0, 0), ShapeError),
        (lambda x: x.as_strided_scatter(pg.ones(5), (5,), (1,)), ShapeError),
        (lambda x: pg.meshgrid(), ArgumentError),
        (lambda x: pg.meshgrid(x), ShapeError),
        (lambda x: pg.meshgrid(x[0], pg.arange(2)), DtypeError),
        (lambda x: pg.meshgrid(x[0], indexing="yx"), ArgumentError),
        (lambda x: pg.combinations(x), ShapeError),
        (lambda x: pg.combinations(x[0], -1), RangeError),
        (lambda x: pg.vander(x), ShapeError),
        (lambda x: pg.vander(x[0], -1), RangeError),
        (lambda x: pg.tril_indices(-1, 2), ShapeError),
        (lambda x: pg.unravel_index(x, (2,)), DtypeError),
        (lambda x: pg.broadcast_tensors(x, pg.ones(3)), ShapeError),
        (lambda x: pg.broadcast_tensors(x, 3), ArgumentError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.zeros(2, 2))


def test_sizes_and_axes_are_given_one_by_one_as_a_sequence_or_by_name() -> None:
    x = pg.arange(6).reshape(2, 3)
    for name, keyword, sizes, expected in (
        ("view", "size", (3, 2), (3, 2)),
        ("reshape", "shape", (3, -1), (3, 2)),
        ("permute", "dims", (1, 0), (3, 2)),
        ("expand", "size", (4, 2, 3), (4, 2, 3)),
        ("repeat", "repeats", (1, 2), (2, 6)),
        ("flip", "dims", (0, 1), (2, 3)),
    ):
        method = getattr(x, name)
        found = [method(*sizes), method(sizes), method(list(sizes)), method(**{keyword: sizes})]
        assert [each.shape for each in found] == [expected] * 4
        assert [each.tolist() for each in found] == [found[0].tolist()] * 4


def test_the_method_where_keeps_its_own_tensors_elements() -> None:
    x, y = pg.tensor([1.0, 2.0]), pg.tensor([5.0, 6.0])
    assert x.where(pg.tensor([True, False]), y).tolist() == [1, 6]
