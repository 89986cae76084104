"""The table of operators: a row says what the operands are at a size, and, once for plugrad and
PyTorch, what is called.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from plugrad_bench.inputs import Inputs
from plugrad_bench.sizes import heads, images, square

Function = Callable[..., Any]
Operands = Callable[[Inputs, int], tuple[Any, ...]]


@final
@dataclass(frozen=True, slots=True)
class Row:
    """`operands` draws them for a number of elements, `function` picks from a namespace what is
    called on them. `variant` tells rows of one operator apart. The results of a `random` row differ
    from side to side.
    """

    operator: str
    operands: Operands
    function: Callable[[Any], Function]
    variant: str = ""
    random: bool = False

    @property
    def label(self) -> str:
        """`sum, last axis`."""
        return f"{self.operator}, {self.variant}" if self.variant else self.operator


# Operands.


def vector(draw: Inputs, n: int) -> tuple[Any, ...]:
    return (draw.normal(n),)


def two_vectors(draw: Inputs, n: int) -> tuple[Any, ...]:
    return draw.normal(n), draw.normal(n)


def mask_and_vectors(draw: Inputs, n: int) -> tuple[Any, ...]:
    return draw.mask(n), *two_vectors(draw, n)


def matrix(draw: Inputs, n: int) -> tuple[Any, ...]:
    return (draw.normal(*square(n)),)


def two_matrices(draw: Inputs, n: int) -> tuple[Any, ...]:
    return draw.normal(*square(n)), draw.normal(*square(n))


def factors(draw: Inputs, n: int) -> tuple[Any, ...]:
    rows, columns = square(n)
    return draw.normal(rows, columns), draw.normal(columns, rows)


def layer(draw: Inputs, n: int) -> tuple[Any, ...]:
    rows, columns = square(n)
    return draw.normal(rows, columns), draw.normal(columns, columns), draw.normal(columns)


def rows_and_parameters(draw: Inputs, n: int) -> tuple[Any, ...]:
    rows, columns = square(n)
    return draw.normal(rows, columns), draw.ones(columns), draw.zeros(columns)


def channels_and_statistics(draw: Inputs, n: int) -> tuple[Any, ...]:
    shape = images(n)
    mean, variance = draw.zeros(shape[1]), draw.ones(shape[1])
    return draw.normal(*shape), mean, variance, draw.ones(shape[1]), draw.zeros(shape[1])


def scores_and_classes(draw: Inputs, n: int) -> tuple[Any, ...]:
    rows, columns = square(n)
    return draw.normal(rows, columns), draw.below(columns, rows)


def matrix_and_rows(draw: Inputs, n: int) -> tuple[Any, ...]:
    rows, columns = square(n)
    return draw.normal(rows, columns), draw.below(rows, rows)


def matrix_and_places(draw: Inputs, n: int) -> tuple[Any, ...]:
    rows, columns = square(n)
    return draw.normal(rows, columns), draw.below(columns, rows, columns)


def queries_keys_values(draw: Inputs, n: int) -> tuple[Any, ...]:
    return draw.normal(*heads(n)), draw.normal(*heads(n)), draw.normal(*heads(n))


def pictures(draw: Inputs, n: int) -> tuple[Any, ...]:
    return (draw.normal(*images(n)),)


def pictures_and_filters(kernel: int) -> Operands:
    def draw_both(draw: Inputs, n: int) -> tuple[Any, ...]:
        shape = images(n)
        return draw.normal(*shape), draw.normal(shape[1], shape[1], kernel, kernel)

    return draw_both


def leaves(operands: Operands) -> Operands:
    """The same operands; what has a gradient wants it."""

    def drawn(draw: Inputs, n: int) -> tuple[Any, ...]:
        return tuple([x.requires_grad_(x.is_floating_point()) for x in operands(draw, n)])

    return drawn


# Functions that are more than a name.


def layer_norm(xp: Any) -> Function:
    norm = xp.nn.functional.layer_norm
    return lambda x, weight, bias: norm(x, weight.shape, weight, bias)


def layer_norm_backward(xp: Any) -> Function:
    norm, grad = layer_norm(xp), xp.autograd.grad
    return lambda x, weight, bias: grad(norm(x, weight, bias).sum(), (x, weight, bias))


def batch_norm(xp: Any) -> Function:
    norm = xp.nn.functional.batch_norm
    return lambda x, mean, variance, weight, bias: norm(x, mean, variance, weight, bias, True)


def cross_entropy_backward(xp: Any) -> Function:
    loss, grad = xp.nn.functional.cross_entropy, xp.autograd.grad
    return lambda scores, classes: grad(loss(scores, classes), (scores,))


def embedding_backward(xp: Any) -> Function:
    embedding, grad = xp.nn.functional.embedding, xp.autograd.grad
    return lambda table, tokens: grad(embedding(tokens, table).sum(), (table,))


def convolution(**options: int) -> Callable[[Any], Function]:
    def pick(xp: Any) -> Function:
        conv2d = xp.nn.functional.conv2d
        return lambda x, weight: conv2d(x, weight, **options)

    return pick


def halving(name: str) -> Callable[[Any], Function]:
    def pick(xp: Any) -> Function:
        pool = getattr(xp.nn.functional, name)
        return lambda x: pool(x, 2)

    return pick


def chain_backward(xp: Any) -> Function:
    grad = xp.autograd.grad
    return lambda x, y: grad(((x * y + y).tanh() * y).sum(), (x, y))


#: By family, in the order of the table.
ROWS: dict[str, tuple[Row, ...]] = {
    "elementwise": (
        Row("add", two_vectors, lambda xp: operator.add),
        Row("mul", two_vectors, lambda xp: operator.mul),
        Row("exp", vector, lambda xp: xp.exp),
        Row("tanh", vector, lambda xp: xp.tanh),
        Row("gelu", vector, lambda xp: xp.nn.functional.gelu),
        Row("relu", vector, lambda xp: xp.relu),
        Row("where", mask_and_vectors, lambda xp: xp.where),
        Row("cast", vector, lambda xp: lambda x: x.to(xp.float64), "to float64"),
        Row("cast", vector, lambda xp: lambda x: x.to(xp.bfloat16), "to bfloat16"),
    ),
    "reduction": (
        Row("sum", matrix, lambda xp: lambda x: x.sum(0), "first axis"),
        Row("sum", matrix, lambda xp: lambda x: x.sum(1), "last axis"),
        Row("sum", matrix, lambda xp: xp.sum, "all axes"),
        Row("mean", matrix, lambda xp: lambda x: x.mean(1), "last axis"),
        Row("max", matrix, lambda xp: xp.max, "all axes"),
        Row("argmax", matrix, lambda xp: lambda x: x.argmax(1), "last axis"),
        Row("cumsum", matrix, lambda xp: lambda x: x.cumsum(1), "last axis"),
    ),
    "normalization and loss": (
        Row("softmax", matrix, lambda xp: lambda x: x.softmax(1)),
        Row("log_softmax", matrix, lambda xp: lambda x: x.log_softmax(1)),
        Row("layer_norm", rows_and_parameters, layer_norm),
        Row("layer_norm", leaves(rows_and_parameters), layer_norm_backward, "and back"),
        Row("batch_norm", channels_and_statistics, batch_norm, "training"),
        Row("cross_entropy", leaves(scores_and_classes), cross_entropy_backward, "and back"),
    ),
    "layout and indexing": (
        Row("transpose", matrix, lambda xp: lambda x: x.t().contiguous(), "copied"),
        Row("cat", two_matrices, lambda xp: lambda x, y: xp.cat((x, y))),
        Row("index_select", matrix_and_rows, lambda xp: lambda x, i: x.index_select(0, i)),
        Row("gather", matrix_and_places, lambda xp: lambda x, i: x.gather(1, i)),
        Row("scatter_add", matrix_and_places, lambda xp: lambda x, i: x.scatter_add(1, i, x)),
        Row("embedding", leaves(matrix_and_rows), embedding_backward, "and back"),
    ),
    "matrix products": (
        Row("matmul", factors, lambda xp: xp.matmul),
        Row("linear", layer, lambda xp: xp.nn.functional.linear),
        Row(
            "scaled_dot_product_attention",
            queries_keys_values,
            lambda xp: xp.nn.functional.scaled_dot_product_attention,
        ),
    ),
    "convolution and pooling": (
        Row("conv2d", pictures_and_filters(1), convolution(), "1×1"),
        Row("conv2d", pictures_and_filters(3), convolution(padding=1), "3×3"),
        Row("conv2d", pictures_and_filters(3), convolution(padding=1, stride=2), "3×3, stride 2"),
        Row("max_pool2d", pictures, halving("max_pool2d")),
        Row("avg_pool2d", pictures, halving("avg_pool2d")),
    ),
    "random": (
        Row("rand", vector, lambda xp: xp.rand_like, random=True),
        Row("randn", vector, lambda xp: xp.randn_like, random=True),
        Row("dropout", vector, lambda xp: xp.nn.functional.dropout, random=True),
    ),
    "autograd": (Row("small chain", leaves(two_vectors), chain_backward, "and back"),),
}
