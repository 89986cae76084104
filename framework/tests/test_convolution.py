"""Convolution against its definition, element by element; kernels against bodies; derivatives."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions.convolution import (
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
)
from plugrad.ops.convolution import (
    convolution,
    convolution_input_gradient,
    convolution_weight_gradient,
)

from .helpers import check_gradients

Array = np.ndarray[Any, np.dtype[Any]]

# input, weight, stride, padding, dilation, groups
CASES: dict[str, tuple[Any, ...]] = {
    "plain": ((2, 3, 5, 6), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    "padded": ((2, 2, 4, 5), (3, 2, 3, 3), (1, 1), (1, 2), (1, 1), 1),
    "padded beyond the kernel": ((2, 3, 4, 5), (2, 3, 2, 3), (1, 1), (3, 0), (1, 1), 1),
    "strided": ((2, 2, 7, 8), (3, 2, 3, 3), (2, 3), (1, 0), (1, 1), 1),
    "strided past the kernel": ((2, 2, 8, 9), (3, 2, 2, 1), (3, 4), (0, 1), (1, 1), 1),
    "dilated": ((2, 2, 8, 9), (3, 2, 3, 2), (1, 1), (2, 1), (2, 3), 1),
    "strided and dilated": ((2, 2, 9, 9), (3, 2, 3, 3), (2, 3), (2, 1), (3, 2), 1),
    "grouped": ((2, 4, 5, 5), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    "grouped to fewer channels": ((2, 6, 5, 5), (2, 3, 3, 2), (2, 1), (1, 0), (1, 1), 2),
    "depthwise": ((2, 4, 5, 5), (4, 1, 3, 3), (1, 1), (1, 1), (1, 1), 4),
    "pointwise": ((2, 3, 4, 5), (5, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "pointwise and grouped": ((2, 4, 4, 5), (4, 2, 1, 1), (1, 1), (0, 0), (1, 1), 2),
    "pointwise and strided": ((2, 3, 5, 5), (4, 3, 1, 1), (2, 2), (1, 0), (1, 1), 1),
    "one window": ((2, 2, 3, 3), (3, 2, 3, 3), (2, 2), (0, 0), (1, 1), 1),
    "no batch": ((0, 2, 5, 5), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "one axis": ((3, 2, 9), (4, 2, 3), (2,), (1,), (2,), 1),
    "one axis, one filter": ((3, 2, 5), (1, 2, 2), (1,), (0,), (1,), 1),
    "three axes": ((2, 2, 4, 5, 3), (2, 1, 2, 3, 2), (2, 1, 1), (1, 1, 0), (1, 2, 1), 2),
}
EACH_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def values(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def operands(case: tuple[Any, ...]) -> tuple[Array, Array, Array]:
    return values(*case[0]), values(*case[1], seed=1), values(case[1][0], seed=2)


def cross_correlation(
    x: Array, weight: Array, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    """The definition: every output element is a sum over its window."""
    padded = np.pad(x, [(0, 0), (0, 0), *[(margin, margin) for margin in padding]])
    kernel = weight.shape[2:]
    reach = [step * (size - 1) + 1 for size, step in zip(kernel, dilation, strict=True)]
    sizes = padded.shape[2:]
    out_sizes = [
        (size - each) // hop + 1 for size, each, hop in zip(sizes, reach, stride, strict=True)
    ]
    out = np.zeros((len(x), len(weight), *out_sizes), x.dtype)
    share, filters = weight.shape[1], len(weight) // groups
    for n, o, *place in np.ndindex(*out.shape):
        starts = [at * hop for at, hop in zip(place, stride, strict=True)]
        window = [
            slice(start, start + each, step)
            for start, each, step in zip(starts, reach, dilation, strict=True)
        ]
        first = o // filters * share
        seen = padded[(n, slice(first, first + share), *window)]
        out[(n, o, *place)] = (seen * weight[o]).sum()
    return out


def adjoints(case: tuple[Any, ...], x: Array, weight: Array, y: Array) -> tuple[Array, Array]:
    """What `y` pulls back to input and weight, one unit vector of either at a time."""
    of_x, of_weight = np.zeros_like(x), np.zeros_like(weight)
    for place in np.ndindex(*x.shape):
        unit = np.zeros_like(x)
        unit[place] = 1
        of_x[place] = (cross_correlation(unit, weight, *case[2:]) * y).sum()
    for place in np.ndindex(*weight.shape):
        unit = np.zeros_like(weight)
        unit[place] = 1
        of_weight[place] = (cross_correlation(x, unit, *case[2:]) * y).sum()
    return of_x, of_weight


def batch_innermost(array: Array) -> pg.Tensor:
    """The same numbers, the batch axis last in memory, as kernels leave them."""
    return pg.from_numpy(np.ascontiguousarray(np.moveaxis(array, 0, -1))).movedim(-1, 0)


def assert_close(actual: pg.Tensor, expected: Array, tolerance: float = 1e-12) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(
        actual.detach().numpy(), expected, rtol=tolerance, atol=tolerance, strict=True
    )


# values -------------------------------------------------------------------------------------------


@EACH_CASE
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_convolution_is_the_sum_over_each_window(case: Any, bias: bool) -> None:
    x, weight, offset = operands(case)
    expected = cross_correlation(x, weight, *case[2:])
    if bias:
        expected = expected + offset.reshape(-1, *(1,) * (x.ndim - 2))
    tensors = (pg.tensor(x), pg.tensor(weight), pg.tensor(offset) if bias else None)
    for convolve in (convolution, convolution.operator.body):
        assert convolve is not None
        assert_close(convolve(*tensors, *case[2:]), expected)


@EACH_CASE
def test_gradients_are_the_adjoints_of_the_definition(case: Any) -> None:
    x, weight, _ = operands(case)
    y = values(*cross_correlation(x, weight, *case[2:]).shape, seed=3)
    of_x, of_weight = adjoints(case, x, weight, y)
    inputs = (pg.tensor(y), pg.tensor(weight), x.shape[2:], *case[2:])
    for pull in (convolution_input_gradient, convolution_input_gradient.operator.body):
        assert pull is not None
        assert_close(pull(*inputs), of_x)
    inputs = (pg.tensor(y), pg.tensor(x), weight.shape[2:], *case[2:])
    for pull in (convolution_weight_gradient, convolution_weight_gradient.operator.body):
        assert pull is not None
        assert_close(pull(*inputs), of_weight)


@EACH_CASE
def test_order_in_memory_makes_no_difference(case: Any) -> None:
    x, weight, bias = operands(case)
    filters = (pg.tensor(weight), pg.tensor(bias))
    out = convolution(pg.tensor(x), *filters, *case[2:])
    assert_close(convolution(batch_innermost(x), *filters, *case[2:]), out.numpy())


@pytest.mark.parametrize(
    ("shape", "groups", "stride", "dilation"),
    [
        ((16, 5, 16, 8), 1, 1, 1),
        ((8, 2, 15, 24), 1, 2, 1),
        ((8, 2, 15, 24), 1, 1, 2),
        ((4, 8, 12, 13), 1, 2, 2),
        ((8, 3, 70, 64), 1, 1, 1),
        ((16, 1, 2, 48, 48), 1, 1, 1),
        ((8, 8, 64, 64), 8, 1, 1),
    ],
    ids=str,
)
def test_large_inputs_are_the_same_block_by_block(
    shape: tuple[int, ...], groups: int, stride: int, dilation: int
) -> None:
    # Enough for wide rows, for several tiles, or for columns that exceed any sensible block.
    spatial = len(shape) - 2
    kernel = (3,) * spatial
    x = values(*shape).astype("f")
    weight = values(8, shape[1] // groups, *kernel, seed=1).astype("f")
    rest = ((stride,) * spatial, (1,) * spatial, (dilation,) * spatial, groups)
    out = convolution(pg.tensor(x), pg.tensor(weight), None, *rest)
    y = values(*out.shape, seed=2).astype("f")
    for operator, inputs in (
        (convolution, (x, weight, None, *rest)),
        (convolution_input_gradient, (y, weight, shape[2:], *rest)),
        (convolution_weight_gradient, (y, x, kernel, *rest)),
    ):
        arguments = [pg.tensor(each) if isinstance(each, np.ndarray) else each for each in inputs]
        body = operator.operator.body
        assert body is not None
        expected = body(*arguments).numpy()
        size = float(np.abs(expected).max())
        assert_close(operator(*arguments) / size, expected / size, 1e-5)


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16, pg.float32], ids=str)
def test_narrow_dtypes_are_rounded_once(dtype: pg.DType) -> None:
    x, weight, bias = operands(CASES["padded"])
    rest = CASES["padded"][2:]
    narrow = [pg.tensor(each).to(dtype) for each in (x, weight, bias)]
    out = convolution(*narrow, *rest)
    assert out.dtype is dtype
    exact = convolution(*[each.to(pg.float64) for each in narrow], *rest)
    tolerance = {pg.float16: 1e-3, pg.bfloat16: 8e-3, pg.float32: 1e-6}[dtype]
    assert_close(out.to(pg.float64), exact.numpy(), tolerance)


# derivatives --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["strided and dilated", "grouped", "pointwise", "padded", "one axis", "depthwise"]
)
def test_derivatives_of_first_and_second_order(name: str) -> None:
    shape, filters, *rest = CASES[name]
    # Two channels a group, and space for a few windows, are enough: differences are slow.
    x = values(1, *shape[1:3], *[min(size, 7) for size in shape[3:]])
    weight, bias = values(*filters, seed=1), values(filters[0], seed=2)
    check_gradients(lambda *tensors: convolution(*tensors, *rest), x, weight, bias)


@pytest.mark.parametrize("name", ["strided", "grouped", "one axis"])
def test_kernel_and_body_have_the_same_derivative(name: str) -> None:
    case = CASES[name]
    found = []
    for convolve in (convolution, convolution.operator.body):
        assert convolve is not None
        leaves = [pg.tensor(each).requires_grad_() for each in operands(case)]
        (convolve(*leaves, *case[2:]) ** 3).sum().backward()
        found.append([leaf.grad.numpy() for leaf in leaves if leaf.grad is not None])
    for of_kernel, of_body in zip(*found, strict=True):
        np.testing.assert_allclose(of_kernel, of_body, rtol=1e-10)


def test_each_gradient_is_differentiable_in_both_operands() -> None:
    _, filters, *rest = CASES["strided"]
    y, x, weight = values(1, 3, 4, 2), values(1, 2, 7, 8, seed=1), values(*filters, seed=2)
    assert convolution(pg.tensor(x), pg.tensor(weight), None, *rest).shape == y.shape
    check_gradients(
        lambda y, weight: convolution_input_gradient(y, weight, (7, 8), *rest),
        *(y, weight),
        second_order=False,
    )
    check_gradients(
        lambda y, x: convolution_weight_gradient(y, x, (3, 3), *rest),
        *(y, x),
        second_order=False,
    )


def test_complex_convolution_follows_the_conjugate_convention() -> None:
    x, weight = values(1, 2, 6, 2), values(3, 2, 2, 2, seed=1)

    def on_parts(x: pg.Tensor, weight: pg.Tensor) -> pg.Tensor:
        out = conv1d(pg.view_as_complex(x), pg.view_as_complex(weight))
        return pg.view_as_real(out)

    check_gradients(on_parts, x, weight)


# PyTorch's conventions ----------------------------------------------------------------------------


@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_one_number_stands_for_all_axes(spatial: int) -> None:
    convolve = (conv1d, conv2d, conv3d)[spatial - 1]
    x, weight = values(2, 2, *(6, 7, 5)[:spatial]), values(4, 1, *(2,) * spatial, seed=1)
    each = [(number,) * spatial for number in (2, 1, 2)]
    expected = cross_correlation(x, weight, *each, 2)
    x, weight = pg.tensor(x), pg.tensor(weight)
    assert_close(convolve(x, weight, None, 2, 1, 2, 2), expected)
    assert_close(convolve(x, weight, None, [2], [1], [2], groups=2), expected)
    assert_close(convolve(x, weight, None, *each, 2), expected)


def test_input_without_a_batch_axis_gives_such_an_output() -> None:
    x, weight, bias = values(2, 5, 6), values(3, 2, 2, 2, seed=1), values(3, seed=2)
    alone = conv2d(pg.tensor(x), pg.tensor(weight), pg.tensor(bias))
    batch = conv2d(pg.tensor(x[None]), pg.tensor(weight), pg.tensor(bias))
    assert_close(alone, batch.numpy()[0])


@pytest.mark.parametrize(("size", "dilation"), list(product((1, 2, 3, 4), (1, 2))))
def test_same_padding_keeps_the_size_and_puts_the_odd_element_last(
    size: int, dilation: int
) -> None:
    x, weight = values(2, 2, 9), values(3, 2, size, seed=1)
    total = dilation * (size - 1)
    padded = np.pad(x, [(0, 0), (0, 0), (total // 2, total - total // 2)])
    out = conv1d(pg.tensor(x), pg.tensor(weight), padding="same", dilation=dilation)
    assert_close(out, cross_correlation(padded, weight, (1,), (0,), (dilation,), 1))
    assert out.shape[2] == 9


def test_valid_padding_is_none() -> None:
    x, weight = pg.tensor(values(2, 2, 9)), pg.tensor(values(3, 2, 4, seed=1))
    assert_close(conv1d(x, weight, padding="valid"), conv1d(x, weight).numpy())


@pytest.mark.parametrize(
    ("stride", "padding", "extra", "dilation", "groups"),
    [(1, 0, 0, 1, 1), (2, 1, 1, 1, 2), (3, 1, 2, 2, 1), (1, 1, 1, 2, 2), (2, 2, 2, 3, 1)],
)
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_transposed_convolution_scatters_each_element_over_its_window(
    spatial: int, stride: int, padding: int, extra: int, dilation: int, groups: int
) -> None:
    x = values(2, 4, *(3, 4, 2)[:spatial])
    weight, bias = values(4, 3, *(3, 2, 2)[:spatial], seed=1), values(3 * groups, seed=2)
    kernel = weight.shape[2:]
    whole = [
        (n - 1) * stride + dilation * (k - 1) + 1 + extra
        for n, k in zip(x.shape[2:], kernel, strict=True)
    ]
    expected = np.zeros((2, 3 * groups, *whole))
    for n, c, *place in np.ndindex(*x.shape):
        window = [
            slice(at * stride, at * stride + dilation * (k - 1) + 1, dilation)
            for at, k in zip(place, kernel, strict=True)
        ]
        first = c // (4 // groups) * 3
        expected[(n, slice(first, first + 3), *window)] += x[(n, c, *place)] * weight[c]
    expected = expected[(..., *[slice(padding, size - padding) for size in whole])]
    expected = expected + bias.reshape(-1, *(1,) * spatial)
    convolve = (conv_transpose1d, conv_transpose2d, conv_transpose3d)[spatial - 1]
    x, weight, bias = pg.tensor(x), pg.tensor(weight), pg.tensor(bias)
    assert_close(convolve(x, weight, bias, stride, padding, extra, groups, dilation), expected)
    alone = convolve(x[0], weight, bias, stride, padding, extra, groups, dilation)
    assert_close(alone, expected[0])


# errors -------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, ...]] = {
    "too few axes": (ShapeError, "input", {"x": (3, 5)}),
    "another number of axes": (ShapeError, "weight", {"weight": (4, 3, 3)}),
    "channels that do not fit": (ShapeError, "input", {"x": (2, 4, 5, 5)}),
    "filters that groups do not divide": (ShapeError, "weight", {"x": (2, 9, 5, 5), "groups": 3}),
    "a bias of another length": (ShapeError, "bias", {"bias": (3,)}),
    "a window larger than the input": (ShapeError, "kernel_size", {"x": (2, 3, 2, 5)}),
    "no stride": (ArgumentError, "stride", {"stride": (0, 1)}),
    "negative padding": (ArgumentError, "padding", {"padding": (0, -1)}),
    "no dilation": (ArgumentError, "dilation", {"dilation": (1, 0)}),
    "a stride too few": (ArgumentError, "stride", {"stride": (1,)}),
    "no groups": (ArgumentError, "groups", {"groups": 0}),
    "integers": (DtypeError, "input", {"dtype": pg.int64}),
    "a weight of another dtype": (DtypeError, "weight", {"weight_dtype": pg.float16}),
    "a bias of another dtype": (DtypeError, "bias", {"bias_dtype": pg.float16}),
}


@pytest.mark.parametrize(("error", "argument", "change"), REFUSED.values(), ids=REFUSED)
def test_convolution_refuses(error: Any, argument: str, change: dict[str, Any]) -> None:
    dtype = change.get("dtype", pg.float32)
    x = pg.zeros(change.get("x", (2, 3, 5, 5)), dtype=dtype)
    weight = pg.zeros(change.get("weight", (4, 3, 3, 3)), dtype=change.get("weight_dtype", dtype))
    bias = pg.zeros(change.get("bias", (4,)), dtype=change.get("bias_dtype", dtype))
    rest = [
        change.get(name, (default, default))
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    ]
    with pytest.raises(error, match=argument) as caught:
        convolution(x, weight, bias, *rest, change.get("groups", 1))
    assert caught.value.operator == "convolution"
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("operator", "shapes", "sizes", "argument"),
    [
        (convolution_input_gradient, ((2, 5, 3, 3), (4, 3, 3, 3)), (5, 5), "y"),
        (convolution_input_gradient, ((2, 4, 3, 4), (4, 3, 3, 3)), (5, 5), "y"),
        (convolution_weight_gradient, ((2, 4, 3, 3), (3, 3, 5, 5)), (3, 3), "y"),
        (convolution_weight_gradient, ((2, 4, 3, 4), (2, 3, 5, 5)), (3, 3), "y"),
        (convolution_weight_gradient, ((2, 3, 3, 3), (2, 4, 5, 5)), (3, 3), "y"),
        (convolution_weight_gradient, ((2, 4, 3, 3), (2, 3, 5, 5)), (3, 3), "input"),
    ],
    ids=["channels", "sizes", "batch", "sizes of weight's", "groups of y", "groups of input"],
)
def test_gradients_refuse_shapes_that_no_convolution_has(
    operator: Any, shapes: Any, sizes: Any, argument: str
) -> None:
    groups = 2 if shapes[0][0] == shapes[1][0] and shapes[0][2:] == (3, 3) else 1
    with pytest.raises(ShapeError, match=argument) as caught:
        operator(*[pg.zeros(shape) for shape in shapes], sizes, (1, 1), (0, 0), (1, 1), groups)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("error", "argument", "options"),
    [
        (ArgumentError, "padding", {"padding": "full"}),
        (ArgumentError, "stride", {"padding": "same", "stride": 2}),
        (ArgumentError, "stride", {"stride": (1, 1, 1)}),
        (DtypeError, "dilation", {"dilation": 1.5}),
    ],
    ids=["a padding of no name", "same with a stride", "a number too many", "a fraction"],
)
def test_conv2d_refuses(error: Any, argument: str, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=argument) as caught:
        conv2d(pg.zeros(2, 3, 5, 5), pg.zeros(4, 3, 3, 3), **options)
    assert (caught.value.operator, caught.value.argument) == ("conv2d", argument)


def test_conv2d_refuses_an_input_of_other_axes() -> None:
    with pytest.raises(ShapeError, match="3 axes"):
        conv2d(pg.zeros(5, 5), pg.zeros(4, 3, 3, 3))


@pytest.mark.parametrize(
    ("error", "argument", "shapes", "options"),
    [
        (ArgumentError, "output_padding", ((4, 3), (4, 3, 2)), {"output_padding": 1}),
        (ShapeError, "weight", ((4, 3), (4, 3)), {}),
        (ShapeError, "bias", ((4, 3), (4, 3, 2)), {"bias": 5}),
        (ShapeError, "input", ((4, 3), (4, 3, 2)), {"padding": 2}),
    ],
    ids=["output padding of a stride", "weight axes", "bias", "nothing left"],
)
def test_conv_transpose_refuses(
    error: Any, argument: str, shapes: Any, options: dict[str, Any]
) -> None:
    if "bias" in options:
        options = {"bias": pg.zeros(options["bias"])}
    with pytest.raises(error) as caught:
        conv_transpose1d(*[pg.zeros(shape) for shape in shapes], **options)
    assert (caught.value.operator, caught.value.argument) == ("conv_transpose1d", argument)
