"""Variable, inference mode, and gradients for many weightings at once."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import plugrad as pg
from plugrad.autograd import Function, Variable
from plugrad.errors import ArgumentError, AutogradError, KindError


def test_a_variable_is_a_leaf_over_the_same_memory() -> None:
    x = pg.ones(2)
    v = Variable(x, requires_grad=True)
    v.detach().fill_(3)
    assert (x.tolist(), x.requires_grad, v.requires_grad) == ([3.0, 3.0], False, True)
    assert Variable(v * 2).is_leaf
    assert isinstance(x, Variable)
    assert not isinstance(3, Variable)


def test_a_variable_is_made_of_a_tensor_and_volatile_no_more() -> None:
    with pytest.raises(KindError, match="data: expected a tensor, got list"):
        Variable([1.0])  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="volatile has no effect"):
        Variable(pg.ones(1), volatile=True)


def test_nothing_is_recorded_in_inference_mode() -> None:
    x = pg.ones(2, requires_grad=True)

    @pg.inference_mode
    def plain(x: Any) -> Any:
        return x * 2

    @pg.inference_mode()
    def called(x: Any) -> Any:
        return x * 2

    assert not plain(x).requires_grad
    assert not called(x).requires_grad
    with pg.inference_mode():
        assert pg.is_inference_mode_enabled()
        assert not (x * 2).requires_grad
        with pg.inference_mode(False):
            assert (x * 2).requires_grad
            assert not pg.is_inference_mode_enabled()
    assert (x * 2).requires_grad
    assert not pg.is_inference_mode_enabled()


def test_gradients_for_many_weightings_are_found_at_once() -> None:
    x = pg.randn(3, 4, requires_grad=True)
    b, unused = pg.randn(4, requires_grad=True), pg.ones(2, requires_grad=True)
    weightings = pg.randn(5, 4)
    y = (x.sin() * b).sum(0)
    found = pg.autograd.grad(
        y, (x, unused, b), weightings, is_grads_batched=True, allow_unused=True, retain_graph=True
    )
    assert found[1] is None
    for i in range(5):
        dx, db = pg.autograd.grad(y, (x, b), weightings[i], retain_graph=True)
        assert pg.allclose(found[0][i], dx)
        assert pg.allclose(found[2][i], db)


def test_many_weightings_must_be_given_for_every_output() -> None:
    x = pg.ones(2, requires_grad=True)
    with pytest.raises(ArgumentError, match="grad_outputs: expected 1 tensors, one per output"):
        pg.autograd.grad(x * 2, x, is_grads_batched=True)


def test_options_of_grad_that_contradict_are_refused() -> None:
    x, unused = pg.ones(2, requires_grad=True), pg.ones(2, requires_grad=True)
    y = (x * 2).sum()
    with pytest.raises(ArgumentError, match="allow_unused: expected not False with"):
        pg.autograd.grad(y, x, materialize_grads=True, allow_unused=False)
    with pytest.raises(ArgumentError, match="only_inputs: expected True"):
        pg.autograd.grad(y, x, only_inputs=False)
    with pytest.raises(AutogradError, match=r"inputs\[0\] was not used"):
        pg.autograd.grad(y, unused, retain_graph=True)
    assert pg.autograd.grad(y, unused, materialize_grads=True)[0].tolist() == [0.0, 0.0]


# Functions that map themselves --------------------------------------------------------------------


class Power(Function):
    """Knows whole batches: it takes the numbers out of plugrad, as forward alone could not."""

    batches: ClassVar[list[Any]] = []

    @staticmethod
    def forward(ctx: Any, x: Any, exponent: int) -> Any:
        ctx.save_for_backward(x)
        ctx.exponent = exponent
        return pg.tensor(x.detach().numpy() ** exponent)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grads[0] * ctx.exponent * x ** (ctx.exponent - 1), None

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Any, exponent: int) -> Any:
        Power.batches.append((info.batch_size, info.randomness, in_dims))
        return Power.apply(x.movedim(0, -1), exponent), -1


def test_a_function_maps_itself_over_a_batch() -> None:
    x = pg.randn(5, 3, requires_grad=True)
    Power.batches.clear()
    y = pg.vmap(lambda row: Power.apply(row * 1, 3))(x)
    assert Power.batches == [(5, "error", (0, None))]
    assert pg.allclose(y, x**3)
    y.sum().backward()
    assert pg.allclose(x.grad, 3 * x**2)


def test_a_function_maps_itself_inside_another_vmap() -> None:
    x = pg.randn(2, 5, 3)
    assert pg.allclose(pg.vmap(pg.vmap(lambda row: Power.apply(row, 2)))(x), x**2)


def test_several_outputs_say_each_where_their_examples_are() -> None:
    class Both(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x + 1, x.sum()

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any) -> Any:
            return (x + 1, pg.tensor(7.0)), (0, None)

    first, second = pg.vmap(Both.apply)(pg.zeros(4, 2))
    assert (first.tolist(), second.tolist()) == ([[1.0, 1.0]] * 4, [7.0] * 4)


def test_what_vmap_of_a_function_returns_is_checked() -> None:
    class Bare(Function):
        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any) -> Any:
            return x

    class Short(Function):
        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any) -> Any:
            return (x, x), (0,)

    class Twice(Function):
        generate_vmap_rule = True

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Any) -> Any:
            return x, 0

    with pytest.raises(AutogradError, match="Bare: vmap must return a pair"):
        pg.vmap(Bare.apply)(pg.ones(2))
    with pytest.raises(AutogradError, match="for each of the 2 outputs, got 1"):
        pg.vmap(Short.apply)(pg.ones(2))
    with pytest.raises(AutogradError, match="either generate_vmap_rule or a vmap of its own"):
        Twice.apply(pg.ones(2))
