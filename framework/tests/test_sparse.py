"""Sparse gradients of embeddings, what they do and what takes them; and bags of embeddings."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, KindError, RangeError, ShapeError, UnsupportedError
from plugrad.optim import SGD, Adagrad, Adam, SparseAdam

INDEX = [[1, 2, 2], [4, 1, 2]]


def table() -> pg.Tensor:
    return pg.randn(6, 3, dtype=pg.float64).requires_grad_()


def looked_up(weight: pg.Tensor, **options: Any) -> pg.Tensor:
    return F.embedding(pg.tensor(INDEX), weight, **options)


def test_a_sparse_gradient_is_the_dense_one_without_its_zeros() -> None:
    weight, factor = table(), pg.randn(2, 3, 3, dtype=pg.float64)
    (looked_up(weight, padding_idx=4) * factor).sum().backward()
    dense, weight.grad = weight.grad, None
    (looked_up(weight, padding_idx=4, sparse=True) * factor).sum().backward()
    sparse = weight.grad
    assert sparse.is_sparse
    assert sparse.shape == (6, 3)
    assert sparse._nnz() == 5
    assert pg.allclose(sparse.to_dense(), dense)
    short = sparse.coalesce()
    assert short.indices().tolist() == [[1, 2]]
    assert pg.allclose(short.values(), dense[1:3])
    with pytest.raises(ArgumentError, match="coalesce"):
        sparse.values()


def test_sparse_gradients_accumulate_and_scale() -> None:
    weight = table()
    looked_up(weight, sparse=True).sum().backward()
    looked_up(weight, sparse=True).sum().backward()
    weight.grad.mul_(0.5)
    expected = pg.tensor([0.0, 2, 3, 0, 1, 0], dtype=pg.float64)
    assert weight.grad.is_sparse
    assert pg.equal(weight.grad.to_dense()[:, 0], expected)
    assert pg.equal((-weight.grad / 2).to_dense()[:, 0], expected / -2)
    for twin in (copy.deepcopy(weight.grad), pickle.loads(pickle.dumps(weight.grad))):
        assert pg.equal(twin.to_dense(), weight.grad.to_dense())
    weight.grad.zero_()
    assert weight.grad._nnz() == 0


def test_a_dense_gradient_takes_a_sparse_one_up() -> None:
    weight = table()
    (weight * 2).sum().backward()
    looked_up(weight, sparse=True).sum().backward()
    assert not weight.grad.is_sparse
    assert weight.grad[:, 0].tolist() == [2, 4, 5, 2, 3, 2]


def test_places_in_several_axes_are_summed_and_put_in_order() -> None:
    made = pg.sparse_coo_tensor([[1, 0, 1], [0, 2, 0]], [3.0, 4.0, 5.0])
    assert made.shape == (2, 3)
    assert made.to_dense().tolist() == [[0, 0, 4], [8, 0, 0]]
    assert made.coalesce().indices().tolist() == [[0, 1], [2, 0]]
    assert made.coalesce().values().tolist() == [4, 8]
    assert "nnz=3, layout=sparse_coo" in repr(made)


def test_sparse_tensors_refuse_what_needs_all_elements() -> None:
    made = pg.sparse_coo_tensor([[1]], [3.0], (4,))
    for wrong in (lambda: made.exp(), lambda: made * pg.ones(4), lambda: made.numpy()):
        with pytest.raises(UnsupportedError, match="to_dense"):
            wrong()
    with pytest.raises(ShapeError, match="a column for each value"):
        pg.sparse_coo_tensor([[1, 2]], [3.0])
    with pytest.raises(ShapeError, match=r"at least \(2,\)"):
        pg.sparse_coo_tensor([[1]], [3.0], (1,))
    with pytest.raises(ShapeError, match="1 axes and then"):
        pg.sparse_coo_tensor([[1]], [3.0], (2, 2))


def test_a_gradient_may_be_scaled_by_how_often_a_row_was_looked_up() -> None:
    weight = table()
    looked_up(weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad[:, 0].tolist() == [0, 1, 1, 0, 1, 0]


def test_sparse_adam_is_adam_on_the_rows_that_have_a_gradient() -> None:
    first, second = table(), None
    second = first.detach().clone().requires_grad_()
    sparse, dense = SparseAdam([first], 0.1), Adam([second], 0.1)
    for _ in range(3):  # always the same rows: then both agree, but for where eps stands
        looked_up(first, sparse=True).square().sum().backward()
        looked_up(second).square().sum().backward()
        sparse.step()
        dense.step()
        sparse.zero_grad()
        dense.zero_grad()
    assert pg.allclose(first, second, atol=1e-5)
    before = first[1].tolist()
    F.embedding(pg.tensor([4]), first, sparse=True).sum().backward()
    sparse.step()
    assert first[1].tolist() == before
    first.grad = pg.ones(6, 3, dtype=pg.float64)
    with pytest.raises(KindError, match="use Adam"):
        sparse.step()
    with pytest.raises(ArgumentError, match="lr: expected above 0"):
        SparseAdam([first], 0.0)


@pytest.mark.parametrize(
    ("kind", "options"), [(SGD, {"maximize": True}), (Adagrad, {"lr_decay": 0.1})]
)
def test_a_step_with_sparse_gradients_is_the_step_with_dense_ones(kind: Any, options: Any) -> None:
    first = table()
    second, alone = first.detach().clone().requires_grad_(), pg.zeros(3).requires_grad_()
    twin = alone.detach().clone().requires_grad_()
    sparse, dense = kind([first, alone], 0.1, **options), kind([second, twin], 0.1, **options)
    for _ in range(3):
        ((looked_up(first, sparse=True) + alone) ** 2).sum().backward()
        ((looked_up(second) + twin) ** 2).sum().backward()
        assert first.grad.is_sparse
        for optimizer in (sparse, dense):
            optimizer.step()
            optimizer.zero_grad()
    assert pg.allclose(first, second)
    assert pg.allclose(alone, twin)


def test_optimizers_say_what_sparse_gradients_do_not_go_with() -> None:
    weight = table()
    looked_up(weight, sparse=True).sum().backward()
    with pytest.raises(ArgumentError, match="momentum: expected 0 where a gradient is sparse"):
        SGD([weight], 0.1, momentum=0.9).step()
    with pytest.raises(ArgumentError, match="weight_decay: expected 0"):
        Adagrad([weight], weight_decay=0.1).step()
    with pytest.raises(UnsupportedError, match="to_dense"):
        Adam([weight]).step()


# bags ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_is_reduced_without_its_padding(mode: str) -> None:
    rows = np.random.default_rng(0).standard_normal((6, 3))
    layer = nn.EmbeddingBag.from_pretrained(pg.tensor(rows), False, mode=mode, padding_idx=0)
    bags = ([1, 2, 2], [], [5, 0, 3], [0])
    flat = pg.tensor([each for bag in bags for each in bag])
    reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    kept = [[each for each in bag if each] for bag in bags]
    expected = [reduce(rows[bag], 0) if bag else np.zeros(3) for bag in kept]
    out = layer(flat, pg.tensor([0, 3, 3, 6]))
    np.testing.assert_allclose(out.numpy(force=True), np.array(expected))
    layer.include_last_offset = True
    assert pg.equal(layer(flat, pg.tensor([0, 3, 3, 6, 7])), out)
    out.sum().backward()
    assert layer.weight.grad[0].tolist() == [0, 0, 0]
    alike = layer(pg.tensor([[1, 2, 2], [5, 0, 3]]))
    assert pg.allclose(alike, out[::2])


def test_a_sum_may_be_weighted_and_its_gradient_sparse() -> None:
    weight, factors = table(), pg.randn(2, 3, dtype=pg.float64).requires_grad_()
    options: Any = {"mode": "sum", "per_sample_weights": factors}
    out = F.embedding_bag(pg.tensor(INDEX), weight, sparse=True, **options)
    expected = (weight.detach()[pg.tensor(INDEX)] * factors.detach().unsqueeze(-1)).sum(1)
    assert pg.allclose(out, expected)
    out.sum().backward()
    assert weight.grad.is_sparse
    assert pg.allclose(weight.grad.to_dense()[4, 0], factors[1, 0])
    assert pg.allclose(factors.grad[0, 0], weight[1].sum())


def test_bags_refuse_what_does_not_fit() -> None:
    weight, flat = table(), pg.tensor([0, 1])
    with pytest.raises(ArgumentError, match="'sum', 'mean' or 'max'"):
        F.embedding_bag(flat, weight, flat, mode="min")
    with pytest.raises(ArgumentError, match="False with mode 'max'"):
        F.embedding_bag(flat, weight, flat, mode="max", sparse=True)
    with pytest.raises(ArgumentError, match="per_sample_weights"):
        F.embedding_bag(flat, weight, flat, per_sample_weights=pg.ones(2))
    with pytest.raises(ArgumentError, match="a row for each bag"):
        F.embedding_bag(pg.tensor(INDEX), weight, flat)
    with pytest.raises(ArgumentError, match="offsets: expected one axis"):
        F.embedding_bag(flat, weight)
    with pytest.raises(ArgumentError, match="0 first, and none above 2"):
        F.embedding_bag(flat, weight, pg.tensor([0, 3]))
    with pytest.raises(ArgumentError, match="at least one offset"):
        F.embedding_bag(flat, weight, flat[:0], include_last_offset=True)
    with pytest.raises(RangeError, match="padding_idx"):
        nn.EmbeddingBag(3, 2, padding_idx=3)
    with pytest.raises(ShapeError, match="two axes"):
        nn.EmbeddingBag.from_pretrained(pg.ones(2))
