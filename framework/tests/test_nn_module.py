"""Module: registration, traversal, state, hooks, copies. Parameters, buffers, containers."""

from __future__ import annotations

import copy
import pickle

import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad import nn
from plugrad.errors import (
    ArgumentError,
    CheckpointError,
    DtypeError,
    KindError,
    RangeError,
    ShapeError,
)


class Block(nn.Module):
    """A linear layer, a parameter and buffers of both kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.scale = nn.Parameter(pg.ones(3))
        self.register_buffer("count", pg.tensor(0))
        self.register_buffer("scratch", pg.zeros(2), persistent=False)

    def forward(self, x: pg.Tensor) -> pg.Tensor:
        return self.linear(x) * self.scale


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Block()
        self.last = nn.Linear(3, 1, bias=False)

    def forward(self, x: pg.Tensor) -> pg.Tensor:
        return self.last(self.first(x))


def names(pairs: object) -> list[str]:
    return [name for name, _ in pairs]


# registration


def test_parts_are_registered_by_assignment_in_its_order() -> None:
    model = Model()
    expected = ["first.scale", "first.linear.weight", "first.linear.bias", "last.weight"]
    assert names(model.named_parameters()) == expected
    assert names(model.named_buffers()) == ["first.count", "first.scratch"]
    assert names(model.named_modules()) == ["", "first", "first.linear", "last"]
    assert names(model.named_children()) == ["first", "last"]
    assert [type(m) for m in model.modules()] == [Model, Block, nn.Linear, nn.Linear]
    assert list(model.first.parameters(recurse=False)) == [model.first.scale]


def test_a_buffer_object_registers_itself() -> None:
    module = nn.Module()
    module.kept = nn.Buffer(pg.ones(2))
    module.passing = nn.Buffer(pg.ones(2), persistent=False)
    assert names(module.named_buffers()) == ["kept", "passing"]
    assert list(module.state_dict()) == ["kept"]
    module.kept = pg.zeros(2)
    assert module.state_dict()["kept"].tolist() == [0, 0]


def test_assigning_another_kind_moves_the_name() -> None:
    module = nn.Module()
    module.part = nn.Linear(1, 1)
    module.part = nn.Parameter(pg.ones(2))
    assert names(module.named_children()) == []
    assert names(module.named_parameters()) == ["part"]
    del module.part
    assert not hasattr(module, "part")
    module.part = 5
    assert module.part == 5


def test_none_stands_for_an_absent_part() -> None:
    layer = nn.Linear(2, 2)
    layer.bias = None
    assert layer.bias is None
    assert list(layer.state_dict()) == ["weight"]
    assert layer(pg.ones(1, 2)).shape == (1, 2)


@pytest.mark.parametrize(("name", "wanted"), [("weight", "Parameter"), ("inner", "Module")])
def test_a_registered_name_takes_only_its_kind(name: str, wanted: str) -> None:
    layer = nn.Linear(2, 2)
    layer.inner = nn.Identity()
    with pytest.raises(KindError, match=f"{name}: expected a {wanted} or None, got Tensor"):
        setattr(layer, name, pg.ones(2))
    layer.register_buffer("state", None)
    with pytest.raises(KindError, match="state: expected a Tensor or None, got int"):
        layer.state = 3
    with pytest.raises(KindError, match="bias: expected a Parameter or None, got Tensor"):
        layer.register_parameter("bias", pg.ones(2))
    with pytest.raises(KindError, match="expected a Tensor"):
        layer.register_buffer("state", [1])
    with pytest.raises(KindError, match="expected a Module"):
        layer.add_module("other", pg.ones(1))


@pytest.mark.parametrize("name", ["", "a.b", "forward"])
def test_a_name_that_cannot_be_an_entry_is_refused(name: str) -> None:
    for register in ("register_parameter", "register_buffer", "add_module"):
        with pytest.raises(ArgumentError, match="not empty, has no dot and is not taken"):
            getattr(nn.Module(), register)(name, None)


def test_parts_before_the_constructor_are_refused() -> None:
    class Hasty(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) before"):
        Hasty()


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'wieght'"):
        _ = nn.Linear(1, 1).wieght
    with pytest.raises(NotImplementedError, match="Module does not define forward"):
        nn.Module()(1)


def test_a_shared_part_is_met_once_but_named_twice_in_the_state() -> None:
    model = nn.Module()
    model.one = model.two = nn.Linear(2, 2)
    assert len(list(model.parameters())) == 2
    assert len(list(model.named_parameters(remove_duplicate=False))) == 4
    assert list(model.state_dict()) == ["one.weight", "one.bias", "two.weight", "two.bias"]


def test_parts_are_found_by_their_paths() -> None:
    model = Model()
    assert model.get_submodule("first.linear") is model.first.linear
    assert model.get_submodule("") is model
    assert model.get_parameter("first.linear.bias") is model.first.linear.bias
    assert model.get_buffer("first.count") is model.first.count
    with pytest.raises(AttributeError, match="Model has no sub-module 'second'"):
        model.get_submodule("second.linear")
    with pytest.raises(AttributeError, match="Linear has no parameter 'bias'"):
        model.get_parameter("last.bias")


# all parts at once


def test_train_and_eval_reach_every_part() -> None:
    model = Model()
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    Model().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "Block", "Linear", "Model"]


def test_gradients_are_forgotten_or_zeroed() -> None:
    model = Model()
    model(pg.ones(1, 2)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert all((each.grad == 0).all().item() for each in model.parameters())
    model.zero_grad()
    assert all(each.grad is None for each in model.parameters())


def test_requires_grad_is_switched_for_all() -> None:
    model = Model().requires_grad_(False)
    assert not model(pg.ones(1, 2)).requires_grad
    assert model.requires_grad_()(pg.ones(1, 2)).requires_grad


def test_a_cast_keeps_the_parameters_and_spares_integers() -> None:
    model = Model()
    before = list(model.parameters())
    model(pg.ones(1, 2)).sum().backward()
    assert model.double() is model
    assert [a is b for a, b in zip(model.parameters(), before, strict=True)] == [True] * 4
    assert {each.dtype for each in model.parameters()} == {pg.float64}
    assert {each.grad.dtype for each in model.parameters()} == {pg.float64}
    assert model.first.count.dtype is pg.int64
    assert model.first.scratch.dtype is pg.float64
    model(pg.ones(1, 2, dtype=pg.float64)).sum().backward()
    for cast, dtype in (("float", pg.float32), ("half", pg.float16), ("bfloat16", pg.bfloat16)):
        assert getattr(model, cast)().last.weight.dtype is dtype
    assert model.to(pg.float64).last.weight.dtype is pg.float64
    assert model.to(pg.ones(1)).last.weight.dtype is pg.float32
    assert model.to("cpu", pg.float64).last.weight.dtype is pg.float64
    with pytest.raises(DtypeError, match="floating or complex"):
        model.to(pg.int64)


def test_moving_to_the_meta_device_keeps_the_shapes() -> None:
    model = Model().to("meta")
    assert model(pg.ones(4, 2, device="meta")).shape == (4, 1)


# state


def test_the_state_shares_memory_and_leaves_the_graph() -> None:
    model = Model()
    state = model.state_dict()
    assert list(state) == [
        *("first.scale", "first.count", "first.linear.weight", "first.linear.bias"),
        "last.weight",
    ]
    assert not any(value.requires_grad for value in state.values())
    state["first.scale"].fill_(7)
    assert model.first.scale.tolist() == [7, 7, 7]
    assert model.state_dict(keep_vars=True)["first.scale"] is model.first.scale
    assert list(model.last.state_dict(prefix="head.")) == ["head.weight"]


def test_a_state_is_loaded_by_value() -> None:
    source, target = Model(), Model()
    before = target.last.weight
    keys = target.load_state_dict(source.state_dict())
    assert keys == ([], [])
    assert target.last.weight is before
    x = pg.ones(1, 2)
    assert target(x).item() == source(x).item()
    source.last.weight.data.fill_(0)
    assert target(x).item() != 0


def test_assign_takes_the_tensors_themselves() -> None:
    target = Model()
    state = {name: value.double() for name, value in target.state_dict().items()}
    target.load_state_dict(state, assign=True)
    assert target.last.weight.dtype is pg.float64
    assert isinstance(target.last.weight, nn.Parameter)
    assert target.last.weight.requires_grad
    state["last.weight"].fill_(5)
    assert target.last.weight.tolist() == [[5, 5, 5]]


def test_a_state_that_does_not_fit_is_refused_whole() -> None:
    model = Model()
    state = {name: value + 1 for name, value in model.state_dict().items()}
    del state["first.linear.bias"]
    state["first.linear.shift"] = pg.ones(3)
    state["last.weight"] = pg.ones(3, 1)
    before = model.first.scale.tolist()
    with pytest.raises(CheckpointError) as caught:
        model.load_state_dict(state)
    assert isinstance(caught.value, RuntimeError)
    message = str(caught.value)
    assert "state_dict: it does not fit Model" in message
    assert "missing keys: first.linear.bias" in message
    assert "unexpected keys: first.linear.shift" in message
    assert "last.weight: expected shape (1, 3), got (3, 1)" in message
    assert "strict=False" in message
    assert model.first.scale.tolist() == before


def test_without_strict_the_keys_that_do_not_fit_are_returned() -> None:
    model = Model()
    state = model.state_dict()
    del state["last.weight"]
    state["extra"] = pg.ones(1)
    keys = model.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["last.weight"]
    assert keys.unexpected_keys == ["extra"]
    state["first.scale"] = pg.ones(4)
    with pytest.raises(CheckpointError, match=r"first.scale: expected shape \(3,\), got \(4,\)"):
        model.load_state_dict(state, strict=False)
    state["first.scale"] = [1, 2, 3]
    with pytest.raises(CheckpointError, match=r"first\.scale: expected a tensor, got list"):
        model.load_state_dict(state, strict=False)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_equal_and_apart(duplicate: object) -> None:
    model = Model()
    model.twin = model.first
    model.last.weight.requires_grad_(False)
    twin = duplicate(model)
    x = pg.ones(1, 2)
    assert twin(x).item() == model(x).item()
    assert twin.twin is twin.first
    assert isinstance(twin.first.scale, nn.Parameter)
    assert twin.first.scale.requires_grad
    assert not twin.last.weight.requires_grad
    assert list(twin.state_dict()) == list(model.state_dict())
    twin.first.scale.data.fill_(0)
    assert model.first.scale.tolist() == [1, 1, 1]


def test_a_deep_copy_takes_gradients_and_buffers_along() -> None:
    module = nn.Linear(1, 1)
    module.state = nn.Buffer(pg.ones(1), persistent=False)
    module(pg.ones(1, 1)).sum().backward()
    twin = copy.deepcopy(module)
    assert twin.bias.grad.tolist() == [1]
    assert twin.bias.grad is not module.bias.grad
    assert isinstance(twin.state, nn.Buffer)
    assert not twin.state.persistent


# hooks


def test_hooks_see_and_replace_arguments_and_output() -> None:
    layer = nn.Identity()
    before = layer.register_forward_pre_hook(lambda module, arguments: (arguments[0] + 1,))
    after = layer.register_forward_hook(lambda module, arguments, out: out * arguments[0])
    assert layer(pg.tensor(2.0)).item() == 9
    before.remove()
    assert layer(pg.tensor(2.0)).item() == 4
    after.remove()
    assert layer(pg.tensor(2.0)).item() == 2


def test_hooks_that_return_nothing_change_nothing_and_run_in_order() -> None:
    seen: list[str] = []
    layer = nn.Identity()
    layer.register_forward_hook(lambda *_: seen.append("first"))
    layer.register_forward_hook(lambda *_: seen.append("second"))
    layer.register_forward_pre_hook(lambda *_: seen.append("before"))
    assert layer(3) == 3
    assert seen == ["before", "first", "second"]


def test_hooks_may_take_keyword_arguments() -> None:
    class Power(nn.Module):
        def forward(self, x: int, *, exponent: int = 1) -> int:
            return x**exponent

    module = Power()
    module.register_forward_pre_hook(
        lambda module, arguments, options: (arguments, {"exponent": options["exponent"] + 1}),
        with_kwargs=True,
    )
    seen: list[object] = []
    module.register_forward_hook(
        lambda module, arguments, options, out: seen.append((arguments, options, out)),
        with_kwargs=True,
    )
    assert module(2, exponent=2) == 8
    assert seen == [((2,), {"exponent": 3}, 8)]


# printing


def test_a_module_prints_its_parts_indented() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Dropout(p=0.1, inplace=False)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Sequential()) == "Sequential()"
    parameters = nn.ParameterList([pg.ones(2, 3)])
    assert "(0): Parameter containing: [plugrad.float32 of size 2x3]" in repr(parameters)


# parameters


def test_a_parameter_is_a_leaf_over_the_same_memory() -> None:
    data = pg.zeros(2)
    parameter = nn.Parameter(data)
    assert parameter.is_leaf
    assert parameter.requires_grad
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    data.fill_(3)
    assert parameter.tolist() == [3, 3]
    assert type(parameter * 1) is pg.Tensor
    assert type(parameter.detach()) is pg.Tensor
    assert repr(parameter).startswith("Parameter containing:\ntensor([3., 3.]")
    assert nn.Parameter().shape == (0,)


def test_a_parameter_of_a_computed_tensor_is_a_leaf_of_its_own() -> None:
    source = pg.ones(2, requires_grad=True)
    parameter = nn.Parameter(source * 2)
    parameter.sum().backward()
    assert parameter.grad.tolist() == [1, 1]
    assert source.grad is None


def test_a_parameter_is_written_by_an_optimizer_under_no_grad() -> None:
    parameter = nn.Parameter(pg.ones(2))
    parameter.sum().backward()
    with pg.no_grad():
        parameter.sub_(parameter.grad)
    assert parameter.tolist() == [0, 0]


# containers


def test_sequential_calls_one_after_the_other() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU())
    x = pg.ones(3, 2, 2)
    expected = F.relu(model[1](x.reshape(3, 4)))
    assert model(x).tolist() == expected.tolist()
    named = nn.Sequential({"flat": nn.Flatten(), "head": nn.Linear(4, 2)})
    assert named.head.in_features == 4
    assert list(named.state_dict()) == ["head.weight", "head.bias"]


def test_sequential_is_edited_like_a_list() -> None:
    a, b, c, d = (nn.Linear(n, n) for n in (1, 2, 3, 4))
    model = nn.Sequential(a, b).append(d).insert(2, c)
    assert list(model) == [a, b, c, d]
    assert len(model[1:3]) == 2
    assert model[-1] is d
    del model[0]
    assert names(model.named_children()) == ["0", "1", "2"]
    model[0] = a
    assert list(model.extend([b])) == [a, c, d, b]
    with pytest.raises(RangeError, match="a position among 4, got 9"):
        model[9]


def test_module_list_registers_its_parts() -> None:
    a, b, c = (nn.Linear(n, n) for n in (1, 2, 3))
    layers = nn.ModuleList([a]) + nn.ModuleList([b])
    layers += [c]
    assert list(layers) == [a, b, c]
    assert b in layers
    assert layers.pop(0) is a
    layers.insert(0, a)
    assert list(layers[::2]) == [a, c]
    assert len(list(layers.parameters())) == 6
    assert next(iter(layers.state_dict())) == "0.weight"
    with pytest.raises(RangeError, match="among 3, got -4"):
        layers.insert(-4, a)
    with pytest.raises(NotImplementedError):
        layers(pg.ones(1))


def test_module_dict_registers_its_parts() -> None:
    heads = nn.ModuleDict({"one": nn.Linear(1, 1)})
    heads["two"] = nn.Identity()
    heads.update([("three", nn.Identity())])
    assert list(heads) == list(heads.keys()) == ["one", "two", "three"]
    assert "two" in heads
    assert list(heads.state_dict()) == ["one.weight", "one.bias"]
    del heads["two"]
    assert isinstance(heads.pop("three"), nn.Identity)
    assert [name for name, _ in heads.items()] == ["one"]
    heads.clear()
    assert len(heads) == len(list(heads.values())) == 0


def test_parameter_containers_make_parameters_of_tensors() -> None:
    listed = nn.ParameterList([pg.ones(1), nn.Parameter(pg.ones(2))])
    listed.append(pg.ones(3))
    listed[0] = pg.zeros(1)
    assert [each.numel() for each in listed] == [1, 2, 3]
    assert len(listed[1:]) == 2
    assert all(each.requires_grad for each in listed.parameters())
    named = nn.ParameterDict({"a": pg.ones(1)})
    named["b"] = pg.ones(2)
    assert list(named.keys()) == ["a", "b"]
    assert "a" in named
    assert len(named) == 2
    assert named.pop("b").shape == (2,)
    del named["a"]
    assert list(named.values()) == []
    with pytest.raises(KindError, match="expected a Tensor, got int"):
        listed.append(3)


# utilities


def test_gradients_are_scaled_to_a_total_norm() -> None:
    a, b = nn.Parameter(pg.zeros(2)), nn.Parameter(pg.zeros(1))
    a.grad, b.grad = pg.tensor([3.0, 0.0]), pg.tensor([4.0])
    assert nn.utils.clip_grad_norm_([a, b, nn.Parameter(pg.zeros(1))], 1.0).item() == 5
    assert a.grad.tolist() == pytest.approx([0.6, 0])
    assert b.grad.tolist() == pytest.approx([0.8])
    nn.utils.clip_grad_norm_(iter([a, b]), 100.0)
    assert b.grad.tolist() == pytest.approx([0.8])
    assert nn.utils.clip_grad_norm_(a, 1.0, norm_type=float("inf")).item() == pytest.approx(0.6)
    b.grad.fill_(float("inf"))
    with pytest.raises(RuntimeError, match="total norm is inf"):
        nn.utils.clip_grad_norm_([a, b], 1.0, error_if_nonfinite=True)


def test_gradients_are_clipped_by_value() -> None:
    a = nn.Parameter(pg.zeros(3))
    a.grad = pg.tensor([-3.0, 0.5, 3.0])
    nn.utils.clip_grad_value_([a], 1)
    assert a.grad.tolist() == [-1, 0.5, 1]


def test_parameters_become_a_vector_and_come_back() -> None:
    model = Model()
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (sum(each.numel() for each in model.parameters()),)
    nn.utils.vector_to_parameters(pg.arange(15.0)[: vector.numel()], model.parameters())
    assert model.first.scale.tolist() == [0, 1, 2]
    assert model.first.linear.weight.tolist() == [[3, 4], [5, 6], [7, 8]]
    with pytest.raises(RuntimeError, match="vector_to_parameters: vec"):
        nn.utils.vector_to_parameters(pg.ones(3), model.parameters())


def test_containers_do_what_lists_and_dictionaries_do() -> None:
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(a) + nn.Sequential(b)
    assert list(model * 2) == [a, b, a, b]
    model *= 2
    assert len(model) == 4
    assert model.pop(0) is a
    model += [c]
    assert list(model) == [b, a, b, c]
    with pytest.raises(ArgumentError, match="times: expected at least 1"):
        model * 0
    listed = nn.ParameterList([pg.zeros(1), pg.ones(1)])
    assert listed.pop(0).item() == 0
    assert list(listed.state_dict()) == ["0"]
    named = nn.ParameterDict({"a": pg.zeros(1)})
    joined = named | {"b": pg.ones(1)}
    assert list(reversed(joined)) == ["b", "a"]
    assert joined.get("c") is None
    assert joined.setdefault("c", pg.ones(2)).shape == (2,)
    assert joined.popitem()[0] == "c"
    assert joined.copy()["a"] is named["a"]
    named |= joined
    assert list(named) == ["a", "b"]
    named.clear()
    assert not len(named)


def test_init_fills_orthogonal_dirac_and_sparse_weights() -> None:
    for shape in ((3, 5), (5, 3), (4, 2, 3)):
        weight = nn.init.orthogonal_(pg.empty(shape, dtype=pg.float64), gain=2).reshape(
            shape[0], -1
        )
        short = weight if shape[0] <= weight.shape[1] else weight.t()
        expected = 4 * pg.eye(short.shape[0], dtype=pg.float64)
        assert pg.allclose(short @ short.t(), expected, atol=1e-12)
    x = pg.randn(1, 2, 5)
    weight = nn.init.dirac_(pg.empty(4, 2, 3))
    assert pg.equal(nn.functional.conv1d(x, weight, padding=1)[:, :2], x)
    grouped = nn.init.dirac_(pg.empty(4, 1, 3), groups=2)
    assert grouped[:, 0, 1].tolist() == [1, 0, 1, 0]
    weight = nn.init.sparse_(pg.empty(10, 4), 0.25)
    assert (weight == 0).sum(0).tolist() == [3] * 4
    for wrong in (nn.init.orthogonal_, nn.init.dirac_):
        with pytest.raises(ShapeError, match="axes"):
            wrong(pg.empty(3))
    with pytest.raises(ShapeError, match="two axes"):
        nn.init.sparse_(pg.empty(3), 0.5)
    with pytest.raises(ArgumentError, match="a divisor of 3 channels"):
        nn.init.dirac_(pg.empty(3, 1, 1), groups=2)
    with pytest.warns(FutureWarning, match="nn.init.constant is now nn.init.constant_"):
        assert nn.init.constant(pg.empty(2), 3).tolist() == [3, 3]
