"""Nodes of the graph: what comes next, and hooks before and after they pull."""

from __future__ import annotations

from typing import Any

import plugrad as pg
from plugrad.autograd import Function


def test_a_node_names_where_cotangents_go() -> None:
    x, y = pg.ones(2, requires_grad=True), pg.ones(2)
    node = ((x * 2).exp() + y).grad_fn
    assert node.name() == "AddBackward0"
    (first, number), (second, _) = node.next_functions
    assert (first.name(), number, second) == ("ExpBackward0", 0, None)
    leaf = first.next_functions[0][0].next_functions[0][0]
    assert leaf.name() == "AccumulateGrad"
    assert leaf.next_functions == ()
    low, _ = pg.rand(3, requires_grad=True).sort()
    both = pg.cat([low, x]).grad_fn
    assert [(each.name(), number) for each, number in both.next_functions] == [
        ("SortBackward0", 0),
        ("AccumulateGrad", 0),
    ]


def test_hooks_of_a_node_see_and_replace_what_it_gets_and_pulls() -> None:
    x = pg.ones(2, requires_grad=True)
    y = x * 3
    seen: list[Any] = []
    before = y.grad_fn.register_prehook(lambda given: (given[0] * 2,))
    after = y.grad_fn.register_hook(
        lambda pulled, given: seen.append((pulled[0].tolist(), given[0].tolist()))
    )
    y.grad_fn.register_hook(lambda pulled, given: (pulled[0] + 1, *pulled[1:]))
    y.sum().backward(retain_graph=True)
    assert seen == [([6.0, 6.0], [2.0, 2.0])]
    assert x.grad.tolist() == [7.0, 7.0]
    before.remove()
    after.remove()
    y.sum().backward()
    assert x.grad.tolist() == [11.0, 11.0]
    assert len(seen) == 1


def test_hooks_of_a_leaf_and_of_a_function_run_too() -> None:
    class Double(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return grads[0] * 2

    x = pg.ones(2, requires_grad=True)
    y = Double.apply(x)
    seen: list[Any] = []
    y.grad_fn.register_hook(lambda pulled, given: (pulled[0] * 5,))
    leaf = y.grad_fn.next_functions[0][0]
    leaf.register_hook(lambda pulled, given: seen.append((pulled, given[0].tolist())))
    y.sum().backward()
    assert x.grad.tolist() == [10.0, 10.0]
    assert seen == [((), [10.0, 10.0])]


def test_modes_decorate_without_parentheses() -> None:
    @pg.no_grad
    def off(x: Any) -> Any:
        return x * 2

    @pg.enable_grad
    def on(x: Any) -> Any:
        return x * 2

    x = pg.ones(1, requires_grad=True)
    assert not off(x).requires_grad
    with pg.no_grad():
        assert on(x).requires_grad


def test_backward_inside_autocast_computes_as_outside() -> None:
    x = pg.randn(3, 3, requires_grad=True)
    gradients = []
    y = (x @ x).sin().sum()
    for enabled in (False, True):
        x.grad = None
        with pg.autocast("cpu", enabled=enabled):
            y.backward(retain_graph=True)
        gradients.append(x.grad.tolist())
    assert gradients[0] == gradients[1]
