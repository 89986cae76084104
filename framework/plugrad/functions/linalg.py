"""Products, as users call them; each insists on its operands' axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugrad.errors import ShapeError
from plugrad.ops import linalg, views
from plugrad.ops.linalg import matmul as matmul

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


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """`beta * input + alpha * mat1 @ mat2`."""
    product = mm(mat1, mat2)
    product = product if alpha == 1 else product * alpha
    return product + (input if beta == 1 else input * beta)


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
