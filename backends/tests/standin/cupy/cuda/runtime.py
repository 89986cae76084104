"""The CUDA runtime: devices that are no devices. `STANDIN_DEVICES` says how many, 2 by default, and
`STANDIN_BYTES` how much memory each has, 1 GiB by default.
"""

from __future__ import annotations

import os
import threading
from typing import Any

CUDA_R_32F, CUDA_R_64F, CUDA_R_16F = 0, 1, 2
CUDA_C_32F, CUDA_C_64F = 4, 5
CUDA_R_16BF = 14


class CUDARuntimeError(RuntimeError):
    """What the driver refuses."""

    def __init__(self, name: str, text: str, status: int) -> None:
        super().__init__(f"{name}: {text}")
        self.status = status


class _Current(threading.local):
    device = 0


_current = _Current()


def total_bytes() -> int:
    return int(os.environ.get("STANDIN_BYTES", 1 << 30))


def getDeviceCount() -> int:
    count = int(os.environ.get("STANDIN_DEVICES", "2"))
    if not count:
        raise CUDARuntimeError("cudaErrorNoDevice", "no CUDA-capable device is detected", 100)
    return count


def getDevice() -> int:
    return _current.device


def setDevice(index: int) -> None:
    if not 0 <= index < getDeviceCount():
        raise CUDARuntimeError("cudaErrorInvalidDevice", "invalid device ordinal", 101)
    _current.device = index


def getDeviceProperties(index: int) -> dict[str, Any]:
    name = f"stand-in {index} (NOT CUDA: NumPy on the CPU)"
    return {
        "name": name.encode(),
        "totalGlobalMem": total_bytes(),
        "major": 8,
        "minor": 0,
        "multiProcessorCount": 1,
    }


def driverGetVersion() -> int:
    return 0


def runtimeGetVersion() -> int:
    return 0


def memGetInfo() -> tuple[int, int]:
    from cupy.cuda import memory

    return total_bytes() - memory.default_pool.total_bytes(), total_bytes()


def deviceSynchronize() -> None:
    from cupy.cuda import stream

    stream.synchronize_device(getDevice())
