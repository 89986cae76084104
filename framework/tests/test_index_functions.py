"""Functions of positions, masks and order against NumPy, their errors and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import ops
from plugrad.errors import (
    ArgumentError,
    DtypeError,
    PlugradError,
    RangeError,
    ShapeError,
)
from plugrad.functions import indexing

from .helpers import check_gradients


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def assert_same(actual: pg.Tensor, expected: Any) -> None:
    np.testing.assert_array_equal(actual.detach().numpy(), expected, strict=True)


# functions ----------------------------------------------------------------------------------------


def along(shape: tuple[int, ...], dim: int, count: int, *, once: bool = False) -> np.ndarray:
    """Positions for one axis: `count` of them, each different if they shall be named once."""
    rng = np.random.default_rng(1)
    sizes = (*shape[:dim], count, *shape[dim + 1 :])
    if once:
        return np.argsort(rng.random(shape), axis=dim).take(range(count), axis=dim)
    return rng.integers(0, shape[dim], sizes)


def added(x: np.ndarray, index: np.ndarray, source: np.ndarray, dim: int) -> np.ndarray:
    """Slow and plain: one element after the other."""
    out = x.copy()
    for place in np.ndindex(index.shape):
        out[(*place[:dim], index[place], *place[dim + 1 :])] += source[place]
    return out


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_gather_and_scatter_go_along_one_axis(dim: int, transposed: bool) -> None:
    x = values(4, 3, 5).transpose(2, 1, 0) if transposed else values(5, 3, 4)
    y = pg.tensor(values(4, 3, 5)).permute(2, 1, 0) if transposed else pg.tensor(x)
    index, once = along(x.shape, dim, 6), along(x.shape, dim, 2, once=True)
    source = values(*index.shape, seed=2)
    assert_same(y.gather(dim, pg.tensor(index)), np.take_along_axis(x, index, dim))
    expected = added(x, index, source, dim)
    actual = y.scatter_add(dim, pg.tensor(index), pg.tensor(source))
    np.testing.assert_allclose(actual.numpy(), expected)
    written = x.copy()
    np.put_along_axis(written, once, source.take([0, 1], axis=dim), dim)
    assert_same(y.scatter(dim, pg.tensor(once), pg.tensor(source)), written)
    assert_same(y, x)
    y.scatter_(dim, pg.tensor(once), pg.tensor(source))
    assert_same(y, written)
    y.scatter_add_(dim, pg.tensor(index), pg.tensor(source))
    np.testing.assert_allclose(y.numpy(), added(written, index, source, dim))


def test_gather_takes_fewer_slices_of_the_other_axes() -> None:
    x, index = values(3, 4), np.array([[3, 0, 3]])
    assert_same(pg.tensor(x).gather(1, pg.tensor(index)), np.take_along_axis(x[:1], index, 1))
    shorter = pg.tensor(x).T.gather(0, pg.tensor([[1], [2]]))
    assert_same(shorter, x.T[[1, 2], :1])


def test_scatter_multiplies() -> None:
    y = pg.tensor([1.0, 2.0, 3.0])
    index, source = pg.tensor([0, 2, 2]), pg.tensor([5.0, 7.0, 2.0])
    assert y.scatter(0, index, source, reduce="multiply").tolist() == [5, 2, 42]
    y.scatter_(0, index, 2, reduce="multiply")
    assert y.tolist() == [2, 2, 12]


def test_slices_are_selected_added_copied_and_filled() -> None:
    x, index = values(4, 3), np.array([2, 0])
    source = values(2, 3, seed=1)
    y, at, new = pg.tensor(x), pg.tensor(index), pg.tensor(source)
    assert_same(y.index_select(0, at), x[index])
    assert_same(y.index_select(1, pg.tensor(2)), x[:, [2]])
    assert_same(y.index_select(-1, at.to(pg.int32)), x[:, index])
    expected = {name: x.copy() for name in ("add", "copy", "fill")}
    expected["add"][index] += 2 * source
    expected["copy"][index] = source
    expected["fill"][index] = 1.5
    assert_same(y.index_add(0, at, new, alpha=2), expected["add"])
    assert_same(y.index_copy(0, at, new), expected["copy"])
    assert_same(y.index_fill(0, at - 4, 1.5), expected["fill"])
    assert_same(y, x)
    assert_same(y.clone().index_add_(0, at, new, alpha=2), expected["add"])
    assert_same(y.clone().index_copy_(0, at, new), expected["copy"])
    assert_same(y.clone().index_fill_(0, at, pg.tensor(1.5, dtype=pg.float64)), expected["fill"])


def test_slices_named_twice_are_added_twice() -> None:
    y = pg.zeros(3, 2)
    y.index_add_(0, pg.tensor([1, 1, 2]), pg.ones(3, 2))
    assert y.tolist() == [[0, 0], [2, 2], [1, 1]]


def test_index_put_writes_or_adds() -> None:
    x = values(3, 4)
    y = pg.tensor(x)
    rows, columns, new = np.array([0, 0, 2]), np.array([1, 1, 3]), np.array([1.0, 2.0, 3.0])
    at = (pg.tensor(rows), pg.tensor(columns))
    expected = x.copy()
    np.add.at(expected, (rows, columns), new)
    assert_same(y.index_put(at, pg.tensor(new), accumulate=True), expected)
    expected = x.copy()
    expected[:, columns[1:]] = 5
    five = pg.tensor(5.0, dtype=pg.float64)
    assert_same(y.index_put((None, at[1][1:]), five), expected)
    assert_same(y.index_put((y > 0,), five), np.where(x > 0, 5, x))
    assert_same(y.index_put((pg.tensor(1),), five), np.where([[0], [1], [0]], 5, x))
    assert_same(y, x)
    y.index_put_((None, at[1][1:]), five)
    assert_same(y, expected)


@pytest.mark.parametrize("apart", [False, True])
def test_adding_at_positions_reaches_views_of_any_layout(apart: bool) -> None:
    x = values(4, 5, 3)
    y = pg.tensor(x)
    rows, columns = np.array([[0], [3]]), np.array([1, -1, 1])
    key = (rows, slice(None), columns % 3) if apart else (slice(None), columns, rows % 3)
    new = values(*x.transpose(0, 1, 2)[key].shape)
    view = y.permute(0, 1, 2) if apart else y.permute(2, 1, 0)
    key = key if apart else (slice(None), columns, rows)
    reference = x if apart else x.transpose(2, 1, 0)
    new = values(*reference[key].shape)
    np.add.at(reference, key, new)
    at = tuple([None if isinstance(k, slice) else pg.tensor(k) for k in key])
    view.index_put_(at, pg.tensor(new), accumulate=True)
    np.testing.assert_allclose(y.numpy(), x)


def test_masks_fill_and_select() -> None:
    x, mask = values(3, 4), np.array([True, False, True, True])
    y, where = pg.tensor(x), pg.tensor(mask)
    assert_same(y.masked_fill(where, 2), np.where(mask, 2, x))
    assert_same(y[0].masked_fill(pg.tensor(x) > 0, 2), np.where(x > 0, 2, x[0]))
    assert_same(y.masked_select(where), x[:, mask].reshape(-1))
    assert_same(y.masked_select(y > 0), x[x > 0])
    assert_same(y.T.masked_fill_(where[:, None], 2).T, np.where(mask, 2, x))
    assert_same(y, np.where(mask, 2, x))
    assert pg.tensor([1, 2]).masked_fill(pg.tensor([True, False]), 2.5).tolist() == [2, 2]


def test_nonzero_lists_positions_in_order() -> None:
    x = np.array([[0, 3, 0], [1, 0, 2]])
    y = pg.tensor(x)
    assert_same(y.nonzero(), np.argwhere(x))
    assert_same(indexing.argwhere(y), np.argwhere(x))
    for ours, theirs in zip(y.nonzero(as_tuple=True), np.nonzero(x), strict=True):
        assert_same(ours, theirs)
    assert pg.tensor(3.0).nonzero().shape == (1, 0)
    assert pg.zeros(2, 0, 3).nonzero().shape == (0, 3)


def test_take_counts_in_the_flattened_tensor() -> None:
    x = values(3, 4)
    y = pg.tensor(x)
    assert_same(y.T.take(pg.tensor([[0, -1], [5, 5]])), x.T.reshape(-1)[[[0, -1], [5, 5]]])
    index = np.array([[0], [-1], [2]])
    assert_same(y.take_along_dim(pg.tensor(index), 1), np.take_along_axis(x, index, 1))
    assert_same(y.take_along_dim(pg.tensor([[3]]), 1), x[:, [3]])
    assert_same(y.take_along_dim(pg.tensor([7, 7])), x.reshape(-1)[[7, 7]])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int32", "uint8", "bool"])
def test_sort_orders_an_axis_and_keeps_equal_elements_in_place(
    dtype: str, dim: int, descending: bool
) -> None:
    x = np.random.default_rng(0).integers(0, 4, (5, 7))
    y = pg.tensor(x).to(getattr(pg, dtype)) if dtype != "bool" else pg.tensor(x) > 1
    x = y.to(pg.int64).numpy()
    order = np.argsort(-x if descending else x, axis=dim, kind="stable")
    ordered, positions = y.sort(dim, descending, stable=True)
    assert_same(positions, order)
    assert ordered.dtype is y.dtype
    assert_same(ordered.to(pg.int64), np.take_along_axis(x, order, dim))
    assert_same(y.argsort(dim, descending, stable=True), order)
    assert_same(y.sort(dim, descending).values.to(pg.int64), np.take_along_axis(x, order, dim))


@pytest.mark.parametrize("dtype", [pg.float64, pg.bfloat16])
def test_nan_counts_as_largest(dtype: pg.dtype) -> None:
    y = pg.tensor([1.0, float("nan"), float("inf"), -2.0], dtype=dtype)
    assert y.argsort().tolist() == [3, 0, 2, 1]
    assert y.argsort(descending=True).tolist() == [1, 2, 0, 3]
    assert y.topk(2).indices.tolist() == [1, 2]
    assert y.topk(2, largest=False).indices.tolist() == [3, 0]


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("k", [0, 1, 3, 5])
def test_topk_takes_the_ends_of_the_order(k: int, dim: int, largest: bool) -> None:
    x = np.random.default_rng(0).permutation(30).reshape(5, 6)
    order = np.argsort(-x if largest else x, axis=dim).take(range(k), axis=dim)
    best = pg.tensor(x).topk(k, dim, largest)
    assert_same(best.indices, order)
    assert_same(best.values, np.take_along_axis(x, order, dim))


def test_tensors_without_axes_count_as_one_element() -> None:
    y = pg.tensor(3.0)
    zero = pg.tensor(0)
    assert y.gather(0, zero).item() == 3
    assert y.gather(0, pg.tensor([0, 0])).tolist() == [3, 3]
    assert y.scatter_add(0, zero, pg.tensor(1.0)).item() == 4
    assert y.index_select(0, pg.tensor([0])).shape == ()
    assert y.index_fill(0, pg.tensor([0]), 5).item() == 5
    assert [each.item() for each in y.sort()] == [3, 0]
    assert [each.item() for each in y.topk(1)] == [3, 0]
    assert y.masked_select(pg.tensor(True)).tolist() == [3]
    y.scatter_(0, zero, 2.0)
    y.index_add_(0, pg.tensor([0]), pg.tensor([1.0]))
    assert y.item() == 3


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16])
def test_halves_are_added_up_without_loss(dtype: pg.dtype) -> None:
    # One by one in half precision the sum would stop growing at 256 or 2048.
    index = pg.zeros(4000, dtype=pg.int64)
    ones = pg.ones(4000, dtype=dtype)
    assert pg.zeros(2, dtype=dtype).scatter_add(0, index, ones).tolist() == [4000, 0]
    added = pg.zeros(2, dtype=dtype).index_put_((index,), ones, accumulate=True)
    assert added.tolist() == [4000, 0]


# derivatives --------------------------------------------------------------------------------------

ROWS = np.array([2, 0, 2, 1])
INDEX = np.array([[0, 2, 1], [2, 2, 0]])
ONCE = np.array([[1, 0, 2], [0, 2, 1]])
DERIVATIVES: dict[str, tuple[Any, ...]] = {
    "index": (lambda x: x[pg.tensor(ROWS)], (3, 4)),
    "index, two axes": (lambda x: x[pg.tensor(ROWS), :, pg.tensor(ROWS)], (3, 2, 3)),
    "index_put": (
        lambda x, v: x.index_put((pg.tensor([2, 0]), pg.tensor([1, 1])), v),
        (3, 4),
        (2,),
    ),
    "index_put, adding": (
        lambda x, v: x.index_put((pg.tensor(ROWS),), v, accumulate=True),
        (3, 2),
        (4, 1),
    ),
    "gather": (lambda x: x.gather(0, pg.tensor(INDEX)), (3, 4)),
    "scatter": (lambda x, s: x.scatter(0, pg.tensor(ONCE), s), (3, 4), (3, 5)),
    "scatter_add": (lambda x, s: x.scatter_add(0, pg.tensor(INDEX), s), (3, 4), (2, 3)),
    "scatter_mul": (
        lambda x, s: x.scatter(0, pg.tensor(INDEX), s, reduce="multiply"),
        (3, 4),
        (2, 3),
    ),
    "index_select": (lambda x: x.index_select(1, pg.tensor(ROWS)), (2, 3)),
    "index_add": (lambda x, s: x.index_add(1, pg.tensor(ROWS), s, alpha=3), (2, 3), (2, 4)),
    "index_copy": (lambda x, s: x.index_copy(1, pg.tensor([2, 0]), s), (2, 3), (2, 2)),
    "index_fill": (lambda x, v: x.index_fill(1, pg.tensor(ROWS[:3]), v), (2, 3), ()),
    "masked_fill": (lambda x, v: x.masked_fill(pg.tensor(ONCE > 0), v), (3,), ()),
    "masked_select": (lambda x: x.masked_select(pg.tensor(ONCE > 0)), (3,)),
    "mask of the first axis": (lambda x: x[pg.tensor([True, False, True])], (3, 2)),
    "take": (lambda x: x.take(pg.tensor(INDEX)), (2, 3)),
    "take_along_dim": (lambda x: x.take_along_dim(pg.tensor(INDEX), 1), (1, 3)),
    "sort": (lambda x: x.sort(0, descending=True).values, (4, 2)),
    "topk": (lambda x: x.topk(2, largest=False).values, (2, 4)),
    "embedding": (lambda w: ops.indexing.embedding(w, pg.tensor(INDEX), None), (3, 2)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives_agree_with_differences_twice(name: str) -> None:
    function, *shapes = DERIVATIVES[name]
    operands = [values(*shape, seed=i) for i, shape in enumerate(shapes)]
    check_gradients(lambda *tensors: function(*tensors).exp(), *operands)


def test_the_product_rule_holds_at_zeros() -> None:
    # Two zeros meet in one place, one in another.
    source = np.array([0.0, 0.0, 2.0, 0.0, 5.0])
    index = pg.tensor([0, 0, 0, 1, 1])
    check_gradients(
        lambda x, s: x.scatter(0, index, s, reduce="multiply"),
        np.array([3.0, 4.0, 5.0]),
        source,
        second_order=False,
    )


def test_the_padding_row_of_an_embedding_gets_no_gradient() -> None:
    weight = pg.tensor(values(4, 3)).requires_grad_()
    index = pg.tensor([[1, 0], [1, 3]])
    out = ops.indexing.embedding(weight, index, 1)
    assert_same(out, values(4, 3)[[[1, 0], [1, 3]]])
    out.sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1] * 3, [0] * 3, [0] * 3, [1] * 3]


def test_positions_of_sorting_have_no_gradient() -> None:
    x = pg.tensor([2.0, 1.0]).requires_grad_()
    ordered, positions = x.sort()
    assert ordered.requires_grad
    assert not positions.requires_grad


# bodies -------------------------------------------------------------------------------------------

X, AT = values(3, 4), np.array([2, 0, 2])
BODIES: dict[str, tuple[Any, ...]] = {
    "index_backward": (values(3, 4), (pg.tensor(AT),), (3, 4)),
    "index_select": (X, AT, 0),
    "index_add": (X, AT, values(3, 4), 0),
    "index_copy": (X, np.array([2, 0]), values(2, 4), 0),
    "index_fill": (X, AT, np.array(2.0), 1),
    "embedding": (X, INDEX, 1),
    "embedding_backward": (values(2, 3, 4), INDEX, 5, 2),
    "masked_select": (X, X > 0),
    "masked_fill": (X, X > 0, np.array(2.0)),
    "argsort": (X, 0, True, True),
    "topk": (X, 2, 1, True),
    "searchsorted": (np.array([-1.0, 0.0, 0.0, 2.0]), X, True),
    "scatter_max": (X, np.array([[2, 0, 2, 1]] * 3), values(3, 4, seed=1), 1),
}
SORTING = ("argsort", "topk", "searchsorted", "scatter_max")


@pytest.mark.parametrize("name", BODIES)
def test_a_kernel_computes_what_the_body_means(name: str) -> None:
    operator = getattr(ops.sorting if name in SORTING else ops.indexing, name)
    arguments = [pg.tensor(a) if isinstance(a, np.ndarray) else a for a in BODIES[name]]
    ours, meant = operator(*arguments), operator.operator.body(*arguments)
    for kernel, body in zip(*[r if isinstance(r, tuple) else (r,) for r in (ours, meant)]):
        np.testing.assert_allclose(kernel.numpy(), body.numpy(), strict=True)


# errors -------------------------------------------------------------------------------------------


OUTSIDE: dict[str, Callable[[pg.Tensor, pg.Tensor], Any]] = {
    "gather": lambda x, i: x.gather(0, i),
    "scatter": lambda x, i: x.scatter(0, i, 1.0),
    "scatter_": lambda x, i: x.scatter_(0, i, 1.0),
    "scatter_add": lambda x, i: x.scatter_add(0, i, pg.ones(1)),
    "scatter_mul": lambda x, i: x.scatter(0, i, 2.0, reduce="multiply"),
    "index_select": lambda x, i: x.index_select(0, i),
    "index_add": lambda x, i: x.index_add(0, i, pg.ones(1)),
    "embedding": lambda x, i: ops.indexing.embedding(x, i, None),
    "embedding_backward": lambda x, i: ops.indexing.embedding_backward(pg.ones(1), i, 3, None),
}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("position", [-1, 3])
def test_positions_along_an_axis_must_lie_inside(name: str, position: int) -> None:
    with pytest.raises(RangeError, match=f"index: expected positions from 0 to 2.*got {position}"):
        OUTSIDE[name](pg.zeros(3), pg.tensor([position]))


def test_an_empty_axis_has_no_positions() -> None:
    with pytest.raises(RangeError, match=r"axis 0 of .* is empty"):
        pg.zeros(0, 2).index_select(0, pg.tensor([0]))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.gather(0, pg.tensor([0])), ShapeError),
        (lambda x: x.gather(0, pg.zeros(1, 3, dtype=pg.int64)), ShapeError),
        (lambda x: x.gather(0, pg.zeros(1, 2)), DtypeError),
        (lambda x: x.gather(2, pg.zeros(1, 2, dtype=pg.int64)), RangeError),
        (lambda x: x.scatter(0, pg.zeros(1, 2, dtype=pg.int64), pg.zeros(1, 1)), ShapeError),
        (
            lambda x: x.scatter(
                0, pg.zeros(1, 2, dtype=pg.int64), pg.zeros(1, 2, dtype=pg.float64)
            ),
            DtypeError,
        ),
        (
            lambda x: x.scatter(0, pg.zeros(1, 2, dtype=pg.int64), 1.0, reduce="mean"),
            ArgumentError,
        ),
        (lambda x: x.index_select(0, pg.zeros(1, 1, dtype=pg.int64)), ShapeError),
        (lambda x: x.index_add(0, pg.tensor([0]), pg.zeros(2, 2)), ShapeError),
        (lambda x: x.index_copy(0, pg.tensor([0]), pg.zeros(1, 2, dtype=pg.int64)), DtypeError),
        (lambda x: x.index_fill(0, pg.tensor([0]), pg.zeros(2)), ShapeError),
        (lambda x: x.index_put((pg.tensor([0]),), pg.zeros(3)), ShapeError),
        (lambda x: x.index_put((pg.tensor([0]),), pg.zeros(2, dtype=pg.int64)), DtypeError),
        (lambda x: x.index_put(([0],), pg.zeros(2)), ArgumentError),
        (lambda x: x.masked_fill(pg.tensor([1, 0]), 0), DtypeError),
        (lambda x: x.masked_fill(pg.tensor([True, False, True]), 0), ShapeError),
        (lambda x: x.masked_fill(pg.tensor([True, False]), pg.zeros(2)), ShapeError),
        (lambda x: x[0].masked_fill_(pg.ones(2, 2, dtype=pg.bool), 0), ShapeError),
        (lambda x: x.masked_select(x), DtypeError),
        (lambda x: x.topk(3), RangeError),
        (lambda x: x.to(pg.complex64).sort(), DtypeError),
        (lambda x: ops.indexing.masked_select(x, pg.tensor([True])), ShapeError),
        (lambda x: ops.indexing.index(x, (pg.tensor([0]),) * 3), RangeError),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    call: Callable[[pg.Tensor], Any], error: type[PlugradError]
) -> None:
    with pytest.raises(error):
        call(pg.zeros(2, 2))
