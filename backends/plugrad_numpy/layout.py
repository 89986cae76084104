"""The order in memory that convolution and pooling work in: (C, *spatial, N), the batch innermost.

Shifting a window then moves whole runs of memory, and a matrix product leaves its result in the
same order. Results are returned as transposed views; NumPy's elementwise functions keep the order,
so a network stays in it from end to end.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = tuple[int, ...]
Index = tuple[Any, ...]

_TILE = 512  # columns of a tile
_MARGIN = 16  # columns of slack, so that a tile's rows do not fall into one set of the cache
_ALIASING = 512  # bytes: rows a multiple of this apart do
_LARGEST = 1 << 24  # bytes of scratch memory that a thread keeps for one use


def batch_last(x: Array) -> Array:
    """(N, C, *spatial) as (C, *spatial, N), contiguous: no copy if memory is in that order."""
    moved = x.transpose(*range(1, x.ndim), 0)
    if moved.flags.c_contiguous:
        return moved
    out = np.empty(moved.shape, x.dtype)
    if x.flags.c_contiguous:
        transpose_into(out.reshape(-1, x.shape[0]), x.reshape(x.shape[0], -1))
    else:
        out[...] = moved
    return out


def batch_first(x: Array) -> Array:
    """(C, *spatial, N) seen as (N, C, *spatial)."""
    return x.transpose(x.ndim - 1, *range(x.ndim - 1))


def transpose_into(out: Array, x: Array) -> None:
    """`out[...] = x.T` for matrices in C order.

    Reading down a column whose rows lie a power of two apart evicts each cache line before its next
    element is wanted (3.5 ns per element measured); by way of tiles with rows of an odd length it
    does not (0.6 ns).
    """
    rows, columns = x.shape
    if rows < 16 or columns < _TILE or x.strides[0] % _ALIASING:
        out[...] = x.T
        return
    tile = np.empty((rows, _TILE + _MARGIN), x.dtype)
    for start in range(0, columns, _TILE):
        piece = x[:, start : start + _TILE]
        copy = tile[:, : piece.shape[1]]
        copy[...] = piece
        out[start : start + _TILE] = copy.T


class _Memory(threading.local):
    """Scratch memory of each thread, by use: fresh pages cost more than filling them."""

    def __init__(self) -> None:
        self.kept: dict[str, Array] = {}


_memory = _Memory()


def scratch(shape: tuple[int, ...], dtype: np.dtype[Any], use: str) -> Array:
    """An array of anything, good until this thread asks again for the same use."""
    size = dtype.itemsize * prod(shape)
    kept = _memory.kept.get(use)
    if kept is None or size > kept.size:
        if size > _LARGEST:
            return np.empty(shape, dtype)
        kept = _memory.kept[use] = np.empty(size, np.uint8)
    return kept[:size].view(dtype).reshape(shape)


@lru_cache(maxsize=512)
def seen_by_taps(
    sizes: Sizes, out: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> tuple[tuple[Sizes, Index, Index], ...]:
    """For each tap of the kernel: the tap, the windows that see an element of the input with it,
    and the elements that they see, as indices into (C, *out, N) and (C, *sizes, N).
    """
    found: list[tuple[Sizes, Index, Index]] = []
    for tap in product(*map(range, kernel)):
        within: list[slice] = []
        seen: list[slice] = []
        for at, size, count, s, p, d in zip(tap, sizes, out, stride, padding, dilation):
            origin = at * d - p
            low = min(count, max(0, -(origin // s)))
            high = max(low, min(count, (size - 1 - origin) // s + 1))
            start = origin + low * s
            within.append(slice(low, high))
            seen.append(slice(start, start + (high - low) * s, s))
        found.append((tap, (slice(None), *within), (slice(None), *seen)))
    return tuple(found)


def forget_scratch() -> None:
    """Let go of this thread's scratch memory."""
    _memory.kept.clear()
