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
from plugrad_numba import scalars
from plugrad_numba.compiling import Compiled, compiled, inlined
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


@inlined
def _fraction_of(word):
    # By way of int32, from which alone vectors of floats are made.
    return np.float32(np.int32(word >> np.uint64(8))) * np.float32(2.0**-24)


@inlined
def _long_fraction_of(high, low):
    whole = np.float64(np.int32(high >> np.uint64(5))) * 2.0**26
    return (whole + np.float64(np.int32(low >> np.uint64(6)))) * 2.0**-53


@_of_words
@inlined
def _fraction(word, first, second):
    return _fraction_of(word)


@_of_pairs
@inlined
def _long_fraction(high, low, first, second):
    return _long_fraction_of(high, low)


@_of_words
@inlined
def _kept(word, least, factor):
    return factor if np.int32(word >> np.uint64(8)) >= least else type(factor)(0)


@_of_pairs
@inlined
def _integer(high, low, width, least):
    return np.int64(((high >> np.uint64(1)) << _HIGH | low) % width) + least


# normal numbers -----------------------------------------------------------------------------------

# sin and cos up to pi / 4, from the highest power of the square down (S. Moshier, Cephes).
_f = np.float32
_SIN_SINGLE = _f(-1.9515295891e-4), _f(8.3321608736e-3), _f(-1.6666654611e-1)
_COS_SINGLE = _f(2.443315711809948e-5), _f(-1.388731625493765e-3), _f(4.166664568298827e-2)
_SIN_DOUBLE = (
    1.58962301576546568060e-10,
    -2.50507477628578072866e-8,
    2.75573136213857245213e-6,
    -1.98412698295895385996e-4,
    8.33333333332211858878e-3,
    -1.66666666666666307295e-1,
)
_COS_DOUBLE = (
    -1.13585365213876817300e-11,
    2.08757008419747316778e-9,
    -2.75573141792967388112e-7,
    2.48015872888517045348e-5,
    -1.38888888888730564116e-3,
    4.16666666666665929218e-2,
)


def _normals_of(sines: tuple[Any, ...], cosines: tuple[Any, ...], one: Any) -> Any:
    """Box and Muller's two normal numbers from two uniform ones, in the dtype of `one`."""
    full, half, quarter, two = one * 2 * type(one)(math.pi), one / 2, one / 4, one * 2

    @inlined
    def normals(u, v):
        radius = np.sqrt(-two * scalars.log(one - u))
        # The nearest quarter of a turn, and what is left: `v` is a multiple of a power of two.
        turn = np.floor(v / quarter + half)
        angle = (v - turn * quarter) * full
        square = angle * angle
        s = angle + angle * square * scalars.horner(square, sines)
        c = one - half * square + square * square * scalars.horner(square, cosines)
        place = np.int32(turn)
        odd = (place & np.int32(1)) != 0
        x, y = (s if odd else c), (c if odd else s)
        x = -x if ((place + np.int32(1)) & np.int32(2)) != 0 else x
        y = -y if (place & np.int32(2)) != 0 else y
        return radius * x, radius * y

    return normals


_normals_single = _normals_of(_SIN_SINGLE, _COS_SINGLE, np.float32(1))
_normals_double = _normals_of(_SIN_DOUBLE, _COS_DOUBLE, np.float64(1))


@compiled
def _normals_of_words(low, high, counter, first, second, out):
    for tile in prange(-(-out.shape[0] // _TILE)):
        piece = out[tile * _TILE : (tile + 1) * _TILE]
        start = counter + np.uint64(tile * _TILE)
        lanes = np.empty((4, _TILE), out.dtype)
        for i in range(piece.shape[0]):
            a, b, c, d = _block(low, high, start + np.uint64(i))
            lanes[0, i], lanes[1, i] = _fraction_of(a), _fraction_of(b)
            lanes[2, i], lanes[3, i] = _fraction_of(c), _fraction_of(d)
        for i in range(piece.shape[0]):
            lanes[0, i], lanes[1, i] = _normals_single(lanes[0, i], lanes[1, i])
        for i in range(piece.shape[0]):
            lanes[2, i], lanes[3, i] = _normals_single(lanes[2, i], lanes[3, i])
        for i in range(piece.shape[0]):
            for lane in range(4):
                piece[i, lane] = lanes[lane, i]


@compiled
def _normals_of_pairs(low, high, counter, first, second, out):
    for tile in prange(-(-out.shape[0] // _TILE)):
        piece = out[tile * _TILE : (tile + 1) * _TILE]
        start = counter + np.uint64(tile * _TILE)
        lanes = np.empty((2, _TILE), out.dtype)
        for i in range(piece.shape[0]):
            a, b, c, d = _block(low, high, start + np.uint64(i))
            lanes[0, i], lanes[1, i] = _long_fraction_of(a, b), _long_fraction_of(c, d)
        for i in range(piece.shape[0]):
            lanes[0, i], lanes[1, i] = _normals_double(lanes[0, i], lanes[1, i])
        for i in range(piece.shape[0]):
            for lane in range(2):
                piece[i, lane] = lanes[lane, i]


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
def normal(seed, offset, shape, dtype, device):
    count = prod(shape)
    if dtype is dtypes.float64:
        return _draw(_normals_of_pairs, 2, seed, offset, count, np.float64).reshape(shape)
    out = _draw(_normals_of_words, 4, seed, offset, count, np.float32).reshape(shape)
    return out.astype(NATIVE[dtype], copy=False)


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
