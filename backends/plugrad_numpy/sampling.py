"""Random words: Philox4x32-10 on vectors of counters."""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)
# Counters taken together: their ten rounds then stay in the level-2 cache.
_BATCH = 1 << 13


@kernel
def philox(seed, offset, count, device):
    blocks = -(-count // 4)
    words = np.empty((blocks, 4), np.int64)
    for start in range(0, blocks, _BATCH):
        stop = min(start + _BATCH, blocks)
        counters = np.arange(offset // 4 + start, offset // 4 + stop, dtype=np.uint64)
        _rounds(seed, counters, words[start:stop].view(np.uint64))
    return words.reshape(-1)[:count]


def _rounds(seed, counters, words):
    first, second = _MULTIPLIERS
    a, b = counters & _LOW, counters >> _HIGH
    c, d = np.zeros_like(counters), np.zeros_like(counters)
    left, right = np.empty_like(counters), np.empty_like(counters)
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        np.multiply(a, first, out=left)
        np.multiply(c, second, out=right)
        for product, other, key, word in ((right, b, keys[0], a), (left, d, keys[1], c)):
            np.right_shift(product, _HIGH, out=word)
            np.bitwise_xor(word, other, out=word)
            np.bitwise_xor(word, np.uint64(key), out=word)
            np.bitwise_and(product, _LOW, out=other)
        keys = [(key + weyl) & 0xFFFFFFFF for key, weyl in zip(keys, _WEYL, strict=True)]
    for lane, values in enumerate((a, b, c, d)):
        words[:, lane] = values
