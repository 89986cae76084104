"""Attention, as NumPy's kernels have it, with the scores of a query made weights while they are in
the first-level cache.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import rows
from plugrad_numba.compiling import compiled
from plugrad_numpy.arrays import quietly
from plugrad_numpy.attention import Heads


@kernel
@quietly
def attention(query, key, value, mask, kept, causal, scale):
    heads = Heads.of(query, key, value, mask, kept, causal, scale)
    return None if heads is None else heads.attend(_raise)


@kernel
@quietly
def attention_backward(g, query, key, value, mask, kept, y, causal, scale):
    heads = Heads.of(query, key, value, mask, kept, causal, scale)
    return None if heads is None else heads.turn(g, y, _raise)


def _raise(scores, bias, limit, first):
    heads, queries, keys = scores.shape
    total = np.empty((heads, queries, 1), scores.dtype)
    among = _of_all_keys(bias, keys), _of_all_keys(limit, keys)
    matrix = scores.reshape(-1, keys)
    _raise_rows(2 * scores.size, matrix, *among, queries, first, total.reshape(-1))
    return total


def _of_all_keys(x, keys):
    return None if x is None else np.ascontiguousarray(np.broadcast_to(x, (*x.shape[:2], keys)))


@compiled
def _raise_rows(scores, bias, limit, queries, first, total):
    keys = scores.shape[1]
    for tile in prange(rows.tiles(scores)):
        low, high = rows.tile(scores, tile)
        for row in range(low, high):
            head, query = row // queries, row % queries
            last = keys if first is None else min(keys, first + query + 1)
            score = scores[row, :last]
            if bias is not None:
                added = bias[head % len(bias), query % bias.shape[1]]
                for i in range(score.size):
                    score[i] += added[i]
            if limit is not None:
                most = limit[head % len(limit), query % limit.shape[1]]
                for i in range(score.size):
                    # A NaN stays but where the limit, -inf, hides it.
                    score[i] = most[i] if most[i] < np.inf else score[i]
            top = rows.largest(score)
            if top == -np.inf:
                top = type(top)(0)  # a query that may look nowhere
            rows.raise_above(score, top)
            rows.fill(scores[row, last:], 0)
            summed = rows.total(score)
            total[row] = summed if summed != 0 else type(summed)(1)
