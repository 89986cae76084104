"""Pooling against its definition, window by window; kernels against bodies; derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad as pg
import plugrad.nn.functional as F
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
)
from plugrad.geometry import window_count
from plugrad.ops.pooling import avg_pool, avg_pool_backward, max_pool, max_pool_backward

from .helpers import check_gradients

Array = np.ndarray[Any, np.dtype[Any]]

# input, kernel, stride, padding, dilation, ceil_mode
CASES: dict[str, tuple[Any, ...]] = {
    "apart": ((2, 3, 4, 6), (2, 3), (2, 3), (0, 0), (1, 1), False),
    "overlapping": ((2, 3, 5, 6), (3, 2), (1, 1), (0, 0), (1, 1), False),
    "padded": ((2, 3, 5, 6), (3, 2), (2, 2), (1, 1), (1, 1), False),
    "with elements that none sees": ((2, 2, 6, 8), (2, 2), (3, 3), (0, 0), (1, 1), False),
    "hanging over the end": ((2, 2, 6, 5), (3, 2), (2, 2), (0, 0), (1, 1), True),
    "hanging over the padding": ((2, 2, 6, 5), (3, 2), (2, 2), (1, 1), (1, 1), True),
    "over the end, but not past it": ((2, 2, 5, 5), (2, 2), (3, 3), (1, 1), (1, 1), True),
    "of one element": ((2, 3, 4, 5), (1, 1), (1, 1), (0, 0), (1, 1), False),
    "of the whole input": ((2, 3, 4, 5), (4, 5), (4, 5), (0, 0), (1, 1), False),
    "one axis": ((2, 3, 9), (3,), (2,), (1,), (1,), True),
    "three axes": ((2, 2, 4, 5, 3), (2, 3, 2), (2, 1, 1), (1, 1, 0), (1, 1, 1), False),
    "no batch": ((0, 3, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
}
DILATED: dict[str, tuple[Any, ...]] = {
    "dilated": ((2, 2, 7, 8), (2, 3), (1, 2), (0, 0), (3, 2), False),
    "dilated and padded": ((2, 2, 7, 8), (3, 2), (2, 1), (2, 1), (2, 3), False),
    "dilated over the end": ((2, 2, 8, 7), (2, 3), (3, 2), (1, 1), (2, 1), True),
}
ALL = {**CASES, **DILATED}
EACH_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
EACH_MAXIMUM = pytest.mark.parametrize("case", ALL.values(), ids=ALL)


def values(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def windows(case: tuple[Any, ...]) -> tuple[tuple[int, ...], Any]:
    """The output's sizes, and for each position the positions of its elements, axis by axis."""
    shape, *rest, ceil_mode = case
    axes = list(zip(shape[2:], *rest, strict=True))
    out = tuple([window_count(*axis, ceil_mode) for axis in axes])

    def elements(place: Any) -> tuple[tuple[int, ...], ...]:
        return tuple(
            [
                tuple([at * s - p + k * d for k in range(size)])
                for at, (_, size, s, p, d) in zip(place, axes, strict=True)
            ]
        )

    return out, elements


def largest(x: Array, case: tuple[Any, ...]) -> tuple[Array, Array]:
    """The definition of `max_pool`."""
    sizes = x.shape[2:]
    out, elements = windows(case)
    found = np.zeros((*x.shape[:2], *out), x.dtype)
    places = np.zeros(found.shape, np.int64)
    for n, c, *place in np.ndindex(*found.shape):
        seen = [
            each
            for each in np.array(np.meshgrid(*elements(place), indexing="ij"))
            .reshape(len(sizes), -1)
            .T
            if all(0 <= at < size for at, size in zip(each, sizes, strict=True))
        ]
        best = seen[0]
        for each in seen:
            value, record = x[(n, c, *each)], x[(n, c, *best)]
            if value > record or value != value:
                best = each
        found[(n, c, *place)] = x[(n, c, *best)]
        places[(n, c, *place)] = np.ravel_multi_index(tuple(best), sizes)
    return found, places


def means(x: Array, case: tuple[Any, ...], include: bool, divisor: int | None) -> Array:
    """The definition of `avg_pool`."""
    sizes, padding = x.shape[2:], case[3]
    out, elements = windows(case)
    found = np.zeros((*x.shape[:2], *out), x.dtype)
    for n, c, *place in np.ndindex(*found.shape):
        seen = elements(place)
        inside = [
            [at for at in axis if 0 <= at < size] for axis, size in zip(seen, sizes, strict=True)
        ]
        counted = [
            [at for at in axis if -p <= at < size + p]
            for axis, size, p in zip(seen, sizes, padding, strict=True)
        ]
        count = divisor or np.prod([len(axis) for axis in (counted if include else inside)])
        found[(n, c, *place)] = x[np.ix_((n,), (c,), *inside)].sum() / count
    return found


