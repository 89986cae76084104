"""The reference backend: NumPy arrays, one kernel a line where NumPy has the function.

A kernel's result may lie in memory in any order: NumPy keeps the operands' order, which is fastest,
and the frontend asks `array_flatten` once somebody wants to know.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from plugrad import dtypes
from plugrad.dtypes import DType
from plugrad.hooks import CONTRACT_VERSION, Manifest, kernel
from plugrad_numpy.arrays import NATIVE, PORTABLE


@kernel
def plugrad_manifest() -> Manifest:
    """NumPy: every dtype, one unnumbered device."""
    return Manifest(
        name="numpy",
        version=f"numpy {version('numpy')}",
        description="reference, on the CPU",
        modules=tuple(
            f"plugrad_numpy.{name}"
            for name in (
                "elementwise",
                "activation",
                "attention",
                "normalization",
                "loss",
                "comparison",
                "creation",
                "reduction",
                "joining",
                "linalg",
                "systems",
                "decomposition",
                "fourier",
                "numbers",
                "optimizer",
                "indexing",
                "sorting",
                "sampling",
                "convolution",
                "pooling",
                "recurrent",
                "threads",
                "memory",
            )
        ),
        contract=CONTRACT_VERSION,
        dtypes=dtypes.ALL,
        features=("host memory",),
    )


@kernel
def device_count() -> int:
    """The host is always there."""
    return 1


@kernel
def array_from_host(
    data: memoryview, dtype: DType, shape: tuple[int, ...], index: int | None
) -> Any:
    """A writable copy."""
    return np.frombuffer(data, dtype=NATIVE[dtype]).reshape(shape).copy()


@kernel
def array_to_host(array: Any) -> memoryview:
    """Bytes of the array itself where they lie in order, else of a copy."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


@kernel
def array_flatten(array: Any) -> Any:
    """No copy if the elements are in C order; a NumPy scalar becomes an array."""
    return np.ascontiguousarray(array).reshape(-1)


@kernel
def array_view(
    buffer: Any, dtype: DType, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Any:
    """An `ndarray` over the buffer's memory."""
    if 0 in shape:
        return np.empty(shape, NATIVE[dtype])  # NumPy refuses strides past the buffer even then
    size = dtype.itemsize
    return np.ndarray(
        shape, NATIVE[dtype], buffer, offset * size, tuple([stride * size for stride in strides])
    )


@kernel
def array_adopt(value: Any, index: int | None) -> Any:
    """NumPy arrays and scalars as they are, a copy where they are read-only or of foreign byte
    order; other buffers, and what speaks DLPack, shared.
    """
    if isinstance(value, np.generic):
        value = np.asarray(value)
    elif not isinstance(value, np.ndarray):
        try:
            value = np.asarray(memoryview(value))
        except TypeError:
            if not hasattr(value, "__dlpack__"):
                return None
            value = np.from_dlpack(value)
    if value.dtype not in PORTABLE:
        native = value.dtype.newbyteorder("=")
        if native not in PORTABLE:
            return None
        value = value.astype(native)
    negative = any(stride < 0 for stride in value.strides)
    return value if value.flags.writeable and not negative else value.copy()


@kernel
def array_spec(array: Any) -> tuple[tuple[int, ...], DType]:
    """As NumPy says."""
    return array.shape, PORTABLE[array.dtype]


@kernel
def array_to_numpy(array: Any) -> Any:
    """The array itself."""
    return np.asarray(array)


@kernel
def synchronize(index: int | None) -> bool:
    """Kernels have finished when they return."""
    return True
