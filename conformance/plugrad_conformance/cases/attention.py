"""Attention."""

from __future__ import annotations

import numpy as np

from plugrad.ops import attention as ops
from plugrad_conformance.case import COMPOSED, FLOATS, Case, bools, call, each, positive, reals


def _attention(query, key, value, mask, kept, causal, scale):
    scores = scale * query @ np.swapaxes(key, -1, -2)
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    top = np.max(scores, -1, keepdims=True)
    raised = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = np.sum(raised, -1, keepdims=True)
    # A query that may look nowhere gives 0.
    weights = raised / np.where(total == 0, 1, total)
    return (weights if kept is None else weights * kept) @ value


def _operands(lead, L, S, E, V):
    return reals(*lead, L, E), reals(*lead, S, E), reals(*lead, S, V)


def _plain(lead, L, S, E, V, causal=False):
    return call(*_operands(lead, L, S, E, V), None, None, causal=causal, scale=E**-0.5)


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
)