def both(operator: Any) -> tuple[Any, Any]:
    """The operator as the backend computes it, and as its body says."""
    return operator, operator.operator.body


def assert_close(actual: pg.Tensor, expected: Array) -> None:
    np.testing.assert_allclose(
        actual.detach().numpy(), expected, rtol=1e-12, atol=1e-12, strict=True
    )


def assert_same(actual: pg.Tensor, expected: Array) -> None:
    np.testing.assert_array_equal(actual.detach().numpy(), expected, strict=True)


# maximum ------------------------------------------------------------------------------------------


@EACH_MAXIMUM
@pytest.mark.parametrize("few", [False, True], ids=["all different", "many equal"])
def test_max_pool_finds_the_first_of_the_largest(case: Any, few: bool) -> None:
    x = values(*case[0])
    if few:
        x = np.round(x)
    found, places = largest(x, case)
    for pool in both(max_pool):
        actual, positions = pool(pg.tensor(x), *case[1:])
        assert_same(actual, found)
        assert_same(positions, places)


@EACH_MAXIMUM
def test_max_pool_keeps_nan_and_finds_the_first_of_nothing_but_minus_infinity(case: Any) -> None:
    x = values(*case[0])
    x[values(*case[0], seed=1) < 0.5] = -np.inf
    x[values(*case[0], seed=2) < -1] = np.nan
    found, places = largest(x, case)
    for pool in both(max_pool):
        actual, positions = pool(pg.tensor(x), *case[1:])
        assert_same(actual, found)
        assert_same(positions, places)


@pytest.mark.parametrize("dtype", [pg.int64, pg.uint8, pg.float16, pg.bfloat16], ids=str)
def test_max_pool_takes_every_ordered_dtype(dtype: pg.DType) -> None:
    case = CASES["padded"]
    x = np.floor(values(*case[0]) * 20) % 100
    found, places = largest(x, case)
    for pool in both(max_pool):
        actual, positions = pool(pg.tensor(x).to(dtype), *case[1:])
        assert actual.dtype is dtype
        assert_same(actual.to(pg.float64), found)
        assert_same(positions, places)


@EACH_MAXIMUM
def test_max_pool_sends_the_cotangent_where_the_largest_was(case: Any) -> None:
    x = values(*case[0])
    _, places = largest(x, case)
    g = values(*places.shape, seed=1)
    expected = np.zeros_like(x)
    for n, c, *place in np.ndindex(*places.shape):
        at = np.unravel_index(places[(n, c, *place)], x.shape[2:])
        expected[(n, c, *at)] += g[(n, c, *place)]
    for pool in both(max_pool):
        leaf = pg.tensor(x).requires_grad_()
        pool(leaf, *case[1:])[0].backward(pg.tensor(g))
        assert leaf.grad is not None
        assert_close(leaf.grad, expected)
    for pull in both(max_pool_backward):
        assert_close(pull(pg.tensor(g), pg.tensor(places), x.shape[2:]), expected)


@pytest.mark.parametrize("name", ["overlapping", "padded", "one axis", "three axes"])
def test_max_pool_has_derivatives_of_first_and_second_order(name: str) -> None:
    shape, *rest = ALL[name]
    x = np.random.default_rng(0).permutation(int(np.prod(shape[1:]))).reshape(1, *shape[1:])
    check_gradients(lambda x: max_pool(x, *rest)[0] ** 2, x / 10)


# mean ---------------------------------------------------------------------------------------------


@EACH_CASE
@pytest.mark.parametrize(
    ("include", "divisor"),
    [(True, None), (False, None), (True, 5)],
    ids=["with padding", "without", "a divisor"],
)
def test_avg_pool_divides_the_sum_by_what_counts(
    case: Any, include: bool, divisor: int | None
) -> None:
    x = values(*case[0])
    shape, kernel, stride, padding, _, ceil_mode = case
    expected = means(x, case, include, divisor)
    rest = (kernel, stride, padding, ceil_mode, include, divisor)
    for pool in both(avg_pool):
        assert_close(pool(pg.tensor(x), *rest), expected)
    # The gradient is the adjoint: <g, A x> = <A* g, x> for all x and g.
    g = values(*expected.shape, seed=1)
    adjoint = np.zeros_like(x)
    for place in np.ndindex(*shape[2:]):
        unit = np.zeros_like(x)
        unit[(..., *place)] = 1
        weights = means(unit, case, include, divisor) * g
        adjoint[(..., *place)] = weights.sum(tuple(range(2, x.ndim)))
    for pull in both(avg_pool_backward):
        assert_close(pull(pg.tensor(g), shape[2:], *rest), adjoint)
    for pool in both(avg_pool):
        leaf = pg.tensor(x).requires_grad_()
        pool(leaf, *rest).backward(pg.tensor(g))
        assert leaf.grad is not None
        assert_close(leaf.grad, adjoint)


