"""Losses held against formulas in float64: every reduction, and targets that count nothing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, KindError, RangeError, ShapeError
from plugrad.ops import loss

from .helpers import check_gradients

rng = np.random.default_rng(11)
REDUCE = {"none": lambda x: x, "sum": np.sum, "mean": np.mean}
# Input shape and target shape; five classes.
SHAPES = [((5,), ()), ((6, 5), (6,)), ((3, 5, 2), (3, 2)), ((2, 5, 2, 3), (2, 2, 3))]


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    top = x.max(axis, keepdims=True)
    return x - top - np.log(np.exp(x - top).sum(axis, keepdims=True))


def nll(
    logits: np.ndarray, target: np.ndarray, weight: np.ndarray, ignore: int, reduction: str
) -> np.ndarray:
    """One position after the other, from the definition."""
    axis = 0 if logits.ndim == 1 else 1
    rows = np.moveaxis(logits, axis, -1).reshape(-1, logits.shape[axis])
    each, total = [], 0.0
    for row, k in zip(rows, target.reshape(-1), strict=True):
        each.append(0.0 if k == ignore else -row[k] * weight[k])
        total += 0.0 if k == ignore else weight[k]
    if reduction == "none":
        return np.array(each).reshape(target.shape)
    return np.array(sum(each) / (total if reduction == "mean" else 1.0))


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ignore", [-100, 2])
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
def test_class_losses_are_their_formulas(
    shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    ignore: int,
    weighted: bool,
    reduction: str,
) -> None:
    x = rng.standard_normal(shape) * 3
    target = np.array(rng.choice([0, 1, 3, 4, ignore if ignore >= 0 else 2], target_shape))
    weight = rng.random(5) + 0.1
    options = {"ignore_index": ignore, "reduction": reduction}
    given = (pg.tensor(x), pg.tensor(target), pg.tensor(weight) if weighted else None)
    logits = log_softmax(x, 0 if len(shape) == 1 else 1)
    factors = weight if weighted else np.ones(5)
    if len(shape) == 1 and target == ignore:
        target = np.array(0)
        given = (given[0], pg.tensor(target), given[2])
    expected = nll(logits, target, factors, ignore, reduction)
    np.testing.assert_allclose(F.cross_entropy(*given, **options).numpy(), expected, rtol=1e-12)
    given = (pg.tensor(logits), *given[1:])
    np.testing.assert_allclose(F.nll_loss(*given, **options).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
def test_class_losses_have_gradients_of_every_order(
    shape: tuple[int, ...], target_shape: tuple[int, ...], reduction: str
) -> None:
    x = rng.standard_normal(shape)
    target = pg.tensor(rng.integers(0, 5, target_shape))
    weight = pg.tensor(rng.random(5) + 0.1)
    first = int(target.reshape(target.numel())[0].item())
    ignored = -100 if not target_shape else first
    check_gradients(lambda x: loss.cross_entropy(x, target, weight, ignored, reduction), x)
    check_gradients(lambda x: loss.nll_loss(x, target, weight, ignored, reduction), x)


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ignore", [-100, 1])
@pytest.mark.parametrize(("shape", "target_shape"), SHAPES)
def test_cross_entropy_kernels_compute_what_the_bodies_mean(
    shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    ignore: int,
    weighted: bool,
    reduction: str,
) -> None:
    x = pg.tensor(rng.standard_normal(shape))
    target = pg.tensor(rng.integers(0, 5, target_shape))
    weight = pg.tensor(rng.random(5)) if weighted else None
    given = (x, target, weight, ignore, reduction)
    found, expected = loss.cross_entropy(*given), loss.cross_entropy.operator.body(*given)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12)
    g = pg.tensor(rng.standard_normal(tuple(found.shape)))
    found = loss.cross_entropy_backward(g, *given)
    expected = loss.cross_entropy_backward.operator.body(g, *given)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10, atol=1e-14)


def test_cross_entropy_of_huge_scores_is_finite() -> None:
    x = pg.tensor([[1e4, -1e4], [3e38, 3e38]], requires_grad=True)
    value = F.cross_entropy(x, pg.tensor([0, 1]), reduction="sum")
    value.backward()
    assert value.item() == pytest.approx(np.log(2))
    assert x.grad.tolist() == [[0.0, 0.0], [0.5, -0.5]]


def test_an_infinite_loss_of_an_ignored_target_counts_nothing() -> None:
    target = pg.tensor([1, 0])
    for scores in ([0.0, -float("inf")], [-float("inf"), 0.0]):
        x = pg.tensor([scores, [0.0, 0.0]])
        assert F.cross_entropy(x, target, ignore_index=1).item() == pytest.approx(np.log(2))
        logits = F.log_softmax(x, 1)
        assert F.nll_loss(logits, target, ignore_index=1).item() == pytest.approx(np.log(2))


def test_the_mean_over_ignored_targets_alone_is_nan() -> None:
    assert np.isnan(F.cross_entropy(pg.ones(2, 3), pg.tensor([7, 7]), ignore_index=7).item())


@pytest.mark.parametrize("reduction", REDUCE)
def test_label_smoothing_mixes_in_the_uniform_distribution(reduction: str) -> None:
    x, target = rng.standard_normal((4, 5)), np.array([0, 3, 1, 3])
    soft = np.eye(5)[target] * 0.9 + 0.1 / 5
    expected = REDUCE[reduction](-(log_softmax(x, 1) * soft).sum(1))
    given = (pg.tensor(x), pg.tensor(target))
    found = F.cross_entropy(*given, label_smoothing=0.1, reduction=reduction)
    np.testing.assert_allclose(found.numpy(), expected)
    layer = nn.CrossEntropyLoss(label_smoothing=0.1, reduction=reduction)
    np.testing.assert_allclose(layer(*given).numpy(), expected)


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_soft_targets_weigh_all_classes(reduction: str, smoothing: float) -> None:
    x, weight = rng.standard_normal((4, 5, 2)), rng.random(5)
    soft = rng.random((4, 5, 2))
    mixed = soft * (1 - smoothing) + smoothing / 5
    each = -(log_softmax(x, 1) * mixed * weight[:, None]).sum(1)
    found = F.cross_entropy(
        *(pg.tensor(x), pg.tensor(soft), pg.tensor(weight)),
        reduction=reduction,
        label_smoothing=smoothing,
    )
    np.testing.assert_allclose(found.numpy(), REDUCE[reduction](each))


# numbers


def smooth_l1(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    distance = np.abs(x - y)
    return np.where(distance < 0.5, distance**2 / (2 * 0.5), distance - 0.25)


def huber(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    distance = np.abs(x - y)
    return np.where(distance <= 0.5, distance**2 / 2, 0.5 * (distance - 0.25))


def binary(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


NUMERIC: dict[str, tuple[Callable[..., pg.Tensor], Callable[..., np.ndarray]]] = {
    "mse": (F.mse_loss, lambda x, y: (x - y) ** 2),
    "l1": (F.l1_loss, lambda x, y: np.abs(x - y)),
    "smooth_l1": (lambda *a, **k: F.smooth_l1_loss(*a, beta=0.5, **k), smooth_l1),
    "huber": (lambda *a, **k: F.huber_loss(*a, delta=0.5, **k), huber),
    "binary_cross_entropy": (F.binary_cross_entropy, binary),
    "with_logits": (F.binary_cross_entropy_with_logits, lambda x, y: binary(sigmoid(x), y)),
    "kl_div": (F.kl_div, lambda x, y: y * (np.log(y) - x)),
    "kl_div_of_logarithms": (
        lambda *a, **k: F.kl_div(*a, log_target=True, **k),
        lambda x, y: np.exp(y) * (y - x),
    ),
    "poisson": (F.poisson_nll_loss, lambda x, y: np.exp(x) - y * x),
}


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("name", NUMERIC)
def test_losses_of_numbers_are_their_formulas(name: str, reduction: str) -> None:
    function, formula = NUMERIC[name]
    x, y = rng.random((3, 4)) * 0.8 + 0.1, rng.random((3, 4)) * 0.8 + 0.1
    found = function(pg.tensor(x), pg.tensor(y), reduction=reduction)
    np.testing.assert_allclose(found.numpy(), REDUCE[reduction](formula(x, y)))
    check_gradients(lambda x, y: function(x, y, reduction=reduction), x, y, second_order=False)


def test_mse_gradient_is_fused_for_both_operands_and_broadcasts() -> None:
    check_gradients(F.mse_loss, rng.standard_normal((3, 4)), rng.standard_normal((3, 4)))
    broadcast = rng.standard_normal((3, 4)), rng.standard_normal((1, 4))
    check_gradients(lambda x, y: loss.mse_loss(x, y, "mean"), *broadcast)


@pytest.mark.parametrize("function", [F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss])
def test_distances_that_broadcast_warn(function: Callable[..., pg.Tensor]) -> None:
    with pytest.warns(UserWarning, match=r"\(3,\) that is different .*\(3, 1\)"):
        assert function(pg.ones(3, 1), pg.ones(3), reduction="none").shape == (3, 3)


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_distances_take_weights(name: str, reduction: str) -> None:
    x, y, weight = rng.standard_normal((3, 3, 4))
    function = getattr(F, name)
    plain = function(pg.tensor(x), pg.tensor(y), reduction="none").numpy()
    found = function(pg.tensor(x), pg.tensor(y), reduction=reduction, weight=pg.tensor(weight))
    expected = REDUCE[reduction](plain * weight)
    if reduction == "mean" and name != "huber_loss":
        expected = (plain * weight).sum() / weight.sum()
    np.testing.assert_allclose(found.numpy(), expected)
    with pytest.raises(ArgumentError, match="weight: expected the input's shape"):
        function(pg.tensor(x), pg.tensor(y), weight=pg.ones(4))


def test_binary_cross_entropy_with_logits_stays_finite_and_weighs_positives() -> None:
    x = pg.tensor([1000.0, -1000.0], requires_grad=True)
    value = F.binary_cross_entropy_with_logits(x, pg.tensor([0.0, 1.0]), reduction="sum")
    value.backward()
    assert value.item() == 2000.0
    assert x.grad.tolist() == [1.0, -1.0]
    doubled = F.binary_cross_entropy_with_logits(
        x, pg.tensor([0.0, 1.0]), reduction="none", pos_weight=pg.tensor(2.0)
    )
    assert doubled.tolist() == [1000.0, 2000.0]


def test_binary_cross_entropy_limits_logarithms() -> None:
    x = pg.tensor([0.0, 1.0])
    assert F.binary_cross_entropy(x, pg.tensor([1.0, 0.0]), reduction="none").tolist() == [100, 100]


def test_binary_cross_entropy_is_steep_where_a_probability_is_certain_and_wrong() -> None:
    x = pg.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    F.binary_cross_entropy(x, pg.tensor([1.0, 0.0, 0.0, 1.0]), reduction="sum").backward()
    np.testing.assert_allclose(x.grad.numpy(), [-1e12, 1e12, 0, 0])


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (3,)])
def test_gaussian_likelihood_is_its_formula(shape: tuple[int, ...], full: bool) -> None:
    x, y, var = rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), rng.random(shape) + 0.1
    spread = var if var.ndim == 2 else var[:, None]
    expected = 0.5 * (np.log(spread) + (x - y) ** 2 / spread)
    expected = (expected + (0.5 * np.log(2 * np.pi) if full else 0)).mean()
    found = nn.GaussianNLLLoss(full=full)(pg.tensor(x), pg.tensor(y), pg.tensor(var))
    assert found.item() == pytest.approx(expected)
    check_gradients(lambda *a: F.gaussian_nll_loss(*a, full=full), x, y, var, second_order=False)


def test_gaussian_likelihood_keeps_variances_off_zero_but_not_their_slope() -> None:
    x, var = pg.tensor([1.0]), pg.tensor([0.0], requires_grad=True)
    F.gaussian_nll_loss(x, pg.tensor([0.0]), var, eps=0.5).backward()
    assert var.grad.tolist() == [0.5 * (1 / 0.5 - 1 / 0.5**2)]
    assert F.gaussian_nll_loss(x, x, 1.0).item() == 0
    with pytest.raises(ArgumentError, match="var: expected variances of at least 0"):
        F.gaussian_nll_loss(x, x, pg.tensor([-1.0]))
    with pytest.raises(ArgumentError, match="var: expected the input's shape"):
        F.gaussian_nll_loss(pg.ones(2, 3), pg.ones(2, 3), pg.ones(3, 2))


def test_kl_div_takes_zero_probabilities_and_the_mean_over_the_batch() -> None:
    target = pg.tensor([[1.0, 0.0], [0.5, 0.5]])
    logits = target.new_full((2, 2), float(np.log(0.5)))
    found = F.kl_div(logits, target, reduction="batchmean")
    assert found.item() == pytest.approx(np.log(2) / 2)


def test_margin_losses_are_their_formulas() -> None:
    x, y, sign = rng.standard_normal((4, 3)), rng.standard_normal((4, 3)), np.array([1, -1, 1, -1])
    given = (pg.tensor(x), pg.tensor(y), pg.tensor(sign))
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    expected = np.where(sign == 1, 1 - cosine, np.maximum(cosine - 0.1, 0))
    found = F.cosine_embedding_loss(*given, margin=0.1, reduction="none")
    np.testing.assert_allclose(found.numpy(), expected)
    first, second = pg.tensor(x[:, 0]), pg.tensor(y[:, 0])
    found = F.margin_ranking_loss(first, second, given[2], margin=0.1, reduction="none")
    np.testing.assert_allclose(
        found.numpy(), np.maximum(0.1 - sign * (x[:, 0] - y[:, 0]), 0), atol=1e-15
    )
    found = F.hinge_embedding_loss(first, given[2], reduction="none")
    np.testing.assert_allclose(
        found.numpy(), np.where(sign == 1, x[:, 0], np.maximum(1 - x[:, 0], 0))
    )


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16])
def test_half_precision_losses_stay_near_single(dtype: pg.dtype) -> None:
    x = pg.tensor(rng.standard_normal((6, 5)).astype(np.float32)).to(dtype)
    target = pg.tensor(rng.integers(0, 5, 6))
    found = F.cross_entropy(x, target)
    assert found.dtype is dtype
    assert found.float().item() == pytest.approx(
        F.cross_entropy(x.float(), target).item(), rel=0.02
    )


OLDER = [
    ({"size_average": False}, "sum"),
    ({"reduce": False}, "none"),
    ({"size_average": True}, "mean"),
    ({"size_average": False, "reduce": True}, "sum"),
]


@pytest.mark.parametrize(("words", "meant"), OLDER)
def test_older_words_for_the_reduction_are_understood_and_warn(
    words: dict[str, bool], meant: str
) -> None:
    x, y = pg.tensor([0.2, 0.9]), pg.tensor([0.0, 1.0])
    for function, layer in ((F.mse_loss, nn.MSELoss), (F.binary_cross_entropy, nn.BCELoss)):
        expected = function(x, y, reduction=meant).tolist()
        with pytest.warns(UserWarning, match=f"reduction='{meant}'"):
            assert function(x, y, **words).tolist() == expected
        with pytest.warns(UserWarning, match=f"reduction='{meant}'"):
            assert layer(**words)(x, y).tolist() == expected
    # In PyTorch's order, without names.
    with pytest.warns(UserWarning, match="'sum'"):
        assert nn.NLLLoss(None, False, 1).ignore_index == 1


def test_bytes_are_class_numbers() -> None:
    x, target = pg.tensor(rng.standard_normal((3, 4))), pg.tensor([0, 3, 1])
    for function in (F.cross_entropy, F.nll_loss):
        assert function(x, target.to(pg.uint8)).item() == function(x, target).item()


# refusals


@pytest.mark.parametrize("given", [((-0.5, 0.5), (0, 1)), ((0.5, 0.5), (0, 2)), ((np.nan,), (1,))])
def test_probabilities_outside_0_and_1_are_refused(given: tuple[tuple[float, ...], ...]) -> None:
    x, target = (pg.tensor([float(each) for each in values]) for values in given)
    with pytest.raises(ArgumentError, match="expected numbers from 0 to 1"):
        F.binary_cross_entropy(x, target)


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize("number", [5, -1])
def test_a_class_out_of_range_is_refused(function: Callable[..., pg.Tensor], number: int) -> None:
    with pytest.raises(RangeError, match=f"0 to 4.*got {number}"):
        function(pg.ones(2, 5), pg.tensor([0, number]))


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_targets_that_do_not_fit_are_refused(function: Callable[..., pg.Tensor]) -> None:
    with pytest.raises(ShapeError, match=r"target: expected \(2,\)"):
        function(pg.ones(2, 5), pg.tensor([0, 1, 2]))
    with pytest.raises(DtypeError, match=r"int64 class numbers.*long\(\)"):
        function(pg.ones(2, 5), pg.tensor([0, 1], dtype=pg.int32))
    with pytest.raises(ShapeError, match=r"weight: expected \(5,\)"):
        function(pg.ones(2, 5), pg.tensor([0, 1]), pg.ones(4))
    with pytest.raises(DtypeError, match="weight: expected the input's dtype"):
        function(pg.ones(2, 5), pg.tensor([0, 1]), pg.ones(5, dtype=pg.float64))
    with pytest.raises(DtypeError, match="input: expected floating"):
        function(pg.ones(2, 5, dtype=pg.int64), pg.tensor([0, 1]))


def test_soft_targets_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match="probabilities in the input's shape"):
        F.cross_entropy(pg.ones(2, 5), pg.ones(2))


@pytest.mark.parametrize("function", [F.mse_loss, F.l1_loss, F.kl_div, F.huber_loss])
def test_an_unknown_reduction_is_refused(function: Callable[..., pg.Tensor]) -> None:
    with pytest.raises(ArgumentError, match="reduction: expected 'none', 'mean' or 'sum'"):
        function(pg.ones(2), pg.ones(2), reduction="average")
    with pytest.raises(ArgumentError, match="reduction"):
        F.cross_entropy(pg.ones(2, 3), pg.tensor([0, 1]), reduction="average")


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ArgumentError, match="label_smoothing"):
        F.cross_entropy(pg.ones(2, 3), pg.tensor([0, 1]), label_smoothing=1.5)
    with pytest.raises(ArgumentError, match="delta"):
        F.huber_loss(pg.ones(2), pg.ones(2), delta=0)
    with pytest.raises(ArgumentError, match="beta"):
        F.smooth_l1_loss(pg.ones(2), pg.ones(2), beta=-1)
    with pytest.raises(ShapeError, match="binary_cross_entropy"):
        F.binary_cross_entropy(pg.ones(2), pg.ones(3))


@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy"])
def test_class_weights_that_require_grad_are_refused(name: str) -> None:
    weight = pg.ones(3, requires_grad=True)
    target = pg.tensor([0, 2])
    call = getattr(F, name)
    with pytest.raises(pg.errors.AutogradError, match="weight"):
        call(pg.randn(2, 3), target, weight)
    with pg.no_grad():
        call(pg.randn(2, 3), target, weight)
    call(pg.randn(2, 3), target, weight.detach())


def test_a_linear_map_and_its_cross_entropy_are_one_loss():
    pg.manual_seed(0)
    layer = nn.LinearCrossEntropyLoss(4, 3, bias=True, out_features=(2,), label_smoothing=0.1)
    x, target = pg.randn(5, 4), pg.randint(0, 3, (5, 2))
    scores = layer.linear(x).reshape(5, 3, 2)
    expected = F.cross_entropy(scores, target, label_smoothing=0.1)
    assert layer(x, target).item() == pytest.approx(expected.item())
    shares = pg.softmax(pg.randn(5, 3, 2), 1)
    assert layer(x, shares).item() == pytest.approx(
        F.cross_entropy(scores, shares, label_smoothing=0.1).item()
    )
    assert "num_classes=3" in repr(layer)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w, t: F.linear_cross_entropy(x[None], w, t),
        lambda x, w, t: F.linear_cross_entropy(x, w[0], t),
        lambda x, w, t: F.linear_cross_entropy(x[:, :2], w, t),
        lambda x, w, t: F.linear_cross_entropy(x, w, t, linear_bias=pg.ones(2)),
        lambda x, w, t: F.linear_cross_entropy(x[0], w[:, None], t),
        lambda x, w, t: F.linear_cross_entropy(x, w, x @ w.t(), ignore_index=1),
        lambda x, w, t: F.cross_entropy(x, x.softmax(1), ignore_index=1),
        lambda x, w, t: nn.LinearCrossEntropyLoss(4, 3, weight=pg.ones(2)),
        lambda x, w, t: nn.LinearCrossEntropyLoss(4, 3, label_smoothing=2),
    ],
)
def test_what_does_not_fit_a_linear_loss_is_refused(call):
    with pytest.raises((ShapeError, ArgumentError)):
        call(pg.randn(5, 4), pg.randn(3, 4), pg.randint(0, 3, (5,)))


def test_a_divergence_of_single_numbers_is_its_own_batch():
    out = F.kl_div(pg.tensor(-1.0), pg.tensor(0.5), reduction="batchmean")
    assert out.item() == pytest.approx(0.5 * (math.log(0.5) + 1))


def test_the_width_of_hubers_loss_is_a_number():
    with pytest.raises(KindError, match="delta"):
        nn.HuberLoss(delta="1")
