"""vmap and the gradients of `plugrad.func`, compared with a loop over the examples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import plugrad as pg
from plugrad import func
from plugrad.dispatch import operators
from plugrad.errors import (
    ArgumentError,
    AutogradError,
    DtypeError,
    InPlaceError,
    ShapeError,
    UnsupportedError,
)

BATCH = 3
ORDER = [2, 0, 1]


def call(name: str, *arguments: Any) -> Any:
    """An operator under its contract's name: tensors, then parameters."""
    operator = operators[name]
    count = len(operator.tensors)
    return pg.dispatch.dispatch(operator, arguments[:count], arguments[count:])


def order() -> pg.Tensor:
    return pg.tensor(ORDER)


def written(x: pg.Tensor, key: Any, value: Any) -> pg.Tensor:
    copy = x.clone()
    copy[key] = value
    return copy


def products(x: pg.Tensor) -> pg.Tensor:
    return pg.cat([a * b for a, b in zip(x.split(2), x.flip(0).split(2), strict=True)])


# What one example goes through, and the shapes of one example's arguments.
PROGRAMS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    # families
    "operands broadcast": (lambda x, y: x * y, [(3,), (2, 3)]),
    "a number against a matrix": (lambda x, y: x + y, [(), (2, 3)]),
    "Python numbers": (lambda x: 2 - x / 3 + x**2, [(3,)]),
    "where": (lambda x, y: pg.where(x > 0, x, y), [(3,), (2, 1)]),
    "clamp": (lambda x: x.clamp(-0.5, 0.5), [(3,)]),
    "cast and copy": (lambda x: x.float().double() * x.clone(), [(3,)]),
    "detach": (lambda x: x.detach() * x, [(3,)]),
    "a constant": (lambda x: pg.ones(2), [(3,)]),
    "sum": (lambda x: x.sum(), [(2, 3)]),
    "sum of a number": (lambda x: x.sum(), [()]),
    "reduce and keep": (lambda x: x.sum(0, keepdim=True) * x.mean(-1, keepdim=True), [(2, 3)]),
    "prod": (lambda x: x.prod(1), [(2, 3)]),
    "amax": (lambda x: x.amax((0, 1)), [(2, 3)]),
    "max along an axis": (lambda x: x.max(1)[0], [(2, 3)]),
    "argmax": (lambda x: x.argmax() + x.argmax(1) + x.argmax(0, keepdim=True).sum(), [(2, 3)]),
    "argmax of a number": (lambda x: x.argmax(), [()]),
    "cumsum": (lambda x: x.cumsum(0), [(2, 3)]),
    "var and std": (lambda x: x.var(1) + x.std(0).sum(), [(2, 3)]),
    "logsumexp": (lambda x: x.logsumexp(-1), [(2, 3)]),
    "softmax": (lambda x: x.softmax(-1) + x.log_softmax(0), [(2, 3)]),
    "norm": (lambda x: x.norm(dim=0), [(3, 2)]),
    # views
    "view": (lambda x: x.view(3, 2).t().reshape(-1)[1:4], [(2, 3)]),
    "many views": (
        lambda x: x.permute(2, 0, 1).unsqueeze(1).squeeze(1).transpose(0, -1)[..., ::2].flatten(),
        [(2, 3, 4)],
    ),
    "expand": (lambda x: x.expand(4, 3) * x.unsqueeze(0).expand(2, -1).sum(), [(3,)]),
    "select": (lambda x: x[1] * x[0, 2] + x[:, -1].sum(), [(2, 3)]),
    "diagonal": (lambda x: x.diagonal() * x.diagonal(1).sum(), [(3, 3)]),
    "unfold": (lambda x: x.unfold(0, 2, 1) * 2, [(5,)]),
    "unfold of a number": (lambda x: x.unfold(0, 1, 1) * 2, [()]),
    "as_strided": (lambda x: x.contiguous().as_strided((2, 2), (1, 2)) * 3, [(6,)]),
    # joining
    "split and cat": (products, [(4,)]),
    "cat": (lambda x, y: pg.cat([x, y, x], 1), [(2, 3), (2, 1)]),
    "stack": (lambda x, y: pg.stack([x, y], -1), [(2, 3), (2, 3)]),
    "pad": (lambda x: call("pad", x, ((1, 2), (0, -1)), 0.5), [(2, 3)]),
    "roll and tril": (lambda x: x.roll(1, 0) + x.tril(), [(3, 3)]),
    "repeat": (lambda x: x.repeat(2, 1), [(3,)]),
    # products
    "matrix by matrix": (lambda x, y: x @ y, [(2, 3), (3, 4)]),
    "matrix by vector": (lambda x, y: x @ y, [(2, 3), (3,)]),
    "vector by matrix": (lambda x, y: x @ y, [(3,), (3, 2)]),
    "vector by vector": (lambda x, y: x @ y, [(3,), (3,)]),
    "matrices by matrix": (lambda x, y: x @ y, [(5, 2, 3), (3, 4)]),
    "matrix by matrices": (lambda x, y: x @ y, [(2, 3), (5, 3, 4)]),
    "matrices by vector": (lambda x, y: x @ y, [(5, 2, 3), (3,)]),
    "vector by matrices": (lambda x, y: x @ y, [(3,), (5, 3, 2)]),
    "linear": (lambda x, w, b: call("linear", x, w, b), [(2, 3), (4, 3), (4,)]),
    "linear of a vector": (lambda x, w, b: call("linear", x, w, b), [(3,), (4, 3), (4,)]),
    "linear without bias": (lambda x, w: call("linear", x, w, None), [(3,), (4, 3)]),
    "convolution": (
        lambda x, w: call("convolution", x, w, None, (1,), (0,), (1,), 1),
        [(2, 3, 6), (4, 3, 2)],
    ),
    "max_pool": (lambda x: call("max_pool", x, (2,), (1,), (0,), (1,), False)[0], [(2, 3, 6)]),
    "avg_pool": (lambda x: call("avg_pool", x, (2,), (2,), (0,), False, True, None), [(2, 3, 6)]),
    "activations": (lambda x: x.relu() + call("gelu", x) * call("silu", x), [(3,)]),
    # indexing
    "rows by position": (lambda x: x[order()] * 2, [(3, 2)]),
    "columns by position": (lambda x: x[:, order()], [(2, 3)]),
    "axes apart by position": (lambda x: x[order(), :, order()], [(3, 2, 3)]),
    "rows at own positions": (lambda x, y: y[x.argsort()], [(3,), (3, 2)]),
    "columns at own positions": (lambda x, y: y[:, x.argsort()], [(3,), (2, 3)]),
    "axes at own positions": (lambda x, y: y[:, x.argsort(), x.argsort()], [(3,), (2, 3, 3)]),
    "apart at own positions": (lambda x, y: y[x.argsort(), :, x.argsort()], [(3,), (3, 2, 3)]),
    "gather": (lambda x, y: y.gather(0, x.argsort(0)), [(3, 2), (3, 2)]),
    "scatter": (
        lambda x, y: y.scatter(0, x.argsort(0), x) + y.scatter_add(1, x.argsort(1), x),
        [(3, 2), (3, 2)],
    ),
    "index_select": (lambda x: x.index_select(1, order()), [(2, 3)]),
    "index_select at own": (lambda x, y: y.index_select(1, x.argsort()), [(3,), (2, 3)]),
    "index_add": (lambda x, y: x.index_add(0, order(), y), [(3, 2), (3, 2)]),
    "index_put": (lambda x, y: x.index_put((order(),), y, accumulate=True), [(3, 2), (3, 2)]),
    "index_put at own": (lambda x, y: y.index_put((x.argsort(),), x, True), [(3,), (3,)]),
    "index_fill": (lambda x: x.index_fill(0, order()[:2], 2.0), [(3, 2)]),
    "embedding": (lambda x, w: call("embedding", w, x.argsort(), None), [(3,), (3, 2)]),
    "masked_fill": (lambda x: x.masked_fill(x > 0, 1.5), [(3,)]),
    "sort and topk": (lambda x: x.sort(0)[0] + x.topk(3, 0)[0], [(3,)]),
    # writing
    "in place": (lambda x: x.clone().add_(1).mul_(x), [(3,)]),
    "into a slice": (lambda x: written(x, slice(0, 2), x[1] * 2), [(3,)]),
    "into positions": (lambda x: written(x, order(), x * 2), [(3,)]),
    "into new memory": (lambda x: x.new_zeros(3).add_(x) * x, [(3,)]),
}


