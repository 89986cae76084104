"""Matrices with orthonormal columns, or rows where there are more of these, as functions of
parameters that are free.
"""

from __future__ import annotations

from typing import Any

from plugrad.creation import eye
from plugrad.dtypes import finfo
from plugrad.errors import ArgumentError, ShapeError, UnsupportedError
from plugrad.functions.decomposition import householder_product, qr
from plugrad.functions.elementwise import allclose
from plugrad.functions.joining import cat
from plugrad.functions.systems import solve
from plugrad.nn.module import Module
from plugrad.nn.utils.parametrize import register_parametrization
from plugrad.ops.systems import matrix_exp
from plugrad.random import randn
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

MAPS = ("matrix_exp", "cayley", "householder")


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """A weight (*, n, k) whose columns are orthonormal, or whose rows are if n < k; of a complex
    dtype, unitary.

    The free parameter X has the weight's shape. With A = L - L^H, where L is its lower triangle,
    "matrix_exp" is the first columns of exp(A) and "cayley" those of (I + A/2) (I - A/2)^-1;
    "householder" is a product of reflections, whose vectors stand below the diagonal of X. The
    default is the first for square and complex matrices, else the last, which takes no complex
    ones.

    With `use_trivialization` the result is multiplied by a fixed orthogonal matrix (M. Lezcano
    Casado, arXiv 1909.09501), the parametrization's buffer `base`: it is chosen when the weight is
    registered or assigned to, so that this is the weight that X = -I stands for. Without, only
    "householder" can be assigned to.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ArgumentError("orthogonal", "name", expected="a parameter's", got=repr(name))
    if weight.ndim < 2:
        raise ShapeError("orthogonal", name, expected="at least two axes", got=weight.shape)
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in MAPS:
        raise ArgumentError(
            "orthogonal", "orthogonal_map", expected=f"one of {', '.join(MAPS)}", got=orthogonal_map
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


class _Orthogonal(Module):
    base: Any

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ArgumentError(
                *("orthogonal", "orthogonal_map"),
                expected="'matrix_exp' or 'cayley' for a complex weight",
                got="'householder'",
            )
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def extra_repr(self) -> str:
        return f"orthogonal_map={self.orthogonal_map!r}"

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        tall = x.mT if wide else x
        made = _reflected(tall) if self.orthogonal_map == "householder" else self._rotated(tall)
        if self.use_trivialization:
            made = self.base @ made
        return made.mT if wide else made

    def _rotated(self, x: Tensor) -> Tensor:
        n, k = x.shape[-2:]
        lower = x.tril()
        if n != k:
            lower = cat([lower, x.new_zeros(*x.shape[:-1], n - k)], -1)
        skew = lower - lower.mH
        if self.orthogonal_map == "matrix_exp":
            turned = matrix_exp(skew)
        else:
            identity = eye(n, dtype=x.dtype, device=x.device)
            turned = solve(identity - 0.5 * skew, identity + 0.5 * skew)
        return turned[..., :k]

    @no_grad()
    def right_inverse(self, weight: Tensor) -> Tensor:
        if weight.shape != self.shape:
            raise ShapeError("orthogonal", "weight", expected=str(self.shape), got=weight.shape)
        tall = weight.mT if weight.shape[-2] < weight.shape[-1] else weight
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise UnsupportedError(
                    *("orthogonal", "weight"),
                    expected="no assignment, without use_trivialization",
                    got=f"one, to a parametrization by {self.orthogonal_map!r}",
                )
            vectors = _reflections(tall)
            return vectors if tall is weight else vectors.mT
        n, k = tall.shape[-2:]
        if n != k:
            more = randn(*tall.shape[:-2], n, n - k, dtype=tall.dtype, device=tall.device)
            self.base = _made_orthogonal(cat([tall, more], -1))
        else:
            self.base = tall.clone() if _is_orthogonal(tall) else _made_orthogonal(tall)
        start = weight.new_zeros(self.shape)
        start.diagonal(0, -2, -1).fill_(-1)
        return start


def _reflected(x: Tensor) -> Tensor:
    """The product of the reflections whose vectors stand below the diagonal, which holds the signs
    of the columns and is not learnt.
    """
    vectors = x.tril(-1)
    factors = 2 / (1 + (vectors * vectors).sum(-2))
    signs = x.detach().diagonal(0, -2, -1).int()
    return householder_product(vectors, factors) * signs.unsqueeze(-2)


def _reflections(matrix: Tensor) -> Tensor:
    """What `_reflected` makes the orthogonal factor of a matrix of: column by column the vector
    that reflects what is left of it onto the diagonal.
    """
    rest = matrix.clone()
    found = matrix.new_zeros(matrix.shape)
    for i in range(matrix.shape[-1]):
        column = rest[..., i:, i]
        first, length = column[..., 0], column.norm(dim=-1)
        sign = (first >= 0).to(matrix.dtype) * 2 - 1
        pivot = first + sign * length
        vector = column / pivot.where(pivot != 0, 1).unsqueeze(-1)
        vector[..., 0] = 1
        found[..., i:, i] = vector
        # The reflection takes the column to minus its sign.
        found[..., i, i] = -sign
        factor = 2 / (vector * vector).sum(-1)
        shares = (vector.unsqueeze(-2) @ rest[..., i:, i:]) * factor[..., None, None]
        rest[..., i:, i:] -= vector.unsqueeze(-1) * shares
    return found


def _is_orthogonal(matrix: Tensor) -> bool:
    n, k = matrix.shape[-2:]
    identity = eye(k, dtype=matrix.dtype, device=matrix.device)
    return allclose(matrix.mH @ matrix, identity, atol=10 * n * finfo(matrix.dtype).eps)


def _made_orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal factor of a decomposition whose triangular one has a positive diagonal."""
    q, r = qr(matrix)
    return q * r.diagonal(0, -2, -1).sgn().unsqueeze(-2)
