"""Recurrent layers against their formulas, step by step; and packed sequences."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import ArgumentError, KindError, ShapeError
from plugrad.func import functional_call, grad, vmap
from plugrad.nn.utils import rnn

from .helpers import check_gradients

LENGTHS = (5, 3, 2)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def follow(kind: str, state: dict[str, np.ndarray], ending: str, x: np.ndarray) -> np.ndarray:
    """The outputs of one layer in one direction for one sequence (T, I), from a state of 0."""

    def part(name: str) -> Any:
        return state.get(f"{name}{ending}", 0)

    h = np.zeros(part("weight_hh").shape[1])
    c = np.zeros(len(part("weight_ih")) // 4)
    outputs = []
    for row in x:
        given = part("weight_ih") @ row + part("bias_ih")
        hidden = part("weight_hh") @ h + part("bias_hh")
        if kind == "LSTM":
            i, f, g, o = np.split(given + hidden, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            if f"weight_hr{ending}" in state:
                h = part("weight_hr") @ h
        elif kind == "GRU":
            (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(given, 3), np.split(hidden, 3)
            n = np.tanh(x_n + sigmoid(x_r + h_r) * h_n)
            z = sigmoid(x_z + h_z)
            h = (1 - z) * n + z * h
        else:
            h = np.tanh(given + hidden)
        outputs.append(h)
    return np.array(outputs)


def both_ways(kind: str, layer: nn.Module, x: np.ndarray, layers: int) -> np.ndarray:
    state = {name: value.numpy() for name, value in layer.state_dict().items()}
    for number in range(layers):
        there = follow(kind, state, f"_l{number}", x)
        back = follow(kind, state, f"_l{number}_reverse", x[::-1])[::-1]
        x = np.concatenate([there, back], 1)
    return x


LAYERS = [
    ("RNN", {}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
    ("GRU", {}),
    ("GRU", {"bias": False}),
]


@pytest.mark.parametrize(("kind", "options"), LAYERS)
def test_layers_follow_sequences_of_all_lengths_in_both_directions(
    kind: str, options: dict[str, Any]
) -> None:
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=True, dtype=pg.float64, **options)
    sequences = [np.random.default_rng(n).standard_normal((n, 3)) for n in LENGTHS]
    expected = [both_ways(kind, layer, each, 2) for each in sequences]
    out, last = layer(rnn.pack_sequence([pg.tensor(each) for each in sequences]))
    for found, wanted in zip(rnn.unpack_sequence(out), expected, strict=True):
        np.testing.assert_allclose(found.numpy(force=True), wanted, atol=1e-12)
    h = (last[0] if kind == "LSTM" else last).numpy(force=True)
    half = expected[0].shape[1] // 2
    ends = [[each[-1, :half] for each in expected], [each[0, half:] for each in expected]]
    np.testing.assert_allclose(h[-2:], np.array(ends), atol=1e-12)
    alone = layer(pg.tensor(sequences[0]))[0]
    np.testing.assert_allclose(alone.numpy(force=True), expected[0], atol=1e-12)


@pytest.mark.parametrize(("kind", "batch_first"), [*product(("RNN", "LSTM", "GRU"), (False, True))])
def test_a_sequence_in_two_pieces_is_the_whole(kind: str, batch_first: bool) -> None:
    layer = getattr(nn, kind)(3, 4, 2, batch_first=batch_first, dtype=pg.float64)
    x = pg.randn(2, 6, 3, dtype=pg.float64)
    cut = x if batch_first else x.transpose(0, 1)
    axis = 1 if batch_first else 0
    whole, last = layer(cut)
    first, state = layer(cut.narrow(axis, 0, 2))
    second, end = layer(cut.narrow(axis, 2, 4), state)
    assert pg.allclose(pg.cat([first, second], axis), whole)
    pairs = zip(last, end, strict=True) if kind == "LSTM" else [(last, end)]
    assert all(pg.allclose(one, other) for one, other in pairs)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_cell_is_one_step_of_its_layer(kind: str) -> None:
    layer = getattr(nn, kind)(3, 4, dtype=pg.float64)
    cell = getattr(nn, f"{kind}Cell")(3, 4, dtype=pg.float64)
    cell.load_state_dict({name[:-3]: value for name, value in layer.state_dict().items()})
    x = pg.randn(5, 2, 3, dtype=pg.float64)
    state = None
    for step in x:
        state = cell(step, state)
    _, last = layer(x)
    pairs = zip(state, last, strict=True) if kind == "LSTM" else [(state, last)]
    assert all(pg.allclose(one, other[0]) for one, other in pairs)
    single = cell(x[0, 0])
    assert (single[0] if kind == "LSTM" else single).shape == (4,)


@pytest.mark.parametrize("reverse", [False, True])
def test_derivatives_of_all_results_of_an_lstm_are_those_of_differences(reverse: bool) -> None:
    draw = np.random.default_rng(1)
    shapes = ((4, 8), (2, 1), (2, 2), (8, 1), (1, 2))

    def summed(*tensors: pg.Tensor) -> pg.Tensor:
        results = pg.ops.operators["lstm"].body(*tensors, (2, 1, 1), reverse)
        fused = pg.ops.recurrent.lstm(*tensors, (2, 1, 1), reverse)
        assert all(pg.allclose(a, b) for a, b in zip(results, fused, strict=True))
        return pg.cat([each.reshape(-1) for each in fused])

    check_gradients(summed, *[draw.standard_normal(shape) for shape in shapes])


def test_each_example_has_its_own_gradient_of_a_recurrent_layer() -> None:
    layer = nn.GRU(2, 3, batch_first=True, dtype=pg.float64)
    x = pg.randn(4, 3, 2, dtype=pg.float64)
    weights = {name: value.detach() for name, value in layer.named_parameters()}

    def loss(weights: Any, x: pg.Tensor) -> pg.Tensor:
        return functional_call(layer, weights, (x.unsqueeze(0),))[0].pow(2).sum()

    each = vmap(grad(loss), in_dims=(None, 0))(weights, x)
    layer(x)[0].pow(2).sum().backward()
    for name, parameter in layer.named_parameters():
        assert pg.allclose(each[name].sum(0), parameter.grad)


def test_dropout_acts_between_layers_in_training_only() -> None:
    layer = nn.LSTM(3, 4, 2, dropout=1.0)
    x = pg.randn(2, 1, 3)
    out = layer(x)[0]
    assert pg.allclose(out, layer(pg.randn(2, 1, 3))[0])  # the second layer sees zeros
    layer.eval()
    assert not pg.allclose(out, layer(x)[0])
    with pytest.warns(UserWarning, match="acts between layers"):
        nn.LSTM(3, 4, dropout=0.5)


def test_parameters_have_the_names_that_checkpoints_know() -> None:
    layer = nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2)
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    endings = ("_l0", "_l0_reverse", "_l1", "_l1_reverse")
    assert list(layer.state_dict()) == [part + ending for ending in endings for part in parts]
    assert layer.weight_ih_l1.shape == (16, 4)
    assert [len(weights) for weights in layer.all_weights] == [5] * 4
    assert repr(layer) == "LSTM(3, 4, proj_size=2, num_layers=2, bidirectional=True)"


def test_layers_refuse_what_does_not_fit() -> None:
    layer = nn.LSTM(3, 4)
    with pytest.raises(ArgumentError, match="two axes, or three"):
        layer(pg.ones(3))
    with pytest.raises(ShapeError, match="3 features"):
        layer(pg.ones(2, 1, 4))
    with pytest.raises(ShapeError, match="at least one step"):
        layer(pg.ones(0, 1, 3))
    with pytest.raises(ShapeError, match=r"hx: expected \(1, 1, 4\)"):
        layer(pg.ones(2, 1, 3), (pg.ones(1, 2, 4), pg.ones(1, 1, 4)))
    with pytest.raises(KindError, match="2 tensors"):
        layer(pg.ones(2, 1, 3), (pg.ones(1, 1, 4),))
    with pytest.raises(ArgumentError, match="only LSTM projects"):
        nn.RNNBase("GRU", 3, 4, proj_size=2)
    with pytest.raises(ArgumentError, match="less than hidden_size"):
        nn.LSTM(3, 4, proj_size=4)
    with pytest.raises(ArgumentError, match="mode"):
        nn.RNNBase("LRU", 3, 4)
    with pytest.raises(KindError, match="an int"):
        nn.GRU(3, 4.0)
    with pytest.raises(ArgumentError, match="at least 1"):
        nn.GRU(3, 4, 0)
    with pytest.raises(ArgumentError, match="'tanh' or 'relu'"):
        nn.RNN(3, 4, nonlinearity="gelu")
    with pytest.raises(ArgumentError, match=r"\(I,\), or \(N, I\)"):
        nn.GRUCell(3, 4)(pg.ones(1, 1, 3))
    with pytest.raises(ShapeError, match="3 features"):
        nn.GRUCell(3, 4)(pg.ones(1, 2))
    with pytest.raises(ShapeError, match="hx"):
        nn.GRUCell(3, 4)(pg.ones(1, 3), pg.ones(1, 3))


# packed and padded sequences ----------------------------------------------------------------------


def test_packing_and_padding_undo_each_other_in_any_order() -> None:
    sequences = [pg.randn(n, 2) for n in (2, 5, 3)]
    padded = rnn.pad_sequence(sequences, padding_value=7.0)
    assert padded.shape == (5, 3, 2)
    assert (padded[2:, 0] == 7).all().item()
    packed = rnn.pack_padded_sequence(padded, pg.tensor([2, 5, 3]), enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 3, 2, 1, 1]
    assert packed.sorted_indices.tolist() == [1, 2, 0]
    again, lengths = rnn.pad_packed_sequence(packed, padding_value=7.0)
    assert pg.equal(again, padded)
    assert lengths.tolist() == [2, 5, 3]
    longer, _ = rnn.pad_packed_sequence(packed, batch_first=True, total_length=6)
    assert longer.shape == (3, 6, 2)
    for found, wanted in zip(rnn.unpack_sequence(packed), sequences, strict=True):
        assert pg.equal(found, wanted)
    double = packed.double()
    assert double.data.dtype is pg.float64
    assert packed.to("cpu") is packed


def test_padding_may_stand_on_the_left() -> None:
    padded = rnn.pad_sequence([pg.ones(1), pg.ones(2)], batch_first=True, padding_side="left")
    assert padded.tolist() == [[0, 1], [1, 1]]
    with pytest.raises(ArgumentError, match="'left' or 'right'"):
        rnn.pad_sequence([pg.ones(1)], padding_side="top")
    with pytest.raises(ArgumentError, match="at least one"):
        rnn.pad_sequence([])


def test_packing_refuses_lengths_that_do_not_fit() -> None:
    padded = pg.ones(3, 2, 1)
    with pytest.raises(ShapeError, match=r"falling numbers, .*enforce_sorted"):
        rnn.pack_padded_sequence(padded, [2, 3])
    with pytest.raises(ShapeError, match="one for each of 2"):
        rnn.pack_padded_sequence(padded, [3])
    for lengths in ([4, 1], [3, 0]):
        with pytest.raises(ShapeError, match="from 1 to 3"):
            rnn.pack_padded_sequence(padded, lengths)
    packed = rnn.pack_padded_sequence(padded, [3, 2])
    with pytest.raises(ArgumentError, match="at least 3"):
        rnn.pad_packed_sequence(packed, total_length=2)
    with pytest.raises(KindError, match="pack_sequence"):
        rnn.PackedSequence(pg.ones(2))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_takes_anothers_state(kind: str) -> None:
    one, other = getattr(nn, kind)(2, 3), getattr(nn, kind)(2, 3)
    other.load_state_dict(one.state_dict())
    x = pg.ones(4, 1, 2)
    assert other(x)[0].tolist() == one(x)[0].tolist()


@pytest.mark.parametrize("options", [{"bias": 1}, {"batch_first": "True"}, {"input_size": 3.0}])
def test_recurrent_layers_refuse_options_of_another_kind(options):
    with pytest.raises(KindError):
        nn.LSTM(**{"input_size": 3, "hidden_size": 2, **options})