def choices() -> Iterator[Any]:
    for name, (_, sizes) in PROGRAMS.items():
        for dims in itertools.product((0, None, -1), repeat=len(sizes)):
            if any(dim is not None for dim in dims):
                yield pytest.param(name, dims, id=f"{name}, in_dims {dims}")


def arguments(name: str, dims: tuple[int | None, ...]) -> list[pg.Tensor]:
    pg.manual_seed(0)
    made: list[pg.Tensor] = []
    for size, dim in zip(PROGRAMS[name][1], dims, strict=True):
        full = size if dim is None else (BATCH, *size) if dim == 0 else (*size, BATCH)
        made.append(pg.randn(full, dtype=pg.double))
    return made


def example(tensors: list[pg.Tensor], dims: tuple[int | None, ...], i: int) -> list[pg.Tensor]:
    return [t if dim is None else t.select(dim, i) for t, dim in zip(tensors, dims, strict=True)]


def looped(function: Any, tensors: list[pg.Tensor], dims: tuple[int | None, ...]) -> pg.Tensor:
    return pg.stack([function(*example(tensors, dims, i)) for i in range(BATCH)])


def assert_close(got: pg.Tensor, expected: pg.Tensor) -> None:
    assert got.shape == expected.shape
    assert got.dtype is expected.dtype
    if not pg.allclose(got.double(), expected.double(), 1e-9, 1e-11):
        raise AssertionError(f"got {got}, expected {expected}")


