"""Losses that ask for a margin, held against formulas written out pair by pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError

from .helpers import check_gradients

rng = np.random.default_rng(17)
REDUCE = {"none": lambda x: x, "sum": np.sum, "mean": np.mean}


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("weighted", [True, False])
def test_multi_margin_is_what_the_own_class_lacks(reduction: str, p: int, weighted: bool) -> None:
    x, target, weight = rng.standard_normal((3, 4)), [2, 0, 3], rng.random(4)
    each = []
    for row, own in zip(x, target, strict=True):
        lacking = [max(0, 0.7 - row[own] + row[i]) ** p for i in range(4) if i != own]
        each.append(sum(lacking) / 4 * (weight[own] if weighted else 1))
    given = pg.tensor(weight) if weighted else None
    layer = nn.MultiMarginLoss(p, 0.7, given, reduction=reduction)
    found = layer(pg.tensor(x), pg.tensor(target))
    np.testing.assert_allclose(found.numpy(), REDUCE[reduction](np.array(each)))
    if reduction == "none":
        single = layer(pg.tensor(x[0]), pg.tensor(2))
        np.testing.assert_allclose(single.numpy(), each[0])


@pytest.mark.parametrize("reduction", REDUCE)
def test_multilabel_margin_compares_each_named_class_with_each_other(reduction: str) -> None:
    x = rng.standard_normal((3, 4))
    targets = [[1, 3, -1, 0], [-1, 2, 2, 2], [0, 1, 2, 3]]
    each = []
    for row, classes in zip(x, targets, strict=True):
        named = classes[: classes.index(-1)] if -1 in classes else classes
        others = [i for i in range(4) if i not in named]
        each.append(sum(max(0, 1 - row[i] + row[j]) for i in named for j in others) / 4)
    found = nn.MultiLabelMarginLoss(reduction=reduction)(pg.tensor(x), pg.tensor(targets))
    np.testing.assert_allclose(found.numpy(), REDUCE[reduction](np.array(each)))
    if reduction == "none":
        single = F.multilabel_margin_loss(pg.tensor(x[0]), pg.tensor(targets[0]))
        np.testing.assert_allclose(single.numpy(), each[0])


@pytest.mark.parametrize("reduction", REDUCE)
def test_soft_margins_are_logistic(reduction: str) -> None:
    x, sign = rng.standard_normal((3, 4)), rng.choice([-1.0, 1.0], (3, 4))
    found = nn.SoftMarginLoss(reduction=reduction)(pg.tensor(x), pg.tensor(sign))
    np.testing.assert_allclose(found.numpy(), REDUCE[reduction](np.log1p(np.exp(-sign * x))))
    weight, chance = rng.random(4), 1 / (1 + np.exp(-x))
    present = sign > 0
    each = -(np.where(present, np.log(chance), np.log(1 - chance)) * weight).mean(1)
    layer = nn.MultiLabelSoftMarginLoss(pg.tensor(weight), reduction=reduction)
    found = layer(pg.tensor(x), pg.tensor(present.astype(float)))
    np.testing.assert_allclose(found.numpy(), REDUCE[reduction](each))


@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("p", [1, 2])
def test_triplets_compare_two_distances(p: int, swap: bool) -> None:
    anchor, near, far = rng.standard_normal((3, 5, 4))

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x - y + 1e-6, p, axis=-1)

    away = distance(anchor, far)
    if swap:
        away = np.minimum(away, distance(near, far))
    expected = np.maximum(2 + distance(anchor, near) - away, 0).mean()
    given = (pg.tensor(anchor), pg.tensor(near), pg.tensor(far))
    found = nn.TripletMarginLoss(2.0, p, swap=swap)(*given)
    assert found.item() == pytest.approx(expected)
    layer = nn.TripletMarginWithDistanceLoss(
        distance_function=nn.PairwiseDistance(p), margin=2.0, swap=swap
    )
    assert layer(*given).item() == pytest.approx(expected)
    check_gradients(
        lambda *x: F.triplet_margin_loss(*x, margin=2.0, p=p, swap=swap),
        *(anchor, near, far),
        second_order=False,
    )


def test_targets_of_pairs_that_are_neither_count_as_in_pytorch() -> None:
    x = pg.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = F.cosine_embedding_loss(x, x, pg.tensor([0.0, 1.0]), reduction="none")
    assert found.tolist() == [0.0, 0.0]
    both = F.hinge_embedding_loss(pg.tensor([0.25]), pg.tensor([0.0]), reduction="none")
    assert both.tolist() == [1.0]


CLASSES = [(lambda x: F.multi_margin_loss(x, pg.tensor([2, 0, 3]), 2), (3, 4))]
CLASSES.append((lambda x: F.multilabel_margin_loss(x, pg.tensor([[1, -1, 0]])), (1, 3)))
CLASSES.append((lambda x: F.soft_margin_loss(x, pg.tensor([1.0, -1.0])), (2,)))


@pytest.mark.parametrize(("function", "shape"), CLASSES)
def test_margin_losses_have_gradients(
    function: Callable[..., pg.Tensor], shape: tuple[int, ...]
) -> None:
    check_gradients(function, rng.standard_normal(shape), second_order=False)


def test_margin_losses_refuse_what_does_not_fit() -> None:
    x, target = pg.ones(2, 3), pg.tensor([0, 2])
    with pytest.raises(ArgumentError, match="p: expected 1 or 2"):
        F.multi_margin_loss(x, target, 3)
    with pytest.raises(ArgumentError, match="p: expected 1 or 2"):
        nn.MultiMarginLoss(3)
    with pytest.raises(ArgumentError, match="weight: expected one per class"):
        nn.MultiMarginLoss(weight=pg.ones(2, 3))
    with pytest.raises(ShapeError, match=r"weight: expected \(3,\)"):
        F.multi_margin_loss(x, target, weight=pg.ones(2))
    with pytest.raises(RangeError, match="0 to 2, got 3"):
        F.multi_margin_loss(x, target + 1)
    with pytest.raises(DtypeError, match="int64 class numbers"):
        F.multi_margin_loss(x, target.float())
    with pytest.raises(ShapeError, match=r"target: expected \(2, 3\)"):
        F.multilabel_margin_loss(x, target)
    with pytest.raises(ShapeError, match="input: expected"):
        F.multilabel_margin_loss(pg.ones(2, 3, 1), target)
    with pytest.raises(ShapeError, match=r"\(N,\) for inputs"):
        F.cosine_embedding_loss(x, x, pg.ones(2, 1))
    with pytest.raises(ShapeError, match="as many axes"):
        F.margin_ranking_loss(x, x, pg.ones(2))
    with pytest.raises(ShapeError, match="as many axes"):
        F.triplet_margin_loss(x, x, pg.ones(3))
    with pytest.raises(ArgumentError, match="margin: expected more than 0"):
        F.triplet_margin_loss(x, x, x, margin=0)
    with pytest.raises(ArgumentError, match="margin: expected more than 0"):
        nn.TripletMarginLoss(-1.0)
