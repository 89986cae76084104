"""What the graph keeps: hooks around it, checkpoints that compute it again, the search for NaN."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import plugrad as pg
from plugrad import nn as pnn
from plugrad import watching
from plugrad.autograd import Function, detect_anomaly, set_detect_anomaly
from plugrad.autograd.graph import (
    allow_mutation_on_saved_tensors,
    disable_saved_tensors_hooks,
    get_gradient_edge,
    increment_version,
    register_multi_grad_hook,
    save_on_cpu,
    saved_tensors_hooks,
)
from plugrad.errors import ArgumentError, AutogradError, VersionError
from plugrad.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
    set_checkpoint_early_stop,
)


@pytest.fixture(autouse=True)
def nothing_stays() -> Any:
    yield
    assert not watching.in_use()


def leaf(*shape: int) -> Any:
    pg.manual_seed(1)
    return pg.randn(*shape, dtype=pg.float64, requires_grad=True)


class Cube(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        square = x * x
        ctx.save_for_backward(x, square)
        return square * x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        _, square = ctx.saved_tensors
        return grads[0] * 3 * square


def mixed(x: Any) -> Any:
    """Results saved, operands saved, several saved together, nothing saved."""
    return (pg.cat([x.exp(), x * x]).tanh() + 1).prod()


def gradient(function: Any, x: Any) -> Any:
    (found,) = pg.autograd.grad(function(x), x)
    return found


# hooks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [mixed, lambda x: Cube.apply(x).sum()])
def test_hooks_get_what_is_saved_and_give_it_back(function: Any) -> None:
    x = leaf(3)
    packed: list[Any] = []

    def pack(tensor: Any) -> int:
        assert not pg.is_grad_enabled()
        packed.append(tensor.detach().clone())
        return len(packed) - 1

    with saved_tensors_hooks(pack, lambda number: packed[number]):
        y = function(x)
    (found,) = pg.autograd.grad(y, x)
    assert packed
    assert pg.allclose(found, gradient(function, x))


def test_what_hooks_give_back_is_what_backward_sees() -> None:
    x = leaf(3)
    with saved_tensors_hooks(lambda tensor: None, lambda packed: pg.full((3,), 5.0)):
        y = x.sin().sum()
    y.backward()
    assert pg.allclose(x.grad, pg.full((3,), 5.0).cos().double())


def test_a_packed_tensor_keeps_its_place_in_the_graph() -> None:
    x = leaf(3)
    with saved_tensors_hooks(lambda tensor: tensor.detach(), lambda packed: packed):
        y = (x.exp() * x).tanh().sum()
    (first,) = pg.autograd.grad(y, x, create_graph=True)
    (second,) = pg.autograd.grad(first.sum(), x)
    plain = (x.exp() * x).tanh().sum()
    (first,) = pg.autograd.grad(plain, x, create_graph=True)
    assert pg.allclose(second, pg.autograd.grad(first.sum(), x)[0])


def test_the_innermost_hooks_count() -> None:
    x = leaf(2)
    said: list[str] = []
    with saved_tensors_hooks(lambda t: said.append("outer"), lambda p: x):
        x.exp()
        with saved_tensors_hooks(lambda t: said.append("inner"), lambda p: x):
            x.exp()
        x.exp()
    x.exp()
    assert said == ["outer", "inner", "outer"]


def test_unpack_must_return_a_tensor() -> None:
    x = leaf(2)
    with saved_tensors_hooks(lambda tensor: None, lambda packed: 3):
        y = x.exp().sum()
    with pytest.raises(AutogradError, match="unpack must return a tensor, got int"):
        y.backward()


def test_saved_tensors_may_wait_on_the_cpu() -> None:
    x = leaf(3)
    with save_on_cpu(pin_memory=True):
        y = mixed(x)
    assert pg.allclose(pg.autograd.grad(y, x)[0], gradient(mixed, x))


# checkpoints --------------------------------------------------------------------------------------


def network() -> Any:
    pg.manual_seed(0)
    return pnn.Sequential(
        pnn.Linear(3, 8),
        pnn.ReLU(),
        pnn.Dropout(0.5),
        pnn.Linear(8, 8),
        pnn.LayerNorm(8),
        pnn.Linear(8, 2),
    )


@pytest.mark.parametrize(
    "run",
    [
        lambda net, x: checkpoint(net, x, use_reentrant=False),
        lambda net, x: checkpoint(net, x, early_stop=False),
        lambda net, x: checkpoint_sequential(net, 3, x),
        lambda net, x: checkpoint_sequential(list(net), 1, x),
        lambda net, x: checkpoint(lambda y: checkpoint(net, y), x),
    ],
)
def test_a_checkpoint_gives_the_same_gradients_dropout_and_all(run: Any) -> None:
    net, x = network(), pg.ones(4, 3, requires_grad=True)
    gradients = []
    for forward in (lambda net, x: net(x), run):
        pg.manual_seed(5)
        net.zero_grad()
        x.grad = None
        out = forward(net, x)
        after = pg.rand(1).item()
        out.square().sum().backward()
        gradients.append([after, *[p.grad.tolist() for p in (*net.parameters(), x)]])
    assert gradients[0] == gradients[1]


def test_a_checkpoint_keeps_nothing_but_the_arguments() -> None:
    x = leaf(4)
    middle: list[Any] = []

    def function(x: Any) -> Any:
        y = x.exp()
        middle.append(weakref.ref(y.settle()))
        return y.tanh()

    out = checkpoint(function, x).sum()
    gc.collect()
    assert middle[0]() is None
    out.backward()
    assert pg.allclose(x.grad, gradient(lambda x: x.exp().tanh().sum(), x))
    assert len(middle) == 2


def test_a_graph_that_is_kept_is_computed_again_each_time() -> None:
    x = leaf(3)
    calls: list[int] = []

    def function(x: Any, scale: float) -> Any:
        calls.append(1)
        return (x * scale).sin()

    out = checkpoint(function, x, scale=2.0).sum()
    out.backward(retain_graph=True)
    out.backward()
    assert pg.allclose(x.grad, 4 * (2 * x).cos())
    assert len(calls) == 3


def test_autocast_is_the_same_the_second_time() -> None:
    x = pg.ones(2, 2, requires_grad=True)
    seen: list[Any] = []

    def product(x: Any) -> Any:
        y = x @ x
        seen.append(y.dtype)
        return y.sin()

    with pg.autocast("cpu"):
        out = checkpoint(product, x, early_stop=False)
    out.float().sum().backward()
    assert seen == [pg.bfloat16, pg.bfloat16]


def test_a_function_that_does_something_else_the_second_time_is_found() -> None:
    x = leaf(4)
    calls: list[int] = []

    def shorter(x: Any) -> Any:
        calls.append(1)
        return x.exp() if len(calls) == 1 else x[:2].exp()

    def fewer(x: Any) -> Any:
        calls.append(1)
        return x.exp() if len(calls) == 3 else x + 1

    out = checkpoint(shorter, x).sum()
    with pytest.raises(AutogradError, match=r"saved tensor 0 was Spec\(\(4,\).*Spec\(\(2,\)"):
        out.backward()
    out = checkpoint(fewer, x).sum()
    with pytest.raises(AutogradError, match=r"saved 1 tensors .* the first time and 0 the second"):
        out.backward()


def test_wrong_arguments_of_a_checkpoint_are_refused() -> None:
    with pytest.raises(ArgumentError, match="segments: expected from 1 to 6"):
        checkpoint_sequential(network(), 7, pg.ones(1, 3))
    with pytest.raises(ArgumentError, match="determinism_check: expected 'default' or 'none'"):
        checkpoint(lambda: None, determinism_check="x")


# NaN ----------------------------------------------------------------------------------------------


class Broken(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * float("nan")


def test_a_nan_is_traced_to_its_operator_and_line() -> None:
    x = pg.tensor([0.0, 1.0], requires_grad=True)
    with detect_anomaly():
        y = (x.sqrt() * 0).sum()  # this line
        with pytest.raises(AutogradError, match=r"SqrtBackward0: .*NaN.*test_saved.*# this line"):
            y.backward()
        z = Broken.apply(x).sum()  # that line
        with pytest.raises(AutogradError, match=r"BrokenBackward: .*NaN.*# that line"):
            z.backward()
        x.exp().sum().backward()


def test_a_call_before_the_search_has_no_line() -> None:
    x = pg.tensor([0.0], requires_grad=True)
    with detect_anomaly(check_nan=False):
        y = x.sqrt() * 0
        y.backward()
    assert x.grad.isnan().all()
    with detect_anomaly():
        y = x.sqrt()
    (y * 0).backward()


def test_the_search_is_switched_on_until_it_is_switched_off() -> None:
    before = set_detect_anomaly(True)
    assert pg.autograd.is_anomaly_enabled()
    assert pg.autograd.is_anomaly_check_nan_enabled()
    with set_detect_anomaly(False):
        assert not pg.autograd.is_anomaly_enabled()
    assert pg.autograd.is_anomaly_enabled()
    with before:
        """The end of a block brings back what was there before it was made."""
    assert not pg.autograd.is_anomaly_enabled()


def test_a_graph_may_be_walked_twice_where_nothing_is_saved() -> None:
    x = leaf(2)
    with detect_anomaly():
        y = (x + 1).sum()
        y.backward()
        y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


# several gradients --------------------------------------------------------------------------------


def test_a_hook_waits_for_all_gradients_or_takes_the_first() -> None:
    x, y = leaf(2), leaf(2)
    whole: list[Any] = []
    first: list[Any] = []
    handles = [
        register_multi_grad_hook((x, y), whole.append),
        register_multi_grad_hook((x, y), first.append, mode="any"),
    ]
    for _ in range(2):
        (2 * x + 3 * y).sum().backward()
    assert [[g.tolist() for g in each] for each in whole] == [[[2.0] * 2, [3.0] * 2]] * 2
    assert len(first) == 2
    for handle in handles:
        handle.remove()
    (x + y).sum().backward()
    assert len(whole) == 2
    with pytest.raises(ArgumentError, match="mode: expected 'all' or 'any', got x"):
        register_multi_grad_hook((x,), whole.append, mode="x")


def test_an_edge_is_a_node_and_which_of_its_outputs() -> None:
    x = leaf(4)
    first, _ = x.sort()
    assert get_gradient_edge(first).node is first.grad_fn
    assert get_gradient_edge(x * 2).output_nr == 0
    with pytest.raises(AutogradError, match="the tensor does not require grad"):
        get_gradient_edge(pg.ones(2))


# writes to saved tensors, hooks refused -----------------------------------------------------------


def test_saved_tensors_may_be_written_where_that_is_allowed() -> None:
    x = pg.tensor([1.0, 2.0], requires_grad=True)
    with allow_mutation_on_saved_tensors():
        y = x * 1
        out = (y**3).sum()
        y.mul_(10)
        out.backward()
    assert x.grad.tolist() == [3.0, 12.0]


def test_hooks_are_refused_with_the_message_given() -> None:
    with disable_saved_tensors_hooks("not here"):
        with pytest.raises(AutogradError, match="not here"):
            saved_tensors_hooks(lambda x: x, lambda x: x).__enter__()
        with disable_saved_tensors_hooks("nor here"), pytest.raises(AutogradError, match="nor"):
            save_on_cpu().__enter__()
    with saved_tensors_hooks(lambda x: x, lambda x: x):
        pass


def test_a_write_that_nobody_saw_can_be_counted() -> None:
    x = pg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    out = (y * y).sum()
    increment_version([y, pg.ones(1)])
    with pytest.raises(VersionError, match="version 1"):
        out.backward()


def wayward() -> Any:
    calls: list[int] = []

    def function(x: pg.Tensor) -> pg.Tensor:
        calls.append(1)
        return (x if len(calls) == 1 else x[:1]).exp()

    return function


def test_a_checkpoint_says_where_if_asked() -> None:
    x = pg.ones(2, requires_grad=True)
    with pytest.raises(CheckpointError, match=r"debug=True tells where"):
        checkpoint(wayward(), x).sum().backward()
    with set_checkpoint_debug_enabled(True), pytest.raises(CheckpointError, match=r"x\[:1\]"):
        checkpoint(wayward(), x, debug=False).sum().backward()
    with pytest.raises(CheckpointError, match=r"test_saved_tensors.py:\d+: .*x\[:1\].*the second"):
        checkpoint(wayward(), x, debug=True).sum().backward()


def test_a_checkpoint_may_run_to_its_end_the_second_time() -> None:
    ends: list[int] = []

    def function(x: pg.Tensor) -> pg.Tensor:
        out = x.exp()
        ends.append(1)
        return out

    x = pg.ones(2, requires_grad=True)
    for enable, count in ((True, 1), (False, 2)):
        ends.clear()
        with set_checkpoint_early_stop(enable):
            out = checkpoint(function, x)
        out.sum().backward()
        assert len(ends) == count
