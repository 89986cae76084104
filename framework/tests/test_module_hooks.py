"""Hooks around a module's forward and backward, and those of all modules."""

from __future__ import annotations

import copy

import pytest

import plugrad as pg
from plugrad import nn
from plugrad.errors import ArgumentError, AutogradError
from plugrad.nn.hooks import everywhere
from plugrad.nn.modules import module as hooks_of_all


class Scale(nn.Module):
    """`x * weight * k`, and the sum of it; `k` may be anything that multiplies."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(pg.tensor([1.0, 2.0]))

    def forward(self, x, k=1):
        if k is None:
            raise ValueError("no k")
        return x * self.weight * k


def leaf(*numbers):
    return pg.tensor(list(numbers), requires_grad=True)


def values(gradients):
    return [None if each is None else each.tolist() for each in gradients]


def test_a_backward_hook_sees_the_gradients_of_inputs_and_outputs():
    net, x, seen = Scale(), leaf(1.0, 1.0), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append((m, values(gi), values(go))))
    (net(x, 3) * pg.tensor([1.0, 10.0])).sum().backward()
    assert seen == [(net, [[3.0, 60.0], None], [[1.0, 10.0]])]
    assert x.grad.tolist() == [3.0, 60.0]
    assert net.weight.grad.tolist() == [3.0, 30.0]


def test_what_backward_hooks_return_replaces_the_gradients():
    net, x = Scale(), leaf(1.0, 1.0)
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,))
    net.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,), prepend=True)
    net.register_full_backward_pre_hook(lambda m, go: (go[0] * 10,))
    net(x).sum().backward()
    assert x.grad.tolist() == [21.0, 41.0]
    assert net.weight.grad.tolist() == [10.0, 10.0]


def test_several_outputs_have_a_gradient_each():
    class Both(nn.Module):
        def forward(self, x):
            return x * 2, "text", x * 3

    net, seen = Both(), []
    net.register_full_backward_pre_hook(lambda m, go: seen.append(values(go)))
    first, text, last = net(leaf(1.0))
    (first + last * 5).sum().backward()
    assert text == "text"
    assert seen == [[[1.0], None, [5.0]]]


def test_without_an_input_that_requires_grad_the_hook_is_called_with_none():
    net, seen = Scale(), []
    handle = net.register_full_backward_hook(lambda m, gi, go: seen.append((gi, values(go))))
    out = net(pg.ones(2), 2).sum()
    with pytest.warns(UserWarning, match="no input requires grad"):
        out.backward()
    assert seen == [((None, None), [[1.0, 1.0]])]
    handle.remove()
    net.register_full_backward_hook(lambda m, gi, go: (go[0], None))
    out = net(pg.ones(2), 2).sum()
    with pytest.warns(match="no input"), pytest.raises(AutogradError, match="nothing but None"):
        out.backward()


def test_a_second_derivative_passes_the_hooks_by():
    net, x, seen = Scale(), leaf(1.0, 2.0), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append(values(gi)))
    (first,) = pg.autograd.grad((net(x) ** 3).sum(), x, create_graph=True)
    assert len(seen) == 1
    first.sum().backward()
    assert x.grad.tolist() == pytest.approx([6.0, 96.0])


@pytest.mark.parametrize(
    "which", ["register_full_backward_hook", "register_full_backward_pre_hook"]
)
def test_a_hook_must_return_as_many_gradients_as_it_got(which):
    net = Scale()
    getattr(net, which)(lambda m, *gradients: (None, None, None))
    with pytest.raises(AutogradError, match="returned 3 for grad_"):
        net(leaf(1.0, 1.0), 2).sum().backward()


def test_backward_hooks_do_nothing_where_nothing_is_recorded():
    net = Scale()
    net.register_full_backward_hook(lambda m, gi, go: pytest.fail("no backward"))
    with pg.no_grad():
        assert net(leaf(1.0, 1.0)).grad_fn is None


def test_an_output_that_is_no_tensor_is_warned_about():
    class Named(nn.Module):
        def forward(self, x):
            return {"out": x * 2}

    net = Named()
    net.register_full_backward_hook(lambda m, gi, go: None)
    with pytest.warns(UserWarning, match="got dict"):
        net(leaf(1.0))


def test_a_forward_hook_can_be_called_whatever_happens():
    net, seen = Scale(), []
    net.register_forward_hook(lambda m, args, out: seen.append("always"), always_call=True)
    net.register_forward_hook(lambda m, args, out: seen.append("else"))
    net(pg.ones(2))
    with pytest.raises(ValueError, match="no k"):
        net(pg.ones(2), None)
    assert seen == ["always", "else", "always"]


def test_an_error_after_the_first_is_only_warned_about():
    def fails(m, args, out):
        raise RuntimeError("second")

    net = Scale()
    net.register_forward_hook(fails, always_call=True)
    with pytest.warns(UserWarning, match="second"), pytest.raises(ValueError, match="no k"):
        net(pg.ones(2), None)


def test_a_pre_hook_with_options_returns_both_or_none():
    net = Scale()
    net.register_forward_pre_hook(lambda m, args, options: 5, with_kwargs=True)
    with pytest.raises(ArgumentError, match="arguments, options"):
        net(pg.ones(2))


def test_hooks_of_all_modules_come_first_and_go():
    net, seen = nn.Sequential(Scale()), []
    net[0].register_forward_hook(lambda m, args, out: seen.append("own forward"))
    net[0].register_full_backward_hook(lambda m, gi, go: seen.append("own backward"))
    handles = [
        hooks_of_all.register_module_forward_pre_hook(lambda m, args: seen.append("before")),
        hooks_of_all.register_module_forward_hook(lambda m, args, out: seen.append("after")),
        hooks_of_all.register_module_full_backward_pre_hook(lambda m, go: seen.append("pull")),
        hooks_of_all.register_module_full_backward_hook(lambda m, gi, go: seen.append("pulled")),
    ]
    net(leaf(1.0, 1.0)).sum().backward()
    forward = ["before", "before", "after", "own forward", "after"]
    backward = ["pull", "pull", "pulled", "own backward", "pulled"]
    assert seen == forward + backward
    for handle in handles:
        handle.remove()
    seen.clear()
    net(leaf(1.0, 1.0)).sum().backward()
    assert seen == ["own forward", "own backward"]
    assert everywhere.watched is False


def test_what_modules_register_can_be_seen_and_replaced():
    seen = []

    def doubled(m, name, parameter):
        return nn.Parameter(parameter.detach() * 2)

    handles = [
        hooks_of_all.register_module_parameter_registration_hook(doubled),
        hooks_of_all.register_module_buffer_registration_hook(lambda m, n, b: seen.append(n)),
        hooks_of_all.register_module_module_registration_hook(lambda m, n, s: seen.append(n)),
    ]
    try:
        net = nn.Sequential(Scale())
        net.register_buffer("count", pg.zeros(1))
    finally:
        for handle in handles:
            handle.remove()
    assert net[0].weight.tolist() == [2.0, 4.0]
    assert seen == ["0", "count"]
    assert Scale().weight.tolist() == [1.0, 2.0]


def test_a_copy_has_the_hooks_of_its_original():
    net, seen = Scale(), []
    net.register_full_backward_hook(lambda m, gi, go: seen.append(m))
    twin = copy.deepcopy(net)
    twin(leaf(1.0, 1.0)).sum().backward()
    assert seen == [twin]


def test_layers_have_pytorchs_path_too():
    assert nn.modules.Linear is nn.Linear
    assert nn.modules.module.Module is nn.Module
    with pytest.raises(AttributeError):
        nn.modules.nothing_of_the_kind  # noqa: B018
