"""Attention held against its formula in float64: masks, causality, heads, dropout."""

from __future__ import annotations

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, DtypeError, ShapeError

from .helpers import check_gradients

rng = np.random.default_rng(3)
INFINITY = float("inf")


def attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, bias: np.ndarray, scale: float
) -> np.ndarray:
    scores = query @ key.swapaxes(-1, -2) * scale + bias
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True) @ value


def operands(length: int = 4, sources: int = 5) -> tuple[np.ndarray, ...]:
    shapes = ((2, 3, length, 6), (2, 3, sources, 6), (2, 3, sources, 7))
    return tuple(rng.standard_normal(shape) for shape in shapes)


def tensors(arrays: tuple[np.ndarray, ...]) -> list[pg.Tensor]:
    return [pg.tensor(array) for array in arrays]


@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_is_its_formula(scale: float | None) -> None:
    arrays = operands()
    expected = attention(*arrays, np.zeros(()), scale or 1 / np.sqrt(6))
    found = F.scaled_dot_product_attention(*tensors(arrays), scale=scale)
    np.testing.assert_allclose(found.numpy(), expected)


def test_a_bool_mask_holds_where_a_query_may_look() -> None:
    arrays = operands()
    mask = rng.random((4, 5)) > 0.4
    mask[:, 0] = True
    expected = attention(*arrays, np.where(mask, 0, -INFINITY), 1 / np.sqrt(6))
    found = F.scaled_dot_product_attention(*tensors(arrays), attn_mask=pg.tensor(mask))
    np.testing.assert_allclose(found.numpy(), expected)


def test_a_float_mask_adds_to_the_scores_and_gets_a_gradient() -> None:
    arrays = operands()
    mask = rng.standard_normal((2, 1, 4, 5))
    expected = attention(*arrays, mask, 1 / np.sqrt(6))
    found = F.scaled_dot_product_attention(*tensors(arrays), attn_mask=pg.tensor(mask))
    np.testing.assert_allclose(found.numpy(), expected)
    small = [array[:1, :1, :2, :2] for array in arrays]
    check_gradients(F.scaled_dot_product_attention, *small, mask[:1, :, :2, :2])


@pytest.mark.parametrize(("length", "sources"), [(4, 4), (3, 5), (5, 3)])
def test_a_causal_query_sees_keys_up_to_its_own_position(length: int, sources: int) -> None:
    arrays = operands(length, sources)
    bias = np.where(np.tri(length, sources, dtype=bool), 0, -INFINITY)
    expected = attention(*arrays, bias, 1 / np.sqrt(6))
    found = F.scaled_dot_product_attention(*tensors(arrays), is_causal=True)
    np.testing.assert_allclose(found.numpy(), expected)


@pytest.mark.parametrize("kind", ["bool", "float"])
def test_a_query_that_may_look_nowhere_gives_zero_with_finite_gradients(kind: str) -> None:
    query, key, value = (x.requires_grad_() for x in tensors(operands()))
    open_ = np.ones((4, 5), bool)
    open_[1] = False
    mask = pg.tensor(open_ if kind == "bool" else np.where(open_, 0.0, -INFINITY))
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    assert (out[:, :, 1] == 0).all().item()
    out.sum().backward()
    for operand in (query, key, value):
        assert np.isfinite(operand.grad.numpy()).all()
    assert (query.grad[:, :, 1] == 0).all().item()


def test_groups_of_queries_share_heads_of_keys_and_values() -> None:
    query = rng.standard_normal((2, 6, 4, 5))
    key, value = rng.standard_normal((2, 2, 2, 3, 5))
    repeated = [np.repeat(x, 3, axis=1) for x in (key, value)]
    expected = attention(query, *repeated, np.zeros(()), 1 / np.sqrt(5))
    given = tensors((query, key, value))
    found = F.scaled_dot_product_attention(*given, enable_gqa=True)
    np.testing.assert_allclose(found.numpy(), expected)
    with pytest.raises(ShapeError, match="heads that divide"):
        F.scaled_dot_product_attention(given[0][:, :5], *given[1:], enable_gqa=True)


def test_dropout_follows_the_seed_and_keeps_the_mean() -> None:
    query, key = pg.zeros(1, 1, 6), pg.zeros(1, 4000, 6)
    value = pg.ones(1, 4000, 1)
    pg.manual_seed(5)
    first = F.scaled_dot_product_attention(query, key, value, dropout_p=0.5)
    pg.manual_seed(5)
    again = F.scaled_dot_product_attention(query, key, value, dropout_p=0.5)
    other = F.scaled_dot_product_attention(query, key, value, dropout_p=0.5)
    assert first.item() == again.item()
    assert first.item() != other.item()
    # 4000 weights of 1/4000, each kept with probability 1/2: the standard deviation is 0.016.
    assert first.item() == pytest.approx(1, abs=0.1)


def test_operands_that_do_not_fit_are_refused() -> None:
    query, key, value = pg.ones(2, 4, 6), pg.ones(2, 5, 6), pg.ones(2, 5, 7)
    attend = F.scaled_dot_product_attention
    with pytest.raises(ShapeError, match="key: expected vectors of 6"):
        attend(query, pg.ones(2, 5, 3), value)
    with pytest.raises(ShapeError, match="value: expected one vector for each of 5 keys"):
        attend(query, key, pg.ones(2, 4, 7))
    with pytest.raises(ShapeError, match="query: expected"):
        attend(pg.ones(6), key, value)
    with pytest.raises(DtypeError, match="value"):
        attend(query, key, value.double())
    with pytest.raises(DtypeError, match="attn_mask: expected bool or"):
        attend(query, key, value, attn_mask=pg.ones(4, 5, dtype=pg.int64))
    with pytest.raises(ArgumentError, match="attn_mask: expected None where is_causal"):
        attend(query, key, value, attn_mask=pg.ones(4, 5), is_causal=True)
    with pytest.raises(ArgumentError, match="probability"):
        attend(query, key, value, dropout_p=1.5)


