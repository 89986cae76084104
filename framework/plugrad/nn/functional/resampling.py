"""Images enlarged and reduced, one spatial axis after the other: each element of the result is a
weighted sum of a few elements of its line.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from plugrad.creation import tensor
from plugrad.errors import ArgumentError, DtypeError, UnsupportedError
from plugrad.functions import pooling
from plugrad.functions.convolution import Sizes
from plugrad.ops.indexing import index_select
from plugrad.shapes import as_ints
from plugrad.tensor import Tensor

Factors = float | Sequence[float]

# The number of axes that each mode takes, batch and channels among them.
_AXES = {
    "nearest": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
    "area": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "lanczos": (4,),
    "trilinear": (5,),
}
_BLOCKY = ("nearest", "nearest-exact", "area")
_SMOOTHED = ("bilinear", "bicubic", "lanczos")


def interpolate(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: Factors | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """(N, C, *spatial) with other spatial sizes: `size`, or a multiple of what they are.

    `mode` is "nearest", "nearest-exact" or "area" for any number of axes, else "linear" for one,
    "bilinear" or "bicubic" (R. Keys, 1981, a = -0.75) for two, "trilinear" for three. With
    `align_corners` the centres of the first and of the last elements stay where they are, else the
    image's edges do. The distance of two elements is 1 / scale_factor as it was given, unless
    `recompute_scale_factor` wants the sizes' own ratio. `antialias` widens the weights where an
    image is reduced, as PIL does ("bilinear", "bicubic" with a = -0.5, "lanczos").
    """
    axes = _AXES.get(mode)
    if axes is None:
        raise UnsupportedError(
            "interpolate", "mode", expected=f"one of {tuple(_AXES)}", got=repr(mode)
        )
    if input.ndim not in axes:
        raise UnsupportedError(
            "interpolate", "input", expected=f"{axes} axes for mode {mode!r}", got=input.ndim
        )
    if align_corners is not None and mode in _BLOCKY:
        raise ArgumentError(
            "interpolate", "align_corners", expected=f"None for mode {mode!r}", got=align_corners
        )
    if antialias and mode not in _SMOOTHED:
        raise ArgumentError(
            "interpolate", "antialias", expected=f"False for mode {mode!r}", got=antialias
        )
    if mode == "lanczos" and (align_corners or not antialias):
        raise ArgumentError(
            "interpolate", "mode", expected="'lanczos' with antialias alone", got=repr(mode)
        )
    spatial = tuple(input.shape[2:])
    factors = None if scale_factor is None else _one_per_axis(spatial, scale_factor)
    sizes = _sizes(spatial, size, factors, recompute_scale_factor)
    if mode == "area":
        mean = (
            pooling.adaptive_avg_pool1d,
            pooling.adaptive_avg_pool2d,
            pooling.adaptive_avg_pool3d,
        )
        return mean[len(spatial) - 1](input, sizes)
    if recompute_scale_factor:
        factors = None
    if mode not in _BLOCKY and not input.is_floating_point():
        raise DtypeError(
            "interpolate", "input", expected="a floating dtype", got=input.dtype, hint="cast it"
        )
    scales = [factor or None for factor in factors or (None,) * len(spatial)]
    lines = [
        _lines(mode, own, wanted, scale, bool(align_corners), antialias)
        for own, wanted, scale in zip(spatial, sizes, scales)
    ]
    # The axis that grows least goes first: the others then have less to do.
    order = sorted(range(len(spatial)), key=lambda axis: sizes[axis] / spatial[axis])
    for axis in order:
        input = _resample(input, axis + 2, lines[axis])
    return input


def upsample(
    input: Tensor,
    size: Sizes | None = None,
    scale_factor: Factors | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its older name, which warns."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: Sizes | None = None, scale_factor: Factors | None = None
) -> Tensor:
    """`interpolate` with mode "nearest" under an older name, which warns."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(
    input: Tensor, size: Sizes | None = None, scale_factor: Factors | None = None
) -> Tensor:
    """`interpolate` with mode "bilinear" and aligned corners under an older name, which warns."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def _one_per_axis(spatial: tuple[int, ...], scale_factor: Factors) -> tuple[float, ...]:
    if not isinstance(scale_factor, Sequence):
        return (float(scale_factor),) * len(spatial)
    if len(scale_factor) != len(spatial):
        raise ArgumentError(
            "interpolate",
            "scale_factor",
            expected=f"a number, or one for each of {len(spatial)} axes",
            got=scale_factor,
        )
    return tuple(map(float, scale_factor))


def _sizes(
    spatial: tuple[int, ...],
    size: Sizes | None,
    factors: tuple[float, ...] | None,
    recompute: bool | None,
) -> tuple[int, ...]:
    if (size is None) == (factors is None):
        raise ArgumentError(
            "interpolate", "size", expected="either a size or a scale_factor", got=size
        )
    if factors is not None:
        sizes = tuple([int(own * factor) for own, factor in zip(spatial, factors)])
    else:
        if recompute:
            raise ArgumentError(
                "interpolate", "recompute_scale_factor", expected="None with a size", got=recompute
            )
        given = size if isinstance(size, Sequence) else (size,) * len(spatial)
        if len(given) != len(spatial):
            raise ArgumentError(
                "interpolate", "size", expected=f"one int or {len(spatial)}", got=tuple(given)
            )
        sizes = as_ints([each for each in given if each is not None], "interpolate", "size")
    if min(sizes) < 1 or min(spatial) < 1:
        raise UnsupportedError(
            "interpolate", "size", expected="at least 1, of an input that is not empty", got=sizes
        )
    return sizes


# one axis -----------------------------------------------------------------------------------------


class _Lines(NamedTuple):
    """How a line of the result is made: the tap-th term of element i is
    `weights[tap][i] * line[positions[tap][i]]`. Without weights there is one tap.
    """

    positions: tuple[tuple[int, ...], ...]
    weights: tuple[tuple[float, ...], ...] | None


def _resample(x: Tensor, axis: int, lines: _Lines) -> Tensor:
    (first, *others), weights = lines
    own, wanted = x.shape[axis], len(first)
    if weights is None:
        if first == tuple(range(own)):
            return x
        return index_select(x, tensor(first, device=x.device), axis)
    column = (wanted, *(1,) * (x.ndim - axis - 1))
    total = None
    for positions, row in zip((first, *others), weights):
        seen = x
        if positions != tuple(range(own)):
            seen = index_select(x, tensor(positions, device=x.device), axis)
        term = seen * tensor(row, dtype=x.dtype, device=x.device).reshape(*column)
        total = term if total is None else total + term
    assert total is not None
    return total


@lru_cache(maxsize=256)
def _lines(
    mode: str, own: int, wanted: int, factor: float | None, aligned: bool, antialias: bool
) -> _Lines:
    """The lines of one axis, from `own` elements to `wanted`."""
    if mode in ("nearest", "nearest-exact"):
        return _nearest(own, wanted, factor, mode == "nearest-exact")
    if aligned:
        step = (own - 1) / (wanted - 1) if wanted > 1 else 0.0
    else:
        step = 1 / factor if factor else own / wanted
    if antialias:
        return _smooth(own, wanted, step, *_FILTERS[mode])
    if own == wanted:
        return _Lines((tuple(range(own)),), None)
    places = [i * step if aligned else (i + 0.5) * step - 0.5 for i in range(wanted)]
    if mode != "bicubic":
        places = [max(place, 0.0) for place in places]
    lows = [min(math.floor(place), own - 1) for place in places]
    shares = [min(max(place - low, 0.0), 1.0) for place, low in zip(places, lows)]
    taps = (0, 1) if mode != "bicubic" else (-1, 0, 1, 2)
    weigh = _triangle if mode != "bicubic" else _keys
    positions = [tuple([min(max(low + tap, 0), own - 1) for low in lows]) for tap in taps]
    weights = [tuple([weigh(share - tap) for share in shares]) for tap in taps]
    return _Lines(tuple(positions), tuple(weights))


def _nearest(own: int, wanted: int, factor: float | None, exact: bool) -> _Lines:
    """PyTorch's choice, which it makes in single precision."""
    if own == wanted and factor is None:
        return _Lines((tuple(range(own)),), None)
    step = _single(1 / factor if factor else own / wanted)
    places = [_single((i + 0.5 if exact else i) * step) for i in range(wanted)]
    return _Lines((tuple([min(math.floor(place), own - 1) for place in places]),), None)


