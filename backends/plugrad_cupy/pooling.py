"""Pooling, a thread per element of the result; nothing is padded, and nothing added by two threads
at once.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_cupy.arrays import new, summed_in, view, zeros
from plugrad_cupy.choice import Choice, collect
from plugrad_cupy.modules import CTYPES
from plugrad_cupy.positions import Axis
from plugrad_cupy.strided import SIZE, Sizes, divisor, launch, steps

_WINDOWS = f"3Pq5q{7 * SIZE}12iid"


def in_volume(values: Sizes, missing: int) -> Sizes:
    """One value for each of three spatial axes; `missing` for those in front that are not there."""
    return (*(missing,) * (3 - len(values)), *values)


def divisors(*groups: Sizes) -> list[int]:
    """The fields of `Size` for each number."""
    return [field for sizes in groups for size in sizes for field in divisor(size)]


def image_steps(x: Any) -> Sizes:
    """Steps of (N, C, *spatial) as of five axes."""
    own = steps(x)
    return (*own[:2], *in_volume(own[2:], 0))


def _run(
    name: str,
    out: Any,
    x: Any,
    sizes: Sizes,
    outs: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    *,
    positions: Any = None,
    include_padding: bool = False,
    divisor: float = 0,
) -> Any:
    if out.size:
        launch(
            "pooling.cu" if name == "max_pool" else "averaging.cu",
            name,
            (CTYPES[x.dtype if name == "shares" else out.dtype],),
            _WINDOWS,
            out.size,
            *(out.data.ptr, 0 if positions is None else positions.data.ptr, x.data.ptr, out.size),
            *image_steps(x),
            *divisors(in_volume(sizes, 1), in_volume(outs, 1), x.shape[1:2]),
            *in_volume(kernel, 1),
            *in_volume(stride, 1),
            *in_volume(padding, 0),
            *in_volume(dilation, 1),
            include_padding,
            divisor,
        )
    return out


def _outputs(
    sizes: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> Sizes:
    windows = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple([window_count(*axis, ceil_mode) for axis in windows])


@kernel
def max_pool(x, kernel, stride, padding, dilation, ceil_mode):
    sizes = x.shape[2:]
    outs = _outputs(sizes, kernel, stride, padding, dilation, ceil_mode)
    out = new((*x.shape[:2], *outs), x.dtype, x)
    positions = new(out.shape, np.dtype(np.int64), x)
    windows = sizes, outs, kernel, stride, padding, dilation
    return _run("max_pool", out, x, *windows, positions=positions), positions


@kernel
def max_pool_backward(g, indices, input_size):
    size = prod(input_size)
    flat = zeros((*g.shape[:2], size), g.dtype, g)
    walk = (*steps(flat)[:2], *(0,) * len(input_size))
    tensors = ((indices, steps(indices), size, 1),)
    axis = Axis("indices", 2, tuple(flat.shape), False)
    choice = Choice("max_pool_backward", g.shape, walk, tensors, (axis,))
    return view(collect(choice, flat, g, steps(g)), (*g.shape[:2], *input_size))


def _divisor(kernel: Sizes, padding: Sizes, ceil_mode: bool, include: bool, divisor: Any) -> float:
    """What all sums are divided by; 0 where windows differ."""
    same = not ceil_mode and (include or not any(padding))
    return divisor or (prod(kernel) if same else 0)


@kernel
def avg_pool(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    sizes, dense = x.shape[2:], (1,) * len(kernel)
    outs = _outputs(sizes, kernel, stride, padding, dense, ceil_mode)
    out = new((*x.shape[:2], *outs), x.dtype, x)
    windows = sizes, outs, kernel, stride, padding, dense
    by = _divisor(kernel, padding, ceil_mode, count_include_pad, divisor)
    return _run("avg_pool", out, x, *windows, include_padding=count_include_pad, divisor=by)


@kernel
def avg_pool_backward(
    g, input_size, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    out = new((*g.shape[:2], *input_size), g.dtype, g)
    windows = input_size, g.shape[2:], kernel, stride, padding, (1,) * len(kernel)
    by = _divisor(kernel, padding, ceil_mode, count_include_pad, divisor)
    if by:
        return _run("backward", out, g, *windows, divisor=by)
    shares = new(g.shape, summed_in(g), g)
    _run("shares", shares, g, *windows, include_padding=count_include_pad)
    return _run("backward_of_shares", out, shares, *windows, divisor=1)
