"""`cupy.ndarray` without arithmetic: metadata over memory, views of itself, copies to the host."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from cupy.cuda.device import Device
from cupy.cuda.memory import MemoryPointer, alloc
from cupy.cuda.stream import get_current_stream


@dataclass(frozen=True)
class Flags:
    c_contiguous: bool
    f_contiguous: bool
    owndata: bool


class ndarray:
    """Shape, strides in bytes, dtype and memory."""

    # NumPy must not take it for a sequence: mixing the two is an error in CuPy as well.
    __array_ufunc__ = None

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: MemoryPointer | None = None,
        strides: tuple[int, ...] | None = None,
        order: str = "C",
    ) -> None:
        self.shape = (shape,) if isinstance(shape, int) else tuple(map(int, shape))
        self.dtype = np.dtype(dtype)
        if strides is not None and memptr is None:
            raise ValueError("memptr is required if strides is given.")
        if order != "C":
            raise NotImplementedError("order other than C")
        self.strides = self._c_strides() if strides is None else tuple(map(int, strides))
        if len(self.strides) != len(self.shape):
            raise ValueError("strides and shape differ in length")
        self._owns = memptr is None
        self.data = alloc(self.nbytes) if memptr is None else memptr
        self._check_bounds()

    def _c_strides(self) -> tuple[int, ...]:
        strides, step = [], self.dtype.itemsize
        for size in reversed(self.shape):
            strides.append(step)
            step *= size
        return tuple(reversed(strides))

    def _span(self) -> tuple[int, int]:
        """Bytes before and after the first element's address that the elements lie in."""
        if not self.size:
            return 0, 0
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low = sum(min(0, each) for each in reach)
        return low, sum(max(0, each) for each in reach) + self.itemsize

    def _check_bounds(self) -> None:
        low, high = self._span()
        start, memory = self.data.ptr, self.data.mem
        if high and not memory.ptr <= start + low <= start + high <= memory.ptr + memory.size:
            raise AssertionError(
                f"stand-in: array {self.shape} with strides {self.strides} reaches out of its "
                f"memory of {memory.size} bytes"
            )

    def host(self) -> np.ndarray[Any, Any]:
        """The memory as NumPy sees it; no method of CuPy's, for the stand-in's own use."""
        if not self.size:
            return np.empty(self.shape, self.dtype)
        low, high = self._span()
        raw = (ctypes.c_uint8 * (high - low)).from_address(self.data.ptr + low)
        return np.ndarray(self.shape, self.dtype, raw, -low, self.strides)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def device(self) -> Device:
        return Device(self.data.device_id)

    @property
    def flags(self) -> Flags:
        seen = np.lib.stride_tricks.as_strided(
            np.empty((), self.dtype), self.shape, self.strides, writeable=False
        )
        return Flags(seen.flags.c_contiguous, seen.flags.f_contiguous, self._owns)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def _see(self, seen: np.ndarray[Any, Any], base: np.ndarray[Any, Any]) -> ndarray:
        if not seen.size:
            return ndarray(seen.shape, seen.dtype, self.data)
        offset = seen.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        return ndarray(seen.shape, seen.dtype, self.data + offset, seen.strides)

    def __getitem__(self, key: Any) -> ndarray:
        for part in key if isinstance(key, tuple) else (key,):
            if not (part is None or part is Ellipsis or isinstance(part, int | slice)):
                raise NotImplementedError(f"stand-in: indexing by {type(part).__name__}")
        base = self.host()
        key = key if isinstance(key, tuple) else (key,)
        return self._see(base[(*key, *(() if Ellipsis in key else (Ellipsis,)))], base)

    def transpose(self, *axes: Any) -> ndarray:
        base = self.host()
        return self._see(base.transpose(*axes), base)

    @property
    def T(self) -> ndarray:
        return self.transpose()

    def swapaxes(self, first: int, second: int) -> ndarray:
        base = self.host()
        return self._see(base.swapaxes(first, second), base)

    def reshape(self, *shape: Any) -> ndarray:
        base = self.host()
        seen = base.reshape(*shape)
        if base.size and not np.shares_memory(seen, base):
            raise AssertionError(
                f"stand-in: reshape of {self.shape} with strides {self.strides} copies silently"
            )
        return self._see(seen, base)

    def view(self, dtype: Any = None) -> ndarray:
        base = self.host()
        return self._see(base if dtype is None else base.view(dtype), base)

    def get(self) -> np.ndarray[Any, Any]:
        get_current_stream().synchronize()
        return self.host().copy()

    def item(self) -> Any:
        return self.get().item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )
