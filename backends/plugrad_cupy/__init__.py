"""CUDA devices through CuPy: `cuda:0`, `cuda:1`, …

Native arrays are `cupy.ndarray`; kernels are CUDA C in `sources`, compiled when first called. A
call returns before the device has computed; only what the host must see waits for it.
"""

from __future__ import annotations

from typing import Any

import cupy

from plugrad import dtypes
from plugrad.dtypes import DType
from plugrad.hooks import CONTRACT_VERSION, DeviceProperties, Manifest, kernel
from plugrad_cupy import devices, positions
from plugrad_cupy.arrays import NATIVE, PORTABLE, new_on, view
from plugrad_cupy.strided import contiguous


@kernel
def plugrad_manifest() -> Manifest:
    """CuPy's version; no device is touched."""
    return Manifest(
        name="cuda",
        version=f"cupy {cupy.__version__}",
        description="NVIDIA GPUs, through CuPy",
        modules=tuple(
            f"plugrad_cupy.{name}"
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
                "transfer",
                "memory",
                "streams",
            )
        ),
        contract=CONTRACT_VERSION,
        dtypes=dtypes.ALL,
        numbered=True,
    )


@kernel
def device_count() -> int:
    """As the driver counts."""
    return devices.count()


@kernel
def device_name(index: int) -> str:
    """As the driver says."""
    return cupy.cuda.runtime.getDeviceProperties(index)["name"].decode()


@kernel
def device_properties(index: int) -> DeviceProperties:
    """As the driver says."""
    found = cupy.cuda.runtime.getDeviceProperties(index)
    return DeviceProperties(
        name=found["name"].decode(),
        major=found["major"],
        minor=found["minor"],
        total_memory=found["totalGlobalMem"],
        multi_processor_count=found["multiProcessorCount"],
    )


@kernel
def device_choose(index: int | None) -> int:
    """Kept per thread, apart from CuPy's own current device."""
    return devices.chosen() if index is None else devices.choose(index)


@kernel
def array_flatten(array: Any) -> Any:
    """No copy if the elements are in C order."""
    array = contiguous(array)
    return view(array, (array.size,))


@kernel
def array_view(
    buffer: Any, dtype: DType, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> Any:
    """A `cupy.ndarray` over the buffer's memory."""
    native, size = NATIVE[dtype], dtype.itemsize
    if 0 in shape:
        return new_on(buffer.data.device_id, shape, native)
    return cupy.ndarray(
        shape, native, buffer.data + offset * size, tuple([stride * size for stride in strides])
    )


@kernel
def array_spec(array: Any) -> tuple[tuple[int, ...], DType]:
    """As CuPy says."""
    return array.shape, PORTABLE[array.dtype]


@kernel
def array_index(array: Any) -> int:
    """The device that the memory belongs to."""
    return array.data.device_id


@kernel
def synchronize(index: int | None) -> bool:
    """Wait for all streams of the device."""
    index = devices.chosen() if index is None else index
    devices.enter(index)
    cupy.cuda.Device(index).synchronize()
    positions.check()
    return True
