"""Windows: weights that fade towards both ends of a piece of a signal.

F. J. Harris, On the use of windows for harmonic analysis with the discrete Fourier transform,
Proceedings of the IEEE 66 (1978). A periodic one is what fits before its own repetition: the
symmetric window of one more point, without its last.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plugrad import dtypes
from plugrad.backends import resolve_device
from plugrad.creation import DeviceLike
from plugrad.dtypes import DType
from plugrad.errors import DtypeError, RangeError
from plugrad.functions import special
from plugrad.ops import elementwise
from plugrad.ops.creation import arange, cast, full
from plugrad.ops.views import slice_dim

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`sin(pi t)²` for t from 0 to 1."""
    shape = cosines(0.5, 0.5)
    return window("hann_window", window_length, periodic, dtype, device, requires_grad, shape)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`alpha - beta cos(2 pi t)` for t from 0 to 1."""
    shape = cosines(alpha, beta)
    return window("hamming_window", window_length, periodic, dtype, device, requires_grad, shape)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)` for t from 0 to 1."""
    shape = cosines(0.42, 0.5, 0.08)
    return window("blackman_window", window_length, periodic, dtype, device, requires_grad, shape)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle: from 0 to 1 and back."""
    return window(
        "bartlett_window", window_length, periodic, dtype, device, requires_grad, triangle
    )


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`i0(beta sqrt(1 - (2t - 1)²)) / i0(beta)` for t from 0 to 1, with the Bessel function i0."""
    shape = kaiser(beta)
    return window("kaiser_window", window_length, periodic, dtype, device, requires_grad, shape)


def cosines(*weights: float) -> Callable[[Any], Any]:
    """The window `weights[0] - weights[1] cos(2 pi t) + weights[2] cos(4 pi t) - …`."""

    def shape(t: Any) -> Any:
        made = t * 0 + weights[0]
        for k, weight in enumerate(weights[1:], 1):
            made = made + elementwise.cos(t * (2 * math.pi * k)) * ((-1) ** k * weight)
        return made

    return shape


def triangle(t: Any) -> Any:
    """From 0 to 1 and back."""
    return 1 - elementwise.abs(t * 2 - 1)


def kaiser(beta: float) -> Callable[[Any], Any]:
    """The arch of `kaiser_window`."""

    def shape(t: Any) -> Any:
        arch = elementwise.sqrt(elementwise.clamp_min(1 - (t * 2 - 1) ** 2, 0))
        top = full((), beta, t.spec.dtype, t.spec.device)
        return special.i0(arch * beta) / special.i0(top)

    return shape


def window(
    name: str,
    length: int,
    periodic: bool,
    dtype: DType | None,
    device: DeviceLike,
    requires_grad: bool,
    shape: Callable[[Any], Any],
) -> Any:
    """A shape over [0, 1] at `length` points; where there is but one, 1."""
    dtype = dtype or dtypes.get_default_dtype()
    if not dtype.is_floating_point:
        raise DtypeError(name, "dtype", expected="a float dtype", got=dtype)
    if length < 0:
        raise RangeError(name, "window_length", expected="at least 0", got=length)
    where = resolve_device(device)
    if length < 2:
        made: Any = full((length,), 1, dtype, where)
    else:
        points = length + 1 if periodic else length
        times = arange(0, 1 / (points - 1), points, dtypes.float64, where)
        made = cast(slice_dim(shape(times), 0, 0, length, 1), dtype)
    return made.requires_grad_() if requires_grad else made
