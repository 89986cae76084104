"""Parameters that are computed from others, layers merged, states passed as arguments."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import ArgumentError, CheckpointError, KindError, ShapeError, UnsupportedError
from plugrad.func import functional_call, stack_module_state, vmap
from plugrad.nn import utils
from plugrad.nn.utils import parametrizations
from plugrad.nn.utils.parametrizations import orthogonal
from plugrad.nn.utils.parametrize import (
    cached,
    is_parametrized,
    register_parametrization,
    remove_parametrizations,
    transfer_parametrizations_and_params,
    type_before_parametrizations,
)


class Symmetric(nn.Module):
    def forward(self, x: pg.Tensor) -> pg.Tensor:
        return x.triu() + x.triu(1).transpose(-1, -2)

    def right_inverse(self, x: pg.Tensor) -> pg.Tensor:
        return x.triu()


class Doubled(nn.Module):
    def forward(self, x: pg.Tensor) -> pg.Tensor:
        return x * 2


def test_a_parametrized_weight_is_computed_when_read() -> None:
    layer = nn.Linear(3, 3)
    original = layer.weight
    register_parametrization(layer, "weight", Symmetric())
    assert pg.equal(layer.weight, layer.weight.t())
    assert layer.parametrizations.weight.original is original
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    layer(pg.ones(1, 3)).sum().backward()
    assert original.grad.tolist()[2][:2] == [0, 0]
    layer.weight = pg.ones(3, 3)
    assert original.tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]
    assert type_before_parametrizations(layer) is nn.Linear
    twin = copy.deepcopy(layer)
    assert pg.equal(twin.weight, layer.weight)
    with cached():
        assert layer.weight is layer.weight
        assert twin.weight is not layer.weight
    assert layer.weight is not layer.weight


def test_parametrizations_follow_one_another_and_go_away() -> None:
    layer = nn.Linear(3, 3)
    register_parametrization(layer, "weight", Symmetric())
    register_parametrization(layer, "weight", Doubled())
    assert pg.equal(layer.weight, 2 * layer.parametrizations.weight[0](
        layer.parametrizations.weight.original))  # fmt: skip
    other = transfer_parametrizations_and_params(layer, nn.Linear(3, 3))
    assert pg.equal(other.weight, layer.weight)
    remove_parametrizations(other, "weight", leave_parametrized=False)
    assert other.weight[2, 0].item() == 0  # what the two computed from
    weight = layer.weight.detach()
    remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert not is_parametrized(layer)
    assert pg.equal(layer.weight, weight)
    assert isinstance(layer.weight, nn.Parameter)


def test_parametrizations_refuse_what_does_not_fit() -> None:
    layer = nn.Linear(3, 3)
    with pytest.raises(ArgumentError, match="a parameter or buffer of Linear"):
        register_parametrization(layer, "wait", Symmetric())
    with pytest.raises(ShapeError, match="unsafe=True"):
        register_parametrization(layer, "weight", nn.Flatten(0))
    with pytest.raises(ArgumentError, match="a parametrized tensor"):
        remove_parametrizations(layer, "weight")
    parametrizations.weight_norm(layer)
    with pytest.raises(ArgumentError, match="several tensors"):
        remove_parametrizations(layer, "weight", leave_parametrized=False)


@pytest.mark.parametrize("api", [utils, parametrizations], ids=["hooks", "parametrizations"])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_learns_length_and_direction_apart(api: Any, dim: int | None) -> None:
    layer = nn.Conv1d(3, 4, 2)
    x, before = pg.randn(2, 3, 5), copy.deepcopy(layer)
    api.weight_norm(layer, dim=dim)
    assert pg.allclose(layer(x), before(x), atol=1e-6)
    g, v = list(layer.parameters())[-2:]
    layer(x).square().sum().backward()
    # A change of length alone does not turn the weight: the direction's gradient is across it.
    assert abs((v.grad * v).sum().item()) < 1e-3 * v.grad.abs().sum().item()
    with pg.no_grad():
        g.mul_(2)
    assert pg.allclose(layer(x) - layer.bias[:, None], 2 * (before(x) - layer.bias[:, None]),
                       atol=1e-5)  # fmt: skip
    if api is utils:
        assert {"weight_g", "weight_v"} <= set(layer.state_dict())
        utils.remove_weight_norm(layer)
    else:
        remove_parametrizations(layer, "weight")
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert pg.allclose(layer.weight, 2 * before.weight)


@pytest.mark.parametrize("api", [utils, parametrizations], ids=["hooks", "parametrizations"])
def test_spectral_norm_makes_the_largest_singular_value_one(api: Any) -> None:
    layer = nn.ConvTranspose1d(3, 4, 2)
    api.spectral_norm(layer, n_power_iterations=50)
    layer(pg.randn(2, 3, 5)).sum().backward()
    layer.eval()
    layer(pg.randn(2, 3, 5))
    matrix = layer.weight.detach().movedim(1, 0).reshape(4, -1)
    gram = matrix @ matrix.t()
    top = pg.ones(4)
    for _ in range(200):
        top = gram @ top
        top = top / top.norm()
    assert (top @ gram @ top).item() == pytest.approx(1, abs=1e-4)
    assert all(each.grad is not None for each in layer.parameters())
    if api is utils:
        assert {"weight_orig", "weight_u", "weight_v"} <= set(layer.state_dict())
        utils.remove_spectral_norm(layer)
        assert set(layer.state_dict()) == {"weight", "bias"}
        with pytest.raises(ArgumentError, match="whose 'weight' is computed"):
            utils.remove_spectral_norm(layer)
    with pytest.raises(ArgumentError, match="at least 1"):
        api.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)
    with pytest.raises(ArgumentError, match="a parameter's"):
        api.spectral_norm(nn.Linear(2, 2), "wait")


@pytest.mark.parametrize("transposed", [False, True])
def test_a_fused_batch_norm_changes_nothing(transposed: bool) -> None:
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    conv, norm = kind(3, 4, 2, bias=False), nn.BatchNorm2d(4)
    with pytest.raises(ArgumentError, match="a module in eval"):
        utils.fuse_conv_bn_eval(conv, norm)
    norm(pg.randn(5, 4, 3, 3) * 3 + 1)
    conv, norm = conv.eval(), norm.eval()
    x = pg.randn(2, 3, 5, 5)
    fused = utils.fuse_conv_bn_eval(conv, norm, transposed)
    assert pg.allclose(fused(x), norm(conv(x)), atol=1e-5)
    assert conv.bias is None
    with pytest.raises(ArgumentError, match="one of 3 features"):
        utils.fuse_linear_bn_eval(nn.Linear(2, 3).eval(), norm)


def test_norms_are_computed_apart_from_clipping() -> None:
    layer = nn.Linear(2, 1)
    layer(pg.ones(1, 2)).sum().backward()
    total = utils.get_total_norm([each.grad for each in layer.parameters()])
    assert total.item() == pytest.approx(3**0.5)
    utils.clip_grads_with_norm_(layer.parameters(), 1.0, total)
    assert utils.get_total_norm([each.grad for each in layer.parameters()]).item() < 1.0001
    assert utils.skip_init(nn.Linear, 2, 3).weight.shape == (3, 2)


# states as arguments ------------------------------------------------------------------------------


def test_a_module_is_called_with_other_tensors_and_keeps_its_own() -> None:
    layer = nn.Linear(2, 2)
    weight = layer.weight
    out = functional_call(layer, {"weight": pg.eye(2), "bias": pg.ones(2)}, pg.zeros(1, 2))
    assert out.tolist() == [[1, 1]]
    assert layer.weight is weight
    with pytest.raises(CheckpointError, match="missing keys: bias; unexpected keys: wait"):
        functional_call(layer, {"weight": weight, "wait": weight}, pg.ones(2), strict=True)
    with pytest.raises(ArgumentError, match="bias in several"):
        functional_call(layer, [{"bias": pg.ones(2)}, {"bias": pg.ones(2)}], pg.ones(2))
    assert layer.weight is weight


def test_a_shared_tensor_is_replaced_under_all_its_names() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].weight = model[0].weight
    two = {"0.weight": pg.full((1, 1), 2.0)}
    assert functional_call(model, two, pg.ones(1)).item() == 4
    with pg.no_grad():
        model[0].weight.fill_(1)
    assert functional_call(model, two, pg.ones(1), tie_weights=False).item() == 2


def test_models_of_one_kind_run_side_by_side() -> None:
    models = [nn.Linear(3, 2) for _ in range(4)]
    params, buffers = stack_module_state(models)
    assert params["weight"].shape == (4, 2, 3)
    assert params["weight"].is_leaf
    assert params["weight"].requires_grad
    x = pg.randn(5, 3)
    out = vmap(lambda *state: functional_call(models[0], state, x))(params, buffers)
    for found, model in zip(out, models, strict=True):
        assert pg.allclose(found, model(x), atol=1e-6)
    with pytest.raises(ArgumentError, match="at least one"):
        stack_module_state([])
    with pytest.raises(KindError, match="all of one class, Linear"):
        stack_module_state([models[0], nn.ReLU()])
    with pytest.raises(ArgumentError, match="some of both"):
        stack_module_state([models[0], nn.Linear(3, 2).eval()])


# orthogonal


def grams(weight: pg.Tensor) -> pg.Tensor:
    tall = weight.mT if weight.shape[-2] < weight.shape[-1] else weight
    return tall.mH @ tall


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("trivial", [True, False])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)])
def test_an_orthogonal_weight_stays_so_whatever_its_parameter(shape, trivial, orthogonal_map):
    layer = nn.Module()
    pg.manual_seed(0)
    layer.weight = nn.Parameter(pg.randn(shape, dtype=pg.float64))
    orthogonal(layer, "weight", orthogonal_map, use_trivialization=trivial)
    for _ in range(2):
        gram = grams(layer.weight)
        assert pg.allclose(gram, pg.eye(gram.shape[-1], dtype=pg.float64), atol=1e-10)
        layer.weight.sum().backward()
        original = layer.parametrizations.weight.original
        assert original.grad.abs().sum() > 0
        with pg.no_grad():
            original -= 0.1 * original.grad.tril(-1)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_an_orthogonal_weight_can_be_assigned_an_orthogonal_value(shape):
    layer = orthogonal(nn.Linear(shape[1], shape[0], dtype=pg.float64))
    reflections = orthogonal(
        nn.Linear(shape[1], shape[0], dtype=pg.float64),
        "weight",
        "householder",
        use_trivialization=False,
    )
    wanted = nn.init.orthogonal_(pg.empty(shape, dtype=pg.float64))
    for each in (layer, reflections):
        each.weight = wanted
        assert pg.allclose(each.weight, wanted, atol=1e-10)


def test_a_complex_weight_is_unitary():
    layer = nn.Module()
    layer.weight = nn.Parameter(pg.randn(3, 2, dtype=pg.complex128))
    orthogonal(layer)
    assert pg.allclose(grams(layer.weight), pg.eye(2, dtype=pg.complex128), atol=1e-10)
    other = nn.Module()
    other.weight = nn.Parameter(pg.randn(3, 2, dtype=pg.complex128))
    with pytest.raises(ArgumentError, match="complex weight"):
        orthogonal(other, "weight", "householder")


def test_what_cannot_be_orthogonal_is_refused():
    with pytest.raises(ArgumentError, match="a parameter's"):
        orthogonal(nn.Linear(2, 2), "nothing")
    with pytest.raises(ArgumentError, match="one of matrix_exp"):
        orthogonal(nn.Linear(2, 2), "weight", "svd")
    with pytest.raises(ShapeError, match="at least two axes"):
        orthogonal(nn.Linear(2, 2), "bias")
    layer = orthogonal(nn.Linear(2, 2), use_trivialization=False)
    with pytest.raises(UnsupportedError, match="matrix_exp"):
        layer.weight = pg.eye(2)