def _smooth(
    own: int, wanted: int, step: float, weigh: Callable[[float], float], reach: float
) -> _Lines:
    """Weights as wide as the elements of the result are, where these are the wider ones."""
    width = max(step, 1.0)
    reach *= width
    rows: list[tuple[int, list[float]]] = []
    for i in range(wanted):
        centre = step * (i + 0.5)
        low = max(int(centre - reach + 0.5), 0)
        high = min(int(centre + reach + 0.5), own)
        found = [weigh((at - centre + 0.5) / width) for at in range(low, high)]
        total = math.fsum(found)
        rows.append((low, [each / total for each in found] if total else found))
    taps = max(len(found) for _, found in rows)
    # Shorter sums are filled up with an element that they have, times 0.
    positions = [
        tuple([min(low + t, low + len(found) - 1) for low, found in rows]) for t in range(taps)
    ]
    weights = [
        tuple([found[t] if t < len(found) else 0.0 for _, found in rows]) for t in range(taps)
    ]
    return _Lines(tuple(positions), tuple(weights))


def _triangle(x: float) -> float:
    return max(1 - abs(x), 0.0)


def _keys(x: float, a: float = -0.75) -> float:
    """R. Keys, Cubic convolution interpolation for digital image processing, 1981."""
    x = abs(x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((x - 5) * x + 8) * x * a - 4 * a if x < 2 else 0.0


def _lanczos(x: float) -> float:
    if x == 0:
        return 1.0
    if abs(x) >= 3:
        return 0.0
    return 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2


_FILTERS = {
    "bilinear": (_triangle, 1.0),
    "bicubic": (lambda x: _keys(x, -0.5), 2.0),
    "lanczos": (_lanczos, 3.0),
}


def _single(x: float) -> float:
    """The nearest number that single precision has."""
    return struct.unpack("f", struct.pack("f", x))[0]
