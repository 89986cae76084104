"""Attention, some heads at a time: their scores stay in the cache, and the matrix of all scores is
never in memory. The backward computes them again.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, prod

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, quietly

_SCORES = 1 << 15  # at a time


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
    """Scores brought to exponentials, in place; the sum of each row, 1 for one of zeros.

    `bias` is added to them, `limit` is the most that they may be. `first`, if not `None`, is the
    number of the first query among all, each of which sees the keys up to its own number.
    """
    if bias is not None:
        scores += bias
    if first is not None:
        scores = np.fmin(scores, _order(*scores.shape[1:], first, scores.dtype), out=scores)
    if limit is not None:
        # Unlike an addition it hides infinities too. A NaN that it raises to infinity still makes
        # the row NaN.
        np.fmin(scores, limit, out=scores)
    top = np.maximum.reduce(scores, -1, keepdims=True)
    top[top == -inf] = 0  # a query that may look nowhere
    scores -= top
    np.exp(scores, out=scores)
    total = scores @ np.ones((scores.shape[-1], 1), scores.dtype)
    total[total == 0] = 1
    return total


@lru_cache(16)
def _order(queries, keys, first, dtype):
    """The most that the score of a query and a key may be, where none sees a later one."""
    return np.where(np.tri(queries, keys, first, dtype=bool), dtype.type(inf), dtype.type(-inf))


class Heads:
    """Operands as rows of matrices, one for each batch and head; mask and dropout may have one for
    all.

    `raises` is how scores become weights, as `_raise` does it.
    """

    def __init__(self, query, key, value, mask, kept, causal, scale):
        leads = {x.shape[:-2] for x in (query, key, value, mask, kept) if x is not None}
        self.lead = np.broadcast_shapes(*leads) if len(leads) > 1 else leads.pop()
        self.query, self.key, self.value = (self._stack(x) for x in (query, key, value))
        self.kept = None if kept is None else self._shared(kept)
        self.causal, self.scale = causal, scale
        self.bias = self.limit = None
        if mask is not None and mask.dtype != bool:
            self.bias = self._shared(mask)
            mask = None
        if mask is not None:
            most = query.dtype.type(inf)
            self.limit = np.where(self._shared(mask), most, -most)

    @classmethod
    def of(cls, query, key, value, *rest):
        """`None` where the operator's body does as well."""
        if query.dtype in HALVES or not (query.size and key.size and value.size):
            return None
        return cls(query, key, value, *rest)

    def attend(self, raises):
        """The weighted means of values."""
        out = np.empty((*self.query.shape[:2], self.value.shape[2]), self.query.dtype)
        for block in self._blocks():
            weights, total = self._weights(block, raises)
            into = out[block.queries]
            np.matmul(self._thinned(weights, block), self.value[block.keys], out=into)
            into /= total
        return self._unstacked(out)

    def turn(self, g, y, raises):
        """The cotangents of query, key and value, from that of the result `y`."""
        g, y = self._stack(g), self._stack(y)
        for_query = np.empty(self.query.shape, self.query.dtype)
        # A causal query may leave keys that nobody sees.
        for_key, for_value = (np.zeros(x.shape, x.dtype) for x in (self.key, self.value))
        for block in self._blocks():
            weights, total = self._weights(block, raises)
            toward = g[block.queries] / total  # thus the weights need not be divided
            scores = self._thinned(toward @ self.value[block.keys].swapaxes(1, 2), block)
            # What softmax takes off: the mean of the cotangents of its results.
            scores -= np.vecdot(toward, y[block.queries])[..., None]
            scores *= weights
            np.matmul(scores, self.key[block.keys], out=for_query[block.queries])
            block.add(for_key, scores, self.query[block.queries])
            block.add(for_value, self._thinned(weights, block), toward)
        for_query *= self.scale
        for_key *= self.scale
        return tuple([self._unstacked(out) for out in (for_query, for_key, for_value)])

    def _blocks(self):
        count, queries, keys = *self.query.shape[:2], self.key.shape[1]
        rows = min(queries, max(1, _SCORES // keys))
        heads = max(1, _SCORES // (rows * keys))
        for head in range(0, count, heads):
            for row in range(0, queries, rows):
                end = min(row + rows, queries)
                seen = min(end, keys) if self.causal else keys
                yield _Block(slice(head, head + heads), slice(row, end), slice(0, seen))

    def _stack(self, x):
        if x.shape[:-2] != self.lead:
            x = np.broadcast_to(x, (*self.lead, *x.shape[-2:]))
        return x.reshape(-1, *x.shape[-2:])

    def _shared(self, x):
        """One matrix for all, if that is what there is."""
        return x.reshape(1, *x.shape[-2:]) if prod(x.shape[:-2]) == 1 else self._stack(x)

    def _unstacked(self, x):
        return x.reshape(*self.lead, *x.shape[1:])

    def _weights(self, block, raises):
        """What each key weighs for a query, and the sum by which that is to be divided."""
        query = self.query[block.queries] * self.scale
        scores = query @ self.key[block.keys].swapaxes(1, 2)
        first = block.queries[1].start if self.causal else None
        return scores, raises(scores, block.part(self.bias), block.part(self.limit), first)

    def _thinned(self, weights, block):
        return weights if self.kept is None else weights * block.part(self.kept)


class _Block:
    """Some heads, of their queries some, and the keys that those may see."""

    def __init__(self, heads, rows, seen):
        self.queries = heads, rows
        self.keys = heads, seen

    def part(self, x):
        """What an array that broadcasts to all scores has for those of the block."""
        if x is None:
            return None
        places = (*self.queries, self.keys[1])
        sizes = zip(places, x.shape, strict=True)
        return x[tuple([slice(None) if size == 1 else place for place, size in sizes])]

    def add(self, out, weights, rows):
        """Each key's sum of rows of its queries, weighted."""
        into = out[self.keys]
        if self.queries[1].start:
            into += weights.swapaxes(1, 2) @ rows
        else:
            np.matmul(weights.swapaxes(1, 2), rows, out=into)
