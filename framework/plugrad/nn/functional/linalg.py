"""Linear maps, norms and distances."""

from __future__ import annotations

from collections.abc import Sequence

from plugrad.errors import DtypeError, ShapeError
from plugrad.families import deliver, delivers
from plugrad.functions.grids import broadcast_tensors
from plugrad.functions.norms import norm
from plugrad.functions.norms import pdist as pdist
from plugrad.ops import linalg
from plugrad.ops.elementwise import clamp_min
from plugrad.ops.linalg import matmul
from plugrad.tensor import Tensor


def linear(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None
) -> Tensor:
    """`input @ weight.T + bias`; `weight` is (out_features, in_features)."""
    found = linalg.linear(input, weight, bias)
    return found if out is None else deliver("linear", found, out)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`input1 @ weight[o] @ input2` for each output o; `weight` is (out_features, in1, in2)."""
    if weight.ndim != 3 or (input1.shape[-1], input2.shape[-1]) != weight.shape[1:]:
        raise ShapeError(
            "bilinear",
            "weight",
            expected=f"(out_features, {input1.shape[-1]}, {input2.shape[-1]})",
            got=weight.shape,
        )
    half = matmul(input1.reshape(*input1.shape[:-1], 1, 1, input1.shape[-1]), weight)
    out = matmul(half, input2.reshape(*input2.shape[:-1], 1, input2.shape[-1], 1))
    out = out.reshape(*out.shape[:-2])
    return out if bias is None else out + bias


@delivers
def normalize(
    input: Tensor,
    p: float = 2.0,
    dim: int | Sequence[int] = 1,
    eps: float = 1e-12,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """`input` over its p-norm along `dim`, taken as at least `eps`."""
    return input / clamp_min(norm(input, p, dim, True), eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`; norms count as at least `eps`."""
    if x1.is_complex() or x2.is_complex():
        raise DtypeError("cosine_similarity", "x1", expected="real numbers", got=x1.dtype)
    x1, x2 = broadcast_tensors(x1, x2)
    first = clamp_min(norm(x1, 2, dim, True), eps)
    second = clamp_min(norm(x2, 2, dim, True), eps)
    return ((x1 / first) * (x2 / second)).sum(dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm, along the last axis, of `x1 - x2 + eps`."""
    return norm(x1 - x2 + eps, p, -1, keepdim)
