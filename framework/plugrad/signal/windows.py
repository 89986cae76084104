"""Windows of a signal, symmetric unless `sym` is False: then periodic, for the analysis of spectra.

The i-th point of M is at t = i / (M - 1), of a periodic one at i / M; a single point is 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from plugrad import windows
from plugrad.creation import DeviceLike
from plugrad.dtypes import DType, float32, float64
from plugrad.errors import ArgumentError, DtypeError
from plugrad.ops.elementwise import abs, exp, sin, square

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """A triangle: from 0 to 1 and back to 0."""
    return _window("bartlett", M, sym, dtype, device, requires_grad, windows.triangle)


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)` for t from 0 to 1."""
    return _window(
        "blackman", M, sym, dtype, device, requires_grad, windows.cosines(0.42, 0.5, 0.08)
    )


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`sin(pi (k + 0.5) / M)` for k from 0 to M - 1: half a wave that ends before it is 0."""
    span = _span(M, sym)

    def shape(t: Any) -> Any:
        return sin((t * span + 0.5) * (math.pi / (span + 1)))

    return _window("cosine", M, sym, dtype, device, requires_grad, shape)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`exp(-|k - center| / tau)` for k from 0 to M - 1. `center` is the middle unless it is given,
    which a symmetric window does not allow."""
    if tau <= 0:
        raise ArgumentError("exponential", "tau", expected="a number above 0", got=tau)
    if sym and center is not None:
        raise ArgumentError(
            "exponential", "center", expected="None, as the window is symmetric", got=center
        )
    span = _span(M, sym)
    middle = span / 2 if center is None else center

    def shape(t: Any) -> Any:
        return exp(abs(t * span - middle) * (-1 / tau))

    return _window("exponential", M, sym, dtype, device, requires_grad, shape)


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """The normal density of deviation `std`, in points, scaled to 1 in the middle."""
    if std <= 0:
        raise ArgumentError("gaussian", "std", expected="a number above 0", got=std)
    span = _span(M, sym)

    def shape(t: Any) -> Any:
        return exp(square((t - 0.5) * (span / std)) * -0.5)

    return _window("gaussian", M, sym, dtype, device, requires_grad, shape)


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`a[0] - a[1] cos(2 pi t) + a[2] cos(4 pi t) - …` for t from 0 to 1."""
    weights = tuple(a) if isinstance(a, Iterable) else ()
    if not weights:
        raise ArgumentError("general_cosine", "a", expected="several weights", got=a)
    return _window(
        "general_cosine", M, sym, dtype, device, requires_grad, windows.cosines(*weights)
    )


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`alpha - (1 - alpha) cos(2 pi t)` for t from 0 to 1."""
    return _window(
        "general_hamming", M, sym, dtype, device, requires_grad, windows.cosines(alpha, 1 - alpha)
    )


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`0.54 - 0.46 cos(2 pi t)` for t from 0 to 1."""
    return _window("hamming", M, sym, dtype, device, requires_grad, windows.cosines(0.54, 0.46))


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`sin(pi t)²` for t from 0 to 1."""
    return _window("hann", M, sym, dtype, device, requires_grad, windows.cosines(0.5, 0.5))


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`i0(beta sqrt(1 - (2t - 1)²)) / i0(beta)` for t from 0 to 1, with the Bessel function i0."""
    if beta < 0:
        raise ArgumentError("kaiser", "beta", expected="a number of at least 0", got=beta)
    return _window("kaiser", M, sym, dtype, device, requires_grad, windows.kaiser(beta))


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`cosines` of the four weights by A. H. Nuttall (1981) with the lowest side lobes."""
    return _window(
        "nuttall",
        M,
        sym,
        dtype,
        device,
        requires_grad,
        windows.cosines(0.3635819, 0.4891775, 0.1365995, 0.0106411),
    )


def _span(length: int, sym: bool) -> int:
    """How many steps there are from t = 0 to t = 1."""
    return length - 1 if sym else length


def _window(
    name: str,
    length: int,
    sym: bool,
    dtype: DType | None,
    device: DeviceLike,
    requires_grad: bool,
    shape: Any,
) -> Any:
    if dtype not in (None, float32, float64):
        raise DtypeError(name, "dtype", expected="float32 or float64", got=dtype)
    return windows.window(name, length, not sym, dtype, device, requires_grad, shape)
