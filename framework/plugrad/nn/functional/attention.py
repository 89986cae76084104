"""Attention as users call it."""

from __future__ import annotations

import math

from plugrad.errors import ArgumentError, ShapeError
from plugrad.nn.functional.sampling import kept_elements
from plugrad.ops.attention import attention
from plugrad.shapes import broadcast_shapes
from plugrad.tensor import Tensor

_NAME = "scaled_dot_product_attention"


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """A mean of values (..., S, V), weighted by the softmax of query (..., L, E) times key (..., S,
    E).

    `attn_mask` (..., L, S) adds to the scores, or holds where a query may look; with `is_causal` it
    may look at keys up to its own position. `scale` is 1/sqrt(E) by default. With `enable_gqa`
    several heads of queries (axis -3) share one of keys and values. A query that may look nowhere
    gives 0.
    """
    if is_causal and attn_mask is not None:
        raise ArgumentError(_NAME, "attn_mask", expected="None where is_causal", got="a tensor")
    if enable_gqa:
        key, value = _share(query, key, "key"), _share(query, value, "value")
    if scale is None:
        scale = 1 / math.sqrt(query.shape[-1])
    kept = None
    if dropout_p:
        lead = broadcast_shapes(_NAME, query.shape[:-2], key.shape[:-2])
        weights = (*lead, query.shape[-2], key.shape[-2])
        kept = kept_elements(_NAME, query, weights, dropout_p)
    return attention(query, key, value, attn_mask, kept, is_causal, scale)


def _share(query: Tensor, x: Tensor, name: str) -> Tensor:
    """Each head of keys or values repeated for the heads of queries that share it."""
    if query.ndim < 3 or x.ndim < 3 or query.shape[-3] % x.shape[-3]:
        raise ShapeError(
            _NAME,
            name,
            expected=f"heads that divide the query's, in {tuple(query.shape)}",
            got=tuple(x.shape),
        )
    *lead, heads, length, size = x.shape
    times = query.shape[-3] // heads
    spread = x.unsqueeze(-3).expand(*lead, heads, times, length, size)
    return spread.reshape(*lead, heads * times, length, size)
