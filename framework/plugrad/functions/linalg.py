"""Products, as users call them; each insists on its operands' axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.errors import ArgumentError, ShapeError
from plugrad.functions.contraction import tensordot
from plugrad.functions.systems import inv
from plugrad.ops import creation, elementwise, joining, linalg, reduction, views
from plugrad.ops.linalg import matmul as matmul
from plugrad.ops.matrices import adjoint as conjugate_transpose
from plugrad.ops.matrices import check_matrices, identity

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices."""
    return linalg.matmul(_with_axes("mm", "input", input, 2), _with_axes("mm", "mat2", mat2, 2))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of two batches of matrices, pair by pair."""
    left, right = _with_axes("bmm", "input", input, 3), _with_axes("bmm", "mat2", mat2, 3)
    if left.shape[0] != right.shape[0]:
        raise ShapeError("bmm", "mat2", expected=f"{left.shape[0]} matrices", got=right.shape)
    return linalg.matmul(left, right)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix and a vector."""
    return linalg.matmul(_with_axes("mv", "input", input, 2), _with_axes("mv", "vec", vec, 1))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Inner product of two vectors, without conjugation."""
    return linalg.matmul(
        _with_axes("dot", "input", input, 1), _with_axes("dot", "tensor", tensor, 1)
    )


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """All products of an element of one vector with one of another."""
    column = views.view(_with_axes("outer", "input", input, 1).contiguous(), (-1, 1))
    return column * _with_axes("outer", "vec2", vec2, 1)


ger = outer


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Inner product of two vectors, the first one conjugated."""
    left = _with_axes("vdot", "input", input, 1)
    return linalg.matmul(left.conj(), _with_axes("vdot", "other", other, 1))


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sum of products along the last axes, of every row of `input` with every row of `other`;
    without conjugation. An operand without axes multiplies the other.
    """
    if not (input.spec.shape and other.spec.shape):
        return elementwise.mul(input, other)
    if input.spec.shape[-1] != other.spec.shape[-1]:
        raise ShapeError(
            "inner",
            "other",
            expected=f"{input.spec.shape[-1]} elements along the last axis",
            got=other.spec.shape,
        )
    return tensordot(input, other, ((-1,), (-1,)))


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """`beta * input + alpha * mat1 @ mat2`; with `beta` 0 what `input` holds does not matter."""
    return _added("addmm", input, mm(mat1, mat2), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * mat @ vec`; with `beta` 0 what `input` holds does not matter."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`beta * input + alpha * outer(vec1, vec2)`; with `beta` 0 what `input` holds does not
    matter.
    """
    return _added("addr", input, outer(vec1, vec2), beta, alpha)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2)`; with `beta` 0 what `input` holds does not
    matter.
    """
    return _added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """`beta * input + alpha` times the sum of all products of `bmm(batch1, batch2)`; with `beta` 0
    what `input` holds does not matter.
    """
    product = reduction.sum(bmm(batch1, batch2), 0)
    return _added("addbmm", input, product, beta, alpha)


def _added(operator: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    product = product if alpha == 1 else product * alpha
    own, target = input.spec.shape, product.spec.shape
    lead = len(target) - len(own)
    fits = lead >= 0 and all(
        [size in (1, whole) for size, whole in zip(own, target[lead:], strict=True)]
    )
    if not fits:
        raise ShapeError(
            operator,
            "input",
            expected=f"a shape that broadcasts to the product's, {product.spec.shape}",
            got=input.spec.shape,
        )
    if beta == 0:
        return product
    return product + (input if beta == 1 else input * beta)


def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: each element of `input` times all of `other`, side by side."""
    count = max(input.ndim, other.ndim)
    ours = (1,) * (count - input.ndim) + input.spec.shape
    theirs = (1,) * (count - other.ndim) + other.spec.shape
    left = views.reshape(input, tuple([size for each in ours for size in (each, 1)]))
    right = views.reshape(other, tuple([size for each in theirs for size in (1, each)]))
    shape = tuple([a * b for a, b in zip(ours, theirs, strict=True)])
    return views.reshape(left * right, shape)


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vectors at right angles to both, of three elements along `dim`; without it along the
    first axis of three elements.
    """
    shape = shapes.broadcast_shapes("cross", input.spec.shape, other.spec.shape)
    if dim is None:
        if 3 not in shape:
            raise ShapeError("cross", "input", expected="an axis of three elements", got=shape)
        axis = shape.index(3)
    else:
        axis = shapes.normalize_dim(dim, len(shape), "cross")
    for name, each in (("input", input), ("other", other)):
        if len(each.spec.shape) != len(shape) or each.spec.shape[axis] != 3:
            raise ShapeError(
                "cross",
                name,
                expected=f"{len(shape)} axes, and three elements along axis {axis}",
                got=each.spec.shape,
            )
    a, b = ([views.slice_dim(each, axis, i, i + 1, 1) for i in range(3)] for each in (input, other))
    parts = [a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3] for i in range(3)]
    return joining.cat(tuple(parts), axis)


def adjoint(input: Tensor) -> Tensor:
    """The conjugates of matrices with their axes exchanged."""
    if input.ndim < 2:
        raise ShapeError("adjoint", "input", expected="at least two axes", got=input.spec.shape)
    return conjugate_transpose(input)


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    return reduction.sum(views.diagonal(_with_axes("trace", "input", input, 2), 0, 0, 1))


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, one after the other, in the order that costs least."""
    for each in matrices:
        _with_axes("chain_matmul", "matrices", each, 2)
    return multi_dot(matrices)


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of matrices, one after the other, in the order that costs least. The first and
    the last may be vectors: a row, and a column.

    The order is found by dynamic programming; Cormen et al., "Introduction to algorithms", 15.2.
    """
    given = list(tensors)
    if len(given) < 2:
        raise ArgumentError("multi_dot", "tensors", expected="at least two tensors", got=len(given))
    first, last = given[0].ndim == 1, given[-1].ndim == 1
    if first:
        given[0] = views.reshape(given[0], (1, given[0].spec.numel))
    if last:
        given[-1] = views.reshape(given[-1], (given[-1].spec.numel, 1))
    for each in given:
        _with_axes("multi_dot", "tensors", each, 2)
    sizes = [given[0].spec.shape[0], *[each.spec.shape[1] for each in given]]
    splits = _cheapest(sizes)

    def multiply(start: int, stop: int) -> Any:
        if stop - start == 1:
            return given[start]
        split = splits[start, stop]
        return linalg.matmul(multiply(start, split), multiply(split, stop))

    out = multiply(0, len(given))
    kept = [n for n, gone in zip(out.spec.shape, (first, last), strict=True) if not gone]
    return views.reshape(out, tuple(kept))


def _cheapest(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product of the matrices from one up to another."""
    count = len(sizes) - 1
    costs = {(i, i + 1): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(2, count + 1):
        for start in range(count - length + 1):
            stop = start + length

            def cost(split: int, start: int = start, stop: int = stop) -> int:
                own = sizes[start] * sizes[split] * sizes[stop]
                return costs[start, split] + costs[split, stop] + own

            best = min(range(start + 1, stop), key=cost)
            splits[start, stop], costs[start, stop] = best, cost(best)
    return splits


def matrix_power(input: Tensor, n: int) -> Tensor:
    """Square matrices multiplied with themselves: `n` factors, or as many inverses if negative."""
    check_matrices("matrix_power", "input", input.spec, square=True, whole=True)
    if n < 0:
        input, n = inv(input), -n
    if n == 0:
        return creation.clone(identity(input, input.spec.shape[-1]))
    out, square = None, input
    while n:
        if n % 2:
            out = square if out is None else linalg.matmul(out, square)
        n //= 2
        square = linalg.matmul(square, square) if n else square
    assert out is not None
    return creation.clone(out) if out is input else out


def _with_axes(operator: str, argument: str, value: Tensor, count: int) -> Tensor:
    if value.ndim != count:
        raise ShapeError(
            operator,
            argument,
            expected=f"{count} {'axis' if count == 1 else 'axes'}",
            got=value.shape,
            hint="use matmul() to broadcast",
        )
    return value
