"""What stands beside `nn.functional` under the same names, in another order of arguments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad.errors import ArgumentError, ShapeError

rng = np.random.default_rng(41)
X = pg.tensor(rng.standard_normal((3, 4, 5)))
SCALE, SHIFT, MEAN, VAR = (pg.tensor(each) for each in rng.random((4, 4)) + 0.1)
SIGN = pg.tensor([1.0, -1.0, 1.0])
ROWS = [pg.tensor(each) for each in rng.standard_normal((3, 3, 4))]


def norms() -> list[tuple[pg.Tensor, pg.Tensor]]:
    tail = (0.1, 1e-5)
    return [
        (
            pg.batch_norm(X, SCALE, SHIFT, MEAN, VAR, False, *tail, True),
            F.batch_norm(X, MEAN, VAR, SCALE, SHIFT, False, *tail),
        ),
        (
            pg.instance_norm(X, SCALE, SHIFT, None, None, True, *tail, True),
            F.instance_norm(X, None, None, SCALE, SHIFT, True, *tail),
        ),
        (
            pg.layer_norm(X, (5,), X[0, 0], X[0, 1], 1e-3, False),
            F.layer_norm(X, (5,), X[0, 0], X[0, 1], 1e-3),
        ),
        (
            pg.group_norm(X, 2, SCALE, SHIFT, 1e-3, False),
            F.group_norm(X, 2, SCALE, SHIFT, 1e-3),
        ),
    ]


def test_norms_take_scale_and_shift_before_the_statistics() -> None:
    for found, expected in norms():
        assert found.tolist() == expected.tolist()


LOSSES: dict[str, Callable[..., tuple[pg.Tensor, pg.Tensor]]] = {
    "binary_cross_entropy_with_logits": lambda n, word: (
        pg.binary_cross_entropy_with_logits(X, X.sigmoid(), None, VAR[0], n),
        F.binary_cross_entropy_with_logits(X, X.sigmoid(), pos_weight=VAR[0], reduction=word),
    ),
    "kl_div": lambda n, word: (
        pg.kl_div(X, X, n, log_target=True),
        F.kl_div(X, X, reduction=word, log_target=True),
    ),
    "poisson_nll_loss": lambda n, word: (
        pg.poisson_nll_loss(X, X.exp(), True, True, 1e-8, n),
        F.poisson_nll_loss(X, X.exp(), True, True, reduction=word),
    ),
    "cosine_embedding_loss": lambda n, word: (
        pg.cosine_embedding_loss(ROWS[0], ROWS[1], SIGN, 0.1, n),
        F.cosine_embedding_loss(ROWS[0], ROWS[1], SIGN, 0.1, reduction=word),
    ),
    "margin_ranking_loss": lambda n, word: (
        pg.margin_ranking_loss(ROWS[0][0], ROWS[1][0], ROWS[2][0].sign(), 0.1, n),
        F.margin_ranking_loss(ROWS[0][0], ROWS[1][0], ROWS[2][0].sign(), 0.1, reduction=word),
    ),
    "hinge_embedding_loss": lambda n, word: (
        pg.hinge_embedding_loss(SIGN * 0.3, SIGN, 0.9, n),
        F.hinge_embedding_loss(SIGN * 0.3, SIGN, 0.9, reduction=word),
    ),
    "triplet_margin_loss": lambda n, word: (
        pg.triplet_margin_loss(*ROWS, 2.0, 1.0, 1e-6, True, n),
        F.triplet_margin_loss(*ROWS, 2.0, 1.0, swap=True, reduction=word),
    ),
    "ctc_loss": lambda n, word: (
        pg.ctc_loss(X, pg.ones(4, 1, dtype=pg.int64), (3,) * 4, (1,) * 4, 0, n),
        F.ctc_loss(X, pg.ones(4, 1, dtype=pg.int64), (3,) * 4, (1,) * 4, 0, word),
    ),
}


@pytest.mark.parametrize(("number", "word"), [(0, "none"), (1, "mean"), (2, "sum")])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_take_the_reduction_as_a_number_or_a_word(name: str, number: int, word: str) -> None:
    for given in (number, word):
        found, expected = LOSSES[name](given, word)
        assert found.tolist() == expected.tolist()
    with pytest.raises(ArgumentError, match="reduction: expected 0"):
        LOSSES[name](3, word)


def test_dropouts_take_whether_to_train_without_a_default() -> None:
    x = pg.randn(50, 4)
    for name in ("dropout", "alpha_dropout", "feature_alpha_dropout"):
        function, writing = getattr(pg, name), getattr(pg, name + "_")
        assert function(x, 0.5, False).tolist() == x.tolist()
        pg.manual_seed(1)
        expected = function(x, 0.5, True)
        pg.manual_seed(1)
        written = x.clone()
        assert writing(written, 0.5, True) is written
        assert written.tolist() == expected.tolist() != x.tolist()


def test_lookups_take_the_table_first() -> None:
    table, rows = pg.randn(5, 3, requires_grad=True), pg.tensor([[4, 1], [4, 0]])
    assert pg.embedding(table, rows).tolist() == F.embedding(rows, table).tolist()
    pg.embedding(table, rows, 4).sum().backward()
    assert table.grad[:, 0].tolist() == [1, 1, 0, 0, 0]


def test_poolings_give_positions_and_images_their_modes_by_number() -> None:
    for found, expected in (
        (pg.max_pool1d_with_indices(X, 2), F.max_pool1d(X, 2, return_indices=True)),
        (pg.adaptive_max_pool1d(X, 3), F.adaptive_max_pool1d(X, 3, return_indices=True)),
    ):
        assert [each.tolist() for each in found] == [each.tolist() for each in expected]
    assert pg.constant_pad_nd(X, (1, 2), 3.0).tolist() == F.pad(X, (1, 2), value=3.0).tolist()
    image, theta = pg.randn(1, 1, 3, 4), pg.randn(1, 2, 3)
    grid = pg.affine_grid_generator(theta, (1, 1, 2, 5), True)
    assert grid.tolist() == F.affine_grid(theta, (1, 1, 2, 5), True).tolist()
    found = pg.grid_sampler(image, grid, 2, 1, True)
    assert found.tolist() == F.grid_sample(image, grid, "bicubic", "border", True).tolist()


def test_time_may_be_the_first_axis_of_a_convolution() -> None:
    x, weight, bias = pg.randn(7, 2, 3), pg.randn(3, 3, 4), pg.randn(4)
    expected = F.conv1d(x.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=1)
    assert pg.conv_tbc(x, weight, bias, 1).tolist() == expected.permute(2, 0, 1).tolist()
    with pytest.raises(ShapeError, match=r"\(T, N, C\)"):
        F.conv_tbc(x[0], weight, bias)
