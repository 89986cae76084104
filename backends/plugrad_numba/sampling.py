"""Random numbers in one pass: a block of Philox4x32-10 is made, turned into numbers and stored,
without the words in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numba import prange

from plugrad import dtypes
from plugrad.hooks import kernel
from plugrad_numba.compiling import Compiled, inlined
from plugrad_numpy.arrays import NATIVE

_FIRST, _SECOND = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)
_ROUNDS = 10
# Blocks taken together.
_TILE = 64
# Steps of about a nanosecond that a block of four words takes.
_COST = 4


@inlined
def _block(low, high, counter):
    """Four words, each in 64 bits, from the halves of the key."""
    a, b, c, d = counter & _LOW, counter >> _HIGH, np.uint64(0), np.uint64(0)
    for _ in range(_ROUNDS):
        left, right = a * _FIRST, c * _SECOND
        a, b, c, d = (
            (right >> _HIGH) ^ b ^ low,
            right & _LOW,
            (left >> _HIGH) ^ d ^ high,
            left & _LOW,
        )
        low = (low + _WEYL[0]) & _LOW
        high = (high + _WEYL[1]) & _LOW
    return a, b, c, d


# Lanes are written side by side, and then put in their order: so the rounds are vectorised.


def _of_words(number: Callable[..., Any]) -> Compiled:
    """Fill (blocks, 4) with a number of each word and two parameters."""

    def fill(low, high, counter, first, second, out):
        for tile in prange(-(-out.shape[0] // _TILE)):
            piece = out[tile * _TILE : (tile + 1) * _TILE]
            start = counter + np.uint64(tile * _TILE)
            lanes = np.empty((4, _TILE), out.dtype)
            for i in range(piece.shape[0]):
                a, b, c, d = _block(low, high, start + np.uint64(i))
                lanes[0, i] = number(a, first, second)
                lanes[1, i] = number(b, first, second)
                lanes[2, i] = number(c, first, second)
                lanes[3, i] = number(d, first, second)
            for i in range(piece.shape[0]):
                for lane in range(4):
                    piece[i, lane] = lanes[lane, i]

    return Compiled(fill, name=f"{__name__}.{number.__name__}")


def _of_pairs(number: Callable[..., Any]) -> Compiled:
    """Fill (blocks, 2) with a number of each two words and two parameters."""

    def fill(low, high, counter, first, second, out):
        for tile in prange(-(-out.shape[0] // _TILE)):
            piece = out[tile * _TILE : (tile + 1) * _TILE]
            start = counter + np.uint64(tile * _TILE)
            lanes = np.empty((2, _TILE), out.dtype)
            for i in range(piece.shape[0]):
                a, b, c, d = _block(low, high, start + np.uint64(i))
                lanes[0, i] = number(a, b, first, second)
                lanes[1, i] = number(c, d, first, second)
            for i in range(piece.shape[0]):
                for lane in range(2):
                    piece[i, lane] = lanes[lane, i]

    return Compiled(fill, name=f"{__name__}.{number.__name__}")


def _draw(fill, per_block, seed, offset, count, dtype, first: Any = 0, second: Any = 0):
    blocks = -(-count // per_block)
    out = np.empty((blocks, per_block), dtype)
    key = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    fill(blocks * _COST, *key, np.uint64(offset // 4), first, second, out)
    return out.reshape(-1)[:count]


@_of_words
@inlined
def _word(word, first, second):
    return word


@_of_words
@inlined
def _fraction(word, first, second):
    # By way of int32, from which alone vectors of floats are made.
    return np.float32(np.int32(word >> np.uint64(8))) * np.float32(2.0**-24)


@_of_pairs
@inlined
def _long_fraction(high, low, first, second):
    whole = np.float64(np.int32(high >> np.uint64(5))) * 2.0**26
    return (whole + np.float64(np.int32(low >> np.uint64(6)))) * 2.0**-53


@_of_words
@inlined
def _kept(word, least, factor):
    return factor if np.int32(word >> np.uint64(8)) >= least else type(factor)(0)


@_of_pairs
@inlined
def _integer(high, low, width, least):
    return np.int64(((high >> np.uint64(1)) << _HIGH | low) % width) + least


@kernel
def philox(seed, offset, count, device):
    return _draw(_word, 4, seed, offset, count, np.int64)


@kernel
def uniform(seed, offset, shape, dtype, device):
    count = prod(shape)
    if dtype is dtypes.float32:
        return _draw(_fraction, 4, seed, offset, count, np.float32).reshape(shape)
    if dtype is dtypes.float64:
        return _draw(_long_fraction, 2, seed, offset, count, np.float64).reshape(shape)
    return None


@kernel
def randint(seed, offset, low, high, shape, dtype, device):
    if not 0 < high - low < 1 << 63 or not low >= -(1 << 63):
        return None
    width, least = np.uint64(high - low), np.int64(low)
    out = _draw(_integer, 2, seed, offset, prod(shape), np.int64, width, least)
    return out.astype(NATIVE[dtype], copy=False).reshape(shape)


@kernel
def keep_mask(seed, offset, p, shape, dtype, device):
    if p == 1 or dtype not in (dtypes.float32, dtypes.float64):
        return None
    native = NATIVE[dtype]
    # A fraction of 24 bits is not below p where its numerator is not below p's.
    least = np.int32(math.ceil(float(np.float32(p)) * 2.0**24))
    factor = native.type(1 / (1 - p))
    return _draw(_kept, 4, seed, offset, prod(shape), native, least, factor).reshape(shape)
