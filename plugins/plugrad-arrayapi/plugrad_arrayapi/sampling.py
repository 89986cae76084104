"""Random words: Philox4x32-10 in int64, since not every library computes in uint64.

A product of two 32-bit words may wrap into the sign; its bits are right all the same, and shifting
and masking reads them.
"""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = 0xFFFFFFFF
_ROUNDS = 10


class Sampling(Kernels):
    """The generator that all random numbers come from."""

    @kernel
    def philox(self, seed, offset, count, device):
        xp = self.xp
        blocks = -(-count // 4)
        counters = xp.arange(offset // 4, offset // 4 + blocks, dtype=xp.int64)
        a, b = counters & _LOW, (counters >> 32) & _LOW
        c = d = xp.zeros_like(counters)
        keys = [seed & _LOW, seed >> 32]
        for _ in range(_ROUNDS):
            left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
            a, b, c, d = (
                self._high(right) ^ b ^ keys[0],
                right & _LOW,
                self._high(left) ^ d ^ keys[1],
                left & _LOW,
            )
            keys = [(key + step) & _LOW for key, step in zip(keys, _WEYL, strict=True)]
        return xp.reshape(xp.stack([a, b, c, d], axis=1), (-1,))[:count]

    def _high(self, product: Array) -> Array:
        return (product >> 32) & _LOW
