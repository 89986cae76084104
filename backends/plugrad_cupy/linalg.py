"""Products of matrices and vectors: cuBLAS, called as CuPy's own `matmul` does not for more than
two axes: halves are multiplied as halves and summed in float32, with no copies.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, cast

import cupy
import numpy as np

from plugrad import dtypes
from plugrad.hooks import kernel
from plugrad_cupy.arrays import NATIVE, index_of, new, view
from plugrad_cupy.devices import enter
from plugrad_cupy.layouts import collapse
from plugrad_cupy.strided import (
    Sizes,
    axes,
    axes_layout,
    broadcast_steps,
    copied,
    copy_into,
    ctype,
    fill,
    launch,
    steps,
)

# cuBLAS's numbers: of the types of data, of what sums are kept in, of "you choose the algorithm".
_CUDA_TYPES = {
    NATIVE[dtypes.float16]: 2,
    NATIVE[dtypes.bfloat16]: 14,
    NATIVE[dtypes.float32]: 0,
    NATIVE[dtypes.float64]: 1,
    NATIVE[dtypes.complex64]: 4,
    NATIVE[dtypes.complex128]: 5,
}
# CuPy loads the library where its name is first used: the backend can be listed without it.
_cuda = cast(Any, cupy.cuda)
_SUM_IN_SINGLE, _SUM_IN_DOUBLE = 68, 70
_DEFAULT = -1
_PLAIN, _TRANSPOSED = 0, 1


def _scalars(number: int) -> dict[np.dtype[Any], np.ndarray[Any, Any]]:
    """The number in what each dtype is summed in, where cuBLAS reads it."""
    return {
        native: np.full((), number, np.float32 if native.itemsize == 2 else native)
        for native in _CUDA_TYPES
    }


_ZERO, _ONE = _scalars(0), _scalars(1)


def is_for_cublas(dtype: np.dtype[Any]) -> bool:
    """Whether cuBLAS multiplies such numbers."""
    return dtype in _CUDA_TYPES


def gemm(out: Any, x: Any, y: Any, *, add: bool = False) -> Any:
    """out = x @ y, or with `add` out += x @ y, for matrices in the last two axes; the others
    broadcast to those of `out`, whose last axis must be without gaps.

    `out` may be float32 where the operands are halves.
    """
    rows, columns, terms = *out.shape[-2:], x.shape[-1]
    if not out.size:
        return out
    enter(index_of(out))
    if not terms:
        if not add:
            fill(out, np.zeros((), out.dtype))
        return out
    x, x_form, x_lead = _as_stored(x)
    y, y_form, y_lead = _as_stored(y)
    out_lead = steps(out)[-2] if rows > 1 else columns
    batch = out.shape[:-2]
    walks = [broadcast_steps(each, out.ndim)[:-2] for each in (x, y, out)]
    size = out.dtype.itemsize
    single = out.dtype.itemsize == 4 or out.dtype.char == "F" or x.dtype.itemsize == 2
    kind, scalars = _CUDA_TYPES[x.dtype], (_ONE if add else _ZERO)[out.dtype]
    handle = _cuda.get_cublas_handle()
    for count, hops, starts in _runs(batch, walks):
        # cuBLAS counts along columns: it is asked for the transposed product, y.T @ x.T.
        _cuda.cublas.gemmStridedBatchedEx(
            handle,
            y_form,
            x_form,
            columns,
            rows,
            terms,
            _ONE[out.dtype].ctypes.data,
            y.data.ptr + starts[1] * y.dtype.itemsize,
            kind,
            y_lead,
            hops[1],
            x.data.ptr + starts[0] * x.dtype.itemsize,
            kind,
            x_lead,
            hops[0],
            scalars.ctypes.data,
            out.data.ptr + starts[2] * size,
            _CUDA_TYPES[out.dtype],
            out_lead,
            hops[2],
            count,
            _SUM_IN_SINGLE if single else _SUM_IN_DOUBLE,
            _DEFAULT,
        )
    return out


def _as_stored(x: Any) -> tuple[Any, int, int]:
    """The matrices as cuBLAS can read them: themselves, or a copy if neither axis is without gaps;
    whether they then stand there row by row, and the distance of two rows, or columns.
    """
    rows, columns = x.shape[-2:]
    down, along = steps(x)[-2:]
    if (along == 1 or columns == 1) and (down >= columns or rows == 1):
        return x, _PLAIN, down if rows > 1 else columns
    if (down == 1 or rows == 1) and (along >= rows or columns == 1):
        return x, _TRANSPOSED, along if columns > 1 else rows
    return copied(x), _PLAIN, columns


def _runs(batch: Sizes, walks: list[Sizes]) -> Iterator[tuple[int, tuple[int, ...], list[int]]]:
    """The batch as runs of matrices in one stride each: how many, the strides, where they start."""
    found = collapse(batch, *walks)
    *outer, (count, *hops) = found
    for place in np.ndindex(*[size for size, *_ in outer]):
        starts = [0] * len(walks)
        for at, (_, *strides) in zip(place, outer, strict=True):
            starts = [start + at * stride for start, stride in zip(starts, strides, strict=True)]
        yield count, tuple(hops), starts


_PRODUCT = f"3P4q{axes_layout(2)}"


def _multiply_whole(out: Any, x: Any, y: Any) -> Any:
    """The same for integers and bools."""
    if out.size:
        own, other = broadcast_steps(x, out.ndim), broadcast_steps(y, out.ndim)
        walks = (*own[:-1], 0), (*other[:-2], 0, other[-1])
        launch(
            "products.cu",
            "matmul",
            (ctype(out),),
            _PRODUCT,
            out.size,
            *(out.data.ptr, x.data.ptr, y.data.ptr, out.size),
            *(x.shape[-1], steps(x)[-1], steps(y)[-2]),
            *axes("matmul", out.shape, *walks),
        )
    return out


@kernel
def matmul(x, y):
    lost = []
    if x.ndim == 1:
        x = view(x, (1, x.shape[0]), (0, *x.strides))
        lost.append(-2)
    if y.ndim == 1:
        y = view(y, (y.shape[0], 1), (*y.strides, 0))
        lost.append(-1)
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    out = new((*batch, x.shape[-2], y.shape[-1]), x.dtype, x)
    out = gemm(out, x, y) if is_for_cublas(x.dtype) else _multiply_whole(out, x, y)
    kept = [n for axis, n in enumerate(out.shape, -out.ndim) if axis not in lost]
    return view(out, tuple(kept)) if lost else out


@kernel
def linear(x, weight, bias):
    if weight.ndim != 2 or not is_for_cublas(x.dtype):
        return None
    out = new((*x.shape[:-1], weight.shape[0]), x.dtype, x)
    if bias is not None:
        copy_into(out, bias)
    rows = prod(x.shape[:-1])
    if x.flags.c_contiguous:  # one product rather than many
        x = view(x, (rows, x.shape[-1]))
    elif x.ndim != 2:
        x = view(copied(x), (rows, x.shape[-1]))
    gemm(view(out, (rows, weight.shape[0])), x, weight.T, add=bias is not None)
    return out
