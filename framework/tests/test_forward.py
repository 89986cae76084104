"""Forward mode: jvp and its relatives in `plugrad.func` and `plugrad.autograd`; how it composes."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import plugrad as pg
from plugrad import func, nn
from plugrad.autograd import forward_ad, functional, gradcheck, gradgradcheck
from plugrad.autograd.forward_ad import dual_level, make_dual, unpack_dual
from plugrad.errors import (
    ArgumentError,
    AutogradError,
    DtypeError,
    GradcheckError,
    InPlaceError,
    ShapeError,
    UnsupportedError,
)

Program = Callable[..., Any]


def matrix(seed: int = 0) -> pg.Tensor:
    return pg.randn(2, 3, dtype=pg.float64, generator=pg.Generator().manual_seed(seed))


def assert_equal(got: Any, want: Any) -> None:
    if isinstance(want, tuple):
        assert isinstance(got, tuple)
        for one, other in zip(got, want, strict=True):
            assert_equal(one, other)
        return
    assert got.shape == want.shape
    assert pg.allclose(got, want, 1e-9, 1e-12), f"{got}\n{want}"


def slope(f: Program, x: pg.Tensor, v: pg.Tensor, eps: float = 1e-6) -> pg.Tensor:
    return (f(x + v * eps) - f(x - v * eps)) / (2 * eps)


def written(x: pg.Tensor, out: pg.Tensor) -> pg.Tensor:
    out[0] = x[1] * 2
    out[:, 1:] *= 3
    return out


PROGRAMS: dict[str, Program] = {
    "elementwise": lambda x: x.sin() * x.exp() / (x * x + 1),
    "broadcast": lambda x: x + x[0] * 2 - x[:, :1],
    "reductions": lambda x: x.prod(0) + x.amax(1).sum() + x.logsumexp(1).mean(),
    "variance": lambda x: x.std(1) + x.var(),
    "softmax": lambda x: x.softmax(1) @ x.log_softmax(0).T,
    "sort": lambda x: x.sort(1)[0] * pg.arange(3) + x.topk(1, 1)[0],
    "indexing": lambda x: x[pg.tensor([1, 0, 1])].gather(1, pg.tensor([[0], [2], [1]])),
    "mask": lambda x: x[x > 0].sum() + pg.where(x > 0, x * x, 0),
    "layer_norm": lambda x: nn.functional.layer_norm(x, (3,)),
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x, x * 2, x.sin()),
    "in place": lambda x: written(x, x * 1),
    "into memory made inside": lambda x: written(x, pg.zeros(2, 3, dtype=pg.float64)),
    "into new_zeros": lambda x: written(x, x.new_zeros(2, 3)),
    "through a view": lambda x: (lambda y: (y.t()[1].mul_(x[:, 0]), y)[1])(x.clone()),
    "view seen after a write": lambda x: view_of_written(x),
    "view of transposed tangents": lambda x: x.t().clone().t().reshape(6)[1:5].view(2, 2),
    "branch on data": lambda x: x * 2 if x.sum() > -100 else x,
    "detached": lambda x: x * x.detach(),
    "constant": lambda x: pg.ones(3, dtype=pg.float64),
}
NO_SLOPE = {"detached": lambda x, v: v * x, "constant": lambda x, v: pg.zeros(3, dtype=pg.float64)}


def view_of_written(x: pg.Tensor) -> pg.Tensor:
    base = x.clone()
    row = base[1]
    base.mul_(x)
    return row * 1


# jvp ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_tangent_is_the_directional_derivative(name: str) -> None:
    f, x, v = PROGRAMS[name], matrix(), matrix(1)
    out, tangent = func.jvp(f, (x,), (v,))
    assert_equal(out, f(x))
    want = NO_SLOPE[name](x, v) if name in NO_SLOPE else slope(f, x, v)
    assert pg.allclose(tangent, want, 1e-6, 1e-7)


def test_structures_pass_through() -> None:
    def f(pair: Any, y: Any) -> Any:
        return {"sum": pair["a"] + y, "product": [pair["b"] * y]}

    x, y = {"a": matrix(), "b": matrix(1)}, matrix(2)
    t = {"a": matrix(3), "b": matrix(4)}
    out, tangent = func.jvp(f, (x, y), (t, matrix(5)))
    assert_equal(tangent["sum"], t["a"] + matrix(5))
    assert_equal(tangent["product"][0], t["b"] * y + x["b"] * matrix(5))
    assert_equal(out["sum"], x["a"] + y)


def test_aux_is_passed_outside_the_level() -> None:
    x = matrix()
    _, _, aux = func.jvp(lambda x: (x.sum(), {"twice": x * 2}), (x,), (x,), has_aux=True)
    assert_equal(aux["twice"], x * 2)
    assert type(aux["twice"]) is pg.Tensor


def test_strict_refuses_what_does_not_depend_on_the_primals() -> None:
    with pytest.raises(ArgumentError, match="depend"):
        func.jvp(lambda x: pg.ones(3), (matrix(),), (matrix(),), strict=True)


def test_complex_derivatives_follow_both_parts() -> None:
    z = pg.tensor([1 + 2j, -0.5 + 1j], dtype=pg.complex128)
    v = pg.tensor([0.3 - 1j, 2 + 0.1j], dtype=pg.complex128)
    for f in (pg.Tensor.abs, pg.Tensor.angle, pg.Tensor.sgn, pg.Tensor.conj, lambda z: z * z.real):
        assert pg.allclose(func.jvp(f, (z,), (v,))[1], slope(f, z, v), 1e-6, 1e-7)


def test_running_statistics_are_moved_without_their_tangents() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()
    x, v = matrix(), matrix(1)
    twin = nn.BatchNorm1d(4).double()
    with pg.no_grad():
        twin(model[0](x))
    tangent = func.jvp(model, (x,), (v,))[1]
    assert pg.allclose(tangent, slope(model, x, v), 1e-6, 1e-6)
    first = nn.Sequential(model[0], nn.BatchNorm1d(4).double())
    func.jvp(first, (x,), (v,))
    assert_equal(first[1].running_mean, twin.running_mean)
    assert_equal(first[1].running_var, twin.running_var)


def test_dropout_draws_as_it_does_without_tangents() -> None:
    x, v = pg.ones(100), pg.full((100,), 2.0)
    pg.manual_seed(3)
    out, tangent = func.jvp(nn.functional.dropout, (x,), (v,))
    pg.manual_seed(3)
    assert_equal(out, nn.functional.dropout(x))
    assert_equal(tangent, out * 2)


# composition --------------------------------------------------------------------------------------


def cube(x: pg.Tensor) -> pg.Tensor:
    return (x**3).sum() + x.prod()


def test_forward_and_reverse_mode_agree_in_any_order() -> None:
    x, v = matrix(), matrix(1)
    forward_over_reverse = func.jvp(func.grad(cube), (x,), (v,))[1]
    reverse_over_forward = func.grad(lambda x: func.jvp(cube, (x,), (v,))[1])(x)
    reverse_over_reverse = func.vjp(func.grad(cube), x)[1](v)[0]
    assert_equal(forward_over_reverse, reverse_over_reverse)
    assert_equal(reverse_over_forward, reverse_over_reverse)


def test_levels_do_not_confuse_their_perturbations() -> None:
    x = pg.tensor(2.0)
    one = pg.tensor(1.0)

    def inner(x: pg.Tensor) -> pg.Tensor:
        return x * func.jvp(lambda y: x + y, (pg.tensor(1.0),), (one,))[1]

    assert func.jvp(inner, (x,), (one,))[1].item() == 1.0


def test_jvp_of_jvp_is_the_second_derivative() -> None:
    x, v = matrix(), matrix(1)

    def first(x: pg.Tensor) -> Any:
        return func.jvp(lambda y: y.sin() * y, (x,), (v,))[1]

    want = v * v * (2 * x.cos() - x * x.sin())
    assert_equal(func.jvp(first, (x,), (v,))[1], want)


def test_vmap_and_jvp_commute() -> None:
    x, v = matrix(), matrix(1)

    def f(row: pg.Tensor) -> pg.Tensor:
        return row.softmax(0).cumsum(0) * row.prod()

    inside = func.vmap(lambda x, v: func.jvp(f, (x,), (v,))[1])(x, v)
    outside = func.jvp(func.vmap(f), (x,), (v,))[1]
    one_by_one = pg.stack([func.jvp(f, (a,), (b,))[1] for a, b in zip(x, v, strict=True)])
    assert_equal(inside, one_by_one)
    assert_equal(outside, one_by_one)


def test_jacobians_forwards_and_backwards_agree() -> None:
    def f(x: pg.Tensor, y: pg.Tensor) -> Any:
        return x @ y, (x * y).sin()

    x, y = matrix(), matrix(1)[0]
    assert_equal(func.jacfwd(f, (0, 1))(x, y), func.jacrev(f, (0, 1))(x, y))
    assert_equal(func.jacfwd(f)(x, y), func.jacrev(f)(x, y))
    rows, aux = func.jacfwd(lambda x: (x * x, x * 2), has_aux=True)(y)
    assert_equal(rows, pg.eye(3).double() * y * 2)
    assert_equal(aux, y * 2)


def test_hessian_is_forward_over_reverse() -> None:
    x = matrix()[0]
    assert_equal(func.hessian(cube)(x), func.jacrev(func.jacrev(cube))(x))


def test_linearize_runs_the_function_once() -> None:
    calls: list[int] = []

    def f(x: pg.Tensor, y: pg.Tensor) -> Any:
        calls.append(1)
        return x.sin() * y, y.exp()

    x, y = matrix(), matrix(1)
    out, push = func.linearize(f, x, y)
    assert_equal(out, (x.sin() * y, y.exp()))
    for seed in (2, 3):
        v, w = matrix(seed), matrix(seed + 10)
        assert_equal(push(v, w), (x.cos() * y * v + x.sin() * w, y.exp() * w))
    assert len(calls) == 1


# by hand ------------------------------------------------------------------------------------------


def test_dual_carries_its_tangent_until_the_level_ends() -> None:
    x, v = matrix(), matrix(1)
    with dual_level():
        moving = make_dual(x, v)
        out = moving.exp()
        assert_equal(unpack_dual(out).tangent, x.exp() * v)
        assert unpack_dual(x) == (x, None)
        assert "tangent=" in repr(out)
        assert moving.untyped_storage() is x.untyped_storage()
    assert unpack_dual(out) == (out, None)
    assert_equal(out + 1, x.exp() + 1)
    assert "tangent=" not in repr(out)
    assert_equal(func.vmap(lambda row: row * out.sum())(x), x * x.exp().sum())


def test_gradient_of_a_dual_is_a_dual() -> None:
    x, v = matrix().requires_grad_(), matrix(1)
    with dual_level():
        gradient: Any = pg.autograd.grad(cube(make_dual(x, v)), x)[0]
        product = unpack_dual(gradient).tangent
    assert_equal(product, functional.hvp(cube, x, v)[1])


def test_gradients_accumulate_at_a_level() -> None:
    x, v = matrix().requires_grad_(), matrix(1)
    (x * x).sum().backward()
    with dual_level():
        moving = make_dual(x, v)
        (moving * moving).sum().backward()
        gradient: Any = x.grad
        assert_equal(unpack_dual(gradient).tangent, v * 2)
    assert_equal(gradient + 0, x.detach() * 4)


def test_graph_of_the_primal_goes_on_through_a_level() -> None:
    x, v = matrix().requires_grad_(), matrix(1)
    with dual_level():
        tangent = unpack_dual(make_dual(x, v).sin()).tangent
    tangent.sum().backward()
    assert x.grad is not None
    assert_equal(x.grad, -x.detach().sin() * v)


def test_levels_nest_and_end_in_order() -> None:
    x, v = matrix(), matrix(1)
    outer = forward_ad.enter_dual_level()
    inner = forward_ad.enter_dual_level()
    moving = make_dual(make_dual(x, v, level=outer), v, level=inner)
    second = unpack_dual(unpack_dual(moving**3, level=inner).tangent, level=outer).tangent
    assert_equal(second, 6 * x * v * v)
    with pytest.raises(AutogradError, match="opposite order"):
        forward_ad.exit_dual_level(level=outer)
    forward_ad.exit_dual_level(level=inner)
    forward_ad.exit_dual_level()
    with pytest.raises(AutogradError, match="exit_dual_level"):
        forward_ad.exit_dual_level()


def test_level_ends_when_the_function_raises() -> None:
    def fails(x: pg.Tensor) -> Any:
        raise KeyError

    with pytest.raises(KeyError):
        func.jvp(fails, (matrix(),), (matrix(),))
    with pytest.raises(AutogradError, match="no level"):
        make_dual(matrix(), matrix())


# errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "primals", "tangents"),
    [
        (ShapeError, (pg.ones(2),), (pg.ones(3),)),
        (DtypeError, (pg.ones(2),), (pg.ones(2).double(),)),
        (DtypeError, (pg.arange(2),), (pg.ones(2),)),
        (DtypeError, (pg.ones(2),), (1.0,)),
        (ArgumentError, (pg.ones(2),), (pg.ones(2), pg.ones(2))),
        (ArgumentError, pg.ones(2), pg.ones(2)),
        (ArgumentError, (), ()),
    ],
)
def test_jvp_refuses_what_does_not_fit(kind: type[Exception], primals: Any, tangents: Any) -> None:
    with pytest.raises(kind):
        func.jvp(lambda *x: x[0], primals, tangents)


def test_function_must_return_tensors() -> None:
    with pytest.raises(ArgumentError, match="returns tensors"):
        func.jvp(lambda x: 3, (matrix(),), (matrix(),))


def test_tensor_from_outside_is_not_written_with_what_moves() -> None:
    outside = pg.zeros(2, 3, dtype=pg.float64)
    with pytest.raises(InPlaceError, match="new_zeros"):
        func.jvp(lambda x: outside.copy_(x), (matrix(),), (matrix(),))


def test_leaf_inside_a_level_is_not_written() -> None:
    def f(x: pg.Tensor) -> pg.Tensor:
        return (x * 1).requires_grad_().mul_(2)

    with pytest.raises(InPlaceError, match="clone"):
        func.jvp(lambda x: f(x.detach() * x), (matrix(),), (matrix(),))


def test_numpy_refuses_to_lose_a_tangent() -> None:
    with dual_level():
        moving = make_dual(matrix(), matrix(1))
        with pytest.raises(AutogradError, match="detach"):
            moving.numpy()
        assert moving.numpy(force=True).shape == (2, 3)
        assert moving.detach().numpy().shape == (2, 3)


def test_as_strided_of_what_is_not_in_order_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="contiguous"):
        func.jvp(lambda x: x.t().as_strided((2, 2), (1, 1)), (matrix(),), (matrix(),))


def test_unknown_level_is_named() -> None:
    with dual_level(), pytest.raises(AutogradError, match="no level 7"):
        unpack_dual(matrix(), level=7)


# operators of others ------------------------------------------------------------------------------


OPERATORS = """
import plugrad as pg
from plugrad import func
from plugrad.families import composite, elementwise, primitive
from plugrad.forward.rules import push

