"""The engine: what backward adds up and frees, in-place writes, hooks, modes, memory."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import plugrad as pg
from plugrad.errors import (
    ArgumentError,
    AutogradError,
    DtypeError,
    GraphFreedError,
    InPlaceError,
    ShapeError,
    VersionError,
)


def leaf(*numbers: float) -> pg.Tensor:
    return pg.tensor(numbers, dtype=pg.double, requires_grad=True)


def grad_of(tensor: pg.Tensor) -> Any:
    assert tensor.grad is not None
    return tensor.grad.tolist()


# walking the graph --------------------------------------------------------------------------------


def test_a_chain_of_a_hundred_thousand_operators_needs_no_stack() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert grad_of(x) == [1.0]
    del y  # the graph is taken down one node after the other, too


def test_gradients_add_up_over_calls_until_they_are_cleared() -> None:
    x = leaf(1.0, 2.0)
    for total in (2.0, 4.0):
        (x * 2).sum().backward()
        assert grad_of(x) == [total, total]
    x.grad = None
    (x * 3).sum().backward()
    assert grad_of(x) == [3.0, 3.0]


def test_the_gradient_is_nobody_elses_tensor() -> None:
    x, y = leaf(1.0), leaf(2.0)
    g = pg.tensor([5.0], dtype=pg.double)
    (x + y).backward(g)
    assert x.grad is not None
    x.grad.add_(1)
    assert (g.tolist(), grad_of(y)) == ([5.0], [5.0])


def test_a_diamond_meets_each_node_once() -> None:
    x = leaf(2.0)
    shared = x * x
    calls: list[float] = []
    shared.register_hook(lambda g: calls.append(g.item()))
    (shared * 3 + shared.exp() * 0 + shared * shared).sum().backward()
    assert calls == [3 + 2 * 4]
    assert grad_of(x) == [11 * 4.0]


def test_a_deep_diamond_takes_linear_time() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(200):  # 2**200 paths
        y = (y + y) * 0.5
    y.backward()
    assert grad_of(x) == [1.0]


def test_broadcast_operands_get_gradients_of_their_own_shape_and_dtype() -> None:
    x = pg.ones(3, 1, requires_grad=True)
    y = pg.ones(2, 1, 4, dtype=pg.double, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert (x.grad.shape, x.grad.dtype, x.grad[0].item()) == ((3, 1), pg.float32, 8.0)
    assert (y.grad.shape, y.grad.dtype, y.grad[0, 0, 0].item()) == ((2, 1, 4), pg.double, 3.0)


def test_an_operator_with_several_outputs_gets_all_cotangents_at_once() -> None:
    x = leaf(3.0, 1.0, 2.0)
    values, order = x.sort()
    assert not order.requires_grad
    (values * pg.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert grad_of(x) == [100.0, 1.0, 10.0]


def test_pieces_of_a_tensor_send_their_gradients_back_to_their_places() -> None:
    x = leaf(1.0, 2.0, 3.0)
    first, *_ = x.unbind()
    (first * 2 + x.split([1, 2])[1].sum() * 5).backward()
    assert grad_of(x) == [2.0, 5.0, 5.0]


def test_a_complex_gradient_follows_the_convention_of_real_losses() -> None:
    z = pg.tensor([1 + 2j], dtype=pg.complex128, requires_grad=True)
    (z * z.conj()).real.sum().backward()
    assert grad_of(z) == [2 + 4j]  # dL/dRe + i dL/dIm of |z|²


# backward's arguments -----------------------------------------------------------------------------


def test_a_second_backward_is_refused_and_names_the_operator() -> None:
    x = leaf(2.0)
    y = x.exp()
    y.backward()
    with pytest.raises(GraphFreedError, match=r"exp: .* second time.* retain_graph=True"):
        y.backward()


def test_retain_graph_allows_a_second_backward() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert grad_of(x) == [8.0]


@pytest.mark.parametrize("orders", [1, 2, 3, 4])
def test_create_graph_gives_every_order(orders: int) -> None:
    x = leaf(2.0)
    y = x**4
    for order in range(orders):
        (y,) = pg.autograd.grad(y.sum(), x, create_graph=order < orders - 1)
    expected = [32.0, 48.0, 48.0, 24.0][orders - 1]
    assert y.item() == expected
    assert not y.requires_grad


def test_backward_with_create_graph_leaves_gradients_that_can_be_differentiated() -> None:
    x = leaf(3.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad is not None
    (second,) = pg.autograd.grad(x.grad.sum(), x)
    assert second.tolist() == [18.0]


def test_backward_can_be_limited_to_some_inputs() -> None:
    x, y = leaf(1.0), leaf(2.0)
    (x * y).backward(inputs=[x])
    assert (grad_of(x), y.grad) == ([2.0], None)


def test_backward_of_several_tensors_adds_their_gradients() -> None:
    x = leaf(1.0, 2.0)
    pg.autograd.backward([x.sum(), x * x], [None, pg.ones(2, dtype=pg.double)])
    assert grad_of(x) == [3.0, 5.0]


def test_grad_of_an_intermediate_tensor() -> None:
    x = leaf(3.0)
    y = x * 2
    (g,) = pg.autograd.grad((y * y).sum(), y)
    assert (g.tolist(), x.grad) == ([12.0], None)


def test_grad_says_what_was_not_used() -> None:
    x, y = leaf(1.0), leaf(2.0, 3.0)
    with pytest.raises(AutogradError, match=r"inputs\[1\] was not used"):
        pg.autograd.grad(x * 2, [x, y])
    assert pg.autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    assert pg.autograd.grad(x * 2, [x, y], materialize_grads=True)[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("run", "error", "words"),
    [
        (lambda: leaf(1.0, 2.0).exp().backward(), AutogradError, "got shape (2,); pass gradient="),
        (lambda: pg.ones(1).backward(), AutogradError, "does not require grad"),
        (lambda: leaf(1.0).detach().backward(), AutogradError, "does not require grad"),
        (lambda: pg.autograd.grad(leaf(1.0) * 2, pg.ones(1)), AutogradError, "inputs: one of"),
        (
            lambda: pg.autograd.grad([leaf(1.0)], [leaf(1.0)], [pg.ones(1), pg.ones(1)]),
            ArgumentError,
            "1, one per output",
        ),
        (lambda: (leaf(1.0) * 2).backward(pg.ones(3)), ShapeError, "gradient: expected (1,)"),
        (lambda: leaf(1.0).backward(pg.ones(3)), ShapeError, "gradient: expected (1,)"),
        (lambda: pg.ones(2).long().requires_grad_(), DtypeError, "floating or complex"),
        (lambda: (leaf(1.0) * 2).requires_grad_(False), AutogradError, "detach()"),
        (lambda: setattr(leaf(1.0), "grad", pg.ones(2)), ShapeError, "(1,)"),
        (lambda: pg.ones(2).register_hook(print), AutogradError, "does not require grad"),
        (lambda: leaf(1.0).numpy(), AutogradError, "detach().numpy()"),
    ],
)
def test_a_wrong_request_is_refused(run: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        run()
    assert words in str(caught.value)


# writing in place ---------------------------------------------------------------------------------


def test_a_saved_tensor_that_was_changed_is_refused_by_name() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y.sin()
    y.add_(1)
    with pytest.raises(
        VersionError, match=r"sin: a tensor of shape \(2,\) .* at version 1, expected version 0"
    ):
        z.sum().backward()


def test_a_saved_result_that_was_changed_is_refused() -> None:
    y = leaf(1.0).exp()
    z = y * 1
    with pg.no_grad():
        y.add_(1)
    with pytest.raises(VersionError, match="exp: "):
        z.backward()


def test_a_write_through_a_view_counts_for_the_base() -> None:
    y = leaf(1.0, 2.0) * 1
    z = y * y
    y[:1].zero_()
    with pytest.raises(VersionError, match="mul: "):
        z.sum().backward()


def test_data_writes_unseen() -> None:
    x = leaf(1.0, 2.0)
    z = x * x
    x.data.mul_(10)
    z.sum().backward()
    assert grad_of(x) == [20.0, 40.0]


@pytest.mark.parametrize(
    ("write", "kind"),
    [
        (lambda x: x.add_(1), "a leaf"),
        (lambda x: x.zero_(), "a leaf"),
        (lambda x: x.__setitem__(0, 5.0), "a view of a leaf"),
        (lambda x: x[:1].mul_(2), "a view of a leaf"),
        (lambda x: x.unsqueeze(0).exp_(), "a view of a leaf"),
    ],
)
def test_a_leaf_that_requires_grad_cannot_be_written(write: Any, kind: str) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(InPlaceError, match=f"{kind} that requires grad.*no_grad"):
        write(x)
    assert x.tolist() == [1.0, 2.0]
    with pg.no_grad():
        write(x)
    assert x.tolist() != [1.0, 2.0]
    assert (x.is_leaf, x.requires_grad) == (True, True)


def test_a_value_with_gradient_cannot_be_written_into_a_leaf() -> None:
    x, y = leaf(1.0), leaf(2.0)
    with pytest.raises(InPlaceError):
        x.copy_(y)


def test_a_tensor_that_repeats_its_elements_cannot_be_written() -> None:
    x = pg.ones(1, 3).expand(2, 3)
    for write in (lambda: x.add_(x), lambda: x.mul_(2), lambda: x.detach().add_(pg.ones(3))):
        with pytest.raises(InPlaceError, match="an expanded tensor"):
            write()
    assert x.tolist() == [[1.0] * 3] * 2


def program(write: Callable[..., Any]) -> tuple[Any, Any, Any]:
    """Values of the base and gradients of x and y after y was written into a part of the base."""
    x, y = leaf(1.0, 2.0, 3.0, 4.0), leaf(5.0, 6.0)
    base = (x * 2).view(2, 2)
    write(base, y)
    (base * pg.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    return base.tolist(), grad_of(x), None if y.grad is None else grad_of(y)


@pytest.mark.parametrize(
    ("write", "values", "gx", "gy"),
    [
        # The written places lose what they had; y gets what they weigh.
        (lambda b, y: b[0].copy_(y), [[5, 6], [6, 8]], [0, 0, 200, 2000], [1, 10]),
        (lambda b, y: b.t()[0].copy_(y), [[5, 4], [6, 8]], [0, 20, 0, 2000], [1, 100]),
        (lambda b, y: b.diagonal().copy_(y), [[5, 4], [6, 6]], [0, 20, 200, 0], [1, 1000]),
        (lambda b, y: b[:, 1:].copy_(y[:1]), [[2, 5], [6, 5]], [2, 0, 200, 0], [1010, 0]),
        (lambda b, y: b[1].mul_(y), [[2, 4], [30, 48]], [2, 20, 1000, 12000], [600, 8000]),
        (lambda b, y: b.view(-1)[1:3].add_(y), [[2, 9], [12, 8]], [2, 20, 200, 2000], [10, 100]),
        (lambda b, y: b[0][1:].fill_(7.0), [[2, 7], [6, 8]], [2, 0, 200, 2000], None),
        (lambda b, y: b.__setitem__((0, 0), y[1]), [[6, 4], [6, 8]], [0, 20, 200, 2000], [0, 1]),
        (lambda b, y: b.mul_(3), [[6, 12], [18, 24]], [6, 60, 600, 6000], None),
        (lambda b, y: b.copy_(y), [[5, 6], [5, 6]], [0, 0, 0, 0], [101, 1010]),
    ],
)
def test_a_write_into_a_view_moves_the_gradient(write: Any, values: Any, gx: Any, gy: Any) -> None:
    assert program(write) == (values, gx, gy)


def test_a_view_made_before_a_write_sees_it_and_its_gradient() -> None:
    x, y = leaf(1.0, 2.0), leaf(5.0)
    base = x * 2
    stale = base[:1]
    base.mul_(y)
    assert stale.tolist() == [10.0]
    stale.sum().backward()
    assert (grad_of(x), grad_of(y)) == ([10.0, 0.0], [2.0])


def test_a_view_sees_the_gradient_written_through_its_sister() -> None:
    x, y = leaf(1.0, 2.0), leaf(5.0)
    base = x * 2
    whole, part = base.view(2, 1), base[1:]
    part.copy_(y)
    whole.sum().backward()
    assert (grad_of(x), grad_of(y)) == ([2.0, 0.0], [1.0])


def test_writing_values_with_gradient_makes_a_plain_tensor_follow_them() -> None:
    total, x = pg.zeros(2, dtype=pg.double), leaf(1.0, 2.0)
    total.add_(x)
    total[0] += x[1]
    assert total.requires_grad
    total.sum().backward()
    assert grad_of(x) == [1.0, 2.0]


@pytest.mark.parametrize("name", ["mul_", "div_", "pow_", "sub_"])
def test_an_operand_that_is_overwritten_is_remembered(name: str) -> None:
    x, y = leaf(1.5, 2.0), leaf(3.0, 0.5)
    here = x * 1
    getattr(here, name)(y)
    here.sum().backward()
    u, v = leaf(1.5, 2.0), leaf(3.0, 0.5)
    getattr(u, name.rstrip("_"))(v).sum().backward()
    assert (grad_of(x), grad_of(y)) == (grad_of(u), grad_of(v))


@pytest.mark.parametrize("name", ["exp_", "square_", "sigmoid_", "tanh_", "log_", "sqrt_", "neg_"])
def test_unary_writes_have_the_gradient_of_the_operator(name: str) -> None:
    x, u = leaf(0.5, 2.0), leaf(0.5, 2.0)
    getattr(x * 1, name)().sum().backward()
    getattr(u, name.rstrip("_"))().sum().backward()
    assert grad_of(x) == grad_of(u)


def test_a_composite_without_a_derivative_of_its_own_stays_differentiable_when_repeated() -> None:
    # The second call finds its plan made: it must run the body all the same.
    for _ in range(3):
        x = leaf(0.5, -0.3)
        (g,) = pg.autograd.grad(x.sigmoid().tanh().sum(), x, create_graph=True)
        assert g.requires_grad
        (second,) = pg.autograd.grad(g.sum(), x)
        assert second.abs().min().item() > 0


# hooks --------------------------------------------------------------------------------------------


def test_a_hook_sees_and_replaces_the_gradient_until_it_is_removed() -> None:
    x = leaf(1.0)
    y = x * 2
    seen: list[float] = []
    first = y.register_hook(lambda g: seen.append(g.item()))
    y.register_hook(lambda g: g * 10)
    (y * 3).backward(retain_graph=True)
    assert (seen, grad_of(x)) == ([3.0], [60.0])
    first.remove()
    first.remove()
    y.backward()
    assert seen == [3.0]


def test_hooks_outlive_their_handles() -> None:
    x = leaf(1.0)
    seen: list[int] = []
    for number in range(3):
        x.register_hook(lambda g, number=number: seen.append(number))
    (x * 2).backward()
    assert seen == [0, 1, 2]


def test_a_hook_on_a_leaf_sees_the_whole_gradient() -> None:
    x = leaf(1.0)
    seen: list[float] = []
    x.register_hook(lambda g: seen.append(g.item()))
    (x * 2 + x * 3).backward()
    assert seen == [5.0]
    assert pg.autograd.grad(x * 4, x)[0].tolist() == [4.0]
    assert seen == [5.0, 4.0]


def test_retain_grad_keeps_the_gradient_of_an_intermediate_tensor() -> None:
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    x.retain_grad()  # a leaf keeps its gradient anyway
    (y * y).backward()
    assert (grad_of(y), grad_of(x)) == ([4.0], [8.0])
    assert (x * 2).grad is None


# recording ----------------------------------------------------------------------------------------


def recorded() -> bool:
    return (leaf(1.0) * 2).requires_grad


def test_recording_is_switched_in_blocks() -> None:
    with pg.no_grad():
        assert not recorded()
        with pg.enable_grad():
            assert recorded()
        with pg.set_grad_enabled(True):
            assert recorded()
        assert not recorded()
    assert recorded()


def test_recording_is_switched_in_decorated_functions() -> None:
    assert not pg.no_grad()(recorded)()
    with pg.no_grad():
        assert pg.enable_grad()(recorded)()

    @pg.no_grad()
    def countdown(n: int) -> bool:
        return recorded() if n == 0 else countdown(n - 1)

    assert countdown.__name__ == "countdown"
    assert not countdown(3)
    assert recorded()


def test_recording_is_switched_until_further_notice() -> None:
    pg.set_grad_enabled(False)
    try:
        assert not pg.is_grad_enabled()
        assert not recorded()
    finally:
        pg.set_grad_enabled(True)
    assert recorded()


def test_recording_comes_back_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), pg.no_grad():
        1 / 0  # noqa: B018
    assert pg.is_grad_enabled()
    y = leaf(1.0) * 2
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert pg.is_grad_enabled()


def test_an_integer_has_no_gradient() -> None:
    x = leaf(1.5, 2.5)
    assert not x.to(pg.int64).requires_grad
    assert x.to(pg.float32).requires_grad


def test_result_that_is_saved_and_used_gets_both_cotangents_of_second_order() -> None:
    rows = [[2.0, 0.3, 0.1], [0.4, 1.5, 0.2], [0.1, 0.6, 3.0]]
    x = pg.tensor(rows, dtype=pg.double, requires_grad=True)

    def of_factors(x: pg.Tensor) -> pg.Tensor:
        q, r = pg.linalg.qr(x)
        return (q**3).sum() + (r**2 * r).sum()

    assert pg.autograd.gradgradcheck(of_factors, (x,))


def test_recording_is_each_threads_own() -> None:
    seen: list[bool] = []
    with pg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(recorded()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_walk_graphs_of_their_own_at_the_same_time() -> None:
    results: list[float] = []

    def work(factor: float) -> None:
        x = leaf(1.0)
        y = x
        for _ in range(300):
            y = y * 1 + x * 0
        (y * factor).backward()
        results.append(grad_of(x)[0])

    threads = [threading.Thread(target=work, args=(float(n),)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


# memory -------------------------------------------------------------------------------------------


PROGRAMS: dict[str, Callable[[pg.Tensor], pg.Tensor]] = {
    "saved results": lambda x: (x.exp() * x.sigmoid()).softmax(0).sum(),
    "views and writes": lambda x: (lambda y: (y[:1].mul_(2), y.sum())[1])(x * 1),
    "several outputs": lambda x: (lambda v, i: (v * i).sum())(*x.sort()),
    "a hook": lambda x: (lambda y: (y.register_hook(lambda g: g * 2), y.sum())[1])(x * 3),
    "a kept gradient": lambda x: (lambda y: (y.retain_grad(), y.sum())[1])(x * 3),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_graph_has_no_cycles(name: str) -> None:
    x = leaf(1.0, 2.0)
    gc.collect()
    gc.disable()
    try:
        loss = PROGRAMS[name](x)
        alive = weakref.ref(loss), weakref.ref(loss.grad_fn)
        loss.backward()
        del loss
        assert [ref() for ref in alive] == [None, None]
        unused = PROGRAMS[name](x)
        alive = weakref.ref(unused), weakref.ref(unused.grad_fn)
        del unused
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()


def test_saved_tensors_are_freed_as_backward_passes() -> None:
    x = leaf(1.0, 2.0)
    inner = x * 2
    saved = weakref.ref(inner)
    loss = inner.sin().sum()
    del inner
    assert saved() is not None
    loss.backward()
    assert saved() is None


def test_a_thousand_training_steps_leave_no_more_objects_than_ten() -> None:
    pg.manual_seed(0)
    weights = [pg.randn(8, 4).requires_grad_(), pg.randn(3, 8).requires_grad_()]
    x, labels = pg.randn(16, 4), pg.randint(0, 3, (16, 1))

    def step() -> None:
        hidden = (x @ weights[0].t()).relu()
        scores = (hidden @ weights[1].t()).log_softmax(1)
        loss = -scores.gather(1, labels).mean()
        loss.backward()
        with pg.no_grad():
            for weight in weights:
                assert weight.grad is not None
                weight.sub_(weight.grad * 0.1)
                weight.grad = None

    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            step()
        before = len(gc.get_objects()), sys.getallocatedblocks()
        for _ in range(990):
            step()
        after = len(gc.get_objects()), sys.getallocatedblocks()
        assert after[0] - before[0] < 20
        assert after[1] - before[1] < 200
        assert gc.collect() < 20
    finally:
        gc.enable()
