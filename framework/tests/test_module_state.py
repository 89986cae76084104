"""State dicts: versions, extra state, hooks, and classes that save and load in their own way."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import CheckpointError, KindError


class Counter(nn.Module):
    """Has state that is no tensor."""

    _version = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(pg.ones(2))
        self.calls = 0

    def get_extra_state(self) -> Any:
        return {"calls": self.calls}

    def set_extra_state(self, state: Any) -> None:
        self.calls = state["calls"]


class Renamed(nn.Module):
    """Was once saved with another name for its parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.new = nn.Parameter(pg.zeros(2))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *arguments: Any) -> None:
        if f"{prefix}old" in state_dict:
            state_dict[f"{prefix}new"] = state_dict.pop(f"{prefix}old")
        super()._load_from_state_dict(state_dict, prefix, *arguments)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.counter = Counter()
        self.renamed = Renamed()
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


def test_versions_stand_beside_the_entries() -> None:
    state = Model().state_dict()
    assert type(state) is OrderedDict
    assert list(state._metadata) == [
        *("", "counter", "renamed", "layers", "layers.0", "layers.1"),
    ]
    assert state._metadata["counter"] == {"version": 3}


def test_extra_state_travels_along() -> None:
    source, target = Model(), Model()
    source.counter.calls = 5
    state = source.state_dict()
    assert state["counter._extra_state"] == {"calls": 5}
    target.load_state_dict(state)
    assert target.counter.calls == 5


def test_extra_state_is_missed_and_unexpected_like_a_tensor() -> None:
    state = Model().state_dict()
    del state["counter._extra_state"]
    state["renamed._extra_state"] = 1
    keys = Model().load_state_dict(state, strict=False)
    assert keys == (["counter._extra_state"], ["renamed._extra_state"])
    with pytest.raises(CheckpointError, match=r"missing keys: counter\._extra_state"):
        Model().load_state_dict(state)


def test_a_class_may_load_in_its_own_way() -> None:
    model = Model()
    state = Model().state_dict()
    state["renamed.old"] = state.pop("renamed.new") + 4
    kept = dict(state)
    assert model.load_state_dict(state) == ([], [])
    assert model.renamed.new.tolist() == [4, 4]
    assert list(state) == list(kept)  # the caller's dict is not what classes and hooks change


def test_a_class_may_save_in_its_own_way() -> None:
    class Noted(nn.Linear):
        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[f"{prefix}note"] = "by hand"

    assert list(nn.Sequential(Noted(1, 1)).state_dict()) == ["0.weight", "0.bias", "0.note"]


def test_a_state_is_added_to_a_destination() -> None:
    there = {"kept": 1}
    model = nn.Linear(1, 1)
    assert model.state_dict(destination=there, prefix="a.") is there
    assert list(there) == ["kept", "a.weight", "a.bias"]


def test_hooks_see_a_state_before_and_after_it_is_saved() -> None:
    model, seen = Model(), []
    before = model.renamed.register_state_dict_pre_hook(lambda *given: seen.append(given))
    after = model.register_state_dict_post_hook(
        lambda module, state, prefix, local: state.update(seal=(prefix, local["version"]))
    )
    assert model.state_dict(prefix="m.", keep_vars=True)["seal"] == ("m.", 1)
    assert seen == [(model.renamed, "m.renamed.", True)]
    before.remove()
    after.remove()
    assert "seal" not in model.state_dict()
    assert len(seen) == 1


def test_a_hook_may_change_what_is_loaded() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False))

    def rename(module: Any, state: Any, prefix: str, *arguments: Any) -> None:
        assert module is model[0]
        state[f"{prefix}weight"] = state.pop(f"{prefix}kernel")

    handle = model[0].register_load_state_dict_pre_hook(rename)
    model.load_state_dict({"0.kernel": pg.full((1, 1), 3.0)})
    assert model[0].weight.item() == 3
    handle.remove()
    with pytest.raises(CheckpointError, match="missing keys"):
        model.load_state_dict({"0.kernel": pg.ones(1, 1)})


def test_a_hook_may_accept_what_is_missing() -> None:
    model = nn.Linear(1, 1)
    handle = model.register_load_state_dict_post_hook(
        lambda module, keys: keys.missing_keys.remove("bias")
    )
    assert model.load_state_dict({"weight": pg.full((1, 1), 2.0)}) == ([], [])
    assert model.weight.item() == 2
    with pytest.raises(CheckpointError, match="unexpected keys: more"):
        model.load_state_dict({"weight": pg.ones(1, 1), "more": pg.ones(1)})
    handle.remove()
    before = model.weight.item()
    with pytest.raises(CheckpointError, match="missing keys: bias"):
        model.load_state_dict({"weight": pg.zeros(1, 1)})
    assert model.weight.item() == before


def test_a_state_that_is_no_dict_is_refused() -> None:
    with pytest.raises(KindError, match="state_dict: expected a dict, got list"):
        nn.Linear(1, 1).load_state_dict([pg.ones(1)])


def test_extra_state_of_a_class_that_has_none_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="Linear does not define get_extra_state"):
        nn.Linear(1, 1).get_extra_state()
    with pytest.raises(NotImplementedError, match="Linear does not define set_extra_state"):
        nn.Linear(1, 1).set_extra_state(1)


def test_a_module_may_be_put_at_a_path() -> None:
    model = Model()
    new = nn.Linear(5, 5)
    model.set_submodule("layers.1", new)
    assert model.layers[1] is new
    model.set_submodule("head", new)
    assert model.head is new
    with pytest.raises(AttributeError, match="Model has no sub-module 'tail'"):
        model.set_submodule("tail", new, strict=True)
    with pytest.raises(AttributeError, match="no sub-module ''"):
        model.set_submodule("", new)
    with pytest.raises(KindError, match="module: expected a Module"):
        model.set_submodule("head", 1)


def test_hooks_may_go_before_the_others() -> None:
    module, order = nn.Identity(), []
    module.register_forward_hook(lambda *given: order.append("after"))
    module.register_forward_hook(lambda *given: order.append("right after"), prepend=True)
    module.register_forward_pre_hook(lambda *given: order.append("before"))
    first = module.register_forward_pre_hook(lambda *given: order.append("first"), prepend=True)
    module(pg.ones(1))
    assert order == ["first", "before", "right after", "after"]
    first.remove()
    order.clear()
    module(pg.ones(1))
    assert order == ["before", "right after", "after"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_tensors_survive_pickling(protocol: int) -> None:
    turned = pg.arange(6.0).reshape(2, 3).T
    leaf = pg.ones(2, requires_grad=True)
    meta = pg.empty(3, 2, device="meta")
    nest = {"a": turned, "b": [leaf, leaf], "c": meta, "p": nn.Parameter(pg.ones(1))}
    out = pickle.loads(pickle.dumps(nest, protocol))
    assert out["a"].tolist() == turned.tolist()
    assert out["b"][0] is out["b"][1]
    assert out["b"][0].requires_grad
    assert (out["c"].device.type, tuple(out["c"].shape)) == ("meta", (3, 2))
    assert type(out["p"]) is nn.Parameter


def test_deep_copies_keep_identity_and_hooks() -> None:
    shared = pg.ones(2)
    pair = copy.deepcopy([shared, shared])
    assert pair[0] is pair[1] is not shared
    model = Model()
    model.register_state_dict_post_hook(lambda module, state, *rest: state.update(seal=1))
    assert copy.deepcopy(model).state_dict()["seal"] == 1