@composite()
def swished(x, /, beta):
    return x * pg.sigmoid(x * beta)

@composite(lambda x: x)
def filled(x, /):
    out = pg.ops.creation.full(x.shape, 0, x.dtype, x.device)
    pg.ops.creation.copy_(out, x * 2)
    return out

@elementwise(body=True)
def cubed(x, y, /):
    return x * x * x * y

cubed.vjp(x=lambda g, x, y: g * x * x * y * 3, y=lambda g, x: g * x * x * x)

@primitive(lambda x: x)
def turned(x, /):
    "Nobody computes it: its tangent alone is asked for."

turned.vjp(x=lambda g: pg.flip(g, (0,)) * 2)

x = pg.tensor([0.5, -1.5, 2.0], dtype=pg.float64)
v = pg.tensor([1.0, 0.25, -2.0], dtype=pg.float64)
s = pg.sigmoid(x * 2)
for tangent, want in (
    (func.jvp(lambda x: swished(x, 2.0), (x,), (v,))[1], v * (s + x * s * (1 - s) * 2)),
    (func.jvp(filled, (x,), (v,))[1], v * 2),
    (func.jvp(lambda x: cubed(x, x), (x,), (v,))[1], x**3 * v * 4),
    (push(turned.operator, (x,), (v,), (), x), v.flip(0) * 2),
):
    assert pg.allclose(tangent, want), (tangent, want)
