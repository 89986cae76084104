"""Activations that are also methods of Tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plugrad.errors import ShapeError
from plugrad.families import delivers
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import abs as _abs

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """`leaky_relu` with a learnt slope, one for all or one per channel (axis 1)."""
    if weight.ndim > 1:
        raise ShapeError("prelu", "weight", expected="no axis, or one", got=weight.shape)
    if weight.numel() > 1 and input.ndim > 1:
        weight = weight.reshape(-1, *(1,) * (input.ndim - 2))
    elif not input.ndim:
        weight = weight.reshape(())
    return where(input > 0, input, input * weight)


@delivers
def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """`input`, but 0 from -lambd to lambd."""
    return where(_abs(input) <= lambd, 0, input)
