"""Random streams. The reference is Philox4x32-10 in Python's integers, word by word.

J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011; the words below are
checked with that paper's published vectors in the kit's own tests.
"""

from __future__ import annotations

import math

import numpy as np

from plugrad import dtypes
from plugrad.ops import sampling as ops
from plugrad_conformance.case import (
    COMPOSED,
    DEVICE,
    DTYPE,
    EXACT,
    FLOATS,
    Case,
    call,
    each,
    native,
)

_MASK = 0xFFFFFFFF


def philox_block(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, ...]:
    """Four words from a counter of four words and a key of two."""
    a, b, c, d = counter
    low, high = key
    for _ in range(10):
        left, right = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (right >> 32) ^ b ^ low, right & _MASK, (left >> 32) ^ d ^ high, left & _MASK
        low, high = (low + 0x9E3779B9) & _MASK, (high + 0xBB67AE85) & _MASK
    return a, b, c, d


def _words(seed, offset, count):
    words: list[int] = []
    for block in range(offset // 4, (offset + count + 3) // 4):
        words += philox_block((block & _MASK, block >> 32, 0, 0), (seed & _MASK, seed >> 32))
    return np.array(words[:count], np.int64)


def _philox(seed, offset, count, device):
    return _words(seed, offset, count)


def _uniform(seed, offset, shape, dtype, device):
    count = math.prod(shape)
    if dtype is dtypes.float64:
        words = _words(seed, offset, 2 * count)
        return (((words[0::2] >> 5) * 2.0**26 + (words[1::2] >> 6)) * 2.0**-53).reshape(shape)
    words = (_words(seed, offset, count) >> 8) * 2.0**-24
    if dtype is not dtypes.float32:
        bits = 2.0 ** (11 if dtype is dtypes.float16 else 8)
        words = np.floor(words * bits) / bits
    return words.reshape(shape)


def _normal(seed, offset, shape, dtype, device):
    wide = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
    count = math.prod(shape)
    u, v = _uniform(seed, offset, ((count + 1) // 2, 2), wide, device).T
    points = np.sqrt(-2 * np.log(1 - u)) * np.exp(2j * math.pi * v)
    return np.stack([points.real, points.imag], 1).reshape(-1)[:count].reshape(shape)


def _randint(seed, offset, low, high, shape, dtype, device):
    words = [int(word) for word in _words(seed, offset, 2 * math.prod(shape))]
    wide = [((a >> 1) << 32) | b for a, b in zip(words[0::2], words[1::2], strict=True)]
    return np.array([n % (high - low) + low for n in wide], native(dtype)).reshape(shape)


def _keep_mask(seed, offset, p, shape, dtype, device):
    if p == 1:
        return np.zeros(shape)
    kept = _uniform(seed, offset, shape, dtypes.float32, device) >= p
    return kept * np.float64(np.float64(1 / (1 - p)).astype(native(dtype)))


def _drawn(seed, offset, shape, **more):
    return call(seed=seed, offset=offset, **more, shape=shape, dtype=DTYPE, device=DEVICE)


_SEEDS = each(
    rows=_drawn(42, 0, (3, 4)),
    later=_drawn(42, 1 << 34, (7,)),
    wide_seed=_drawn((1 << 64) - 59, 8, (2, 5)),
    scalar=_drawn(7, 4, ()),
    empty=_drawn(7, 4, (0, 3)),
    many=_drawn(19, 4, (37, 61)),
    odd=_drawn(23, 16, (3, 1, 7)),
)

CASES = (
    Case(
        ops.philox,
        each(
            start=call(seed=0, offset=0, count=8, device=DEVICE),
            partial=call(seed=42, offset=4, count=5, device=DEVICE),
            far=call(seed=42, offset=(1 << 35) + 4, count=9, device=DEVICE),
            wide_seed=call(seed=(1 << 64) - 59, offset=0, count=4, device=DEVICE),
            long=call(seed=3, offset=0, count=4099, device=DEVICE),
            empty=call(seed=3, offset=0, count=0, device=DEVICE),
            two_batches=call(seed=5, offset=12, count=32781, device=DEVICE),
            carry=call(seed=9, offset=(1 << 34) - 8, count=19, device=DEVICE),
            one=call(seed=11, offset=400, count=1, device=DEVICE),
        ),
        _philox,
        EXACT,
        (dtypes.int64,),
        differentiable=False,
    ),
    Case(ops.uniform, _SEEDS, _uniform, EXACT, FLOATS, differentiable=False),
    Case(ops.normal, _SEEDS, _normal, COMPOSED, FLOATS, differentiable=False),
    Case(
        ops.randint,
        each(
            rows=_drawn(42, 0, (3, 4), low=-3, high=5),
            wide=_drawn(42, 4, (6,), low=0, high=(1 << 40) + 7),
            scalar=_drawn(42, 4, (), low=0, high=1),
            empty=_drawn(42, 4, (0,), low=0, high=10),
            many=_drawn(5, 8, (37, 31), low=-100, high=1000),
            far=_drawn((1 << 63) + 5, 8, (5,), low=-(1 << 62), high=(1 << 62) - 5),
        ),
        _randint,
        EXACT,
        (dtypes.int64,),
        differentiable=False,
    ),
    Case(
        ops.keep_mask,
        each(
            rows=_drawn(42, 0, (3, 4), p=0.5),
            rare=_drawn(42, 8, (20,), p=0.9),
            all=_drawn(42, 0, (5,), p=0.0),
            none=_drawn(42, 0, (5,), p=1),
            many=_drawn(19, 4, (37, 61), p=0.3),
        ),
        _keep_mask,
        EXACT,
        FLOATS,
        differentiable=False,
    ),
)