print("moved")
"""


def test_operators_need_no_word_on_forward_mode() -> None:
    # In a process of its own: a contract that is declared stays.
    done = subprocess.run([sys.executable, "-c", OPERATORS], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("moved\n", "")


# Function -----------------------------------------------------------------------------------------


class Scaled(pg.autograd.Function):
    """x ** n, with a derivative ten times too large on purpose."""

    @staticmethod
    def forward(ctx: Any, x: Any, n: int) -> Any:
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        ctx.n = n
        return x**n

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        return grads[0] * 10 * ctx.n * x ** (ctx.n - 1), None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        (x,) = ctx.saved_tensors
        assert tangents[1] is None
        return tangents[0] * 10 * ctx.n * x ** (ctx.n - 1)


class Rounded(pg.autograd.Function):
    """Straight through: no jvp."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x.round(), x.argmax()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0] * 5


def test_function_is_asked_for_its_jvp() -> None:
    x, v = matrix(), matrix(1)

    def f(x: pg.Tensor) -> Any:
        return Scaled.apply(x, 3)

    def first(x: pg.Tensor) -> Any:
        return func.jvp(f, (x,), (v,))[1]

    assert_equal(first(x), 30 * x * x * v)
    assert_equal(func.jvp(first, (x,), (v,))[1], 60 * x * v * v)
    assert_equal(func.grad(lambda x: first(x).sum())(x), 60 * x * v)
    assert_equal(func.jvp(func.grad(lambda x: f(x).sum()), (x,), (v,))[1], 60 * x * v)
    assert_equal(func.jacfwd(f)(x[0]), pg.eye(3).double() * 30 * x[0] * x[0])