@pytest.mark.parametrize(("name", "dims"), list(choices()))
def test_vmap_equals_a_loop(name: str, dims: tuple[int | None, ...]) -> None:
    function, tensors = PROGRAMS[name][0], arguments(name, dims)
    assert_close(func.vmap(function, dims)(*tensors), looped(function, tensors, dims))


def weighted(name: str) -> Any:
    return lambda w, *tensors: (PROGRAMS[name][0](*tensors) * w).sum()


DIFFERENTIABLE = [
    choice
    for choice in choices()
    if choice.values[0] not in ("argmax", "argmax of a number", "a constant")
    and -1 not in choice.values[1]
]


@pytest.mark.parametrize(("name", "dims"), DIFFERENTIABLE)
def test_gradient_through_vmap_equals_that_through_a_loop(
    name: str, dims: tuple[int | None, ...]
) -> None:
    function = PROGRAMS[name][0]
    tensors = [t.requires_grad_() for t in arguments(name, dims)]
    expected = looped(function, tensors, dims)
    w = pg.randn(expected.shape, dtype=pg.double)
    options: Any = {"allow_unused": True, "materialize_grads": True}
    wanted = pg.autograd.grad((expected * w).sum(), tensors, **options)
    got = pg.autograd.grad((func.vmap(function, dims)(*tensors) * w).sum(), tensors, **options)
    for each, its in zip(got, wanted, strict=True):
        assert_close(each, its)


@pytest.mark.parametrize(("name", "dims"), DIFFERENTIABLE)
def test_vmap_of_grad_gives_each_example_its_own_gradient(
    name: str, dims: tuple[int | None, ...]
) -> None:
    tensors = arguments(name, dims)
    w = pg.randn(looped(PROGRAMS[name][0], tensors, dims).shape, dtype=pg.double)
    gradient = func.grad(weighted(name), tuple(range(1, len(tensors) + 1)))
    got = func.vmap(gradient, (0, *dims))(w, *tensors)
    for position, each in enumerate(got):
        one = [gradient(w[i], *example(tensors, dims, i))[position] for i in range(BATCH)]
        assert_close(each, pg.stack(one))
        assert not each.requires_grad


