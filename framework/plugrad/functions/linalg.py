"""Products, as users call them; each insists on its operands' axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import shapes
from plugrad.dtypes import DType, bfloat16, float16, float32
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import as_operand, deliver, delivers
from plugrad.functions.contraction import tensordot
from plugrad.functions.systems import inv
from plugrad.ops import creation, elementwise, joining, linalg, reduction, systems, views
from plugrad.ops.matrices import adjoint as conjugate_transpose
from plugrad.ops.matrices import check_matrices, identity

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of matrices in the last two axes, the others broadcast; an operand with one axis is a
    vector.
    """
    product = linalg.matmul(input, other)
    return product if out is None else deliver("matmul", product, out)


@delivers
def mm(
    input: Tensor, mat2: Tensor, out_dtype: DType | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Product of two matrices; of 16-bit floats with the sums in float32 and kept so, if
    `out_dtype` asks for it.
    """
    left, right = _widened("mm", input, mat2, out_dtype)
    return linalg.matmul(_with_axes("mm", "input", left, 2), _with_axes("mm", "mat2", right, 2))


@delivers
def bmm(
    input: Tensor, mat2: Tensor, out_dtype: DType | None = None, *, out: Tensor | None = None
) -> Tensor:
    """Products of two batches of matrices, pair by pair; `out_dtype` as in `mm`."""
    left, right = _widened("bmm", input, mat2, out_dtype)
    left, right = _with_axes("bmm", "input", left, 3), _with_axes("bmm", "mat2", right, 3)
    if left.shape[0] != right.shape[0]:
        raise ShapeError("bmm", "mat2", expected=f"{left.shape[0]} matrices", got=right.shape)
    return linalg.matmul(left, right)


def _widened(
    operator: str, left: Tensor, right: Tensor, dtype: DType | None
) -> tuple[Tensor, Tensor]:
    """Operands in the dtype in which their product is wanted."""
    if dtype is None or dtype is left.dtype:
        return left, right
    if dtype is not float32 or left.dtype not in (float16, bfloat16):
        raise DtypeError(
            operator,
            "out_dtype",
            expected=f"{left.dtype}, or float32 for float16 and bfloat16",
            got=dtype,
        )
    return as_operand(left, dtype, None), as_operand(right, dtype, None)


@delivers
def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of a matrix and a vector."""
    return linalg.matmul(_with_axes("mv", "input", input, 2), _with_axes("mv", "vec", vec, 1))


@delivers
def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inner product of two vectors, without conjugation."""
    return linalg.matmul(
        _with_axes("dot", "input", input, 1), _with_axes("dot", "tensor", tensor, 1)
    )


@delivers
def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of an element of one vector with one of another."""
    column = views.view(_with_axes("outer", "input", input, 1).contiguous(), (-1, 1))
    return column * _with_axes("outer", "vec2", vec2, 1)


ger = outer


@delivers
def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inner product of two vectors, the first one conjugated."""
    left = _with_axes("vdot", "input", input, 1)
    return linalg.matmul(left.conj(), _with_axes("vdot", "other", other, 1))


@delivers
def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
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


@delivers
def addmm(
    input: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    out_dtype: DType | None = None,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * mm(mat1, mat2, out_dtype)`; with `beta` 0 what `input` holds does not
    matter.
    """
    return _added("addmm", input, mm(mat1, mat2, out_dtype), beta, alpha)


@delivers
def addmv(
    input: Tensor,
    mat: Tensor,
    vec: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * mat @ vec`; with `beta` 0 what `input` holds does not matter."""
    return _added("addmv", input, mv(mat, vec), beta, alpha)


@delivers
def addr(
    input: Tensor,
    vec1: Tensor,
    vec2: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * outer(vec1, vec2)`; with `beta` 0 what `input` holds does not
    matter.
    """
    return _added("addr", input, outer(vec1, vec2), beta, alpha)


@delivers
def baddbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    out_dtype: DType | None = None,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2, out_dtype)`; with `beta` 0 what `input` holds
    does not matter.
    """
    return _added("baddbmm", input, bmm(batch1, batch2, out_dtype), beta, alpha)


@delivers
def addbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`beta * input + alpha` times the sum of all products of `bmm(batch1, batch2)`; with `beta` 0
    what `input` holds does not matter.
    """
    products = bmm(batch1, batch2)
    total = reduction.sum(products, 0, dtype=products.dtype)
    return _added("addbmm", input, total, beta, alpha)


def _added(operator: str, input: Tensor, product: Tensor, beta: float, alpha: float) -> Tensor:
    product = _scaled(product, alpha)
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
    return product if beta == 0 else product + _scaled(input, beta)


def _scaled(x: Tensor, factor: float) -> Tensor:
    """Without a change of dtype: of integers, by the factor's whole part."""
    return x if factor == 1 else x * as_operand(factor, x.dtype, x.device)


@delivers
def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Kronecker product: each element of `input` times all of `other`, side by side."""
    count = max(input.ndim, other.ndim)
    ours = (1,) * (count - input.ndim) + input.spec.shape
    theirs = (1,) * (count - other.ndim) + other.spec.shape
    left = views.reshape(input, tuple([size for each in ours for size in (each, 1)]))
    right = views.reshape(other, tuple([size for each in theirs for size in (1, each)]))
    shape = tuple([a * b for a, b in zip(ours, theirs, strict=True)])
    return views.reshape(left * right, shape)


@delivers
def cross(
    input: Tensor, other: Tensor, dim: int | None = None, *, out: Tensor | None = None
) -> Tensor:
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


@delivers
def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """The product of matrices, one after the other, in the order that costs least."""
    for each in matrices:
        _with_axes("chain_matmul", "matrices", each, 2)
    return multi_dot(matrices)


@delivers
def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
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

    product = multiply(0, len(given))
    kept = [n for n, gone in zip(product.spec.shape, (first, last), strict=True) if not gone]
    return views.reshape(product, tuple(kept))


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


@delivers
def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Square matrices multiplied with themselves: `n` factors, or as many inverses if negative."""
    check_matrices("matrix_power", "input", input.spec, square=True, whole=True)
    if n < 0:
        input, n = inv(input), -n
    if n == 0:
        return creation.clone(identity(input, input.spec.shape[-1]))
    power, square = None, input
    while n:
        if n % 2:
            power = square if power is None else linalg.matmul(power, square)
        n //= 2
        square = linalg.matmul(square, square) if n else square
    assert power is not None
    return creation.clone(power) if power is input else power


def matrix_exp(input: Tensor) -> Tensor:
    """The matrix exponential, Σ Aᵏ / k!; of 16-bit floats computed in float32."""
    if input.dtype in (float16, bfloat16):
        wide = systems.matrix_exp(as_operand(input, float32, None))
        return as_operand(wide, input.dtype, None)
    return systems.matrix_exp(input)


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