def test_function_without_jvp_transposes_its_backward() -> None:
    x, v = matrix(), matrix(1)
    (out, place), (tangent, none) = func.jvp(Rounded.apply, (x,), (v,))
    assert_equal(out, x.round())
    assert_equal(tangent, v * 5)
    assert place.dtype is pg.int64
    assert none.sum().item() == 0


def test_function_must_return_a_tangent_per_output() -> None:
    class Wrong(Scaled):
        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            return tangents[0], tangents[0]

    class Short(Scaled):
        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            return tangents[0].sum()

    with pytest.raises(AutogradError, match="one tangent"):
        func.jvp(lambda x: Wrong.apply(x, 2), (matrix(),), (matrix(),))
    with pytest.raises(AutogradError, match="shapes"):
        func.jvp(lambda x: Short.apply(x, 2), (matrix(),), (matrix(),))


def test_function_that_is_mapped_inside_a_level_says_so() -> None:
    with pytest.raises(AutogradError, match="moves"):
        func.jvp(func.vmap(lambda x: Scaled.apply(x, 2)), (matrix(),), (matrix(),))


def test_function_that_writes_moves_its_input() -> None:
    class Doubled(pg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return grads[0] * 2

    def f(x: pg.Tensor) -> pg.Tensor:
        y = x * 1
        Doubled.apply(y)
        return y

    assert_equal(func.jvp(f, (matrix(),), (matrix(1),))[1], matrix(1) * 2)


# autograd.functional and gradcheck ----------------------------------------------------------------


def pair(x: pg.Tensor, y: pg.Tensor) -> Any:
    return x @ y, (x * y).sin().sum(0)


def energy(x: pg.Tensor, y: pg.Tensor) -> pg.Tensor:
    return (x.exp() * y * y).sum()


def test_products_with_the_jacobian() -> None:
    x, y, v, w = matrix(), matrix(1)[0], matrix(2), matrix(3)[0]
    inputs = (x, y)
    (top, _), moves = functional.jvp(pair, inputs, (v, w))
    assert_equal(top, x @ y)
    assert_equal(moves, func.jvp(pair, inputs, (v, w))[1])
    cotangents = (v[:, 0], w)
    assert_equal(
        functional.vjp(pair, inputs, cotangents)[1], func.vjp(pair, *inputs)[1](cotangents)
    )
    assert functional.vjp(lambda x: x * 2, pg.tensor(3.0))[1].item() == 2
    assert functional.jvp(lambda x: x * 2, pg.tensor(3.0))[1].item() == 2


@pytest.mark.parametrize("how", [{}, {"vectorize": True}, {"strategy": "forward-mode"}])
def test_jacobian_is_the_same_by_every_strategy(how: dict[str, Any]) -> None:
    x, y = matrix(), matrix(1)[0]
    want = func.jacrev(pair, (0, 1))(x, y)
    assert_equal(functional.jacobian(pair, (x, y), **how), want)
    assert_equal(functional.jacobian(lambda x: x @ y, x, **how), want[0][0])
    assert functional.jacobian(pg.sin, x[:0], **how).shape == (0, 3, 0, 3)


@pytest.mark.parametrize(
    "how", [{}, {"vectorize": True}, {"outer_jacobian_strategy": "forward-mode"}]
)
def test_hessian_and_products_with_it_agree(how: dict[str, Any]) -> None:
    x, y, v, w = matrix(), matrix(1)[0], matrix(2), matrix(3)[0]
    blocks = functional.hessian(energy, (x, y), **how)
    want = [(row[0] * v).sum((-2, -1)) + (row[1] * w).sum(-1) for row in blocks]
    output, product = functional.hvp(energy, (x, y), (v, w))
    assert_equal(output, energy(x, y))
    assert_equal(product, tuple(want))
    assert_equal(functional.vhp(energy, (x, y), (v, w))[1], tuple(want))


def test_results_are_in_the_graph_if_asked() -> None:
    x = matrix().requires_grad_()
    v = matrix(1)
    for make in (
        lambda graph: functional.vjp(cube, x, create_graph=graph)[1],
        lambda graph: functional.jvp(cube, x, v, create_graph=graph)[1],
        lambda graph: functional.jacobian(cube, x, create_graph=graph),
        lambda graph: functional.hessian(cube, x, create_graph=graph),
        lambda graph: functional.hvp(cube, x, v, create_graph=graph)[1],
        lambda graph: functional.vhp(cube, x, v, create_graph=graph)[1],
    ):
        assert not make(False).requires_grad
        assert make(True).requires_grad


def test_strict_refuses_what_does_not_depend_on_an_input() -> None:
    x = matrix()

    def constant(x: pg.Tensor) -> pg.Tensor:
        return pg.ones((), dtype=pg.float64)

    for derivative in (functional.vjp, functional.jacobian, functional.hessian):
        with pytest.raises(AutogradError, match="does not depend"):
            derivative(constant, x, strict=True)
    with pytest.raises(ArgumentError):
        functional.jvp(constant, x, x, strict=True)
    assert functional.jacobian(constant, x).sum().item() == 0


@pytest.mark.parametrize(
    "misuse",
    [
        lambda x: functional.jacobian(pg.sin, x, strategy="sideways"),
        lambda x: functional.jacobian(pg.sin, x, strict=True, vectorize=True),
        lambda x: functional.vjp(pg.sin, x),
        lambda x: functional.vjp(pg.sin, x, (x, x)),
        lambda x: functional.vjp(lambda x: 3, x),
        lambda x: functional.jvp(pg.sin, [x, 3], (x, x)),
    ],
)
def test_misuse_of_functional_is_refused(misuse: Callable[[pg.Tensor], Any]) -> None:
    with pytest.raises(ArgumentError):
        misuse(matrix())


def test_shapes_of_vectors_and_numbers_are_checked() -> None:
    with pytest.raises(ShapeError):
        functional.vjp(pg.sin, matrix(), matrix()[0])
    with pytest.raises(ShapeError, match="one number"):
        functional.hessian(pg.sin, matrix())


@pytest.mark.parametrize("fast", [False, True])
def test_gradcheck_checks_forward_mode(fast: bool) -> None:
    x = matrix().requires_grad_()
    z = (matrix(1) + matrix(2) * 1j).requires_grad_()
    assert gradcheck(lambda x: (x.sin() * x, x.prod(0)), x, check_forward_ad=True, fast_mode=fast)
    assert gradcheck(lambda z: (z.abs(), z * z.conj()), z, check_forward_ad=True, fast_mode=fast)
    assert gradgradcheck(lambda x: x.sin() * x, x, check_fwd_over_rev=True, fast_mode=fast)
    assert gradgradcheck(lambda z: z.abs() * z, z, check_fwd_over_rev=True, fast_mode=fast)

    class Wrong(pg.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return grads[0] * 2

        @staticmethod
        def jvp(ctx: Any, *tangents: Any) -> Any:
            return tangents[0] * math.pi

    assert gradcheck(Wrong.apply, x, fast_mode=fast)
    with pytest.raises(GradcheckError, match="mismatch"):
        gradcheck(Wrong.apply, x, check_forward_ad=True, check_backward_ad=False, fast_mode=fast)


def test_plain_calls_know_nothing_of_forward_mode() -> None:
    x = matrix()
    before = len(pg.ops.elementwise.exp.operator.plans)
    x.exp()
    known = len(pg.ops.elementwise.exp.operator.plans)
    func.jvp(pg.exp, (x,), (x,))
    assert len(pg.ops.elementwise.exp.operator.plans) == known <= before + 1
