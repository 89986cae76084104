"""Attention: a mean of values, weighted by how well their keys fit a query.

A. Vaswani et al., Attention is all you need, arXiv 1706.03762. Letters of the shape comments: L
queries, S keys and values, E the size of queries and keys, V that of values; "..." are batches and
heads, which broadcast.
"""

from __future__ import annotations

from plugrad.dtypes import bool_, int64
from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite
from plugrad.ops.activation import softmax
from plugrad.ops.comparison import logical_not, where
from plugrad.ops.creation import arange
from plugrad.ops.linalg import matmul, transpose
from plugrad.ops.reduction import all as all_over
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import reshape
from plugrad.shapes import broadcast_shapes
from plugrad.spec import spec_of

_NAME = "scaled_dot_product_attention"


def _attention_spec(query, key, value, mask):
    for name, spec in (("query", query), ("key", key), ("value", value)):
        if len(spec.shape) < 2:
            raise ShapeError(_NAME, name, expected="(..., length, size)", got=spec.shape)
        if spec.dtype is not query.dtype or not spec.dtype.is_floating_point:
            expected = "a floating dtype, the same for query, key and value"
            raise DtypeError(_NAME, name, expected=expected, got=spec.dtype)
    if key.shape[-1] != query.shape[-1]:
        raise ShapeError(
            _NAME, "key", expected=f"vectors of {query.shape[-1]}, as query has", got=key.shape
        )
    if value.shape[-2] != key.shape[-2]:
        raise ShapeError(
            _NAME, "value", expected=f"one vector for each of {key.shape[-2]} keys", got=value.shape
        )
    lead = broadcast_shapes(_NAME, query.shape[:-2], key.shape[:-2])
    scores = (*lead, query.shape[-2], key.shape[-2])
    if mask is not None:
        if mask.dtype not in (bool_, query.dtype):
            raise DtypeError(
                _NAME, "attn_mask", expected=f"bool or {query.dtype}, as query", got=mask.dtype
            )
        masked = broadcast_shapes(_NAME, scores, mask.shape)
        if masked[-2:] != scores[-2:]:
            raise ShapeError(
                _NAME, "attn_mask", expected=f"what broadcasts to {scores}", got=mask.shape
            )
        lead = masked[:-2]
    lead = broadcast_shapes(_NAME, lead, value.shape[:-2])
    return spec_of((*lead, query.shape[-2], value.shape[-1]), query.dtype, query.device)


@composite(_attention_spec)
def attention(query, key, value, mask, kept, /, causal, scale):
    """Softmax of `scale * query @ key.T` along the keys, times `value`.

    `mask` adds to the scores, or is a bool that holds where a query may look, or None; a query that
    may look nowhere gives 0. With `causal` query i sees keys 0 to i. `kept`, if not None,
    multiplies the weights: a `keep_mask` for dropout.
    """
    return matmul(_thinned(_weights(query, key, mask, causal, scale), kept), value)


attention.vjp_together(
    "query key value",
    lambda g, query, key, value, mask, kept, out, causal, scale: attention_backward(
        g, query, key, value, mask, kept, out, causal, scale
    ),
)
attention.vjp(
    mask=lambda g, query, key, value, mask, kept, out, causal, scale: _scores_cotangent(
        g, value, kept, out, _weights(query, key, mask, causal, scale)
    ),
    kept=lambda g, query, key, value, mask, causal, scale: (
        matmul(g, transpose(value)) * _weights(query, key, mask, causal, scale)
    ),
)


def _attention_backward_spec(query, key, value, y):
    lead = y.shape[:-2]
    return tuple([spec_of((*lead, *x.shape[-2:]), x.dtype, x.device) for x in (query, key, value)])


@composite(_attention_backward_spec)
def attention_backward(g, query, key, value, mask, kept, y, /, causal, scale):
    """The cotangents of attention's query, key and value, from that of its result `y`; batches and
    heads are those of `y`.
    """
    weights = _weights(query, key, mask, causal, scale)
    scores = _scores_cotangent(g, value, kept, y, weights)
    return (
        matmul(scores, key) * scale,
        matmul(transpose(scores), query) * scale,
        matmul(transpose(_thinned(weights, kept)), g),
    )


def _weights(query, key, mask, causal, scale):
    """The share of each key in what a query sees, (..., L, S): rows of sum 1, or of 0."""
    scores = matmul(query * scale, transpose(key))
    blind = None
    if causal:
        scores = where(_lower_triangle(scores), scores, -_INFINITY)
    if mask is not None:
        closed = logical_not(mask) if mask.dtype is bool_ else mask == -_INFINITY
        scores = where(closed, -_INFINITY, scores) if mask.dtype is bool_ else scores + mask
        # A row of nothing but -inf would give NaN, in the derivative too.
        blind = all_over(closed, -1, True)  # (..., L or 1, 1)
        scores = where(blind, 0, scores)
    weights = softmax(scores, scores.ndim - 1)
    return weights if blind is None else where(blind, 0, weights)


def _thinned(weights, kept):
    return weights if kept is None else weights * kept


def _scores_cotangent(g, value, kept, y, weights):
    """(..., L, S). What softmax takes off, the mean of the cotangents of its results, is `g * y`
    summed (T. Dao et al., FlashAttention, arXiv 2205.14135).
    """
    for_weights = _thinned(matmul(g, transpose(value)), kept)
    return weights * (for_weights - sum_over(g * y, -1, True))


_INFINITY = float("inf")


def _lower_triangle(scores):
    """(L, S): where the key's number is not above the query's."""
    rows, columns = scores.shape[-2:]
    row = reshape(arange(0, 1, rows, int64, scores.device), (rows, 1))
    return row >= arange(0, 1, columns, int64, scores.device)
