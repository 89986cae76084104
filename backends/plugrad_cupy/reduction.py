"""Reductions along axes, and running sums. A reduction is a fold in `sources/reduction.cu`.

Few long lines are cut into parts, whose states a second launch joins: always in the same order, so
that equal inputs give equal bits.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import new
from plugrad_cupy.layouts import collapse, walk, walk_layout
from plugrad_cupy.lines import split, teams
from plugrad_cupy.modules import CTYPES
from plugrad_cupy.pointwise import kind_of
from plugrad_cupy.strided import contiguous

_AXES = 8
_REDUCTION = f"2P4q{walk_layout(_AXES)}{walk_layout(_AXES)}"
_JOINING = "2P3q"
_SCAN = "2P3q"
# Kernel: the fold, and the kinds of dtypes that it is for.
_FOLDS = {
    "sum": ("Sum", "int float complex"),
    "mean": ("Mean", "float complex"),
    "prod": ("Product", "int float complex"),
    "amax": ("Largest", "bool int float"),
    "amin": ("Smallest", "bool int float"),
    "any": ("Any", "bool int float complex"),
    "all": ("All", "bool int float complex"),
    "argmax": ("Position<Greater>", "int float"),
    "argmin": ("Position<Less>", "int float"),
}
_BLOCKS = 512  # enough to fill any device
_SHARE = 16  # elements that each thread of a part should have, at least


@kernel
def sum(x, dim, keepdim):
    return _reduce("sum", x, dim, keepdim)


@kernel
def mean(x, dim, keepdim):
    return _reduce("mean", x, dim, keepdim)


@kernel
def prod(x, dim, keepdim):
    return _reduce("prod", x, dim, keepdim)


@kernel
def amax(x, dim, keepdim):
    return _reduce("amax", x, dim, keepdim)


@kernel
def amin(x, dim, keepdim):
    return _reduce("amin", x, dim, keepdim)


@kernel
def any(x, dim, keepdim):
    return _reduce("any", x, dim, keepdim)


@kernel
def all(x, dim, keepdim):
    return _reduce("all", x, dim, keepdim)


@kernel
def argmax(x, dim, keepdim):
    return _reduce("argmax", x, _axes(x, dim), keepdim)


@kernel
def argmin(x, dim, keepdim):
    return _reduce("argmin", x, _axes(x, dim), keepdim)


@kernel
def cumsum(x, dim):
    x = contiguous(x)
    outer, count, inner = split(x.shape, dim)
    out = new(x.shape, x.dtype, x)
    if x.size:
        run = modules.kernel("scan.cu", "cumsum", (CTYPES[x.dtype],), _SCAN)
        grid, (threads, lines, _) = teams(outer * inner, min(count, 32), inner == 1)
        run(grid, (threads, lines, 1), out.data.ptr, x.data.ptr, outer * inner, count, inner)
    return out


def lines(dtype: np.dtype[Any]) -> str:
    """The text that makes the kernels for one dtype."""
    kind = kind_of(dtype)
    folds = [(name, fold) for name, (fold, takes) in _FOLDS.items() if kind in takes]
    return "".join([f"REDUCTION({name}, {fold})\n" for name, fold in folds])


def _axes(x: Any, dim: int | None) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if dim is None or not x.ndim else (dim,)


def _reduce(name: str, x: Any, dim: tuple[int, ...], keepdim: bool) -> Any:
    plan = _plan(name, x.dtype, x.shape, x.strides, dim)
    if plan is None:
        return _reduce(name, contiguous(x), dim, keepdim)
    shape = [1 if d in dim else n for d, n in enumerate(x.shape) if keepdim or d not in dim]
    out = new(tuple(shape), plan.result, x)
    if out.size:
        plan(out, x)
    return out


@lru_cache(maxsize=1 << 10)
def _plan(
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dim: tuple[int, ...],
) -> _Plan | None:
    """How a reduction of this layout runs; None if it has too many axes."""
    steps = [stride // dtype.itemsize for stride in strides]
    kept = [d for d in range(len(shape)) if d not in dim]
    over = collapse([shape[d] for d in kept], [steps[d] for d in kept])
    along = collapse([shape[d] for d in dim], [steps[d] for d in dim])
    if len(over) > _AXES or len(along) > _AXES:
        return None
    return _Plan(name, dtype, over, along)


class _Plan:
    """What is decided once for a reduction, a dtype and a layout."""

    def __init__(self, name: str, dtype: np.dtype[Any], over: Any, along: Any) -> None:
        positions = name.startswith("arg")
        truth = name in ("any", "all")
        self.result = np.dtype(np.int64) if positions else np.dtype(bool) if truth else dtype
        # The states of `reduction.cu`: an element as it is computed, with its index for positions.
        wide = 4 if truth else max(dtype.itemsize, 4 if kind_of(dtype) == "float" else 1)
        self._state_size = 16 if positions else wide
        count, lines_ = math.prod([n for n, _ in along]), math.prod([n for n, _ in over])
        rows = min([abs(step) for n, step in along]) <= min([abs(step) for n, step in over])
        self._grid, self._block = teams(lines_, count, (rows or lines_ == 1) and count > 1)
        share = self._block[0] * _SHARE
        parts = max(1, min(_BLOCKS // self._grid[0], -(-count // share)))
        span = max(1, -(-count // parts))
        self._parts = max(1, -(-count // span))
        self._tail = (lines_, count, span, self._parts, *walk(over, _AXES), *walk(along, _AXES))
        types, text = (CTYPES[dtype],), lines(dtype)
        self._run = modules.kernel("reduction.cu", name, types, _REDUCTION, text)
        self._join = modules.kernel("reduction.cu", f"{name}_join", types, _JOINING, text)

    def __call__(self, out: Any, x: Any) -> None:
        blocks, parts = self._grid[0], self._parts
        if parts == 1:
            self._run(self._grid, self._block, out.data.ptr, x.data.ptr, *self._tail)
            return
        lines_, count, *_ = self._tail
        states = new((lines_ * parts * self._state_size,), np.dtype(np.uint8), x)
        self._run((blocks, parts, 1), self._block, states.data.ptr, x.data.ptr, *self._tail)
        grid, block = teams(lines_, parts, contiguous=True)
        self._join(grid, block, out.data.ptr, states.data.ptr, lines_, count, parts)