# the layer ----------------------------------------------------------------------------------------


def by_hand(
    layer: nn.MultiheadAttention, x: list[np.ndarray], bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """From (N, length, E) arrays, one head after the other."""
    if layer.in_proj_weight is not None:
        weights = np.split(layer.in_proj_weight.detach().numpy(), 3)
    else:
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        weights = [getattr(layer, name).detach().numpy() for name in names]
    shifts = np.split(layer.in_proj_bias.detach().numpy(), 3)
    query, key, value = (a @ w.T + s for a, w, s in zip(x, weights, shifts, strict=True))
    size = layer.head_dim
    out, shares = [], []
    for head in range(layer.num_heads):
        part = slice(head * size, (head + 1) * size)
        eye = np.broadcast_to(np.eye(key.shape[1]), (len(key), *(key.shape[1],) * 2))
        scale = 1 / np.sqrt(size)
        out.append(attention(query[..., part], key[..., part], value[..., part], bias, scale))
        shares.append(attention(query[..., part], key[..., part], eye, bias, scale))
    joined = np.concatenate(out, -1) @ layer.out_proj.weight.detach().numpy().T
    return joined + layer.out_proj.bias.detach().numpy(), np.stack(shares, 1)


def make_layer(**options: object) -> nn.MultiheadAttention:
    pg.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, dtype=pg.float64, **options)
    for shift in (layer.in_proj_bias, layer.out_proj.bias):
        nn.init.uniform_(shift, -1, 1)
    return layer


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("sizes", [{}, {"kdim": 5, "vdim": 3}])
def test_multihead_attention_is_attention_in_each_head(
    batch_first: bool, sizes: dict[str, int]
) -> None:
    layer = make_layer(batch_first=batch_first, **sizes)
    widths = (8, sizes.get("kdim", 8), sizes.get("vdim", 8))
    x = [rng.standard_normal((3, n, w)) for n, w in zip((4, 5, 5), widths, strict=True)]
    expected, shares = by_hand(layer, x, np.zeros(()))
    given = tensors(tuple(a if batch_first else a.swapaxes(0, 1) for a in x))
    out, weights = layer(*given)
    found = out.detach().numpy()
    np.testing.assert_allclose(found if batch_first else found.swapaxes(0, 1), expected)
    np.testing.assert_allclose(weights.detach().numpy(), shares.mean(1))
    _, weights = layer(*given, average_attn_weights=False)
    np.testing.assert_allclose(weights.detach().numpy(), shares)
    fused, nothing = layer(*given, need_weights=False)
    np.testing.assert_allclose(fused.detach().numpy(), found)
    assert nothing is None


def test_multihead_attention_does_not_look_where_masks_are_true() -> None:
    layer = make_layer(batch_first=True)
    x = rng.standard_normal((3, 4, 8))
    padding, causal = rng.random((3, 4)) > 0.6, ~np.tri(4, dtype=bool)
    padding[:, 0] = False
    closed = padding[:, None] | causal
    expected, _ = by_hand(layer, [x, x, x], np.where(closed, -INFINITY, 0))
    for need_weights in (True, False):
        out, _ = layer(
            *[pg.tensor(x)] * 3,
            key_padding_mask=pg.tensor(padding),
            attn_mask=pg.tensor(causal),
            need_weights=need_weights,
        )
        np.testing.assert_allclose(out.detach().numpy(), expected)


def test_multihead_attention_takes_a_mask_per_head_and_input_without_batch() -> None:
    layer = make_layer(batch_first=True)
    x, bias = rng.standard_normal((4, 8)), rng.standard_normal((2, 4, 4))
    out, weights = layer(*[pg.tensor(x)] * 3, attn_mask=pg.tensor(bias))
    batched, _ = layer(*[pg.tensor(x[None])] * 3, attn_mask=pg.tensor(bias))
    np.testing.assert_allclose(out.detach().numpy(), batched.detach().numpy()[0])
    assert weights.shape == (4, 4)


def test_multihead_attention_trains_all_its_parameters() -> None:
    for options in ({}, {"kdim": 8, "vdim": 8}, {"kdim": 6}):
        layer = make_layer(**options)
        x = pg.tensor(rng.standard_normal((3, 2, 8)))
        key = pg.tensor(rng.standard_normal((3, 2, layer.kdim)))
        layer(x, key, x)[0].square().sum().backward()
        assert all(each.grad is not None for each in layer.parameters())


def test_multihead_attention_refuses_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="multiple of 3 heads"):
        nn.MultiheadAttention(8, 3)
    layer, x = make_layer(), pg.ones(4, 2, 8, dtype=pg.float64)
    with pytest.raises(ShapeError, match="attn_mask"):
        layer(x, x, x, attn_mask=pg.ones(3, 3))
    with pytest.raises(ShapeError, match="key_padding_mask"):
        layer(x, x, x, key_padding_mask=pg.ones(3, 3))
    with pytest.raises(DtypeError, match="attn_mask"):
        layer(x, x, x, attn_mask=pg.ones(4, 4, dtype=pg.int64))
    with pytest.raises(ArgumentError, match="is_causal"):
        layer(x, x, x, is_causal=True)
    with pytest.raises(ShapeError, match="query, key, value"):
        layer(x, x[0], x)
