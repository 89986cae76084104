"""Dropout: elements zeroed at random in training, the rest scaled up so that the mean stays."""

from __future__ import annotations

from plugrad import shapes
from plugrad.errors import ArgumentError, ShapeError
from plugrad.ops.elementwise import mul, mul_
from plugrad.ops.sampling import keep_mask
from plugrad.random import default_generator
from plugrad.tensor import Tensor


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability p, else divided by 1 - p."""
    return _dropout("dropout", input, input.shape, p, training, inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of (N, C, L) or (C, L) at a time."""
    return _dropout("dropout1d", input, _channels("dropout1d", input, 1), p, training, inplace)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of (N, C, H, W) or (C, H, W) at a time."""
    return _dropout("dropout2d", input, _channels("dropout2d", input, 2), p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Whole channels of (N, C, D, H, W) or (C, D, H, W) at a time."""
    return _dropout("dropout3d", input, _channels("dropout3d", input, 3), p, training, inplace)


def kept_elements(operator: str, like: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """1 / (1 - p) with probability 1 - p, else 0, drawn from the default generator."""
    check_probability(operator, p)
    drawn = default_generator.draw(shapes.numel(shape))
    return keep_mask(*drawn, p, tuple(shape), like.dtype, like.device)


def check_probability(operator: str, p: float) -> None:
    """Refuse what is no probability."""
    if not 0 <= p <= 1:
        raise ArgumentError(operator, "p", expected="a probability from 0 to 1", got=p)


def _dropout(
    operator: str, input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    check_probability(operator, p)
    if not training or p == 0:
        return input
    mask = kept_elements(operator, input, shape, p)
    return mul_(input, mask) if inplace else mul(input, mask)


def _channels(operator: str, input: Tensor, spatial: int) -> tuple[int, ...]:
    if input.ndim not in (spatial + 1, spatial + 2):
        raise ShapeError(
            operator, "input", expected=f"{spatial + 1} or {spatial + 2} axes", got=input.shape
        )
    return (*input.shape[:-spatial], *(1,) * spatial)
