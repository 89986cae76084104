"""Normalisation held against formulas in float64, fused kernels against the bodies."""

from __future__ import annotations

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.ops import normalization

from .helpers import check_gradients

EPS = 1e-5
rng = np.random.default_rng(7)


def standardised(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + EPS)


def as_channels(parameter: np.ndarray, ndim: int) -> np.ndarray:
    return parameter.reshape(-1, *(1,) * (ndim - 2))


def check_against_body(function, *arguments) -> None:
    found, expected = function(*arguments), function.operator.body(*arguments)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-10)


BATCHES = [(6, 3), (5, 3, 4), (4, 3, 2, 5), (2, 3, 2, 2, 3)]


# layer norm


@pytest.mark.parametrize(("shape", "axes"), [((4, 5), 1), ((2, 3, 4), 2), ((3, 2), 2), ((6,), 1)])
def test_layer_norm_is_its_formula(shape: tuple[int, ...], axes: int) -> None:
    inner = shape[-axes:]
    x, weight, bias = (rng.standard_normal(s) * 3 + 1 for s in (shape, inner, inner))
    expected = standardised(x, tuple(range(-axes, 0))) * weight + bias
    found = F.layer_norm(pg.tensor(x), inner, pg.tensor(weight), pg.tensor(bias), EPS)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_layer_norm_has_gradients_of_every_order() -> None:
    x, weight, bias = (rng.standard_normal(s) for s in ((3, 4), (4,), (4,)))
    check_gradients(lambda x, w, b: F.layer_norm(x, (4,), w, b), x, weight, bias)
    check_gradients(lambda x: F.layer_norm(x, (3, 4)), x)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("shape", "axes"), [((40, 5), 1), ((2, 3, 4), 2), ((7,), 1)])
def test_layer_norm_kernels_compute_what_the_bodies_mean(
    shape: tuple[int, ...], axes: int, affine: bool
) -> None:
    x, g = (pg.tensor(rng.standard_normal(shape)) for _ in range(2))
    weight, bias = (pg.tensor(rng.standard_normal(shape[-axes:])) for _ in range(2))
    chosen = (weight, bias) if affine else (None, None)
    check_against_body(normalization.layer_norm, x, *chosen, axes, EPS)
    check_against_body(normalization.layer_norm_backward, g, x, chosen[0], axes, EPS)


def test_layer_norm_survives_a_large_mean() -> None:
    x = (rng.standard_normal((4, 64)) + 1000).astype(np.float32)
    expected = standardised(x.astype(np.float64), (1,))
    found = F.layer_norm(pg.tensor(x), (64,))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-2)


# batch norm


@pytest.mark.parametrize("shape", BATCHES)
def test_batch_norm_in_training_is_its_formula(shape: tuple[int, ...]) -> None:
    x = rng.standard_normal(shape) * 2 + 3
    weight, bias = rng.standard_normal(3), rng.standard_normal(3)
    axes = (0, *range(2, len(shape)))
    expected = standardised(x, axes) * as_channels(weight, len(shape)) + as_channels(
        bias, len(shape)
    )
    found = F.batch_norm(
        pg.tensor(x), None, None, pg.tensor(weight), pg.tensor(bias), training=True, eps=EPS
    )
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", BATCHES[:3])
def test_batch_norm_has_gradients_of_every_order(shape: tuple[int, ...]) -> None:
    x, weight, bias = (rng.standard_normal(s) for s in (shape, (3,), (3,)))
    check_gradients(
        lambda x, w, b: normalization.batch_norm(x, w, b, EPS)[0],
        *(x, weight, bias),
        second_order=len(shape) == 2,
    )


def test_batch_norm_gives_gradients_through_its_statistics() -> None:
    def use_everything(x: pg.Tensor) -> pg.Tensor:
        out, mean, variance = normalization.batch_norm(x, None, None, EPS)
        return (out**3).sum() + (mean * mean).sum() + (variance**3).sum()

    def use_variance(x: pg.Tensor) -> pg.Tensor:
        return (normalization.batch_norm(x, None, None, EPS)[2] ** 2).sum()

    x = rng.standard_normal((4, 2, 3))
    check_gradients(use_everything, x)
    check_gradients(use_variance, x, second_order=False)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("batch_innermost", [True, False])
@pytest.mark.parametrize("shape", BATCHES)
def test_batch_norm_kernels_compute_what_the_bodies_mean(
    shape: tuple[int, ...], batch_innermost: bool, affine: bool
) -> None:
    def make() -> pg.Tensor:
        made = pg.tensor(rng.standard_normal((*shape[1:], shape[0])))
        order = (len(shape) - 1, *range(len(shape) - 1))
        return made.permute(order) if batch_innermost else made.permute(order).contiguous()

    x, g = make(), make()
    weight, bias, mean = (pg.tensor(rng.standard_normal(3)) for _ in range(3))
    var = pg.tensor(rng.random(3) + 0.5)
    chosen = (weight, bias) if affine else (None, None)
    check_against_body(normalization.batch_norm, x, *chosen, EPS)
    check_against_body(normalization.batch_norm_inference, x, mean, var, *chosen, EPS)
    check_against_body(normalization.batch_norm_backward, g, x, chosen[0], EPS)
    check_against_body(normalization.batch_norm_backward, g.contiguous(), x, chosen[0], EPS)


