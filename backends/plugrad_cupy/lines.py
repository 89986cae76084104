"""Lines of elements, and the teams of threads that share them (`sources/teams.cuh`)."""

from __future__ import annotations

from math import prod

Grid = tuple[int, int, int]

_WARP = 32
_LONG = 1024  # elements from which a line occupies a block rather than a warp
_BLOCK = 256


def teams(lines: int, count: int, contiguous: bool) -> tuple[Grid, Grid]:
    """Grid and block for so many lines of `count` elements: warps or blocks for contiguous lines, a
    thread each for others, whose neighbours are other lines.
    """
    lines = max(lines, 1)
    if not contiguous:
        threads = 128 if lines >= 128 else _WARP
        return (-(-lines // threads), 1, 1), (1, threads, 1)
    if count > _LONG:
        return (lines, 1, 1), (_BLOCK, 1, 1)
    rows = min(_BLOCK // _WARP, lines)
    return (-(-lines // rows), 1, 1), (_WARP, rows, 1)


def split(shape: tuple[int, ...], dim: int) -> tuple[int, int, int]:
    """An array in C order as (outer, count, inner) around an axis."""
    if not shape:
        return 1, 1, 1
    return prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :])
