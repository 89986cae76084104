"""Functions of one's own: what the context keeps, what backward may return, and what is refused."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import plugrad as pg
from plugrad.autograd import Function, once_differentiable
from plugrad.errors import (
    ArgumentError,
    AutogradError,
    GraphFreedError,
    InPlaceError,
    ShapeError,
    VersionError,
)


class Swish(Function):
    @staticmethod
    def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
        sig = x.sigmoid()
        ctx.save_for_backward(x, sig)
        return x * sig

    @staticmethod
    def backward(ctx: Any, grad_y: pg.Tensor) -> pg.Tensor:
        x, sig = ctx.saved_tensors
        return grad_y * (sig + x * sig * (1 - sig))


class Square(Function):
    """Saves its input."""

    @staticmethod
    def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
        (x,) = ctx.saved_tensors
        return g * 2 * x


class Exp(Function):
    """Saves its own output."""

    @staticmethod
    def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
        (y,) = ctx.saved_tensors
        return g * y


class SinCos(Function):
    """Two outputs, both saved."""

    @staticmethod
    def forward(ctx: Any, x: pg.Tensor) -> tuple[pg.Tensor, pg.Tensor]:
        sin, cos = x.sin(), x.cos()
        ctx.save_for_backward(sin, cos)
        return sin, cos

    @staticmethod
    def backward(ctx: Any, g_sin: pg.Tensor, g_cos: pg.Tensor) -> pg.Tensor:
        sin, cos = ctx.saved_tensors
        return g_sin * cos - g_cos * sin


def leaf(*numbers: float) -> pg.Tensor:
    return pg.tensor(numbers, dtype=pg.double, requires_grad=True)


def close(got: Any, expected: pg.Tensor) -> bool:
    return got is not None and pg.allclose(got, expected, 1e-9, 1e-12)


def test_backward_is_the_one_that_was_written() -> None:
    x = leaf(0.5, -1.0, 2.0)
    y = Swish.apply(x)
    assert y.grad_fn is not None
    assert y.grad_fn.name() == "SwishBackward"
    y.sum().backward()
    s = x.detach().sigmoid()
    assert close(x.grad, s + x.detach() * s * (1 - s))


def test_forward_runs_without_recording() -> None:
    seen: list[tuple[bool, bool]] = []

    class Watch(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            y = x * 2
            seen.append((pg.is_grad_enabled(), y.requires_grad))
            return y

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            seen.append((pg.is_grad_enabled(), g.requires_grad))
            return g * 5

    x = leaf(1.0)
    (g,) = pg.autograd.grad(Watch.apply(x).sum(), x)
    assert seen == [(False, False), (False, False)]
    assert g.tolist() == [5.0]


def test_nothing_is_recorded_without_an_input_that_requires_grad() -> None:
    assert not Swish.apply(pg.ones(2)).requires_grad
    with pg.no_grad():
        assert not Swish.apply(leaf(1.0)).requires_grad


@pytest.mark.parametrize("function", [Square, Exp])
def test_a_backward_in_differentiable_operators_can_be_differentiated(function: Any) -> None:
    x = leaf(0.3, -0.7)
    assert pg.autograd.gradgradcheck(function.apply, (x,))


def test_third_order_through_a_saved_output() -> None:
    x = leaf(0.3, -0.7)
    y = Exp.apply(x)
    for _ in range(3):
        (y,) = pg.autograd.grad(y.sum(), x, create_graph=True)
    assert close(y, x.detach().exp())


def test_several_outputs_each_carry_their_gradient() -> None:
    x = leaf(0.3, -0.7)
    sin, cos = SinCos.apply(x)
    assert sin.grad_fn is cos.grad_fn
    assert (sin.output_nr, cos.output_nr) == (0, 1)
    assert pg.autograd.gradcheck(SinCos.apply, (x,))
    assert pg.autograd.gradgradcheck(SinCos.apply, (x,))


@pytest.mark.parametrize("materialize", [True, False])
def test_an_unused_output_sends_zeros_or_none(materialize: bool) -> None:
    seen: list[Any] = []

    class Two(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> tuple[pg.Tensor, pg.Tensor]:
            ctx.set_materialize_grads(materialize)
            return x * 2, x[:1] * 3

        @staticmethod
        def backward(ctx: Any, first: Any, second: Any) -> Any:
            seen.append(second if second is None else (second.tolist(), second.dtype))
            return first * 2

    x = leaf(1.0, 2.0)
    Two.apply(x)[0].sum().backward()
    assert seen == [([0.0], pg.double) if materialize else None]


def test_arguments_that_are_no_tensors_get_none() -> None:
    class Scale(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor, factor: float, name: str, y: pg.Tensor) -> pg.Tensor:
            ctx.factor = factor
            assert ctx.needs_input_grad == (True, False, False, False)
            return x * factor + y

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> Any:
            assert ctx.needs_input_grad == (True, False, False, False)
            return g * ctx.factor, None, None, None

    x = leaf(1.0, 2.0)
    y = Scale.apply(x, 3.0, "three", pg.ones(2, dtype=pg.double))
    y.sum().backward()
    assert y.grad_fn.factor == 3.0
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 3.0]


def test_outputs_that_are_no_tensors_pass_through() -> None:
    class Split(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> Any:
            return x * 2, "beside", x.argmax()

        @staticmethod
        def backward(ctx: Any, g: Any, beside: Any, position: Any) -> Any:
            assert beside is None
            assert position is None or not position.requires_grad
            return g * 2

    x = leaf(1.0, 2.0)
    y, beside, position = Split.apply(x)
    assert (beside, position.item(), position.requires_grad) == ("beside", 1, False)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]


def test_outputs_marked_non_differentiable_require_no_grad() -> None:
    class Sorted(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> Any:
            y, rank = x * 2, x * 0
            ctx.mark_non_differentiable(rank)
            return y, rank

        @staticmethod
        def backward(ctx: Any, g: Any, rank: Any) -> Any:
            return g * 2

    y, rank = Sorted.apply(leaf(1.0))
    assert (y.requires_grad, rank.requires_grad) == (True, False)


def test_an_input_written_in_place_and_returned_is_the_same_tensor_with_a_new_node() -> None:
    class Double(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            return g * 2

    x = leaf(1.0, 2.0)
    y = x * 1
    assert Double.apply(y) is y
    assert y.tolist() == [2.0, 4.0]
    (y * y).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [8.0, 16.0]
    with pytest.raises(InPlaceError, match="Double: a leaf"):
        Double.apply(leaf(1.0))
    with pytest.raises(InPlaceError, match="Double: a view"):
        Double.apply((leaf(1.0) * 1)[:1])


def test_dirty_tensors_must_be_returned() -> None:
    class Forgets(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            ctx.mark_dirty(x)
            return x * 2

    with pytest.raises(AutogradError, match="mark_dirty"):
        Forgets.apply(leaf(1.0) * 1)


def test_an_input_passed_through_becomes_another_tensor() -> None:
    class Identity(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            return g * 7

    x = leaf(1.0)
    y = Identity.apply(x)
    assert y is not x
    y.sum().backward()
    assert x.is_leaf
    assert x.grad is not None
    assert x.grad.tolist() == [7.0]


def test_a_view_of_an_input_is_differentiated_by_backward_not_as_a_view() -> None:
    class Half(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x[:1]

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            return pg.cat([g * 3, g * 4])

    x = leaf(1.0, 2.0)
    y = x * 1
    out = Half.apply(y)
    y.mul_(2)
    out.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 4.0]


def test_setup_context_separates_forward_from_what_is_kept() -> None:
    class Cube(Function):
        @staticmethod
        def forward(x: pg.Tensor) -> pg.Tensor:
            return x**3

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            (x,) = ctx.saved_tensors
            return g * 3 * x * x

    assert pg.autograd.gradcheck(Cube.apply, (leaf(0.5, 2.0),))


class Once(Function):
    @staticmethod
    def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
        (x,) = ctx.saved_tensors
        assert not pg.is_grad_enabled()
        return g * 2 * x


def test_once_differentiable_gives_the_first_derivative_and_refuses_the_second() -> None:
    x = leaf(3.0)
    (g,) = pg.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    assert g.tolist() == [6.0]
    with pytest.raises(AutogradError, match="once_differentiable"):
        g.sum().backward()


# refusals -----------------------------------------------------------------------------------------


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf(1.0, 2.0)
    y = Swish.apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(GraphFreedError, match="retain_graph=True"):
        y.backward()


def test_a_function_that_saves_nothing_is_freed_as_well() -> None:
    class Negate(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return -x

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            return -g

    y = Negate.apply(leaf(1.0))
    y.sum().backward()
    with pytest.raises(GraphFreedError, match="Negate"):
        y.sum().backward()


@pytest.mark.parametrize("which", ["input", "output"])
def test_a_saved_tensor_that_was_changed_is_refused(which: str) -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    out = (Swish if which == "input" else Exp).apply(y)
    with pg.no_grad():
        (y if which == "input" else out).add_(1)
    with pytest.raises(VersionError, match=r"(Swish|Exp): a tensor of shape \(2,\)"):
        out.sum().backward()


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        ((), AutogradError, "one gradient (or None) for each of the 1 arguments of forward, got 0"),
        ((1, 2), AutogradError, "got 2"),
        (3.0, AutogradError, "got float for argument 0"),
        (pg.ones(3), ShapeError, "(2,)"),
    ],
)
def test_what_backward_may_not_return(returned: Any, error: type[Exception], words: str) -> None:
    class Wrong(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> Any:
            return returned

    with pytest.raises(error) as caught:
        Wrong.apply(leaf(1.0, 2.0)).sum().backward()
    assert "Wrong" in str(caught.value)
    assert words in str(caught.value)


def test_trailing_none_gradients_are_ignored() -> None:
    class Generous(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> Any:
            return g * 2, None, None

    x = leaf(1.0)
    Generous.apply(x).sum().backward()
    assert x.grad is not None


def test_only_tensors_are_saved() -> None:
    class Saves(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            ctx.save_for_backward(None, x, [x])
            return x

    with pytest.raises(ArgumentError, match=r"Saves: save_for_backward\(\)\[2\]: .* got list"):
        Saves.apply(leaf(1.0))


def test_methods_that_are_missing_are_named() -> None:
    class Empty(Function):
        pass

    class NoBackward(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x * 2

    with pytest.raises(NotImplementedError, match="forward"):
        Empty.apply(leaf(1.0))
    with pytest.raises(NotImplementedError, match="backward"):
        NoBackward.apply(leaf(1.0)).sum().backward()


# transforms and memory ----------------------------------------------------------------------------


def test_a_function_works_inside_vmap_with_each_example_its_own_gradient() -> None:
    x = pg.randn(4, 3, dtype=pg.double)
    got = pg.func.vmap(pg.func.grad(lambda row: Swish.apply(row).sum()))(x)
    expected = pg.stack([pg.func.grad(lambda row: Swish.apply(row).sum())(row) for row in x])
    assert close(got, expected)


def test_a_gradient_through_vmap_of_a_function_is_refused() -> None:
    x = pg.ones(4, 3, requires_grad=True)
    with pytest.raises(AutogradError, match=r"Swish: .* inside vmap"):
        pg.func.vmap(Swish.apply)(x)


@pytest.mark.parametrize("function", [Swish, Exp, SinCos])
def test_the_graph_goes_with_its_last_tensor(function: Any) -> None:
    gc.collect()
    gc.disable()
    try:
        out = function.apply(leaf(1.0))
        out = out if isinstance(out, tuple) else (out,)
        alive = [weakref.ref(each) for each in (*out, out[0].grad_fn)]
        sum(each.sum() for each in out).backward()
        del out
        assert [ref() for ref in alive] == [None] * len(alive)
    finally:
        gc.enable()
