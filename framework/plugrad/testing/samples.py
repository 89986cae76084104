"""Tensors of random elements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from plugrad import dtypes
from plugrad.creation import DeviceLike, sizes_of
from plugrad.dtypes import DType, finfo, iinfo
from plugrad.errors import ArgumentError
from plugrad.formats import MemoryFormat
from plugrad.functions.numbers import complex as complex_of
from plugrad.functions.rearranging import repeat_interleave
from plugrad.random import rand, randint
from plugrad.tensor import Tensor

# By kind of dtype: the lowest element, and what all are below.
_RANGES: dict[str, tuple[float, float]] = {
    "bool": (0, 2),
    "int": (-9, 10),
    "float": (-9, 9),
    "complex": (-9, 9),
}


def make_tensor(
    *shape: int | Sequence[int],
    dtype: DType,
    device: DeviceLike = None,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """Elements that are uniformly distributed from `low` up to, and without, `high`: unless said
    otherwise from -9 to 9, of uint8 from 0, of bool both values.

    Limits outside the dtype's range become its ends. Zeros are replaced by the smallest positive
    normal number, or by 1, with `exclude_zero`; a `noncontiguous` tensor has gaps.
    """
    if noncontiguous and memory_format is not None:
        raise ArgumentError(
            "make_tensor", "memory_format", expected="None beside noncontiguous", got=memory_format
        )
    if requires_grad and dtype.kind not in ("float", "complex"):
        raise ArgumentError(
            "make_tensor", "requires_grad", expected=f"False for {dtype}", got=requires_grad
        )
    sizes = sizes_of("make_tensor", shape)
    first, last = _limits(dtype, low, high)
    made = _drawn(sizes, dtype, device, first, last)
    if noncontiguous and made.numel() > 1:
        made = repeat_interleave(made, 2, dim=-1)[..., ::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        made[made == 0] = _smallest(dtype)
    return made.requires_grad_() if requires_grad else made


def _limits(dtype: DType, low: float | None, high: float | None) -> tuple[float, float]:
    lowest, highest = _RANGES.get(dtype.kind, (0, 0))
    if dtype is dtypes.uint8:
        lowest = 0
    given = {"low": lowest if low is None else low, "high": highest if high is None else high}
    for name, value in given.items():
        if math.isnan(value):
            raise ArgumentError("make_tensor", name, expected="a number", got=value)
    first, last = given["low"], given["high"]
    if not first < last:
        raise ArgumentError("make_tensor", "low", expected=f"below high, {last}", got=first)
    if dtype.kind in ("float", "complex"):
        limits = finfo(dtype.to_real() if dtype.is_complex else dtype)
        return max(first, limits.min), min(last, limits.max)
    if dtype.kind == "bool":
        return max(first, 0), min(last, 2)
    whole = iinfo(dtype)
    bounds = max(math.ceil(max(first, whole.min)), whole.min), math.ceil(min(last, whole.max + 1))
    if bounds[0] >= bounds[1]:
        raise ArgumentError(
            "make_tensor", "high", expected=f"an integer from low, {first}, below it", got=last
        )
    return bounds


def _drawn(sizes: Any, dtype: DType, device: DeviceLike, low: float, high: float) -> Tensor:
    if dtype.is_complex:
        parts = [_drawn(sizes, dtype.to_real(), device, low, high) for _ in range(2)]
        return complex_of(*parts)
    if not dtype.is_floating_point:
        drawn = randint(int(low), int(high), sizes, device=device)
        return drawn.to(dtype)
    share = rand(sizes, dtype=dtype, device=device)
    # Not low + share * (high - low): the distance may be more than the dtype holds.
    return (low * (1 - share) + high * share).clamp(low, math.nextafter(high, low))


def _smallest(dtype: DType) -> float | complex:
    if dtype.is_complex:
        tiny = finfo(dtype.to_real()).tiny
        return complex(tiny, tiny)
    return finfo(dtype).tiny if dtype.is_floating_point else 1
