"""Attention as users call it. A. Vaswani et al., Attention is all you need, arXiv 1706.03762.

Letters: N batch, L queries, S keys and values, E embedding, H heads.
"""

from __future__ import annotations

import math
from typing import Any

from plugrad.dtypes import bool_
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions.joining import cat
from plugrad.functions.views import chunk
from plugrad.nn.functional.activation import softmax
from plugrad.nn.functional.linalg import linear
from plugrad.nn.functional.padding import pad
from plugrad.nn.functional.sampling import kept_elements
from plugrad.ops.attention import attention
from plugrad.ops.comparison import where
from plugrad.shapes import broadcast_shapes
from plugrad.tensor import Tensor

_NAME = "scaled_dot_product_attention"
_HEADS = "multi_head_attention_forward"


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


# heads side by side -------------------------------------------------------------------------------


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, from queries (L, N, E), keys and values (S, N, ·), or
    without N.

    `in_proj_weight` (3E, E) projects all three, or three weights do each its own; `in_proj_bias` is
    (3E,). `bias_k` and `bias_v` (1, 1, E) are one more key and value, `add_zero_attn` one of 0.
    `static_k` and `static_v` (N * H, S, E / H) replace the projected ones. Masks are bool, True
    where a key is *not* to be seen, or add to the scores: `key_padding_mask` (N, S) or (S,),
    `attn_mask` (L, S) or (N * H, L, S). `is_causal` says that `attn_mask`, which must be given, is
    the causal one. The weights come, if asked, as (N, L, S), averaged over the heads, or (N, H, L,
    S).
    """
    _check_operands(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise ArgumentError(_HEADS, "attn_mask", expected="a mask where is_causal", got=None)
    if use_separate_proj_weight:
        weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        weights = in_proj_weight
    q, k, v = _project(query, key, value, weights, in_proj_bias)
    batched = query.ndim == 3
    if not batched:
        q, k, v = q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise ArgumentError(_HEADS, "bias_k", expected="None beside static_k", got="a tensor")
        one = (1, q.shape[1], embed_dim_to_check)
        k, v = cat([k, bias_k.expand(*one)]), cat([v, bias_v.expand(*one)])
    q, k, v = [_split_heads(each, num_heads) for each in (q, k, v)]  # (N, H, length, E / H)
    k, v = _given(static_k, "static_k", k), _given(static_v, "static_v", v)
    if add_zero_attn:
        k, v = pad(k, (0, 0, 0, 1)), pad(v, (0, 0, 0, 1))
    mask = _mask(q, k, key.shape[0], static_k, key_padding_mask, attn_mask)
    p = dropout_p if training else 0.0
    seen = None
    if need_weights:
        out, seen = _attend(q, k, v, mask, p)
        if average_attn_weights:
            seen = seen.mean(1)  # (N, L, S)
        if not batched:
            seen = seen.squeeze(0)
    elif is_causal and key_padding_mask is None and k.shape[2] == key.shape[0]:
        out = scaled_dot_product_attention(q, k, v, None, p, True)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, p)
    batch, _, length, _ = out.shape
    out = out.permute(2, 0, 1, 3).reshape(length, batch, embed_dim_to_check)
    out = linear(out, out_proj_weight, out_proj_bias)
    return (out if batched else out.squeeze(1)), seen


def _check_operands(
    query: Tensor, key: Tensor, value: Tensor, size: int, heads: int, separate: bool
) -> None:
    got = (tuple(query.shape), tuple(key.shape), tuple(value.shape))
    if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
        raise ShapeError(
            *(_HEADS, "query, key, value"),
            expected="two axes each, or three with a batch",
            got=got,
        )
    if query.shape[-1] != size:
        raise ShapeError(_HEADS, "query", expected=f"vectors of {size}", got=got[0])
    if size % heads:
        raise ArgumentError(_HEADS, "embed_dim", expected=f"a multiple of {heads} heads", got=size)
    alike = slice(0, -1) if separate else slice(None)
    if got[1][alike] != got[2][alike] or got[0][1:-1] != got[1][1:-1]:
        raise ShapeError(
            _HEADS, "key, value", expected="as many of each, and of batches as queries", got=got
        )


def _project(
    query: Tensor, key: Tensor, value: Tensor, weights: Any, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values as (length, N, E)."""
    if not isinstance(weights, tuple):
        if query is key and key is value:
            q, k, v = chunk(linear(query, weights, bias), 3, -1)
            return q, k, v
        weights = chunk(weights, 3, 0)
    shifts = (None,) * 3 if bias is None else chunk(bias, 3, 0)
    q, k, v = [
        linear(x, weight, shift) for x, weight, shift in zip((query, key, value), weights, shifts)
    ]
    return q, k, v


def _split_heads(x: Tensor, heads: int) -> Tensor:
    length, batch, size = x.shape
    return x.reshape(length, batch, heads, size // heads).permute(1, 2, 0, 3)


def _given(static: Tensor | None, name: str, computed: Tensor) -> Tensor:
    """Keys or values that were given ready for use, or else the computed ones."""
    if static is None:
        return computed
    batch, heads, _, size = computed.shape
    if static.ndim != 3 or (static.shape[0], static.shape[2]) != (batch * heads, size):
        raise ShapeError(
            _HEADS, name, expected=f"({batch * heads}, length, {size})", got=tuple(static.shape)
        )
    return static.reshape(batch, heads, static.shape[1], size)


def _mask(
    q: Tensor,
    k: Tensor,
    sources: int,
    static: Tensor | None,
    padding: Tensor | None,
    mask: Tensor | None,
) -> Tensor | None:
    """Both masks as one that adds to the scores (N, H, L, S); keys that were added are seen."""
    batch, heads, length, _ = q.shape
    sources = sources if static is None else static.shape[1]
    total = None
    if mask is not None:
        total = _additive("attn_mask", mask, q)
        if tuple(mask.shape) == (batch * heads, length, sources):
            total = total.reshape(batch, heads, length, sources)
        elif tuple(mask.shape) != (length, sources):
            expected = f"{(length, sources)} or {(batch * heads, length, sources)}"
            raise ShapeError(_HEADS, "attn_mask", expected=expected, got=tuple(mask.shape))
    if padding is not None:
        wanted = (batch, sources)
        if tuple(padding.shape) not in (wanted, wanted[1:] if batch == 1 else wanted):
            raise ShapeError(
                _HEADS, "key_padding_mask", expected=str(wanted), got=tuple(padding.shape)
            )
        closed = _additive("key_padding_mask", padding, q).reshape(batch, 1, 1, sources)
        total = closed if total is None else total + closed
    more = k.shape[2] - sources
    return total if total is None or not more else pad(total, (0, more))


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float
) -> tuple[Tensor, Tensor]:
    scores = (q * (1 / math.sqrt(q.shape[-1]))) @ k.transpose(-2, -1)  # (N, H, L, S)
    weights = softmax(scores if mask is None else scores + mask, -1)
    if p:
        weights = weights * kept_elements(_HEADS, weights, tuple(weights.shape), p)
    return weights @ v, weights


def _additive(name: str, mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype is bool_:
        return where(mask, -math.inf, like.new_zeros(()))
    if not mask.is_floating_point():
        raise DtypeError(_HEADS, name, expected="bool or a floating dtype", got=mask.dtype)
    return mask.to(like.dtype)
