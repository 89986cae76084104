"""Attention."""

from __future__ import annotations

import numpy as np

from plugrad.ops import attention as ops
from plugrad_conformance.case import (
    COMPOSED,
    FLOATS,
    SINGLE,
    Case,
    bools,
    call,
    each,
    positive,
    rare,
    reals,
    steep,
)


def _weights(query, key, mask, causal, scale):
    scores = scale * query @ np.swapaxes(key, -1, -2)
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    top = np.max(scores, -1, keepdims=True)
    raised = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = np.sum(raised, -1, keepdims=True)
    # A query that may look nowhere gives 0.
    return raised / np.where(total == 0, 1, total)


def _attention(query, key, value, mask, kept, causal, scale):
    weights = _weights(query, key, mask, causal, scale)
    return (weights if kept is None else weights * kept) @ value


def _attention_backward(g, query, key, value, mask, kept, y, causal, scale):
    weights = _weights(query, key, mask, causal, scale)
    kept = 1 if kept is None else kept
    slopes = g @ np.swapaxes(value, -1, -2) * kept
    scores = weights * (slopes - np.sum(g * y, -1, keepdims=True)) * scale
    turned = np.swapaxes(scores, -1, -2), np.swapaxes(weights * kept, -1, -2)
    return scores @ key, turned[0] @ query, turned[1] @ g


def _operands(lead, L, S, E, V):
    return reals(*lead, L, E), reals(*lead, S, E), reals(*lead, S, V)


def _plain(lead, L, S, E, V, causal=False):
    return call(*_operands(lead, L, S, E, V), None, None, causal=causal, scale=E**-0.5)


def _backward(lead, L, S, E, V, mask=None, kept=None, causal=False, scale=0.5):
    operands = _operands(lead, L, S, E, V)
    ends = reals(*lead, L, V), reals(*lead, L, V)
    return call(ends[0], *operands, mask, kept, ends[1], causal=causal, scale=scale)


CASES = (
    Case(
        ops.attention,
        each(
            rows=_plain((), 3, 4, 5, 2),
            heads=_plain((2, 3), 4, 4, 3, 3),
            causal=_plain((2,), 4, 4, 3, 2, causal=True),
            causal_wide=_plain((), 3, 5, 4, 2, causal=True),
            masked=call(*_operands((2,), 3, 4, 5, 2), bools(3, 4), None, causal=False, scale=0.5),
            biased=call(
                *_operands((2,), 3, 4, 5, 2), reals(2, 3, 4), None, causal=False, scale=0.5
            ),
            dropped=call(
                *_operands((2,), 3, 4, 5, 2), None, positive(2, 3, 4), causal=False, scale=1.0
            ),
        ),
        _attention,
        COMPOSED.wider(8),
        FLOATS,
    ),
    Case(
        ops.attention,
        each(
            long=_plain((2, 3), 67, 131, 17, 9),
            aligned=_plain((2, 4), 64, 64, 32, 32),
            long_causal=_plain((2, 2), 131, 131, 16, 16, causal=True),
            wide=_plain((), 140, 260, 3, 2, causal=True),
            causal_tall=_plain((2,), 7, 4, 3, 2, causal=True),
            one_query=_plain((2, 3), 1, 33, 8, 8),
            one_key=_plain((2,), 5, 1, 8, 3),
            one_number=_plain((2,), 3, 4, 1, 1),
            deep=_plain((2, 1, 3), 4, 5, 3, 2),
            blind=call(
                *_operands((2,), 5, 4, 3, 2), rare(2, 5, 4).boolean(), None, causal=False, scale=0.5
            ),
            masked_heads=call(
                *_operands((2, 3), 4, 5, 3, 2), bools(2, 1, 4, 5), None, causal=False, scale=0.5
            ),
            steep=call(
                steep(2, 3, 4), steep(2, 5, 4), reals(2, 5, 3), None, None, causal=False, scale=0.01
            ),
            causal_dropped=call(
                *_operands((2,), 4, 4, 5, 2), None, positive(2, 4, 4), causal=True, scale=0.3
            ),
        ),
        _attention,
        COMPOSED.wider(8),
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.attention_backward,
        each(
            plain=_backward((2,), 3, 4, 5, 2),
            causal=_backward((), 4, 5, 3, 2, causal=True),
            masked=_backward((2,), 3, 4, 2, 3, bools(3, 4)),
            biased=_backward((), 3, 4, 2, 3, reals(3, 4), positive(3, 4)),
        ),
        _attention_backward,
        COMPOSED.wider(16),
        FLOATS,
    ),
    Case(
        ops.attention_backward,
        each(
            long=_backward((2, 3), 67, 131, 17, 9, scale=0.2),
            long_causal=_backward((2, 2), 131, 131, 16, 16, causal=True, scale=0.2),
            wide=_backward((), 140, 260, 3, 2, causal=True, scale=0.2),
            causal_tall=_backward((2,), 7, 4, 3, 2, causal=True),
            one_key=_backward((2,), 5, 1, 8, 3),
            deep=_backward((2, 1, 3), 4, 5, 3, 2),
            blind=_backward((2,), 5, 4, 3, 2, rare(2, 5, 4).boolean()),
            masked_heads=_backward((2, 3), 4, 5, 3, 2, bools(2, 1, 4, 5)),
            causal_dropped=_backward((2,), 4, 4, 5, 2, None, positive(2, 4, 4), causal=True),
        ),
        _attention_backward,
        COMPOSED.wider(16),
        SINGLE,
        differentiable=False,
    ),
)
