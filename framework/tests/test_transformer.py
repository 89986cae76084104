"""Transformers: built from attention and linear maps, causal, deaf to padding."""

from __future__ import annotations

from typing import Any

import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import ArgumentError, ShapeError

SIZES: dict[str, Any] = {"dim_feedforward": 16, "dropout": 0.0, "dtype": pg.float64}


def random(*shape: int) -> pg.Tensor:
    return pg.randn(*shape, dtype=pg.float64)


@pytest.mark.parametrize("norm_first", [False, True])
def test_an_encoder_layer_adds_attention_and_two_linear_maps(norm_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, norm_first=norm_first, activation="gelu", **SIZES)
    x = random(5, 3, 8)

    def attend(x: pg.Tensor) -> pg.Tensor:
        return layer.self_attn(x, x, x)[0]

    def forward(x: pg.Tensor) -> pg.Tensor:
        return layer.linear2(F.gelu(layer.linear1(x)))

    if norm_first:
        expected = x + attend(layer.norm1(x))
        expected = expected + forward(layer.norm2(expected))
    else:
        expected = layer.norm1(x + attend(x))
        expected = layer.norm2(expected + forward(expected))
    assert pg.allclose(layer(x), expected)


def test_a_decoder_layer_looks_its_memory_up_between() -> None:
    layer = nn.TransformerDecoderLayer(8, 2, **SIZES)
    x, memory = random(4, 3, 8), random(5, 3, 8)
    expected = layer.norm1(x + layer.self_attn(x, x, x)[0])
    expected = layer.norm2(expected + layer.multihead_attn(expected, memory, memory)[0])
    inner = layer.linear2(F.relu(layer.linear1(expected)))
    assert pg.allclose(layer(x, memory), layer.norm3(expected + inner))


@pytest.mark.parametrize("batch_first", [False, True])
def test_with_a_causal_mask_the_future_changes_nothing(batch_first: bool) -> None:
    model = nn.Transformer(8, 2, 2, 2, batch_first=batch_first, **SIZES)
    source, target = random(3, 5, 8), random(3, 4, 8)
    changed = target.clone()
    changed[:, 2:] += 1
    mask = nn.Transformer.generate_square_subsequent_mask(4, dtype=pg.float64)

    def run(target: pg.Tensor, mask: pg.Tensor) -> pg.Tensor:
        if batch_first:
            return model(source, target, tgt_mask=mask)
        return model(source.transpose(0, 1), target.transpose(0, 1), tgt_mask=mask).transpose(0, 1)

    first, second = run(target, mask), run(changed, mask)
    assert pg.allclose(first[:, :2], second[:, :2])
    assert not pg.allclose(first[:, 2:], second[:, 2:])
    assert pg.allclose(run(target, mask < 0), first)
    assert not pg.allclose(run(target, pg.zeros(4, 4))[:, :2], first[:, :2])


def test_what_is_padding_changes_nothing() -> None:
    model = nn.Transformer(8, 2, 1, 1, batch_first=True, **SIZES)
    source, target = random(2, 5, 8), random(2, 4, 8)
    padding = pg.tensor([[False] * 5, [False] * 3 + [True] * 2])
    masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    changed = source.clone()
    changed[1, 3:] = 9
    assert pg.allclose(model(source, target, **masks), model(changed, target, **masks))
    assert not pg.allclose(model(source, target), model(changed, target))


def test_layers_of_a_stack_start_alike_and_learn_apart() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, **SIZES)
    stack = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8, dtype=pg.float64))
    assert pg.equal(stack.layers[0].linear1.weight, stack.layers[1].linear1.weight)
    assert stack.layers[0].linear1.weight is not stack.layers[1].linear1.weight
    (stack(random(3, 2, 8)) * random(3, 2, 8)).sum().backward()
    grads = [each.linear1.weight.grad for each in stack.layers]
    assert not pg.allclose(*grads)
    assert all(parameter.grad is not None for parameter in stack.parameters())


def test_names_are_those_that_checkpoints_know() -> None:
    names = set(nn.Transformer(8, 2, 1, 1, **SIZES).state_dict())
    assert "encoder.layers.0.self_attn.in_proj_weight" in names
    assert "decoder.layers.0.multihead_attn.out_proj.bias" in names
    assert {"encoder.norm.weight", "decoder.layers.0.norm3.bias"} <= names
    without = nn.TransformerDecoderLayer(8, 2, bias=False, **SIZES).state_dict()
    assert not [name for name in without if "bias" in name]


def test_heads_may_see_one_more_key_and_one_of_zero() -> None:
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, dtype=pg.float64)
    x = random(4, 3, 8)
    out, weights = layer(x, x, x, attn_mask=pg.zeros(4, 4, dtype=pg.float64))
    assert weights is not None
    assert weights.shape == (3, 4, 6)
    assert pg.allclose(weights.sum(-1), pg.ones(3, 4, dtype=pg.float64))
    assert pg.allclose(layer(x, x, x, need_weights=False)[0], out)
    out.sum().backward()
    assert layer.bias_k.grad is not None
    assert layer.bias_v.grad is not None


def test_keys_and_values_that_are_given_replace_the_projected_ones() -> None:
    layer, x = nn.MultiheadAttention(4, 2, dtype=pg.float64), random(3, 1, 4)
    given = layer.embed_dim, layer.num_heads, layer.in_proj_weight, layer.in_proj_bias
    rest = None, None, False, 0.0, layer.out_proj.weight, layer.out_proj.bias
    k = random(2, 5, 2)
    out, weights = F.multi_head_attention_forward(x, x, x, *given, *rest, static_k=k, static_v=k)
    assert out.shape == (3, 1, 4)
    assert weights is not None
    assert weights.shape == (1, 3, 5)
    with pytest.raises(ShapeError, match=r"static_k: expected \(2, length, 2\)"):
        F.multi_head_attention_forward(x, x, x, *given, *rest, static_k=k[:1], static_v=k)


def test_transformers_refuse_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="'relu', 'gelu' or a function"):
        nn.TransformerEncoderLayer(8, 2, activation="silu")
    model = nn.Transformer(8, 2, 1, 1, **SIZES)
    with pytest.raises(ShapeError, match="2 sequences"):
        model(random(5, 2, 8), random(4, 3, 8))
    with pytest.raises(ShapeError, match="vectors of 8"):
        model(random(5, 2, 8), random(4, 2, 6))
