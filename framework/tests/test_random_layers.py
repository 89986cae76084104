"""Layers that draw: what they leave, how often, and what they do when they do not draw. And the
activations that write into their input.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, ShapeError

LIMIT = -1.0507009873554805 * 1.6732632423543772


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    pg.manual_seed(3)
    x = pg.randn(200_000, dtype=pg.float64)
    out = nn.AlphaDropout(0.3)(x)
    assert abs(out.mean().item()) < 0.01
    assert abs(out.var().item() - 1) < 0.02
    scale = (0.7 * (1 + 0.3 * LIMIT**2)) ** -0.5
    shift = -scale * LIMIT * 0.3
    dropped = np.isclose(out.numpy(), LIMIT * scale + shift)
    assert abs(dropped.mean() - 0.3) < 0.01
    np.testing.assert_allclose(out.numpy()[~dropped], x.numpy()[~dropped] * scale + shift)


def test_feature_alpha_dropout_takes_whole_channels() -> None:
    pg.manual_seed(3)
    out = nn.FeatureAlphaDropout(0.5)(pg.randn(8, 16, 3, 2)).numpy()
    first = out.reshape(8, 16, 6)
    dropped = (first == first[..., :1]).all(-1)
    assert 0.3 < dropped.mean() < 0.7
    with pytest.raises(ShapeError, match=r"\(N, C, \.\.\.\)"):
        F.feature_alpha_dropout(pg.ones(3), training=True)


@pytest.mark.parametrize("layer", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_alpha_dropout_at_the_ends_of_its_range(layer: Callable[..., nn.Module]) -> None:
    x = pg.randn(3, 4)
    assert layer(0.0)(x).tolist() == layer(0.9).eval()(x).tolist() == x.tolist()
    assert not layer(1.0)(x).any()
    with pytest.raises(ArgumentError, match="a probability from 0 to 1"):
        layer(1.5)


def test_alpha_dropout_in_place() -> None:
    for p in (0.5, 1.0):
        x = pg.randn(100)
        pg.manual_seed(1)
        expected = F.alpha_dropout(x, p, True).tolist()
        pg.manual_seed(1)
        assert F.alpha_dropout(x, p, True, inplace=True) is x
        assert x.tolist() == expected


def test_gumbel_softmax_draws_classes_by_their_odds() -> None:
    pg.manual_seed(5)
    chance = np.array([0.2, 0.5, 0.3])
    logits = pg.tensor(np.log(chance)).expand(100_000, 3)
    found = F.gumbel_softmax(logits, hard=True).numpy()
    assert set(np.unique(found.round(12))) == {0.0, 1.0}
    np.testing.assert_allclose(found.mean(0), chance, atol=0.01)
    relaxed = F.gumbel_softmax(logits, tau=0.5).numpy()
    np.testing.assert_allclose(relaxed.sum(1), 1)
    assert 0 < relaxed.min() < relaxed.max() <= 1


def test_a_hard_draw_has_the_derivative_of_the_relaxed_one() -> None:
    weight = pg.tensor([1.0, -2.0, 0.5])
    found = []
    for hard in (True, False):
        pg.manual_seed(7)
        logits = pg.tensor([0.1, 0.3, -0.2], requires_grad=True)
        (F.gumbel_softmax(logits, 0.7, hard) * weight).sum().backward()
        found.append(logits.grad.tolist())
    assert found[0] == found[1]
    assert any(found[0])


def test_gumbel_softmax_says_what_it_ignores_and_refuses() -> None:
    with pytest.warns(UserWarning, match="`eps` parameter is deprecated"):
        F.gumbel_softmax(pg.zeros(2), eps=0.1)
    with pytest.raises(DtypeError, match="floating dtype"):
        F.gumbel_softmax(pg.zeros(2, dtype=pg.int64))


def test_rrelu_draws_slopes_in_training_alone() -> None:
    pg.manual_seed(2)
    x = pg.full((10_000,), -2.0)
    slopes = (nn.RReLU(0.1, 0.4)(x) / -2).numpy()
    assert 0.1 <= slopes.min() < 0.11
    assert 0.39 < slopes.max() <= 0.4
    assert nn.RReLU(0.1, 0.4).eval()(x)[0].item() == pytest.approx(-0.5)
    leaf = pg.tensor([-1.0, 2.0], requires_grad=True)
    F.rrelu(leaf, 0.25, 0.25, True).sum().backward()
    assert leaf.grad.tolist() == [0.25, 1.0]
    with pytest.raises(ArgumentError, match="lower: expected at most upper"):
        F.rrelu(x, 0.5, 0.1)


WRITING = {
    "celu": (0.7,),
    "elu": (0.7,),
    "hardtanh": (-0.5, 0.5),
    "leaky_relu": (0.2,),
    "rrelu": (0.1, 0.3),
    "relu": (),
    "selu": (),
    "threshold": (0.1, 20.0),
}


@pytest.mark.parametrize(("name", "given"), WRITING.items())
def test_activations_with_an_underscore_write_into_their_input(
    name: str, given: tuple[float, ...]
) -> None:
    x = pg.tensor([-1.0, -0.25, 0.5, 2.0], dtype=pg.float64)
    leaf = x.clone().requires_grad_()
    expected = getattr(F, name)(leaf, *given)
    expected.sum().backward()
    again = x.clone().requires_grad_()
    written = again * 1
    assert getattr(F, name + "_")(written, *given) is written
    written.sum().backward()
    assert written.tolist() == expected.tolist()
    assert again.grad.tolist() == leaf.grad.tolist()


def test_softmax2d_and_hardtanh_refuse_what_does_not_fit() -> None:
    x = pg.randn(2, 3, 4, 4)
    assert nn.Softmax2d()(x).tolist() == F.softmax(x, 1).tolist()
    assert nn.Softmax2d()(x[0]).tolist() == F.softmax(x[0], 0).tolist()
    with pytest.raises(ArgumentError, match=r"\(N, C, H, W\)"):
        nn.Softmax2d()(x[0, 0])
    with pytest.raises(ArgumentError, match="max_val: expected more than min_val"):
        nn.Hardtanh(1, -1)
    with pytest.warns(FutureWarning, match="`min_value` is deprecated"):
        assert nn.Hardtanh(min_value=-3).min_val == -3
