"""Random numbers: the stream that `plugrad.ops.sampling` defines; each kernel draws its words."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import NATIVE, new_on
from plugrad_cupy.modules import CTYPES, blocks_for

_DRAW = "P2Q2qQ2d"
_LOW = 0xFFFFFFFFFFFFFFFF


@kernel
def philox(seed, offset, count, device):
    return _draw("words.cu", "philox", seed, offset, (count,), np.dtype(np.int64), device)


@kernel
def uniform(seed, offset, shape, dtype, device):
    return _draw("sampling.cu", "uniform", seed, offset, shape, NATIVE[dtype], device)


@kernel
def normal(seed, offset, shape, dtype, device):
    return _draw("sampling.cu", "normal", seed, offset, shape, NATIVE[dtype], device)


@kernel
def randint(seed, offset, low, high, shape, dtype, device):
    more = {"low": low, "width": high - low}
    return _draw("words.cu", "randint", seed, offset, shape, NATIVE[dtype], device, **more)


@kernel
def keep_mask(seed, offset, p, shape, dtype, device):
    native = NATIVE[dtype]
    # Rounded once, here, to the dtype of the mask.
    scale = float(np.float64(1 / (1 - p)).astype(native)) if p < 1 else 0.0
    more = {"p": p, "scale": scale}
    return _draw("sampling.cu", "keep_mask", seed, offset, shape, native, device, **more)


def _draw(
    file: str,
    name: str,
    seed: int,
    offset: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    device: Any,
    *,
    low: int = 0,
    width: int = 1,
    p: float = 0.0,
    scale: float = 0.0,
) -> Any:
    out = new_on(device.index, tuple(shape), dtype)
    count = prod(shape)
    if count:
        run = modules.kernel(file, name, (CTYPES[dtype],), _DRAW)
        values = seed & _LOW, offset // 4, count, low, width, p, scale
        run((blocks_for(count, 256), 1, 1), (256, 1, 1), out.data.ptr, *values)
    return out
