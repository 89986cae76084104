"""Arrays in any order of memory: walks over several that share axes, as kernels take them, and
copies into C order and out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from plugrad.errors import UnsupportedError
from plugrad_cupy.arrays import index_of, new, view
from plugrad_cupy.devices import enter
from plugrad_cupy.layouts import collapse
from plugrad_cupy.modules import CTYPES, blocks_for, kernel

Sizes = tuple[int, ...]

RANK = 12  # as in sources/axes.cuh
SIZE = "qQq"  # the `struct` format of `Size` there
_THREADS = (256, 1, 1)
# A type of each size of elements: what only moves bits needs no other.
_MOVED_AS = {1: "uint8", 2: "int16", 4: "int32", 8: "int64", 16: "complex128"}


def moved_as(x: Any) -> str:
    """The C type by which elements of this size are moved."""
    return _MOVED_AS[x.dtype.itemsize]


def ctype(x: Any) -> str:
    """The C type of the elements."""
    return CTYPES[x.dtype]


def launch(
    file: str,
    name: str,
    types: tuple[str, ...],
    layout: str,
    count: int,
    *values: Any,
    lines: str = "",
) -> None:
    """Call a kernel of `sources` that shares `count` elements out among its threads."""
    run = kernel(file, name, types, layout, lines)
    run((blocks_for(count, 256), 1, 1), _THREADS, *values)


def steps(x: Any) -> Sizes:
    """Strides in elements."""
    size = x.dtype.itemsize
    return tuple([stride // size for stride in x.strides])


def broadcast_steps(x: Any, ndim: int) -> Sizes:
    """Strides in elements of an array that is broadcast to more axes."""
    own = [0 if n == 1 else step for n, step in zip(x.shape, steps(x), strict=True)]
    return (*(0,) * (ndim - x.ndim), *own)


def divisor(size: int) -> tuple[int, int, int]:
    """The fields of `Size` in sources/axes.cuh: the factor and the shift that divide by it."""
    shift = max(0, size - 1).bit_length()
    factor = (1 << 64) * ((1 << shift) - size) // max(1, size) + 1
    return size, factor & ((1 << 64) - 1), shift


def axes_layout(walks: int) -> str:
    """The `struct` format of `Axes<walks>` in sources/axes.cuh."""
    return f"{SIZE * RANK}{RANK * walks + 1}q"


def axes(operator: str, shape: Sizes, *walks: Sequence[int]) -> list[int]:
    """The fields of `Axes`: the shape, and a walk's strides in elements for each array."""
    found = collapse(shape, *walks)
    rank = len(found)
    if rank > RANK:
        raise UnsupportedError(
            operator,
            "input",
            expected=f"at most {RANK} axes that do not merge, on CUDA",
            got=shape,
            hint="call contiguous() first",
        )
    spare = RANK - rank
    fields = [field for size, *_ in found for field in divisor(size)] + [0] * (3 * spare)
    for _, *strides in found:
        fields += strides
    return [*fields, *[0] * (spare * len(walks)), rank]


_COPY = f"2Pq{axes_layout(2)}"


def copy_into(out: Any, x: Any) -> None:
    """Write `x`, of the same dtype and broadcast to `out`'s shape, into `out`; they must not
    overlap.
    """
    count = out.size
    if not count:
        return
    enter(index_of(out))
    if out.shape == x.shape and out.flags.c_contiguous and x.flags.c_contiguous:
        out.data.copy_from_device_async(x.data, out.nbytes)
        return
    to, source = steps(out), broadcast_steps(x, out.ndim)
    if len(collapse(out.shape, to, source)) > RANK:
        x = view(x, out.shape, tuple([step * x.dtype.itemsize for step in source]))
        for index in range(out.shape[0]):
            copy_into(out[index], x[index])
        return
    walk = axes("copy_", out.shape, to, source)
    launch(
        "strided.cu", "copy", (moved_as(out),), _COPY, count, out.data.ptr, x.data.ptr, count, *walk
    )


def copied(x: Any) -> Any:
    """A copy in C order."""
    out = new(x.shape, x.dtype, x)
    copy_into(out, x)
    return out


def apart(x: Any, out: Any) -> Any:
    """The array itself if it shares no elements with one that is written, else a copy."""
    if x.data.mem.ptr != out.data.mem.ptr:
        return x
    (first, last), (start, stop) = _span(x), _span(out)
    return copied(x) if first < stop and start < last else x


def _span(x: Any) -> tuple[int, int]:
    """The addresses between which the elements lie."""
    reach = [(n - 1) * stride for n, stride in zip(x.shape, x.strides)] if x.size else [0]
    low = x.data.ptr + sum([far for far in reach if far < 0])
    return low, x.data.ptr + sum([far for far in reach if far > 0]) + x.dtype.itemsize


def contiguous(x: Any) -> Any:
    """The array itself if its elements lie in C order, else a copy."""
    return x if x.flags.c_contiguous else copied(x)


_WORDS = {1: "B", 2: "H", 4: "I", 8: "Q", 16: "2Q"}


def fill(out: Any, value: Any) -> None:
    """Write one number, of the array's own NumPy dtype, into an array in C order."""
    if not out.size:
        return
    enter(index_of(out))
    word = _WORDS[out.dtype.itemsize]
    words = np.frombuffer(value.tobytes(), "u8" if word == "2Q" else f"u{out.dtype.itemsize}")
    if not words.any():
        out.data.memset_async(0, out.nbytes)
        return
    numbers = words.tolist()
    count = out.size
    launch(
        "strided.cu", "fill", (moved_as(out),), f"Pq{word}", count, out.data.ptr, count, *numbers
    )


_CAST = f"2Pq{axes_layout(1)}"


def cast_to(x: Any, dtype: np.dtype[Any]) -> Any:
    """A copy in C order and in another dtype."""
    if dtype == x.dtype:
        return copied(x)
    out = new(x.shape, dtype, x)
    count = out.size
    if count:
        walk = axes("cast", x.shape, steps(x))
        types = (ctype(x), CTYPES[dtype])
        launch("casting.cu", "cast", types, _CAST, count, out.data.ptr, x.data.ptr, count, *walk)
    return out