@pytest.mark.parametrize("name", ["hanging over the padding", "three axes"])
def test_avg_pool_has_derivatives_of_first_and_second_order(name: str) -> None:
    shape, kernel, stride, padding, _, ceil_mode = CASES[name]
    rest = (kernel, stride, padding, ceil_mode, False, None)
    check_gradients(lambda x: avg_pool(x, *rest) ** 2, values(1, 1, *shape[2:]))


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16], ids=str)
def test_avg_pool_sums_halves_without_losing_any(dtype: pg.DType) -> None:
    x = pg.full((1, 1, 64, 64), 1.5).to(dtype)
    out = avg_pool2d(x, 64)
    assert out.dtype is dtype
    assert out.item() == 1.5


# PyTorch's conventions ----------------------------------------------------------------------------


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_the_stride_is_the_kernel_unless_given(spatial: int) -> None:
    x = values(2, 3, *(6, 7, 5)[:spatial])
    each = (2,) * spatial, (0,) * spatial, (1,) * spatial
    case = (x.shape, each[0], each[0], each[1], each[2], False)
    largest_of = (max_pool1d, max_pool2d, max_pool3d)[spatial - 1]
    mean_of = (avg_pool1d, avg_pool2d, avg_pool3d)[spatial - 1]
    found, places = largest(x, case)
    tensor = pg.tensor(x)
    assert_same(largest_of(tensor, 2), found)
    assert_same(largest_of(tensor, [2], stride=2), found)
    assert_same(largest_of(tensor, 2, return_indices=True)[1], places)
    assert_close(mean_of(tensor, 2), means(x, case, True, None))
    case = (x.shape, each[0], (1,) * spatial, *case[3:])
    assert_same(largest_of(tensor, 2, 1), largest(x, case)[0])
    assert_close(mean_of(tensor, 2, 1), means(x, case, True, None))


def test_pooling_without_a_batch_axis_gives_such_an_output() -> None:
    x = pg.tensor(values(2, 3, 7, 6))
    alone, places = max_pool2d(x[1], 3, 2, 1, return_indices=True)
    found, expected = max_pool2d(x, 3, 2, 1, return_indices=True)
    assert_same(alone, found.numpy()[1])
    assert_same(places, expected.numpy()[1])
    assert_same(max_pool2d(x[1], 3, 2, 1), found.numpy()[1])
    assert_same(avg_pool2d(x[1], 3), avg_pool2d(x, 3).numpy()[1])
    assert_same(adaptive_avg_pool2d(x[1], 4), adaptive_avg_pool2d(x, 4).numpy()[1])
    assert_same(adaptive_max_pool2d(x[1], 4), adaptive_max_pool2d(x, 4).numpy()[1])


def bins(size: int, count: int) -> list[slice]:
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


@pytest.mark.parametrize(
    ("sizes", "out"),
    [
        *[((7,), 3), ((6,), 3), ((3,), 7), ((5, 4), 1), ((7, 8), (3, 2)), ((6, 8), (3, 4))],
        *[((7, 6), (None, 4)), ((5, 4, 6), (2, 3, 4)), ((2, 3, 4), 2)],
    ],
    ids=str,
)
def test_adaptive_pooling_covers_the_input_evenly(sizes: Any, out: Any) -> None:
    x = np.round(values(2, 3, *sizes))
    spatial = len(sizes)
    wanted = out if isinstance(out, tuple) else (out,) * spatial
    wanted = [own if size is None else size for own, size in zip(sizes, wanted, strict=True)]
    cuts = [bins(own, size) for own, size in zip(sizes, wanted, strict=True)]
    mean = np.zeros((2, 3, *wanted))
    top, places = np.zeros_like(mean), np.zeros(mean.shape, np.int64)
    positions = np.arange(np.prod(sizes)).reshape(sizes)
    for n, c, *place in np.ndindex(*mean.shape):
        window = tuple([cut[at] for cut, at in zip(cuts, place, strict=True)])
        seen = x[n, c][window]
        mean[(n, c, *place)] = seen.mean()
        top[(n, c, *place)] = seen.max()
        places[(n, c, *place)] = positions[window].reshape(-1)[seen.argmax()]
    tensor = pg.tensor(x)
    mean_of = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[spatial - 1]
    largest_of = (adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d)[spatial - 1]
    assert_close(mean_of(tensor, out), mean)
    found, where = largest_of(tensor, out, return_indices=True)
    assert_same(found, top)
    assert_same(where, places)
    assert_same(largest_of(tensor, out), top)


