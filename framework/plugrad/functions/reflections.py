"""Products of Householder's reflections I - tau v vᴴ, as LAPACK keeps them: v in a column below the
diagonal, where its first number, 1, is not stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from plugrad.errors import ShapeError
from plugrad.families import delivers
from plugrad.functions.joining import cat, stack
from plugrad.functions.norms import vector_norm
from plugrad.ops.comparison import where
from plugrad.ops.creation import clone, copy_
from plugrad.ops.elementwise import conj, sub_
from plugrad.ops.linalg import matmul
from plugrad.ops.matrices import adjoint, check_matrices, column, identity, lower

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Reflections(NamedTuple):
    """R in the upper triangle, reflections below it; and their factors."""

    a: Tensor
    tau: Tensor


@delivers
def geqrf(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> Reflections:
    """The QR decomposition, with Q as reflections: see `householder_product` and `ormqr`. It has no
    derivative.
    """
    check_matrices("geqrf", "input", input.spec)
    a = clone(input.detach())
    rows, columns = a.spec.shape[-2:]
    factors = []
    for i in range(min(rows, columns)):
        below = a.narrow(-2, i, rows - i)
        here = below.narrow(-1, i, 1)
        first, rest = clone(here.narrow(-2, 0, 1)), here.narrow(-2, 1, rows - i - 1)
        # A column that is in place already is not turned: LAPACK's tau is 0 then.
        done = vector_norm(rest, dim=-2, keepdim=True) == 0
        if a.is_complex():
            done = done & (first.imag == 0)
        size = vector_norm(here, dim=-2, keepdim=True)
        turned = where(done, first, where(first.real < 0, size, -size))
        tau = where(done, 0, (turned - first) / where(done, 1, turned))
        rest = rest / where(done, 1, first - turned)
        vector = cat([first * 0 + 1, rest], -2)
        right = below.narrow(-1, i + 1, columns - i - 1)
        sub_(right, conj(tau) * matmul(vector, matmul(adjoint(vector), right)))
        copy_(here, cat([turned, rest], -2))
        factors.append(tau.squeeze(-1).squeeze(-1))
    return Reflections(a, stack(factors, -1) if factors else a.new_empty((*a.shape[:-2], 0)))


@delivers
def ormqr(
    input: Tensor,
    input2: Tensor,
    input3: Tensor,
    left: bool = True,
    transpose: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """The product of the square Q of `geqrf`'s reflections, or of its adjoint (`transpose`), with
    `input3`: Q on its left, or on its right. `input2` are the reflections' tau.
    """
    tau, other = input2, input3
    check_matrices("ormqr", "input", input.spec)
    check_matrices("ormqr", "input3", other.spec)
    order, count = input.spec.shape[-2:]
    if other.spec.shape[-2 if left else -1] != order:
        raise ShapeError(
            "ormqr",
            "input3",
            expected=f"{order} {'rows' if left else 'columns'}, as many as input has rows",
            got=other.spec.shape,
        )
    if tau.spec.shape[:-1] != input.spec.shape[:-2] or tau.spec.shape[-1] > min(order, count):
        raise ShapeError(
            "ormqr",
            "input2",
            expected=f"{input.spec.shape[:-2]} times at most {min(order, count)} numbers",
            got=tau.spec.shape,
        )
    if not left:
        return adjoint(ormqr(input, tau, adjoint(other), True, not transpose))
    count = tau.spec.shape[-1]
    ones = identity(input, order).narrow(-1, 0, count)
    vectors = lower(input.narrow(-1, 0, count), -1) + ones
    product = other
    steps = range(count)
    for i in steps if transpose else reversed(steps):
        vector = vectors.narrow(-1, i, 1)
        weight = tau.select(-1, i)
        weight = column(column(conj(weight) if transpose else weight))
        product = product - weight * matmul(vector, matmul(adjoint(vector), product))
    return clone(product) if product is other else product