@pytest.mark.parametrize(("name", "dims"), [c for c in DIFFERENTIABLE if None not in c.values[1]])
def test_grad_of_vmap_of_grad_equals_that_of_a_loop(
    name: str, dims: tuple[int | None, ...]
) -> None:
    tensors = arguments(name, dims)
    w = pg.randn(looped(PROGRAMS[name][0], tensors, dims).shape, dtype=pg.double)
    places = tuple(range(len(tensors)))
    gradient = func.grad(weighted(name), tuple([place + 1 for place in places]))

    def mapped(*given: pg.Tensor) -> Any:
        return sum((g * g * g).sum() for g in func.vmap(gradient, (0, *dims))(w, *given))

    def one_by_one(*given: pg.Tensor) -> Any:
        each = [gradient(w[i], *example(list(given), dims, i)) for i in range(BATCH)]
        return sum((g * g * g).sum() for gradients in each for g in gradients)

    got, expected = func.grad(mapped, places)(*tensors), func.grad(one_by_one, places)(*tensors)
    for a, b in zip(got, expected, strict=True):
        assert_close(a, b)


# vmap's own manners -------------------------------------------------------------------------------


def matrix() -> pg.Tensor:
    return pg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def test_nested_vmap_maps_over_two_axes() -> None:
    outer = func.vmap(func.vmap(lambda x, y: (x * y).sum(), (None, 0)), (0, None))
    a, b = matrix(), matrix() + 1
    assert_close(outer(a, b), a @ b.t())


def test_arguments_and_results_may_be_trees() -> None:
    def step(pair: Any, *, scale: Any) -> Any:
        return {"sum": pair[0] + pair[1]["b"], "both": (pair[0] * scale, [pair[1]["b"]])}

    a, b, scale = matrix(), pg.tensor([1.0, 2.0, 3.0]), pg.tensor([2.0, 3.0])
    got = func.vmap(step, ((0, {"b": None}),), {"sum": 1, "both": 0})((a, {"b": b}), scale=scale)
    assert_close(got["sum"], (a + b).t())
    assert_close(got["both"][0], a * scale.unsqueeze(1))
    assert_close(got["both"][1][0], pg.stack([b, b]))


def test_out_dims_place_the_mapped_axis_and_none_keeps_what_is_the_same() -> None:
    b = pg.tensor([1.0, 2.0, 3.0])
    got, same = func.vmap(lambda x: (x, b), out_dims=(-1, None))(matrix())
    assert_close(got, matrix().t())
    assert_close(same, b)


def test_chunks_give_what_the_whole_gives() -> None:
    x = pg.randn(5, 3, dtype=pg.double)
    whole = func.vmap(lambda row: (row.exp(), row.sum()), out_dims=(1, 0))(x)
    parts = func.vmap(lambda row: (row.exp(), row.sum()), out_dims=(1, 0), chunk_size=2)(x)
    for a, b in zip(parts, whole, strict=True):
        assert_close(a, b)


def test_dtype_promotion_is_that_of_one_example() -> None:
    # For one example the double is a number, which does not widen a float tensor.
    got = func.vmap(lambda x, y: x * y)(pg.ones(2, dtype=pg.double), pg.ones(2, 3))
    assert got.dtype is pg.float32


def test_writing_to_a_mapped_argument_writes_to_the_tensor_itself() -> None:
    x = matrix()
    func.vmap(lambda row: row.mul_(2))(x)
    assert_close(x, matrix() * 2)
    func.vmap(lambda row: row[0].zero_())(x)
    assert x[:, 0].tolist() == [0.0, 0.0]