def test_running_statistics_move_by_momentum_with_bessels_correction() -> None:
    layer = nn.BatchNorm1d(2, momentum=0.25, dtype=pg.float64)
    x = rng.standard_normal((5, 2)) * 3 + 1
    layer(pg.tensor(x))
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.25 * x.mean(0))
    np.testing.assert_allclose(layer.running_var.numpy(), 0.75 + 0.25 * x.var(0, ddof=1))
    assert layer.num_batches_tracked.item() == 1


def test_running_statistics_without_momentum_are_means_over_all_batches() -> None:
    layer = nn.BatchNorm1d(2, momentum=None, dtype=pg.float64)
    batches = [rng.standard_normal((5, 2)) for _ in range(3)]
    for batch in batches:
        layer(pg.tensor(batch))
    expected = np.mean([batch.mean(0) for batch in batches], axis=0)
    np.testing.assert_allclose(layer.running_mean.numpy(), expected)


def test_evaluation_uses_the_running_statistics_and_leaves_them_alone() -> None:
    layer = nn.BatchNorm2d(3, dtype=pg.float64).eval()
    layer.running_mean.copy_(pg.tensor([1.0, 2.0, 3.0]))
    layer.running_var.fill_(4.0)
    x = rng.standard_normal((2, 3, 2, 2))
    expected = (x - np.array([1, 2, 3]).reshape(3, 1, 1)) / np.sqrt(4 + EPS)
    np.testing.assert_allclose(layer(pg.tensor(x)).detach().numpy(), expected)
    assert layer.running_mean.tolist() == [1.0, 2.0, 3.0]
    assert layer.num_batches_tracked.item() == 0


def test_evaluation_without_running_statistics_uses_the_batch() -> None:
    layer = nn.BatchNorm1d(2, track_running_stats=False, dtype=pg.float64).eval()
    x = rng.standard_normal((5, 2))
    np.testing.assert_allclose(layer(pg.tensor(x)).detach().numpy(), standardised(x, (0,)))
    assert layer.state_dict().keys() == {"weight", "bias"}


def test_batch_norm_may_be_followed_by_an_activation_in_place() -> None:
    layer = nn.BatchNorm2d(2, dtype=pg.float64)
    x = pg.tensor(rng.standard_normal((2, 2, 3, 3)))
    F.relu(layer(x), inplace=True).sum().backward()
    written = layer.weight.grad.clone()
    layer.zero_grad()
    F.relu(layer(x)).sum().backward()
    np.testing.assert_allclose(written.numpy(), layer.weight.grad.numpy())


# other forms


def test_group_norm_is_its_formula() -> None:
    x, weight, bias = (rng.standard_normal(s) for s in ((2, 6, 3), (6,), (6,)))
    grouped = standardised(x.reshape(2, 2, 9), (2,)).reshape(2, 6, 3)
    expected = grouped * weight[:, None] + bias[:, None]
    found = F.group_norm(pg.tensor(x), 2, pg.tensor(weight), pg.tensor(bias), EPS)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_instance_norm_is_its_formula_and_tracks_the_mean_over_samples() -> None:
    layer = nn.InstanceNorm1d(3, track_running_stats=True, momentum=1.0, dtype=pg.float64)
    x = rng.standard_normal((2, 3, 5))
    np.testing.assert_allclose(layer(pg.tensor(x)).numpy(), standardised(x, (2,)))
    np.testing.assert_allclose(layer.running_mean.numpy(), x.mean((0, 2)))
    np.testing.assert_allclose(layer.running_var.numpy(), x.var(2, ddof=1).mean(0))


def test_rms_norm_is_its_formula() -> None:
    x, weight = rng.standard_normal((3, 5)), rng.standard_normal(5)
    expected = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-3) * weight
    found = F.rms_norm(pg.tensor(x), (5,), pg.tensor(weight), 1e-3)
    np.testing.assert_allclose(found.numpy(), expected)


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16])
def test_half_precision_stays_near_single(dtype: pg.dtype) -> None:
    x = pg.tensor(rng.standard_normal((8, 3, 4)).astype(np.float32)).to(dtype)
    parameter = pg.ones(4, dtype=dtype), pg.zeros(4, dtype=dtype)
    found = F.layer_norm(x, (4,), *parameter)
    assert found.dtype is dtype
    expected = F.layer_norm(x.float(), (4,))
    assert found.float().allclose(expected, atol=0.05)
    channels = pg.ones(3, dtype=dtype), pg.zeros(3, dtype=dtype)
    found = F.batch_norm(x, None, None, *channels, training=True)
    assert found.dtype is dtype
    assert found.float().allclose(F.batch_norm(x.float(), None, None, training=True), atol=0.05)


