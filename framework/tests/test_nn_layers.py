"""Layers: each calls its function with its options, starts as it should and can be trained."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.ops import activation

from .helpers import check_gradients

rng = np.random.default_rng(2)


def random(*shape: int) -> pg.Tensor:
    return pg.tensor(rng.standard_normal(shape))


def check_equal(found: pg.Tensor, expected: object) -> None:
    expected = expected.detach().numpy() if isinstance(expected, pg.Tensor) else expected
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


# activations ------------------------------------------------------------------------------------


def gauss(x: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda t: (1 + math.erf(t / math.sqrt(2))) / 2)(x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


def softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


SELU = (1.6732632423543772, 1.0507009873554805)

ACTIVATIONS: dict[str, tuple[nn.Module, Callable[[np.ndarray], np.ndarray]]] = {
    "ReLU": (nn.ReLU(), lambda x: np.maximum(x, 0)),
    "ReLU6": (nn.ReLU6(), lambda x: np.clip(x, 0, 6)),
    "LeakyReLU": (nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "PReLU": (nn.PReLU(dtype=pg.float64), lambda x: np.where(x > 0, x, 0.25 * x)),
    "ELU": (nn.ELU(0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    "CELU": (nn.CELU(0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7))),
    "SELU": (nn.SELU(), lambda x: SELU[1] * np.where(x > 0, x, SELU[0] * np.expm1(x))),
    "GELU": (nn.GELU(), lambda x: x * gauss(x)),
    "GELU by tanh": (nn.GELU("tanh"), gelu_tanh),
    "SiLU": (nn.SiLU(), lambda x: x * sigmoid(x)),
    "Mish": (nn.Mish(), lambda x: x * np.tanh(softplus(x))),
    "Sigmoid": (nn.Sigmoid(), sigmoid),
    "LogSigmoid": (nn.LogSigmoid(), lambda x: np.log(sigmoid(x))),
    "Hardsigmoid": (nn.Hardsigmoid(), lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "Hardswish": (nn.Hardswish(), lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "Tanh": (nn.Tanh(), np.tanh),
    "Tanhshrink": (nn.Tanhshrink(), lambda x: x - np.tanh(x)),
    "Hardtanh": (nn.Hardtanh(-0.5, 2), lambda x: np.clip(x, -0.5, 2)),
    "Threshold": (nn.Threshold(0.1, 20), lambda x: np.where(x > 0.1, x, 20)),
    "Softplus": (nn.Softplus(2), lambda x: softplus(2 * x) / 2),
    "Softsign": (nn.Softsign(), lambda x: x / (1 + np.abs(x))),
    "Softshrink": (nn.Softshrink(0.3), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.3, 0)),
    "Hardshrink": (nn.Hardshrink(0.3), lambda x: np.where(np.abs(x) > 0.3, x, 0)),
    "GLU": (nn.GLU(1), lambda x: x[:, :3] * sigmoid(x[:, 3:])),
    "Softmax": (nn.Softmax(1), softmax),
    "Softmin": (nn.Softmin(1), lambda x: softmax(-x)),
    "LogSoftmax": (nn.LogSoftmax(1), lambda x: np.log(softmax(x))),
}
IN_PLACE = [
    *(nn.ReLU(True), nn.ReLU6(True), nn.LeakyReLU(0.2, True), nn.ELU(0.7, True)),
    *(nn.CELU(0.7, True), nn.SELU(True), nn.SiLU(True), nn.Mish(True), nn.Hardsigmoid(True)),
    *(nn.Hardswish(True), nn.Hardtanh(inplace=True), nn.Threshold(0.1, 20, True)),
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_their_formulas_with_gradients(name: str) -> None:
    layer, formula = ACTIVATIONS[name]
    x = rng.standard_normal((4, 6)) * 2
    check_equal(layer(pg.tensor(x)), formula(x))
    check_gradients(layer, x)


@pytest.mark.parametrize("layer", IN_PLACE, ids=repr)
def test_activations_in_place_overwrite_their_input_and_keep_the_gradient(layer: nn.Module) -> None:
    apart = type(layer)(**{**_options(layer), "inplace": False})
    x = random(4, 5)
    written = x.clone()
    assert layer(written) is written
    check_equal(written, apart(x))
    gradients = []
    for each in (layer, apart):
        leaf = x.clone().requires_grad_()
        each(leaf * 1.5).square().sum().backward()
        gradients.append(leaf.grad)
    check_equal(*gradients)


def _options(layer: nn.Module) -> dict[str, object]:
    hidden = {"training"}
    return {k: v for k, v in vars(layer).items() if k[0] != "_" and k not in hidden}


@pytest.mark.parametrize("dtype", [pg.float32, pg.float64])
@pytest.mark.parametrize("shape", [(3, 5), (70, 300), (4, 8, 70, 9)])
@pytest.mark.parametrize("name", ["relu", "silu", "gelu", "gelu_tanh", "softmax", "log_softmax"])
def test_fused_activations_compute_what_the_bodies_mean(
    name: str, shape: tuple[int, ...], dtype: pg.dtype
) -> None:
    function, backward = getattr(activation, name), getattr(activation, name + "_backward")
    near = {"rtol": 2e-5, "atol": 2e-6} if dtype is pg.float32 else {"rtol": 1e-10, "atol": 1e-12}
    x = (random(*shape) * 3).to(dtype)
    g = random(*shape).to(dtype)
    for permuted in (False, True):
        if permuted:
            order = (*range(1, len(shape)), 0)
            x, g = x.permute(order), g.permute(order)
        for dims in [(0,), (len(shape) - 1,)] if "softmax" in name else [()]:
            out = function(x, *dims)
            assert out.dtype is dtype
            expected = function.operator.body(x, *dims).numpy()
            np.testing.assert_allclose(out.numpy(), expected, **near)
            saved = x if name in ("silu", "gelu", "gelu_tanh") else out
            expected = backward.operator.body(g, saved, *dims).numpy()
            np.testing.assert_allclose(backward(g, saved, *dims).numpy(), expected, **near)


@pytest.mark.parametrize("size", [5, 20000])
def test_relu_keeps_nan_of_either_sign_and_turns_the_rest_nonnegative(size: int) -> None:
    values = np.resize(
        np.array([1.0, -1.0, -0.0, np.nan, -np.nan, np.inf, -np.inf], np.float32), size
    )
    found = F.relu(pg.tensor(values)).numpy()
    np.testing.assert_array_equal(found, np.where(np.isnan(values), np.nan, np.maximum(values, 0)))


def test_relu_passes_no_infinite_gradient_where_it_is_flat() -> None:
    x = pg.tensor([-1.0, 1.0], requires_grad=True)
    F.relu(x).backward(pg.tensor([float("inf"), 2.0]))
    assert x.grad.tolist() == [0, 2]


def test_relus_gradient_at_nan_is_not_hidden() -> None:
    x = pg.tensor([float("nan"), -1.0], requires_grad=True)
    F.relu(x).backward(pg.tensor([3.0, 2.0]))
    assert x.grad.tolist() == [3, 0]


@pytest.mark.parametrize("function", [F.softmax, F.log_softmax])
def test_softmax_along_an_axis_without_elements_has_a_gradient(
    function: Callable[..., pg.Tensor],
) -> None:
    x = pg.zeros(3, 0, requires_grad=True)
    function(x, dim=1).sum().backward()
    assert x.grad.shape == (3, 0)


def test_prelu_of_a_number_is_a_number() -> None:
    assert F.prelu(pg.tensor(-2.0), pg.tensor([0.5])).tolist() == -1


def test_functions_of_large_numbers_stay_finite() -> None:
    x = pg.tensor([-1000.0, 1000.0], requires_grad=True)
    for function in (F.softplus, F.logsigmoid, F.elu, F.celu, F.selu, F.mish, F.silu, F.gelu):
        x.grad = None
        out = function(x)
        out.sum().backward()
        assert np.isfinite(out.detach().numpy()).all(), function.__name__
        assert np.isfinite(x.grad.numpy()).all(), function.__name__


KINKS = {
    "relu6": ([0.0, 6.0], [0, 0]),
    "hardtanh": ([-1.0, 1.0], [0, 0]),
    "hardsigmoid": ([-3.0, 3.0], [0, 0]),
    "hardswish": ([-3.0, 3.0], [0, 1]),
    "logsigmoid": ([0.0, 200.0], [0.5, 0]),
    "relu": ([0.0, 1.0], [0, 1]),
}


@pytest.mark.parametrize("name", KINKS)
def test_slopes_at_kinks_are_pytorchs(name: str) -> None:
    places, slopes = KINKS[name]
    x = pg.tensor(places, requires_grad=True)
    getattr(F, name)(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes, atol=1e-30)


@pytest.mark.parametrize("function", [F.hardshrink, F.softshrink, lambda x: F.threshold(x, 0, 1)])
def test_thresholds_let_nan_through(function: Callable[[pg.Tensor], pg.Tensor]) -> None:
    assert np.isnan(function(pg.tensor(float("nan"))).item())


def test_softmax_guesses_an_axis_with_a_warning_as_pytorch_does() -> None:
    for function in (F.softmax, F.log_softmax, F.softmin):
        for shape, axis in (((3,), 0), ((2, 3), 1), ((2, 3, 2), 0), ((2, 3, 2, 2), 1)):
            x = pg.tensor(rng.standard_normal(shape))
            with pytest.warns(UserWarning, match="Implicit dimension choice"):
                assert function(x).tolist() == function(x, axis).tolist()


def test_softmax_needs_a_floating_dtype() -> None:
    for function in (F.softmax, F.log_softmax):
        with pytest.raises(DtypeError, match="floating dtype"):
            function(pg.ones(2, dtype=pg.int64), 0)
        assert function(pg.ones(0, 3), 1).shape == (0, 3)
        assert function(pg.ones(2, 0), 1).shape == (2, 0)


def test_activations_refuse_what_makes_no_sense() -> None:
    with pytest.raises(ArgumentError, match="approximate"):
        F.gelu(pg.ones(2), "fast")
    with pytest.raises(ArgumentError, match="even size"):
        F.glu(pg.ones(2, 3))


# linear, embedding, shape -----------------------------------------------------------------------


def test_linear_is_its_formula_for_any_leading_axes() -> None:
    layer = nn.Linear(4, 3, dtype=pg.float64)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    for shape in ((4,), (2, 4), (2, 5, 4)):
        x = rng.standard_normal(shape)
        check_equal(layer(pg.tensor(x)), x @ weight.T + bias)
    check_equal(F.linear(pg.tensor(x), layer.weight), x @ weight.T)
    with pytest.raises(ShapeError, match="linear: weight"):
        layer(random(2, 3))


def test_bilinear_is_its_formula() -> None:
    layer = nn.Bilinear(4, 3, 2, dtype=pg.float64)
    x, y = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    check_equal(layer(pg.tensor(x), pg.tensor(y)), np.einsum("ni,oij,nj->no", x, weight, y) + bias)
    with pytest.raises(ShapeError, match="bilinear: weight"):
        layer(random(5, 4), random(5, 4))


def test_embedding_looks_rows_up_and_spares_the_padding() -> None:
    layer = nn.Embedding(5, 3, padding_idx=-1, dtype=pg.float64)
    assert layer.padding_idx == 4
    assert layer.weight[4].tolist() == [0, 0, 0]
    index = np.array([[1, 4, 1], [0, 4, 2]])
    out = layer(pg.tensor(index))
    check_equal(out, layer.weight.detach().numpy()[index])
    out.sum().backward()
    assert layer.weight.grad[:, 0].tolist() == [1, 2, 1, 0, 0]
    assert nn.Embedding(5, 3)(pg.tensor([1, 2], dtype=pg.int32)).shape == (2, 3)


def test_embedding_scales_looked_up_rows_down_to_a_norm() -> None:
    table = pg.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    layer = nn.Embedding.from_pretrained(table.clone(), freeze=False, max_norm=1.0)
    out = layer(pg.tensor([0, 1, 0]))
    assert out.detach().norm(2, 1).tolist() == pytest.approx([1, 0.5, 1])
    assert layer.weight[2].tolist() == [6, 8]
    assert layer.weight[0].tolist() == pytest.approx([0.6, 0.8])
    assert layer.weight.requires_grad
    assert not nn.Embedding.from_pretrained(table).weight.requires_grad


def test_embedding_refuses_what_does_not_fit() -> None:
    with pytest.raises(RangeError, match="padding_idx: expected a row from -5 to 4"):
        nn.Embedding(5, 3, padding_idx=5)
    with pytest.raises(RangeError, match="padding_idx"):
        F.embedding(pg.tensor([0]), pg.ones(5, 3), padding_idx=-6)
    with pytest.raises(RangeError, match="positions from 0 to 4"):
        nn.Embedding(5, 3)(pg.tensor([5]))
    with pytest.raises(DtypeError, match="integer dtype"):
        nn.Embedding(5, 3)(pg.ones(1))
    with pytest.raises(ArgumentError, match="False where sparse"):
        nn.Embedding(5, 3, scale_grad_by_freq=True, sparse=True)(pg.tensor([0]))
    with pytest.raises(ShapeError, match="_weight"):
        nn.Embedding(5, 3, _weight=pg.ones(3, 5))
    with pytest.raises(ShapeError, match="two axes"):
        nn.Embedding.from_pretrained(pg.ones(3))


def test_one_hot_marks_each_class() -> None:
    assert F.one_hot(pg.tensor([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert F.one_hot(pg.tensor([[1]]), 3).tolist() == [[[0, 1, 0]]]
    for wrong in ([3], [-1]):
        with pytest.raises(RangeError, match="classes from 0 to 2"):
            F.one_hot(pg.tensor(wrong), 3)
    with pytest.raises(DtypeError, match="int64"):
        F.one_hot(pg.ones(2))
    with pytest.raises(ArgumentError, match="num_classes"):
        F.one_hot(pg.ones(0, dtype=pg.int64))


def test_flatten_and_unflatten_change_the_shape_alone() -> None:
    x = random(2, 3, 4)
    assert nn.Flatten()(x).tolist() == x.reshape(2, 12).tolist()
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, 4))(nn.Flatten()(x)).tolist() == x.tolist()


def test_distances_are_their_formulas() -> None:
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    check_equal(nn.CosineSimilarity()(pg.tensor(x), pg.tensor(y)), cosine)
    apart = np.linalg.norm(x - y + 1e-6, axis=1)
    check_equal(nn.PairwiseDistance()(pg.tensor(x), pg.tensor(y)), apart)
    check_equal(F.normalize(pg.tensor(x)), x / np.linalg.norm(x, axis=1, keepdims=True))
    assert F.normalize(pg.zeros(2, 3)).tolist() == [[0, 0, 0]] * 2


# convolution, pooling, padding ------------------------------------------------------------------


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_convolution_layers_pass_their_options_on(spatial: int) -> None:
    x = random(2, 4, *(7, 6, 5)[:spatial])
    layer = getattr(nn, f"Conv{spatial}d")(4, 6, 3, stride=2, padding=1, groups=2, dtype=pg.float64)
    function = getattr(F, f"conv{spatial}d")
    assert layer.weight.shape == (6, 2, *(3,) * spatial)
    check_equal(layer(x), function(x, layer.weight, layer.bias, 2, 1, 1, 2))
    layer = getattr(nn, f"ConvTranspose{spatial}d")(
        4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dtype=pg.float64
    )
    function = getattr(F, f"conv_transpose{spatial}d")
    assert layer.weight.shape == (4, 3, *(3,) * spatial)
    check_equal(layer(x), function(x, layer.weight, layer.bias, 2, 1, 1, 2))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(("padding", "kernel"), [("same", 3), ("same", 4), (2, 3)])
def test_padding_modes_pad_first_and_convolve_then(
    mode: str, padding: int | str, kernel: int
) -> None:
    layer = nn.Conv2d(2, 3, kernel, padding=padding, padding_mode=mode, dtype=pg.float64)
    x = rng.standard_normal((1, 2, 6, 5))
    total = kernel - 1 if padding == "same" else 4
    margins = (total // 2, total - total // 2)
    names = {"zeros": "constant", "replicate": "edge", "circular": "wrap"}
    padded = np.pad(x, ((0, 0), (0, 0), margins, margins), names.get(mode, mode))
    check_equal(layer(pg.tensor(x)), F.conv2d(pg.tensor(padded), layer.weight, layer.bias))


def test_a_transposed_convolution_gives_the_size_that_is_asked_for() -> None:
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)
    x = pg.ones(1, 1, 4, 4)
    assert layer(x).shape == (1, 1, 7, 7)
    assert layer(x, output_size=(8, 7)).shape == (1, 1, 8, 7)
    with pytest.raises(ArgumentError, match=r"sizes from \[7, 7\] to \[8, 8\]"):
        layer(x, output_size=(9, 7))


def test_convolution_layers_refuse_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="in_channels: expected a multiple of groups, 2"):
        nn.Conv2d(3, 4, 1, groups=2)
    with pytest.raises(ArgumentError, match="out_channels"):
        nn.Conv2d(4, 3, 1, groups=2)
    with pytest.raises(ArgumentError, match="padding_mode"):
        nn.Conv2d(1, 1, 1, padding_mode="mirror")
    with pytest.raises(ArgumentError, match="padding_mode"):
        nn.ConvTranspose2d(1, 1, 1, padding_mode="reflect")
    with pytest.raises(ArgumentError, match="'same' where the stride is 1"):
        nn.Conv2d(1, 1, 3, stride=2, padding="same")
    with pytest.raises(ArgumentError, match="kernel_size"):
        nn.Conv2d(1, 1, (1, 2, 3))


def test_pooling_layers_pass_their_options_on() -> None:
    x = random(1, 2, 7, 6)
    options = {"stride": 1, "padding": 1, "ceil_mode": True}
    check_equal(nn.MaxPool2d(3, dilation=2, **options)(x), F.max_pool2d(x, 3, 1, 1, 2, True))
    values, places = nn.MaxPool2d(2, return_indices=True)(x)
    check_equal(x.flatten(2).gather(2, places.flatten(2)), values.flatten(2))
    layer = nn.AvgPool2d(3, count_include_pad=False, **options)
    check_equal(layer(x), F.avg_pool2d(x, 3, 1, 1, True, False))
    layer = nn.AvgPool2d(2, divisor_override=3)
    check_equal(layer(x), F.avg_pool2d(x, 2, divisor_override=3))
    check_equal(nn.AdaptiveAvgPool2d(1)(x), x.mean((2, 3), keepdim=True))
    check_equal(nn.AdaptiveMaxPool2d(1)(x), x.amax((2, 3), keepdim=True))
    assert nn.AdaptiveAvgPool2d((None, 2))(x).shape == (1, 2, 7, 2)
    for layer, size in ((nn.MaxPool1d, 1), (nn.AvgPool1d, 1), (nn.MaxPool3d, 3), (nn.AvgPool3d, 3)):
        assert layer(2)(pg.ones(1, 1, *(4,) * size)).shape == (1, 1, *(2,) * size)
    for size in (1, 3):
        for kind in ("Avg", "Max"):
            layer = getattr(nn, f"Adaptive{kind}Pool{size}d")(2)
            assert layer(pg.ones(1, 1, *(5,) * size)).shape == (1, 1, *(2,) * size)


@pytest.mark.parametrize(
    ("mode", "numpys"),
    [("constant", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_padding_is_that_of_numpy(mode: str, numpys: str) -> None:
    x = rng.standard_normal((2, 4, 5))
    expected = np.pad(x, ((0, 0), (3, 0), (1, 2)), numpys)
    check_equal(F.pad(pg.tensor(x), (1, 2, 3, 0), mode), expected)
    check_gradients(lambda x: F.pad(x, (1, 2, 1, 0), mode), x[:1, :2, :3])


def test_padding_takes_away_and_fills_with_a_number() -> None:
    x = pg.ones(2, 3)
    assert F.pad(x, (-1, 1), value=7.0).tolist() == [[1, 1, 7]] * 2
    with pytest.raises(ArgumentError, match="two numbers"):
        F.pad(x, (1,))
    with pytest.raises(ArgumentError, match="two numbers"):
        F.pad(x, (1,) * 6)
    with pytest.raises(ArgumentError, match="mode"):
        F.pad(x, (1, 1), "mirror")
    with pytest.raises(ArgumentError, match="value"):
        F.pad(x, (1, 1), "reflect", 2.0)
    for mode, margin in (("reflect", 3), ("circular", 4), ("replicate", -4)):
        with pytest.raises(ShapeError, match=f"what mode '{mode}' finds in axis 1"):
            F.pad(x, (margin, 0), mode)


# dropout ----------------------------------------------------------------------------------------


def test_dropout_zeroes_with_its_probability_and_scales_the_rest() -> None:
    pg.manual_seed(1)
    out = nn.Dropout(0.25)(pg.ones(100, 100))
    assert set(np.unique(out.numpy())) == {np.float32(0), np.float32(1 / 0.75)}
    assert (out == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_dropout_follows_the_seed() -> None:
    layer, x = nn.Dropout(0.5), pg.ones(50)
    pg.manual_seed(3)
    first, second = layer(x).tolist(), layer(x).tolist()
    pg.manual_seed(3)
    assert layer(x).tolist() == first
    assert first != second


def test_dropout_passes_the_gradient_where_it_passed_the_value() -> None:
    x = pg.ones(50, requires_grad=True)
    out = F.dropout(x, 0.5)
    out.sum().backward()
    assert x.grad.tolist() == out.tolist()


def test_dropout_at_rest_returns_its_input() -> None:
    x = pg.ones(5)
    assert nn.Dropout(0.5).eval()(x) is x
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 1.0).tolist() == [0] * 5
    assert F.dropout(x, 1.0, inplace=True) is x
    assert x.tolist() == [0] * 5


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_channel_dropout_zeroes_whole_channels(spatial: int) -> None:
    pg.manual_seed(0)
    out = getattr(nn, f"Dropout{spatial}d")(0.5)(pg.ones(20, 5, *(3,) * spatial))
    channels = out.flatten(2).numpy()
    assert (channels == channels[:, :, :1]).all()
    assert set(np.unique(channels)) == {0, 2}
    with pytest.raises(ShapeError, match=f"dropout{spatial}d: input"):
        getattr(F, f"dropout{spatial}d")(pg.ones(2))


def test_a_probability_outside_its_range_is_refused() -> None:
    with pytest.raises(ArgumentError, match="Dropout: p: expected a probability"):
        nn.Dropout(1.5)
    for training in (True, False):
        with pytest.raises(ArgumentError, match="dropout: p"):
            F.dropout(pg.ones(2), -0.1, training)


# initial values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (lambda: nn.Linear(16, 500), 1 / 4),
        (lambda: nn.Conv2d(4, 200, 3), 1 / 6),
        (lambda: nn.Conv2d(4, 200, 3, groups=2), 1 / math.sqrt(18)),
        (lambda: nn.ConvTranspose2d(200, 4, 3), 1 / 6),
        (lambda: nn.Bilinear(16, 3, 100), 1 / 4),
    ],
)
def test_layers_start_uniform_within_the_root_of_their_fan_in(
    make: Callable[[], nn.Module], bound: float
) -> None:
    pg.manual_seed(0)
    layer = make()
    weight = layer.weight.detach().numpy()
    assert np.abs(weight).max() <= bound
    assert np.abs(weight).max() > 0.98 * bound
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert np.abs(layer.bias.detach().numpy()).max() <= bound


def test_equal_seeds_give_equal_layers() -> None:
    pg.manual_seed(9)
    first = nn.Linear(3, 3)
    pg.manual_seed(9)
    assert nn.Linear(3, 3).weight.tolist() == first.weight.tolist()
    assert nn.Linear(3, 3).weight.tolist() != first.weight.tolist()


def test_other_layers_start_as_they_should() -> None:
    for layer in (nn.BatchNorm1d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3)):
        assert layer.weight.tolist() == [1, 1, 1]
        assert layer.bias.tolist() == [0, 0, 0]
        layer.weight.data.fill_(5)
        layer.reset_parameters()
        assert layer.weight.tolist() == [1, 1, 1]
    pg.manual_seed(0)
    assert nn.Embedding(100, 100).weight.std().item() == pytest.approx(1, abs=0.05)
    attention = nn.MultiheadAttention(32, 4)
    limit = math.sqrt(6 / (32 + 96))
    assert attention.in_proj_weight.abs().amax().item() == pytest.approx(limit, rel=0.02)
    assert (attention.in_proj_bias == 0).all().item()
    assert (attention.out_proj.bias == 0).all().item()


VARIANCES: dict[str, tuple[Callable[[pg.Tensor], pg.Tensor], float]] = {
    "xavier_uniform": (lambda t: nn.init.xavier_uniform_(t, 2.0), 4 * 2 / (60 + 300)),
    "xavier_normal": (lambda t: nn.init.xavier_normal_(t), 2 / (60 + 300)),
    "kaiming_uniform": (lambda t: nn.init.kaiming_uniform_(t, nonlinearity="relu"), 2 / 60),
    "kaiming_normal": (lambda t: nn.init.kaiming_normal_(t, a=1, mode="fan_out"), 1 / 300),
    "normal": (lambda t: nn.init.normal_(t, 3, 0.5), 0.25),
    "uniform": (lambda t: nn.init.uniform_(t, -1, 3), 16 / 12),
}


@pytest.mark.parametrize("name", VARIANCES)
def test_initialisers_have_the_variance_that_they_promise(name: str) -> None:
    fill, variance = VARIANCES[name]
    weight = nn.Parameter(pg.empty(100, 20, 3))
    assert fill(weight) is weight
    assert weight.is_leaf
    assert weight.requires_grad
    assert weight.detach().var().item() == pytest.approx(variance, rel=0.1)


def test_truncated_normal_numbers_stay_within_bounds_and_keep_their_shape() -> None:
    found = np.sort(nn.init.trunc_normal_(pg.empty(20000), 1.0, 2.0, -1.0, 4.0).numpy())
    assert found[0] >= -1
    assert found[-1] <= 4
    below = np.vectorize(lambda t: (1 + math.erf((t - 1) / 2 / math.sqrt(2))) / 2)
    share = (below(found) - below(-1.0)) / (below(4.0) - below(-1.0))
    # Kolmogorov's statistic; 1.95 / sqrt(n) is exceeded once in a thousand.
    assert np.abs(share - np.arange(20000) / 20000).max() < 1.95 / math.sqrt(20000)


@pytest.mark.parametrize("tail", [1e-6, 1e-3, 0.05, 0.3, 0.5])
def test_the_normal_quantile_inverts_the_distribution_function(tail: float) -> None:
    for share in (tail, 1 - tail):
        x = nn.init._quantile(pg.tensor(share, dtype=pg.float64)).item()
        assert (1 + math.erf(x / math.sqrt(2))) / 2 == pytest.approx(share, rel=1e-5)


def test_plain_initialisers_and_gains() -> None:
    assert nn.init.constant_(pg.empty(2), 4).tolist() == [4, 4]
    assert nn.init.ones_(pg.empty(2)).tolist() == [1, 1]
    assert nn.init.zeros_(pg.empty(2)).tolist() == [0, 0]
    assert nn.init.eye_(pg.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    gains = {"relu": math.sqrt(2), "tanh": 5 / 3, "conv2d": 1, "selu": 0.75}
    for name, gain in gains.items():
        assert nn.init.calculate_gain(name) == gain
    assert nn.init.calculate_gain("leaky_relu", 1) == 1
    with pytest.raises(ArgumentError, match="nonlinearity"):
        nn.init.calculate_gain("swish")
    with pytest.raises(ArgumentError, match="'fan_in' or 'fan_out'"):
        nn.init.kaiming_normal_(pg.empty(2, 2), mode="fan")
    with pytest.raises(ShapeError, match="at least two axes"):
        nn.init.xavier_normal_(pg.empty(2))
    with pytest.raises(ShapeError, match="two axes"):
        nn.init.eye_(pg.empty(2))


# a whole model ----------------------------------------------------------------------------------


def test_a_model_of_many_layers_learns() -> None:
    pg.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        *(nn.MaxPool2d(2), nn.Dropout2d(0.1), nn.Flatten(), nn.LayerNorm(16)),
        *(nn.Linear(16, 8), nn.GELU(), nn.Linear(8, 2)),
    )
    x = pg.randn(32, 1, 4, 4)
    target = (x.mean((1, 2, 3)) > 0).long()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.01)
    losses = []
    for _ in range(40):
        model.zero_grad()
        value = criterion(model(x), target)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        with pg.no_grad():
            for parameter in model.parameters():
                parameter.sub_(parameter.grad * 0.5)
        losses.append(value.item())
    assert losses[-1] < 0.5 * losses[0]
    model.eval()
    assert (model(x).argmax(1) == target).float().mean().item() > 0.9


def test_adaptive_softmax_gives_every_class_its_share() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], 2.0, dtype=pg.float64)
    x = pg.randn(4, 8, dtype=pg.float64)
    every = layer.log_prob(x)
    assert every.shape == (4, 12)
    assert every.exp().sum(1).tolist() == pytest.approx([1] * 4)
    assert layer.predict(x).tolist() == every.argmax(1).tolist()
    target = pg.tensor([0, 3, 6, 11])
    out, loss = layer(x, target)
    assert out.tolist() == pytest.approx([every[i, t].item() for i, t in enumerate([0, 3, 6, 11])])
    assert loss.item() == pytest.approx(-out.mean().item())
    assert layer(x[1], target[1]).output.item() == pytest.approx(out[1].item())
    assert list(layer.state_dict()) == [
        "head.weight",
        *[f"tail.{cluster}.{part}.weight" for cluster in (0, 1) for part in (0, 1)],
    ]
    with pytest.raises(ArgumentError, match="rising integers from 1 to 11"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 12, [7, 3])
    with pytest.raises(RangeError, match="classes from 0 to 11"):
        layer(x, target + 1)
    with pytest.raises(ShapeError, match="4 targets"):
        layer(x, target[:2])
    with pytest.raises(ShapeError, match="both without N"):
        layer(x, target[0])
