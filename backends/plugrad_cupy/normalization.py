"""Normalisation, fused: layer norm a row per team of threads, batch norm in three launches, which
leave statistics, join them and apply them. Parameters that are None go as null pointers.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import HALVES, new
from plugrad_cupy.lines import teams
from plugrad_cupy.modules import CTYPES, blocks_for
from plugrad_cupy.strided import contiguous

_LAYER_NORM = "6P2qd"
_COLUMNS = "7P4q"
_BATCH_NORM = "9P5qdP"
_THREADS = 256
_BLOCKS = 512  # enough to fill any device
_LEAST = 32  # rows, or elements of a thread, that make a part worth its launch


def wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What numbers of a dtype are computed in."""
    return np.dtype(np.float32) if dtype in HALVES else dtype


def address(x: Any) -> int:
    """Where an array begins; 0 for None."""
    return 0 if x is None else x.data.ptr


def _kernel(name: str, dtype: np.dtype[Any], layout: str) -> Any:
    return modules.kernel("normalization.cu", name, (CTYPES[dtype],), layout)


def _in_order(*arrays: Any) -> list[Any]:
    return [None if x is None else contiguous(x) for x in arrays]


# layer norm ---------------------------------------------------------------------------------------


@kernel
def layer_norm(x, weight, bias, axes, eps):
    x, weight, bias = _in_order(x, weight, bias)
    out = new(x.shape, x.dtype, x)
    if x.size:
        size = prod(x.shape[x.ndim - axes :])
        rows = x.size // size
        run = _kernel("layer_norm", x.dtype, _LAYER_NORM)
        pointers = out.data.ptr, x.data.ptr, address(weight), address(bias), 0, 0
        run(*teams(rows, size, contiguous=True), *pointers, rows, size, eps)
    return out


@kernel
def layer_norm_backward(g, x, weight, axes, eps):
    if not x.size:
        return None
    g, x, weight = _in_order(g, x, weight)
    shape = x.shape[x.ndim - axes :]
    size = prod(shape)
    rows = x.size // size
    out, for_weight, for_bias = (new(each, x.dtype, x) for each in (x.shape, shape, shape))
    mean, scale = (new((rows,), wide(x.dtype), x) for _ in range(2))
    run = _kernel("layer_norm_backward", x.dtype, _LAYER_NORM)
    pointers = [address(each) for each in (out, x, weight, g, mean, scale)]
    run(*teams(rows, size, contiguous=True), *pointers, rows, size, eps)

    (columns, _, _), block = teams(size, rows, contiguous=False)
    span, count = _parts(rows, max(1, _BLOCKS // columns), _LEAST)
    sums = new((count, size, 2), wide(x.dtype), x)
    pointers = [address(each) for each in (for_weight, for_bias, sums, x, g, mean, scale)]
    values = *pointers, rows, size, span, count
    _kernel("layer_norm_columns", x.dtype, _COLUMNS)((columns, count, 1), block, *values)
    _kernel("layer_norm_join", x.dtype, _COLUMNS)((columns, 1, 1), block, *values)
    return out, for_weight, for_bias


def _parts(count: int, most: int, least: int) -> tuple[int, int]:
    """How many of `count` things go in a part, and how many parts that makes: at most `most`, of
    `least` each or more.
    """
    parts = max(1, min(most, -(-count // least)))
    span = max(1, -(-count // parts))
    return span, -(-count // span)


# batch norm ---------------------------------------------------------------------------------------


@kernel
def batch_norm(x, weight, bias, eps):
    if not x.size:
        return None
    channels = _Channels(x, weight, bias, eps)
    mean, variance = (new((channels.count,), x.dtype, x) for _ in range(2))
    channels.measure(mean, variance)
    channels.over_elements("batch_norm_apply")
    return channels.out, mean, variance


@kernel
def batch_norm_backward(g, x, weight, eps):
    if not x.size:
        return None
    channels = _Channels(x, weight, g, eps)
    for_weight, for_bias = (new((channels.count,), x.dtype, x) for _ in range(2))
    channels.measure()
    channels.over_parts("batch_norm_backward", for_weight, for_bias)
    channels.over_elements("batch_norm_backward_apply")
    return channels.out, for_weight, for_bias


@kernel
def batch_norm_inference(x, mean, var, weight, bias, eps):
    channels = _Channels(x, weight, bias, eps)
    if x.size:
        mean, var = _in_order(mean, var)
        channels.launch("batch_norm_given", channels.few, mean, var)
        channels.over_elements("batch_norm_apply")
    return channels.out


class _Channels:
    """A batch as (examples, channels, inner), and what its kernels share: the struct BatchNorm."""

    def __init__(self, x: Any, weight: Any, other: Any, eps: float) -> None:
        x, weight, other = self._arrays = _in_order(x, weight, other)
        self.count = x.shape[1]
        inner = prod(x.shape[2:])
        elements = x.shape[0] * inner
        self.out = new(x.shape, x.dtype, x)
        self._dtype = x.dtype
        (blocks, _, _), self._block = teams(self.count, elements, contiguous=inner > 1)
        span, parts = _parts(elements, max(1, _BLOCKS // blocks), _LEAST * self._block[0])
        self._many = blocks, max(1, parts), 1
        self.few = -(-self.count // _THREADS), 1, 1
        kept = wide(x.dtype)
        self._mean, self._scale = (new((self.count,), kept, x) for _ in range(2))
        self._parts = new((max(1, parts), self.count, 3), kept, x)
        self._sums = new((self.count, 2), kept, x)
        self._sizes = self.count, x.shape[0], inner, span, parts, eps, self._sums.data.ptr

    def launch(
        self, name: str, grid: Any, first: Any = None, second: Any = None, block: Any = None
    ) -> None:
        """Run a kernel; `first` and `second` are what it gives, or takes, for each channel."""
        arrays = self._mean, self._scale, self._parts, first, second
        pointers = [address(each) for each in (self.out, *self._arrays, *arrays)]
        run = _kernel(name, self._dtype, _BATCH_NORM)
        run(grid, block or (_THREADS, 1, 1), *pointers, *self._sizes)

    def over_parts(self, name: str, first: Any = None, second: Any = None) -> None:
        """Sums of parts of each channel, then of the parts."""
        self.launch(f"{name}_parts", self._many, block=self._block)
        self.launch(f"{name}_join", self.few, first, second)

    def measure(self, mean: Any = None, variance: Any = None) -> None:
        """Each channel's mean and deviation."""
        self.over_parts("batch_norm", mean, variance)

    def over_elements(self, name: str) -> None:
        """A kernel that takes every element by itself."""
        self.launch(name, (blocks_for(self.out.size, _THREADS), 1, 1))
