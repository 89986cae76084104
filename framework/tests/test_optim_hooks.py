"""Hooks around an optimizer's steps and its state, and groups that must name their options."""

from __future__ import annotations

from typing import Any

import pytest

import plugrad as pg
from plugrad import optim
from plugrad.errors import ArgumentError, KindError
from plugrad.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)


def leaf(number: float = 1.0) -> Any:
    p = pg.tensor([number], requires_grad=True)
    p.grad = pg.ones(1)
    return p


def test_hooks_of_all_optimizers_run_outside_those_of_one() -> None:
    optimizer = optim.SGD([leaf()])
    said: list[str] = []

    def say(word: str) -> Any:
        return lambda optimizer, args, kwargs: said.append(word)

    handles = [
        register_optimizer_step_pre_hook(say("before all")),
        register_optimizer_step_post_hook(say("after all")),
        optimizer.register_step_pre_hook(say("before")),
        optimizer.register_step_post_hook(say("after")),
    ]
    optimizer.step()
    assert said == ["before all", "before", "after", "after all"]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(said) == 4


def test_a_hook_may_exchange_the_arguments_of_a_step() -> None:
    optimizer = optim.SGD([leaf()])
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: "exchanged",), {}))
    assert optimizer.step(lambda: "given") == "exchanged"


def test_what_a_hook_returns_must_be_arguments() -> None:
    optimizer = optim.SGD([leaf()])
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(KindError, match=r"None or \(args, kwargs\) from a hook, got int"):
        optimizer.step()


def test_hooks_of_a_step_run_once_where_a_subclass_calls_its_base() -> None:
    class Twice(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step()
            return super().step(closure)

    optimizer = Twice([leaf(1.0)], lr=0.25)
    calls: list[Any] = []
    optimizer.register_step_post_hook(lambda *all: calls.append(all))
    optimizer.step()
    assert len(calls) == 1
    assert optimizer.param_groups[0]["params"][0].tolist() == [0.5]


def test_hooks_see_and_exchange_a_state_that_is_saved() -> None:
    optimizer = optim.SGD([leaf()], momentum=0.9)
    said: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda o: said.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: said.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, saved: {**saved, "extra": 1})
    assert optimizer.state_dict()["extra"] == 1
    assert said == ["first", "second"]


def test_hooks_exchange_and_follow_a_state_that_is_loaded() -> None:
    optimizer = optim.SGD([leaf()], lr=0.1)
    saved = optimizer.state_dict()
    rates: list[float] = []

    def faster(o: Any, state: Any) -> Any:
        (group,) = state["param_groups"]
        return {**state, "param_groups": [{**group, "lr": group["lr"] * 2}]}

    optimizer.register_load_state_dict_pre_hook(faster)
    optimizer.register_load_state_dict_post_hook(lambda o: rates.append(o.param_groups[0]["lr"]))
    optimizer.load_state_dict(saved)
    assert rates == [0.2]
    assert saved["param_groups"][0]["lr"] == 0.1


def test_a_required_option_must_be_in_every_group() -> None:
    class Mine(optim.Optimizer):
        def __init__(self, params: Any, lr: Any = required) -> None:
            super().__init__(params, {"lr": lr})

    assert Mine([{"params": [leaf()], "lr": 0.5}]).param_groups[0]["lr"] == 0.5
    assert repr(required) == "<required parameter>"
    with pytest.raises(ArgumentError, match="Mine: lr: expected a value in every group"):
        Mine([leaf()])


def test_groups_name_the_choices_among_implementations_as_pytorch_does() -> None:
    group = optim.Adam([leaf()], foreach=True).state_dict()["param_groups"][0]
    assert list(group) == [
        *("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize", "foreach", "capturable"),
        *("differentiable", "fused", "decoupled_weight_decay", "params"),
    ]
    assert group["foreach"] is True
