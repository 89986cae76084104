"""CUDA C to callables: a file of `sources` with its types filled in is a module, compiled when one
of its kernels is first called on a device.

Every kernel takes one struct. Its fields are packed into a buffer of the calling thread and the
driver is called directly, which takes a thirtieth of the time of CuPy's own `RawKernel` call.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from functools import cache
from pathlib import Path
from typing import Any, final

import cupy
import numpy as np
from cupy_backends.cuda.api import driver  # pyright: ignore[reportAttributeAccessIssue]

from plugrad_cupy.arrays import NATIVE
from plugrad_cupy.binaries import loaded

SOURCES = Path(__file__).parent / "sources"
# The names that `scalars.cuh` gives the element types.
CTYPES: dict[np.dtype[Any], str] = {
    native: {"float32": "float", "float64": "double"}.get(native.name, native.name)
    for native in NATIVE.values()
}
_MOST_BYTES = 4096  # that all devices take as a kernel's arguments


@cache
def text_of(file: str, types: tuple[str, ...], lines: str = "") -> str:
    """The source of a module: the types as T, U and V, the file with all that it includes, and
    lines after it.
    """
    names = [f"typedef {name} {letter};\n" for letter, name in zip("TUV", types, strict=False)]
    scalars = _expanded("scalars.cuh", seen := set[str]())
    return "".join([scalars, *names, _expanded(file, seen), lines])


def _expanded(file: str, seen: set[str]) -> str:
    """A file with its includes in their place, each once: the text alone says what is compiled."""
    if file in seen:
        return ""
    seen.add(file)
    out: list[str] = []
    for line in (SOURCES / file).read_text().splitlines(keepends=True):
        if line.startswith('#include "'):
            line = _expanded(line.split('"')[1], seen)
        if not line.startswith("#pragma once"):
            out.append(line)
    return "".join(out)


@cache
def kernel(
    file: str, name: str, types: tuple[str, ...], layout: str, lines: str = ""
) -> CompiledKernel:
    """The kernel of that name; `layout` is its argument's, as `struct` writes it."""
    return CompiledKernel(text_of(file, types, lines), name, layout)


@final
class _Scratch(threading.local):
    """Where a thread packs arguments. The driver copies them before a launch returns, but lets
    other threads run meanwhile: each has a buffer of its own.
    """

    def __init__(self) -> None:
        self.buffer = ctypes.create_string_buffer(_MOST_BYTES)
        self._pointers = (ctypes.c_void_p * 1)(ctypes.addressof(self.buffer))
        self.address = ctypes.addressof(self._pointers)


_scratch = _Scratch()


@final
class CompiledKernel:
    """A kernel by name, and on each device that it was called on the function that it became."""

    def __init__(self, code: str, name: str, layout: str) -> None:
        self._code = code
        self._name = name
        self._pack = struct.Struct(layout).pack_into
        self._functions: dict[int, int] = {}

    def __call__(
        self, grid: tuple[int, int, int], block: tuple[int, int, int], *values: Any
    ) -> None:
        """Launch on the current stream of the current device; pointers are addresses."""
        device = cupy.cuda.get_device_id()
        function = self._functions.get(device)
        if function is None:
            module = loaded(self._code, cupy.cuda.Device().compute_capability)
            function = self._functions[device] = module.get_function(self._name).kernel.ptr
        self._pack(_scratch.buffer, 0, *values)
        stream = cupy.cuda.get_current_stream().ptr
        driver.launchKernel(function, *grid, *block, 0, stream, _scratch.address, 0)


def blocks_for(count: int, each: int) -> int:
    """How many blocks share `count` elements if each takes so many at a time: enough to fill any
    device; those of a larger array take several turns.
    """
    return min(-(-count // each), 1 << 16)
