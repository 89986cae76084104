"""Connectionist temporal classification, held against every path that there is."""

from __future__ import annotations

from itertools import groupby, product

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, ShapeError

from .helpers import check_gradients

rng = np.random.default_rng(23)
INPUTS, TARGETS = (5, 4, 3), (2, 0, 2)
LABELS = np.array([[1, 2], [7, 9], [1, 1]])
SCORES = rng.standard_normal((5, 3, 3))


def likelihood(log_probs: np.ndarray, target: list[int], blank: int) -> float:
    total = 0.0
    for path in product(range(log_probs.shape[1]), repeat=len(log_probs)):
        if [label for label, _ in groupby(path) if label != blank] == target:
            total += np.exp(sum(log_probs[t, label] for t, label in enumerate(path)))
    return total


EACH = np.array(
    [
        -np.log(likelihood(SCORES[:times, n], LABELS[n, :count].tolist(), 0))
        for n, (times, count) in enumerate(zip(INPUTS, TARGETS, strict=True))
    ]
)


def lengths(values: tuple[int, ...]) -> pg.Tensor:
    return pg.tensor(values)


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("none", EACH), ("sum", EACH.sum()), ("mean", (EACH / [2, 1, 2]).mean())],
)
def test_the_loss_sums_over_every_path(reduction: str, expected: np.ndarray) -> None:
    scores, labels = pg.tensor(SCORES), pg.tensor(LABELS)
    one_after_the_other = pg.tensor([1, 2, 1, 1])
    for targets in (labels, one_after_the_other, labels.int()):
        for ins, outs in ((INPUTS, TARGETS), (lengths(INPUTS), lengths(TARGETS).int())):
            found = F.ctc_loss(scores, targets, ins, outs, reduction=reduction)
            np.testing.assert_allclose(found.numpy(), expected)
    layer = nn.CTCLoss(reduction=reduction)
    np.testing.assert_allclose(layer(scores, labels, INPUTS, TARGETS).numpy(), expected)


def test_one_sequence_needs_no_batch_axis() -> None:
    found = F.ctc_loss(
        *(pg.tensor(SCORES[:, 0]), pg.tensor([1, 2]), pg.tensor(5), pg.tensor(2)),
        reduction="none",
    )
    assert found.shape == ()
    assert found.item() == pytest.approx(EACH[0])


def test_any_class_may_be_the_blank() -> None:
    expected = -np.log(likelihood(SCORES[:, 0], [0, 1], 2))
    found = F.ctc_loss(pg.tensor(SCORES[:, :1]), pg.tensor([[0, 1]]), (5,), (2,), 2, "sum")
    assert found.item() == pytest.approx(expected)


def test_gradients_of_every_order() -> None:
    labels = pg.tensor(LABELS)
    check_gradients(lambda x: F.ctc_loss(x, labels, INPUTS, TARGETS, reduction="none"), SCORES)


@pytest.mark.parametrize("forgiving", [True, False])
def test_a_target_too_long_for_its_input_costs_infinity_or_nothing(forgiving: bool) -> None:
    scores = pg.tensor(SCORES[:, :2], requires_grad=True)
    targets = pg.tensor([[1, 1], [1, 2]])
    # Between equal labels a blank must fit.
    each = F.ctc_loss(scores, targets, (2, 2), (2, 2), reduction="none", zero_infinity=forgiving)
    assert each[0].item() == (0 if forgiving else np.inf)
    assert np.isfinite(each[1].item())
    each.sum().backward()
    gradient = scores.grad.numpy()
    # Of the classes that the target's paths would go through.
    assert np.array_equal(gradient[:2, 0, :2], np.full((2, 2), 0 if forgiving else np.nan), True)
    assert np.isfinite(gradient[:, 1]).all()
    assert not gradient[2:].any()


def test_an_empty_target_is_all_blanks() -> None:
    found = F.ctc_loss(pg.tensor(SCORES), pg.zeros(3, 0, dtype=pg.int64), INPUTS, (0, 0, 0))
    expected = [-SCORES[:times, n, 0].sum() for n, times in enumerate(INPUTS)]
    assert found.item() == pytest.approx(np.mean(expected))
    packed = F.ctc_loss(pg.tensor(SCORES), pg.zeros(0, dtype=pg.int64), INPUTS, (0, 0, 0))
    assert packed.item() == found.item()


def test_impossible_classes_make_no_nan() -> None:
    scores = pg.tensor([[[0.0, -np.inf]], [[-np.inf, 0.0]]], requires_grad=True)
    loss = F.ctc_loss(scores, pg.tensor([[1]]), (2,), (1,), reduction="sum")
    loss.backward()
    assert loss.item() == 0
    assert scores.grad.tolist() == [[[-1, 0]], [[0, -1]]]


def test_what_does_not_fit_is_refused() -> None:
    scores, labels = pg.tensor(SCORES), pg.tensor(LABELS)
    with pytest.raises(ArgumentError, match="input_lengths: expected lengths from 0 to 5, got 6"):
        F.ctc_loss(scores, labels, (6, 4, 3), TARGETS)
    with pytest.raises(ArgumentError, match="target_lengths: expected lengths from 0 to 2, got 3"):
        F.ctc_loss(scores, labels, INPUTS, (3, 0, 2))
    with pytest.raises(ArgumentError, match="one for each of 3"):
        F.ctc_loss(scores, labels, (5, 4), TARGETS)
    with pytest.raises(ArgumentError, match="as many as there are targets"):
        F.ctc_loss(scores, pg.tensor([1, 2, 1]), INPUTS, TARGETS)
    with pytest.raises(ArgumentError, match="blank: expected a class from 0 to 2"):
        F.ctc_loss(scores, labels, INPUTS, TARGETS, blank=3)
    with pytest.raises(ArgumentError, match="reduction"):
        F.ctc_loss(scores, labels, INPUTS, TARGETS, reduction="median")
    with pytest.raises(DtypeError, match="log_probs: expected float32 or float64"):
        F.ctc_loss(scores.half(), labels, INPUTS, TARGETS)
    with pytest.raises(DtypeError, match="targets: expected an integer dtype"):
        F.ctc_loss(scores, labels.float(), INPUTS, TARGETS)
    with pytest.raises(DtypeError, match="input_lengths: expected an integer dtype"):
        F.ctc_loss(scores, labels, pg.tensor([5.0, 4.0, 3.0]), TARGETS)
    with pytest.raises(ShapeError, match=r"log_probs: expected \(T, N, C\)"):
        F.ctc_loss(scores[0, 0], labels, INPUTS, TARGETS)
    with pytest.raises(ShapeError, match=r"targets: expected \(3, S\)"):
        F.ctc_loss(scores, labels[:2], INPUTS, TARGETS)
