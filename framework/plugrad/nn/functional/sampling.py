"""Dropout: elements zeroed at random in training, the rest scaled up so that the mean stays. And
draws from classes that have a derivative.
"""

from __future__ import annotations

import warnings

from plugrad import shapes
from plugrad.creation import ones_like, zeros_like
from plugrad.dtypes import float32, promote_types
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions.elementwise import softmax
from plugrad.functions.indexing import scatter
from plugrad.functions.reduction import argmax
from plugrad.ops.comparison import where
from plugrad.ops.creation import copy_
from plugrad.ops.elementwise import clamp_min, log, mul, mul_
from plugrad.ops.sampling import keep_mask
from plugrad.random import default_generator, rand_like
from plugrad.tensor import Tensor

# Of SELU at minus infinity: minus its scale times its alpha.
_LIMIT = -1.7580993408473766


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


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Each element, with probability p, the limit of SELU at minus infinity; then all scaled and
    shifted so that mean 0 and variance 1 persist (Klambauer et al., arXiv 1706.02515).
    """
    return _alpha_dropout("alpha_dropout", input, input.shape, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...) at a time."""
    name = "feature_alpha_dropout"
    if training and p > 0 and input.ndim < 2:
        raise ShapeError(name, "input", expected="(N, C, ...)", got=tuple(input.shape))
    channels = (*input.shape[:2], *(1,) * (input.ndim - 2))
    return _alpha_dropout(name, input, channels, p, training, inplace)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A draw from the classes along `dim`, relaxed: the softmax, at temperature `tau`, of the
    scores plus Gumbel noise. `eps` has no effect.

    With `hard` the result is one-hot, and its derivative that of the relaxed one. E. Jang et al.,
    arXiv 1611.01144.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    if not logits.is_floating_point():
        raise DtypeError("gumbel_softmax", "logits", expected="a floating dtype", got=logits.dtype)
    # Of the numbers drawn 0 has no logarithm; halves have too few to draw from.
    drawn = clamp_min(rand_like(logits, dtype=promote_types(logits.dtype, float32)), 2.0**-25)
    noise = -log(-log(drawn)).to(logits.dtype)
    relaxed = softmax((logits + noise) / tau, dim)
    if not hard:
        return relaxed
    chosen = argmax(relaxed, dim, keepdim=True)
    ones = ones_like(chosen, dtype=logits.dtype)
    one_hot = scatter(zeros_like(relaxed.detach()), dim, chosen, ones)
    return one_hot - relaxed.detach() + relaxed


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


def _alpha_dropout(
    operator: str, input: Tensor, shape: tuple[int, ...], p: float, training: bool, inplace: bool
) -> Tensor:
    check_probability(operator, p)
    if not training or p == 0:
        return input
    if p == 1:
        return mul_(input, 0) if inplace else mul(input, 0)
    kept = kept_elements(operator, input, shape, p) != 0
    scale = ((1 - p) * (1 + p * _LIMIT * _LIMIT)) ** -0.5
    out = where(kept, input, _LIMIT) * scale - scale * _LIMIT * p
    return copy_(input, out) if inplace else out


def _channels(operator: str, input: Tensor, spatial: int) -> tuple[int, ...]:
    if input.ndim not in (spatial + 1, spatial + 2):
        raise ShapeError(
            operator, "input", expected=f"{spatial + 1} or {spatial + 2} axes", got=input.shape
        )
    return (*input.shape[:-spatial], *(1,) * spatial)
