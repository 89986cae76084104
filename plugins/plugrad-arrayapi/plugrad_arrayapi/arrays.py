"""The services: arrays in, out, and views of them.

The standard has no array over given memory with given strides. DLPack has: NumPy makes the view of
the buffer's memory, and the library takes it back, both without a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from plugrad.dtypes import BY_NAME, DType
from plugrad.errors import UnsupportedError
from plugrad.hooks import kernel
from plugrad.spec import Shape
from plugrad_arrayapi.kernels import HALVES, Array, Kernels


class Arrays(Kernels):
    """Arrays of the library, which own or share memory of the host."""

    @kernel
    def array_from_host(
        self, data: memoryview, dtype: DType, shape: Shape, index: int | None
    ) -> Array:
        """A writable copy."""
        return self._shared(np.frombuffer(data, dtype.name).reshape(shape).copy())

    @kernel
    def array_to_host(self, array: Array) -> memoryview:
        """The memory of the array itself where its elements lie in order."""
        return np.ascontiguousarray(np.from_dlpack(array)).reshape(-1).view(np.uint8).data

    @kernel
    def array_flatten(self, array: Array) -> Array:
        """No copy if the elements are in C order."""
        host = np.from_dlpack(array)
        flat = self.xp.reshape(array, (-1,))
        return flat if host.flags.c_contiguous else self.copy(flat)

    @kernel
    def array_view(
        self, buffer: Array, dtype: DType, shape: Shape, strides: Shape, offset: int
    ) -> Array:
        """Through NumPy, and back."""
        if 0 in shape:
            return self.xp.empty(shape, dtype=self.native[dtype])
        size = dtype.itemsize
        steps = tuple([stride * size for stride in strides])
        memory = np.from_dlpack(buffer)
        return self._shared(np.ndarray(shape, dtype.name, memory, offset * size, steps))

    @kernel
    def array_adopt(self, value: Any, index: int | None) -> Array | None:
        """The library's arrays as they are; NumPy's and other buffers shared where they are
        writable and in this machine's byte order, else copied.
        """
        if isinstance(value, type(self.xp.asarray(0))):
            return value if value.dtype in self.portable else None
        try:
            array = np.asarray(
                value if isinstance(value, np.ndarray | np.generic) else memoryview(value)
            )
        except TypeError:
            return None
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        dtype = BY_NAME.get(array.dtype.name)
        if dtype is None:
            return None
        if dtype in HALVES:
            raise UnsupportedError(
                "array_adopt",
                "value",
                expected="a dtype of the standard",
                got=dtype,
                hint="cast it",
            )
        shareable = array.flags.writeable and not any(stride < 0 for stride in array.strides)
        return self._shared(array if shareable else array.copy())

    @kernel
    def array_spec(self, array: Array) -> tuple[Shape, DType]:
        """As the library says."""
        return tuple(array.shape), self.portable[array.dtype]

    @kernel
    def array_to_numpy(self, array: Array) -> Any:
        """The same memory."""
        return np.from_dlpack(array)

    @kernel
    def synchronize(self, index: int | None) -> bool:
        """Kernels have finished when they return."""
        return True

    def _shared(self, host: Any) -> Array:
        return self.xp.from_dlpack(host)
