"""Lazy layers: shapes that the first input tells, and tensors that wait for theirs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import ArgumentError, AutogradError, CheckpointError, KindError
from plugrad.nn.lazy import LazyModuleMixin


def model() -> nn.Sequential:
    convolution = nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.LazyConvTranspose2d(2, 2)
    return nn.Sequential(*convolution, nn.Flatten(), nn.LazyLinear(3))


def test_lazy_layers_become_what_they_stand_for() -> None:
    lazy = model().double()
    kinds = {type(each).__name__ for each in lazy.state_dict().values()}
    assert kinds == {"UninitializedParameter", "UninitializedBuffer", "Tensor"}
    out = lazy(pg.randn(2, 5, 6, 6, dtype=pg.float64))
    kinds = [type(each) for each in lazy]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ConvTranspose2d, nn.Flatten, nn.Linear]
    assert lazy[0].weight.shape == (4, 5, 3, 3)
    assert lazy[1].num_features == 4
    assert repr(lazy[4]) == "Linear(in_features=50, out_features=3, bias=True)"
    out.sum().backward()
    assert all(
        each.grad is not None and each.grad.dtype is pg.float64 for each in lazy.parameters()
    )


def test_a_loaded_state_tells_the_shapes_too() -> None:
    first, second = model(), model()
    empty = copy.deepcopy(first).state_dict()
    first(pg.randn(2, 5, 6, 6))
    second.load_state_dict(first.state_dict())
    x = pg.randn(2, 5, 6, 6)
    assert pg.equal(second.eval()(x), first.eval()(x))
    assert type(second[0]) is nn.Conv2d
    with pytest.raises(CheckpointError, match="expected a tensor with elements"):
        first.load_state_dict(empty)
    model().load_state_dict(empty)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", ["BatchNorm", "InstanceNorm", "Conv", "ConvTranspose"])
def test_every_lazy_layer_takes_its_input(kind: str, n: int) -> None:
    arguments: tuple[Any, ...] = (3, 2) if kind.startswith("Conv") else ()
    layer = getattr(nn, f"Lazy{kind}{n}d")(*arguments)
    layer(pg.randn(2, 4, *(5,) * n))
    assert type(layer) is getattr(nn, f"{kind}{n}d")
    assert not [each for each in layer.state_dict().values() if "Uninit" in type(each).__name__]


def test_a_tensor_without_shape_refuses_operators() -> None:
    weight = nn.LazyLinear(3).weight
    assert repr(weight) == "<UninitializedParameter>"
    assert weight.requires_grad
    with pytest.raises(KindError, match="run the lazy module once"):
        weight.sum()
    with pytest.raises(KindError, match="uninitialized"):
        weight.numpy(force=True)
    with pytest.raises(AutogradError, match="no shape yet"):
        len(weight.shape)
    twin = pickle.loads(pickle.dumps(weight.half()))
    assert twin.dtype is pg.float16
    twin.materialize((2, 3))
    assert type(twin) is nn.Parameter
    assert twin.shape == (2, 3)
    assert twin.is_leaf


def test_a_lazy_module_of_ones_own_must_say_its_shapes() -> None:
    class Scale(LazyModuleMixin):
        cls_to_become = None

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.UninitializedParameter()

        def initialize_parameters(self, input: pg.Tensor) -> None:
            if input.ndim == 1:
                self.scale.materialize(input.shape)
                nn.init.ones_(self.scale)

        def forward(self, input: pg.Tensor) -> pg.Tensor:
            return input * self.scale

    layer = Scale()
    with pytest.raises(AutogradError, match="left a parameter"):
        layer(pg.ones(2, 2))
    assert layer(pg.ones(3)).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentError, match="multiple of groups"):
        nn.LazyConv1d(3, 2, groups=2)
    with pytest.raises(ArgumentError, match="in_channels: expected a multiple of groups"):
        nn.LazyConv1d(4, 2, groups=2)(pg.ones(1, 3, 5))