# refusals


def test_parameters_of_another_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"layer_norm: weight: expected \(4,\)"):
        normalization.layer_norm(pg.ones(2, 4), pg.ones(3), None, 1, EPS)
    with pytest.raises(ShapeError, match=r"batch_norm: bias: expected \(4,\)"):
        normalization.batch_norm(pg.ones(2, 4), None, pg.ones(3), EPS)
    with pytest.raises(ShapeError, match=r"normalized_shape|last axes of sizes \(5,\)"):
        F.layer_norm(pg.ones(2, 4), 5)
    with pytest.raises(ShapeError, match="multiple of 3 groups"):
        F.group_norm(pg.ones(2, 4), 3)


def test_parameters_of_another_dtype_and_integers_are_refused() -> None:
    with pytest.raises(DtypeError, match="weight: expected the input's dtype"):
        normalization.layer_norm(pg.ones(2, 4), pg.ones(4, dtype=pg.float64), None, 1, EPS)
    with pytest.raises(DtypeError, match="floating"):
        normalization.batch_norm(pg.ones(2, 4, dtype=pg.int64), None, None, EPS)


def test_training_on_one_value_per_channel_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"more than one value per channel.*eval\(\)"):
        nn.BatchNorm1d(3)(pg.ones(1, 3))
    with pytest.raises(ArgumentError, match="more than one value per channel"):
        nn.InstanceNorm1d(3)(pg.ones(2, 3, 1))


def test_evaluation_without_statistics_is_refused() -> None:
    with pytest.raises(ArgumentError, match="running_mean and running_var"):
        F.batch_norm(pg.ones(2, 3), None, None)


@pytest.mark.parametrize(
    ("layer", "axes"), [(nn.BatchNorm1d, 4), (nn.BatchNorm2d, 3), (nn.BatchNorm3d, 4)]
)
def test_batch_norm_layers_insist_on_their_axes(layer: type[nn.Module], axes: int) -> None:
    with pytest.raises(ShapeError, match=rf"{layer.__name__}: input"):
        layer(2)(pg.ones((2,) * axes))


def test_sync_batch_norm_is_a_batch_norm_in_one_process() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.BatchNorm1d(4, 0.1)))
    x = pg.randn(5, 3)
    net(x)
    state = {name: value.tolist() for name, value in net.state_dict().items()}
    parameters = list(net.parameters())
    found = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert isinstance(found[1], nn.SyncBatchNorm)
    assert isinstance(found[2][0], nn.SyncBatchNorm)
    assert {name: value.tolist() for name, value in found.state_dict().items()} == state
    assert all(a is b for a, b in zip(found.parameters(), parameters, strict=True))
    plain, layer = nn.BatchNorm2d(3), nn.SyncBatchNorm(3)
    image = pg.randn(2, 3, 4, 4)
    assert layer(image).tolist() == plain(image).tolist()
    assert layer.running_var.tolist() == plain.running_var.tolist()
    with pytest.raises(ShapeError, match=r"at least \(N, C\)"):
        layer(pg.ones(3))
    with pytest.raises(ArgumentError, match="process_group"):
        nn.SyncBatchNorm(3, process_group="all")


@pytest.mark.parametrize(("size", "channels"), [(3, 5), (4, 5), (2, 1)])
def test_local_response_norm_divides_by_the_channels_around(size: int, channels: int) -> None:
    x = rng.standard_normal((2, channels, 3, 2))
    expected = np.zeros_like(x)
    for c in range(channels):
        around = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        expected[:, c] = x[:, c] / (2 + 0.5 * (around**2).sum(1) / size) ** 0.75
    layer = nn.LocalResponseNorm(size, alpha=0.5, k=2.0)
    np.testing.assert_allclose(layer(pg.tensor(x)).numpy(), expected)
    assert layer(pg.ones(0, 3, 2)).shape == (0, 3, 2)
    with pytest.raises(ArgumentError, match=r"\(N, C, \*spatial\)"):
        layer(pg.ones(2, 3))


def test_batch_norms_forget_their_running_statistics():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.InstanceNorm1d(3))
    assert pg.func.replace_all_batch_norm_modules_(net) is net
    norm = net[1]
    assert (norm.running_mean, norm.num_batches_tracked, norm.track_running_stats) == (
        *(None, None),
        False,
    )
    x = pg.randn(5, 3)
    assert pg.allclose(norm.eval()(x).mean(0), pg.zeros(3), atol=1e-6)


def test_a_batch_of_nothing_leaves_the_running_statistics():
    norm = nn.BatchNorm1d(3)
    assert norm(pg.ones(0, 3)).shape == (0, 3)
    assert norm.running_mean.tolist() == [0, 0, 0]
    with pytest.raises(ArgumentError, match="eps"):
        nn.BatchNorm1d(3, eps=0.0)(pg.ones(2, 3))