def test_adaptive_pooling_is_differentiable() -> None:
    x = np.random.default_rng(0).permutation(42).reshape(1, 1, 7, 6) / 10
    check_gradients(lambda x: adaptive_avg_pool2d(x, (3, 4)) ** 2, x)
    check_gradients(lambda x: adaptive_max_pool2d(x, (3, 4)) ** 2, x)


# errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "error", "argument", "shape", "options"),
    [
        (max_pool2d, ShapeError, "input", (5, 5), {"kernel_size": 2}),
        (avg_pool1d, ShapeError, "input", (2, 3, 5, 5), {"kernel_size": 2}),
        (max_pool2d, ShapeError, "kernel_size", (2, 3, 5, 5), {"kernel_size": 6}),
        (avg_pool2d, ShapeError, "kernel_size", (2, 3, 5, 5), {"kernel_size": (2, 6)}),
        (max_pool2d, ArgumentError, "kernel_size", (2, 3, 5, 5), {"kernel_size": (2, 2, 2)}),
        (avg_pool2d, ArgumentError, "kernel_size", (2, 3, 5, 5), {"kernel_size": 0}),
        (max_pool2d, ArgumentError, "stride", (2, 3, 5, 5), {"kernel_size": 2, "stride": 0}),
        (max_pool2d, ArgumentError, "dilation", (2, 3, 5, 5), {"kernel_size": 2, "dilation": 0}),
        (max_pool2d, ArgumentError, "padding", (2, 3, 5, 5), {"kernel_size": 3, "padding": 2}),
        (avg_pool2d, ArgumentError, "padding", (2, 3, 5, 5), {"kernel_size": 2, "padding": 2}),
        (
            *(avg_pool2d, ArgumentError, "divisor_override", (2, 3, 5, 5)),
            {"kernel_size": 2, "divisor_override": 0},
        ),
        (adaptive_avg_pool2d, ArgumentError, "output_size", (2, 3, 5, 5), {"output_size": 0}),
        (adaptive_max_pool2d, ArgumentError, "output_size", (2, 3, 5, 5), {"output_size": (1,)}),
        (adaptive_max_pool1d, ArgumentError, "output_size", (2, 3, 0), {"output_size": 1}),
    ],
)
def test_pooling_refuses(
    pool: Any, error: Any, argument: str, shape: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(error, match=argument) as caught:
        pool(pg.zeros(shape), **options)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("pool", "dtype"), [(max_pool2d, pg.bool), (max_pool2d, pg.complex64), (avg_pool2d, pg.int64)]
)
def test_pooling_refuses_dtypes_without_order_or_mean(pool: Any, dtype: pg.DType) -> None:
    with pytest.raises(DtypeError, match="input"):
        pool(pg.zeros(2, 3, 5, 5, dtype=dtype), 2)


def test_operators_refuse_shapes_that_no_pooling_has() -> None:
    g = pg.zeros(2, 3, 2, 2)
    kernel, nothing = (2, 2), (0, 0)
    with pytest.raises(ShapeError, match="indices"):
        max_pool_backward(g, pg.zeros(2, 3, 2, 3, dtype=pg.int64), (4, 4))
    with pytest.raises(ShapeError, match="output"):
        avg_pool_backward(g, (7, 4), kernel, kernel, nothing, False, True, None)
    with pytest.raises(ShapeError, match="spatial"):
        max_pool(g[0, 0], (2,), (2,), (0,), (1,), False)
    with pytest.raises(ArgumentError, match="stride"):
        avg_pool(g, kernel, (2,), nothing, False, True, None)


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("max_pool1d", (1, 2, 6), {"kernel_size": 2}),
        ("max_pool2d", (1, 2, 6, 6), {"kernel_size": 2, "return_indices": False}),
        ("max_pool3d", (1, 2, 4, 4, 4), {"kernel_size": 2}),
        ("adaptive_max_pool1d", (1, 2, 6), {"output_size": 2}),
        ("adaptive_max_pool2d", (1, 2, 6, 6), {"output_size": 2}),
        ("adaptive_max_pool3d", (1, 2, 4, 4, 4), {"output_size": 2}),
    ],
)
def test_positions_come_always_where_the_name_says_so(name, shape, options):
    x = pg.randn(shape)
    out, places = getattr(F, f"{name}_with_indices")(x, **options)
    wanted = getattr(F, name)(x, **{**options, "return_indices": True})
    assert pg.equal(out, wanted[0])
    assert pg.equal(places, wanted[1])
