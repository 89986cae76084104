"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from plugrad.errors import ShapeError
from plugrad.functions.joining import cat
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements along one axis, parameter after parameter."""
    return cat([each.reshape(each.numel()) for each in parameters])


@no_grad()
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write a vector's elements into the parameters, one after the other."""
    targets = list(parameters)
    count = sum(each.numel() for each in targets)
    if tuple(vec.shape) != (count,):
        raise ShapeError(
            "vector_to_parameters", "vec", expected=str((count,)), got=tuple(vec.shape)
        )
    start = 0
    for each in targets:
        piece = vec[start : start + each.numel()]
        each.copy_(piece.reshape(*each.shape))
        start += each.numel()