def test_a_view_written_inside_carries_the_gradient_to_its_base() -> None:
    def function(x: pg.Tensor) -> pg.Tensor:
        y = x * 1
        y[0].mul_(x[1])
        return (y * y).sum()

    x = matrix().double()
    got = func.vmap(func.grad(function))(x)
    assert_close(got, pg.stack([func.grad(function)(row) for row in x]))


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_randomness_is_the_same_or_different_for_the_examples(randomness: str) -> None:
    pg.manual_seed(1)
    drawn = func.vmap(lambda x: x + pg.rand(4), randomness=randomness)(pg.zeros(3, 4))
    again = pg.rand(4)
    rows = {tuple(row) for row in drawn.tolist()}
    assert len(rows) == (1 if randomness == "same" else 3)
    assert tuple(again.tolist()) not in rows


def test_a_large_fallback_runs_once_per_example_and_is_right() -> None:
    x, w = pg.randn(2, 1, 3, 5, dtype=pg.double), pg.randn(2, 4, 3, 2, dtype=pg.double)
    conv = lambda x, w: call("convolution", x, w, None, (1,), (0,), (1,), 1)
    assert_close(func.vmap(conv)(x, w), pg.stack([conv(x[i], w[i]) for i in range(2)]))


# refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda x: x.sum().item(), UnsupportedError, "item: self: expected a tensor with data"),
        (lambda x: x if x.sum() > 0 else -x, UnsupportedError, "where()"),
        (lambda x: x.numpy(), UnsupportedError, "numpy: self"),
        (lambda x: x.nonzero(), UnsupportedError, "shape depends on the data"),
        (lambda x: x[x > 0], UnsupportedError, "masked_select: x: expected"),
        (lambda x: x.backward(), AutogradError, "plugrad.func.grad()"),
        (lambda x: 3, ArgumentError, "a function that returns tensors, got int"),
        (lambda x: x + pg.rand(3), UnsupportedError, "randomness='different'"),
        (lambda x: x @ pg.ones(4, 2), ShapeError, r"got 4 in shape (4, 2)"),
        (lambda x: x + pg.ones(4), ShapeError, "(3,)"),
        (lambda x: x.sum(1), IndexError, "sum"),
    ],
)
def test_what_cannot_be_mapped_is_refused(
    function: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        func.vmap(function)(matrix())
    assert words in str(caught.value)


def test_writing_mapped_values_into_a_tensor_that_is_not_is_refused() -> None:
    total = pg.zeros(3)
    with pytest.raises(InPlaceError, match=r"add_: a tensor that vmap does not map over"):
        func.vmap(lambda x: total.add_(x))(matrix())
    assert total.tolist() == [0, 0, 0]


def test_writing_to_a_mapped_leaf_is_refused() -> None:
    with pytest.raises(InPlaceError, match="leaf that requires grad"):
        func.vmap(func.grad(lambda x: x.mul_(2).sum()))(matrix())


@pytest.mark.parametrize(
    ("run", "error", "words"),
    [
        (lambda: func.vmap(lambda x, y: x)(pg.ones(4), pg.ones(5)), ShapeError, "4 (leaf 0), 5"),
        (lambda: func.vmap(lambda x: x)(3), ArgumentError, "None for an argument of type int"),
        (lambda: func.vmap(lambda x: x, None)(pg.ones(2)), ArgumentError, "in_dims"),
        (lambda: func.vmap(lambda x: x, (None,))(pg.ones(2)), ArgumentError, "at least one"),
        (lambda: func.vmap(lambda x: x, (0, 0))(pg.ones(2)), ArgumentError, "1 arguments"),
        (lambda: func.vmap(lambda x: x, ("a",))(pg.ones(2)), ArgumentError, "an int or None"),
        (lambda: func.vmap(lambda x: x, 1)(pg.ones(2)), IndexError, "in_dims"),
        (lambda: func.vmap(lambda x: x)(pg.tensor(1.0)), ShapeError, "a tensor with axes"),
        (lambda: func.vmap(lambda x: x, 0, None)(pg.ones(2)), ArgumentError, "out_dims"),
        (lambda: func.vmap(lambda x: x, 0, (0, 0))(pg.ones(2)), ArgumentError, "structure"),
        (lambda: func.vmap(lambda x: x, 0, 0, "some"), ArgumentError, "got some"),
        (lambda: func.vmap(lambda x: x, chunk_size=0), ArgumentError, "at least 1"),
    ],
)
def test_a_wrong_call_of_vmap_is_refused(run: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        run()
    assert words in str(caught.value)


def test_a_tensor_that_escaped_its_vmap_is_refused() -> None:
    escaped: list[pg.Tensor] = []
    func.vmap(lambda x: escaped.append(x) or x)(matrix())
    with pytest.raises(UnsupportedError, match="a finished vmap left behind"):
        escaped[0] + 1
    for other in (lambda x: x + escaped[0], lambda x: escaped[0]):
        with pytest.raises(UnsupportedError, match="a finished vmap left behind"):
            func.vmap(other)(matrix())


def test_an_error_inside_leaves_no_vmap_running() -> None:
    with pytest.raises(ShapeError):
        func.vmap(lambda x: x.view(7))(matrix())
    assert pg.rand(2).shape == (2,)  # inside vmap this would be refused


# gradients as functions ---------------------------------------------------------------------------


def cubic(x: pg.Tensor) -> pg.Tensor:
    return (x**3).sum() * x.sum()


def test_grad_nests_without_mixing_up_the_inputs() -> None:
    # d/dx of (x * d/dy (x * y)) at y = 1 is 2 x; one that forgot which input is which gives x.
    x = pg.tensor(3.0)
    inner = lambda x: x * func.grad(lambda y: x * y)(pg.tensor(1.0))
    assert func.grad(inner)(x).item() == 6.0
    assert func.grad(func.grad(func.grad(lambda x: x**4)))(x).item() == 72.0


def test_grad_follows_what_is_followed_outside_and_nothing_else() -> None:
    x, w = pg.ones(3), pg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert not func.grad(lambda x: (x * x).sum())(x).requires_grad
    found = func.grad(lambda x: (x * x * w).sum())(x)
    assert found.requires_grad
    found.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [2.0, 2.0, 2.0]
    with pg.no_grad():
        assert not func.grad(lambda x: (x * w).sum())(x).requires_grad


def test_grad_of_an_input_that_is_not_used_is_zero() -> None:
    assert func.grad(lambda x, y: x.sum(), 1)(pg.ones(2), pg.ones(3)).tolist() == [0, 0, 0]
    assert func.grad(lambda x: pg.tensor(1.0))(pg.ones(2)).tolist() == [0, 0]


def test_grad_and_value_returns_both_and_what_is_beside() -> None:
    x = pg.tensor([1.0, 2.0])
    gradient, (value, aux) = func.grad_and_value(
        lambda x: ((x * x).sum(), {"x": x * 3}), has_aux=True
    )(x)
    assert (gradient.tolist(), value.item(), aux["x"].tolist()) == ([2, 4], 5, [3, 6])
    assert [value.requires_grad, aux["x"].requires_grad] == [False, False]


def test_grad_of_a_tree_is_a_tree() -> None:
    gradient = func.grad(lambda p, x: (p["w"] * x + p["b"][0]).sum())
    found = gradient({"w": pg.ones(2), "b": [pg.zeros(2)]}, pg.tensor([3.0, 4.0]))
    assert (found["w"].tolist(), found["b"][0].tolist()) == ([3, 4], [1, 1])


def test_vjp_may_be_pulled_many_times() -> None:
    x, y = pg.tensor([1.0, 2.0]), pg.tensor([3.0, 4.0])
    (product, total), pull = func.vjp(lambda x, y: (x * y, x.sum()), x, y)
    assert (product.tolist(), total.item(), product.requires_grad) == ([3, 8], 3, False)
    for scale in (1.0, 2.0):
        gx, gy = pull((pg.ones(2) * scale, pg.tensor(1.0)))
        assert gx.tolist() == [3 * scale + 1, 4 * scale + 1]
        assert gy.tolist() == [scale, 2 * scale]


def test_jacrev_gives_a_block_for_each_output_and_input() -> None:
    a, b = pg.tensor([1.0, 2.0]), pg.tensor([3.0, 4.0, 5.0])
    function = lambda a, b: {"outer": a.outer(b), "sum": a.sum()}
    found = func.jacrev(function, (0, 1))(a, b)
    assert found["outer"][0].shape == (2, 3, 2)
    assert found["outer"][1].shape == (2, 3, 3)
    assert_close(found["outer"][0][:, :, 0], pg.stack([b, pg.zeros(3)]))
    assert found["sum"][0].tolist() == [1, 1]
    assert found["sum"][1].tolist() == [0, 0, 0]
    chunked = func.jacrev(function, (0, 1), chunk_size=2)(a, b)
    assert_close(chunked["outer"][1], found["outer"][1])


def test_hessian_of_a_cubic_is_the_one_from_the_books() -> None:
    x = pg.tensor([1.0, 2.0], dtype=pg.double)
    found = func.hessian(cubic)(x)
    # Of (Σx³)(Σx): 6 x_i S on the diagonal, and 3 (x_i² + x_j²) everywhere.
    expected = [[6 * 1 * 3 + 6, 3 * 5], [3 * 5, 6 * 2 * 3 + 24]]
    assert_close(found, pg.tensor(expected, dtype=pg.double))
    mapped = func.vmap(func.hessian(cubic))(pg.stack([x, x + 1]))
    assert_close(mapped, pg.stack([found, func.hessian(cubic)(x + 1)]))


@pytest.mark.parametrize(
    ("run", "error", "words"),
    [
        (lambda: func.grad(lambda x: x)(pg.ones(2)), ShapeError, "without axes, got"),
        (lambda: func.grad(lambda x: 1.0)(pg.ones(2)), ShapeError, "got float"),
        (lambda: func.grad(lambda x: x.sum())(pg.ones(2).long()), DtypeError, "floating"),
        (lambda: func.grad(lambda x: x)(2.0), DtypeError, "tensors, got float"),
        (lambda: func.grad(lambda x: x.sum(), 1)(pg.ones(2)), ArgumentError, "argnums"),
        (
            lambda: func.grad(lambda x: x.sum(), has_aux=True)(pg.ones(2)),
            ArgumentError,
            "(value, aux)",
        ),
        (lambda: func.vjp(lambda x: 1, pg.ones(2)), ArgumentError, "returns tensors"),
        (lambda: func.vjp(lambda x: x, pg.ones(2))[1](pg.ones(3)), ShapeError, "(2,)"),
        (
            lambda: func.vjp(lambda x: x, pg.ones(2))[1](pg.ones(2), pg.ones(2)),
            ArgumentError,
            "1, one",
        ),
    ],
)
def test_a_wrong_call_of_a_gradient_is_refused(
    run: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        run()
    assert words in str(caught.value)


def test_per_example_gradients_of_a_network_equal_those_of_single_examples() -> None:
    pg.manual_seed(0)
    params = {
        "w1": pg.randn(8, 4, dtype=pg.double),
        "b1": pg.randn(8, dtype=pg.double),
        "w2": pg.randn(3, 8, dtype=pg.double),
    }

    def loss(params: dict[str, pg.Tensor], x: pg.Tensor, label: pg.Tensor) -> pg.Tensor:
        hidden = call("linear", x, params["w1"], params["b1"]).tanh()
        scores = call("linear", hidden, params["w2"], None).log_softmax(-1)
        return -scores.gather(0, label.unsqueeze(0)).sum()

    x, labels = pg.randn(5, 4, dtype=pg.double), pg.tensor([0, 2, 1, 1, 0])
    got = func.vmap(func.grad(loss), (None, 0, 0))(params, x, labels)
    for i in range(5):
        one = func.grad(loss)(params, x[i], labels[i])
        for name, gradient in one.items():
            assert_close(got[name][i], gradient)
