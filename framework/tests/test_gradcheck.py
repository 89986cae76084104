"""gradcheck: agrees with right derivatives, names the wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import plugrad as pg
from plugrad.autograd import Function, GradcheckError, gradcheck, gradgradcheck
from plugrad.errors import ArgumentError


def reals(*shape: int) -> pg.Tensor:
    pg.manual_seed(0)
    return pg.rand(*shape, dtype=pg.double).add_(0.1).requires_grad_()


def complexes(*shape: int) -> pg.Tensor:
    pg.manual_seed(1)
    parts = pg.randn(*shape, 2, dtype=pg.double)
    return (parts[..., 0] + parts[..., 1] * 1j).detach().requires_grad_()


def off_by(factor: float) -> Callable[[pg.Tensor], Any]:
    """The sine, with a derivative that is wrong by a factor."""

    class Sine(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            (x,) = ctx.saved_tensors
            return g * x.cos() * factor

    return Sine.apply


RIGHT: list[tuple[str, Callable[..., Any], list[pg.Tensor]]] = [
    ("one of each", lambda x: (x * x.sin()).exp().sum(), [reals(3)]),
    ("several of each", lambda x, y: (x @ y, x.sum(), y.t()), [reals(2, 3), reals(3, 2)]),
    ("a number", lambda x: x**3, [reals()]),
    ("no elements", lambda x: x * 2, [reals(0, 3)]),
    ("holomorphic", lambda z: (z * z.exp(), z / (z + 3)), [complexes(3)]),
    ("not holomorphic", lambda z: (z * z.conj(), z.abs(), (z * z).real), [complexes(3)]),
    ("real and complex", lambda z, x: z * x + x.sum(), [complexes(3), reals(3)]),
    ("an output that is not differentiable", lambda x: (x * 2, x.argmax()), [reals(3)]),
    ("an output that is constant", lambda x: (x * 2, pg.ones(2, dtype=pg.double)), [reals(3)]),
]


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize(("name", "function", "inputs"), RIGHT, ids=[row[0] for row in RIGHT])
def test_right_derivatives_pass(
    name: str, function: Any, inputs: list[pg.Tensor], fast_mode: bool
) -> None:
    assert gradcheck(function, inputs, fast_mode=fast_mode)
    assert gradgradcheck(function, inputs, fast_mode=fast_mode)


def test_the_seed_program_runs_as_written() -> None:
    torch = pg

    class SwishFn(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            sig = x.sigmoid()
            y = x * sig
            ctx.save_for_backward(x, sig)
            return y

        @staticmethod
        def backward(ctx: Any, grad_y: Any) -> Any:
            x, sig = ctx.saved_tensors
            return grad_y * (sig + x * sig * (1 - sig))

    x = torch.randn(5, requires_grad=True, dtype=torch.double)
    assert torch.autograd.gradcheck(SwishFn.apply, (x,), eps=1e-6, atol=1e-4, rtol=1e-3) is True
    # The saved sigmoid was computed unrecorded: the second derivative is not there.
    assert not gradgradcheck(SwishFn.apply, (x,), raise_exception=False)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_wrong_backward_fails(fast_mode: bool) -> None:
    assert gradcheck(off_by(1), (reals(2),), fast_mode=fast_mode)
    assert not gradcheck(off_by(1.01), (reals(2),), raise_exception=False, fast_mode=fast_mode)


def test_the_error_names_output_input_and_both_values() -> None:
    x, y = pg.ones(1, dtype=pg.double), pg.ones(1, dtype=pg.double, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x, y: (x * 2, off_by(2)(y)), (x, y))
    message = str(caught.value)
    assert "Jacobian mismatch for output 1 with respect to input 1" in message
    assert "numerical: tensor([[0.5403]]" in message  # cos(1)
    assert "analytical: tensor([[1.0806]]" in message


def test_a_wrong_complex_conjugate_is_found() -> None:
    class Square(Function):
        @staticmethod
        def forward(ctx: Any, z: pg.Tensor) -> pg.Tensor:
            ctx.save_for_backward(z)
            return z * z

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            (z,) = ctx.saved_tensors
            return g * 2 * z  # PyTorch's convention wants conj(z)

    assert not gradcheck(Square.apply, (complexes(2),), raise_exception=False)


def test_tolerances_decide() -> None:
    assert gradcheck(off_by(1.01), (reals(2),), rtol=0.1)
    assert not gradcheck(off_by(1.01), (reals(2),), rtol=1e-6, raise_exception=False)


def test_a_backward_that_does_not_repeat_itself_is_found() -> None:
    calls = [0.0]

    class Drifts(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            calls[0] += 1e-9
            return g * (2 + calls[0])

    with pytest.raises(GradcheckError, match="not deterministic"):
        gradcheck(Drifts.apply, (reals(2),))
    assert gradcheck(Drifts.apply, (reals(2),), nondet_tol=1e-3)


def test_a_backward_that_ignores_the_cotangent_is_found() -> None:
    class Constant(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> pg.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: pg.Tensor) -> pg.Tensor:
            return g * 0 + 2

    with pytest.raises(GradcheckError, match="does not multiply by the cotangent"):
        gradcheck(Constant.apply, (reals(),))


def test_a_backward_that_cannot_bear_an_unused_output_is_found() -> None:
    class Pair(Function):
        @staticmethod
        def forward(ctx: Any, x: pg.Tensor) -> Any:
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            return a * 2 + b * 3

    def both(x: pg.Tensor) -> Any:
        a, b = Pair.apply(x)
        return a + b

    assert gradcheck(both, (reals(2),))
    assert gradcheck(Pair.apply, (reals(2),), check_undefined_grad=False)
    with pytest.raises(GradcheckError, match="output 0 alone has a cotangent: TypeError"):
        gradcheck(Pair.apply, (reals(2),))


def test_inputs_are_left_as_they_were() -> None:
    x = reals(3)
    before = x.tolist()
    gradcheck(lambda x: x.clone().mul_(2) * x, (x,))
    assert (x.tolist(), x.grad) == (before, None)


def test_the_default_random_stream_is_left_alone() -> None:
    pg.manual_seed(3)
    gradgradcheck(lambda x: x * x, (reals(3),), fast_mode=True)
    pg.manual_seed(3)
    first = pg.rand(2).tolist()
    pg.manual_seed(3)
    gradgradcheck(
        lambda x: x * x, (pg.ones(3, dtype=pg.double, requires_grad=True),), fast_mode=True
    )
    assert pg.rand(2).tolist() == first


def test_single_precision_is_warned_of() -> None:
    with pytest.warns(UserWarning, match=r"input 0 is plugrad.float32"):
        gradcheck(lambda x: x * 2, (pg.ones(2, requires_grad=True),), eps=1e-2, atol=1e-2)


def test_some_input_must_require_grad() -> None:
    with pytest.raises(ArgumentError, match="a tensor that requires grad"):
        gradcheck(lambda x: x * 2, (pg.ones(2, dtype=pg.double),))


def test_given_cotangents_are_used() -> None:
    x = reals(2)
    seen: list[Any] = []

    def function(x: pg.Tensor) -> pg.Tensor:
        y = x * x
        y.register_hook(lambda g: seen.append(g.tolist()))
        return y

    assert gradgradcheck(function, (x,), pg.tensor([3.0, 4.0], dtype=pg.double))
    assert [3.0, 4.0] in seen
