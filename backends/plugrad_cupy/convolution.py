"""Convolution and its two gradients: by cuDNN where that is installed and takes the call, else as
products with what each filter sees, copied out as columns a part of the batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_cupy import cudnn
from plugrad_cupy.arrays import new, summed_in, view, zeros
from plugrad_cupy.linalg import gemm
from plugrad_cupy.pooling import divisors, image_steps, in_volume
from plugrad_cupy.strided import (
    SIZE,
    Sizes,
    cast_to,
    contiguous,
    copy_into,
    ctype,
    fill,
    launch,
    steps,
)

_COLUMNS = f"2Pq5q{11 * SIZE}9i"
# Bytes of columns made at once: enough to fill a device many times over.
_BLOCK = 1 << 28


def _call(name: str, image: Any, columns: Any, count: int, outs: Sizes, windows: Any) -> None:
    kernel, stride, padding, dilation = windows
    if count:
        launch(
            "columns.cu",
            name,
            (ctype(image),),
            _COLUMNS,
            count,
            *(image.data.ptr, columns.data.ptr, count),
            *image_steps(image),
            *divisors(
                image.shape[:2],
                in_volume(image.shape[2:], 1),
                in_volume(outs, 1),
                in_volume(kernel, 1),
            ),
            *in_volume(stride, 1),
            *in_volume(padding, 0),
            *in_volume(dilation, 1),
        )


def _parts(batch: int, row: int) -> Iterator[slice]:
    """The batch in parts of which the columns take about `_BLOCK` bytes."""
    height = max(1, _BLOCK // max(1, row))
    for start in range(0, batch, height):
        yield slice(start, min(start + height, batch))


def _columns(x: Any, outs: Sizes, windows: Any, groups: int) -> Any:
    """What each filter sees, (groups, C / groups * kernel, N * out)."""
    batch, channels = x.shape[:2]
    rows, places = channels * prod(windows[0]), batch * prod(outs)
    pointwise = prod(windows[0]) == 1 and outs == x.shape[2:] and not any(windows[2])
    if pointwise and batch == 1 and x.flags.c_contiguous:
        return view(x, (groups, rows // groups, places))
    columns = new((groups, rows // groups, places), x.dtype, x)
    _call("gather", x, columns, columns.size, outs, windows)
    return columns


def _filters(weight: Any, groups: int) -> Any:
    count = weight.shape[0]
    return view(contiguous(weight), (groups, count // groups, prod(weight.shape[1:])))


def _channels_first(y: Any, groups: int) -> Any:
    """(N, O, *out) as (groups, O / groups, N * out)."""
    batch, count = y.shape[:2]
    own = y.strides
    moved = view(y, (count, batch, *y.shape[2:]), (own[1], own[0], *own[2:]))
    return view(contiguous(moved), (groups, count // groups, batch * prod(y.shape[2:])))


@kernel
def convolution(x, weight, bias, stride, padding, dilation, groups):
    kernel, count, batch = weight.shape[2:], weight.shape[0], x.shape[0]
    windows = kernel, stride, padding, dilation
    outs = tuple([window_count(*axis) for axis in zip(x.shape[2:], *windows)])
    if cudnn.takes(x):
        out = new((batch, count, *outs), x.dtype, x)
        if cudnn.forward(out, x, weight, windows):
            return out if bias is None else _add_bias(out, bias)
    places = prod(outs)
    y = new((groups, count // groups, batch * places), x.dtype, x)
    if bias is not None:
        copy_into(y, view(contiguous(bias), (groups, count // groups, 1)))
    filters = _filters(weight, groups)
    row = x.shape[1] * prod(kernel) * places * x.dtype.itemsize
    for part in _parts(batch, row):
        columns = _columns(x[part], outs, windows, groups)
        piece = y[:, :, part.start * places : part.stop * places]
        gemm(piece, filters, columns, add=bias is not None)
    # (O, N, *out), seen as (N, O, *out): nobody copies before somebody asks for another order.
    size = y.dtype.itemsize
    inner = steps(view(y, (count, batch, *outs)))
    return view(
        y,
        (batch, count, *outs),
        tuple([step * size for step in (inner[1], inner[0], *inner[2:])]),
    )


def _add_bias(out: Any, bias: Any) -> Any:
    """Add to each channel in place: the product of the bias and a row of ones."""
    batch, count = out.shape[:2]
    ones = new((1, prod(out.shape[2:])), out.dtype, out)
    fill(ones, np.ones((), out.dtype))
    column = view(contiguous(bias), (count, 1))
    gemm(view(out, (batch, count, ones.size)), column, ones, add=True)
    return out


@kernel
def convolution_weight_gradient(y, x, kernel, stride, padding, dilation, groups):
    windows = kernel, stride, padding, dilation
    count, channels, outs = y.shape[1], x.shape[1], y.shape[2:]
    shape = (count, channels // groups, *kernel)
    if cudnn.takes(x):
        out = new(shape, x.dtype, x)
        if cudnn.weight_gradient(out, y, x, windows):
            return out
    dtype = summed_in(x)
    size = channels // groups * prod(kernel)
    out = zeros((groups, count // groups, size), dtype, x)
    row = channels * prod(kernel) * prod(outs) * x.dtype.itemsize
    for part in _parts(x.shape[0], row):
        columns = _columns(x[part], outs, windows, groups)
        gemm(out, _channels_first(y[part], groups), columns.swapaxes(1, 2), add=True)
    return view(cast_to(out, x.dtype) if dtype != x.dtype else out, shape)


@kernel
def convolution_input_gradient(y, weight, input_size, stride, padding, dilation, groups):
    kernel, batch, outs = weight.shape[2:], y.shape[0], y.shape[2:]
    windows = kernel, stride, padding, dilation
    channels = weight.shape[1] * groups
    out = new((batch, channels, *input_size), y.dtype, y)
    if cudnn.takes(y) and cudnn.input_gradient(out, y, weight, windows):
        return out
    filters = _filters(weight, groups).swapaxes(1, 2)
    dtype = summed_in(y)
    row = channels * prod(kernel) * prod(outs) * dtype.itemsize
    for part in _parts(batch, row):
        rows = _channels_first(y[part], groups)
        columns = gemm(new((groups, filters.shape[1], rows.shape[2]), dtype, y), filters, rows)
        piece = out[part]
        _call("scatter", piece, columns, piece.size, outs, windows)
    return out
