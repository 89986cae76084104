"""Python numbers to and from the little-endian bytes in which elements cross between host, backends
and files.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any

from plugrad import dtypes
from plugrad.dtypes import DType

Number = bool | int | float | complex

# struct's letter for one element, or for one component of a complex number.
_LETTERS: dict[DType, str] = {
    dtypes.bool_: "?",
    dtypes.uint8: "B",
    dtypes.int8: "b",
    dtypes.int16: "h",
    dtypes.int32: "i",
    dtypes.int64: "q",
    dtypes.float16: "e",
    dtypes.float32: "f",
    dtypes.float64: "d",
    dtypes.complex64: "f",
    dtypes.complex128: "d",
}


def encode(values: Sequence[Any], dtype: DType) -> bytes:
    """The elements one after the other; floats round to nearest even, too large ones become
    infinite.

    Raises OverflowError for an integer that the dtype cannot hold.
    """
    if dtype.is_complex:
        numbers = [complex(value) for value in values]
        values = list(chain.from_iterable((z.real, z.imag) for z in numbers))
    elif dtype.is_floating_point:
        values = [float(value) for value in values]
    elif dtype is dtypes.bool_:
        values = [bool(value) for value in values]
    else:
        values = [int(value) for value in values]
    if dtype is dtypes.bfloat16:
        return _encode_bfloat16(values)
    try:
        return struct.pack(f"<{len(values)}{_LETTERS[dtype]}", *values)
    except OverflowError:
        # struct refuses finite numbers beyond the largest float; conversion makes them infinite.
        limit = dtypes.finfo(dtype.to_real()).max
        clipped = [v if -limit <= v <= limit or v != v else v * float("inf") for v in values]
        return struct.pack(f"<{len(values)}{_LETTERS[dtype]}", *clipped)
    except struct.error as error:
        raise OverflowError(f"a value does not fit {dtype}: {error}") from None


def decode(data: memoryview | bytes, dtype: DType) -> list[Any]:
    """The elements as Python numbers."""
    if dtype is dtypes.bfloat16:
        halves = _native("H", data)
        return _native(
            "f", struct.pack(f"{len(halves)}I", *(half << 16 for half in halves))
        ).tolist()
    if dtype is dtypes.float16 or dtype is dtypes.bool_:
        view = memoryview(data).cast("B")
        return list(struct.unpack(f"<{len(view) // dtype.itemsize}{_LETTERS[dtype]}", view))
    values = _native(_LETTERS[dtype], data).tolist()
    if dtype.is_complex:
        return [complex(re, im) for re, im in zip(values[::2], values[1::2], strict=True)]
    return values


def _native(letter: str, data: memoryview | bytes) -> array[Any]:
    values: array[Any] = array(letter, bytes(data))
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _encode_bfloat16(values: Sequence[float]) -> bytes:
    halves: list[int] = []
    for bits in struct.unpack(f"<{len(values)}I", encode(values, dtypes.float32)):
        if bits & 0x7FFFFFFF > 0x7F800000:
            halves.append(0x7FC0)  # rounding could carry a NaN's payload into infinity
        else:
            halves.append((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    return struct.pack(f"<{len(halves)}H", *halves)
