"""Orthogonal polynomials by their recurrences of three terms.

The degree `n` is a number, or a tensor that broadcasts with the argument; its fraction does not
count. Of a negative degree, of NaN, and of one beyond int64 the polynomial is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plugrad.creation import ones_like
from plugrad.families import delivers
from plugrad.functions.special import together
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import abs, acos, cos, sin, trunc
from plugrad.ops.reduction import amax

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def chebyshev_polynomial_t(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the first kind: `cos(n * angle)` in `x = cos(angle)`."""
    return _chebyshev(input, n, lambda x: x, lambda n, angle: cos(n * angle))


@delivers
def chebyshev_polynomial_u(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the second kind: 1, 2 x, …"""
    return _chebyshev(input, n, lambda x: 2 * x, lambda n, angle: sin((n + 1) * angle) / sin(angle))


@delivers
def chebyshev_polynomial_v(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the third kind: 1, 2 x - 1, …"""
    return _chebyshev(
        input, n, lambda x: 2 * x - 1, lambda n, angle: cos((n + 0.5) * angle) / cos(angle / 2)
    )


@delivers
def chebyshev_polynomial_w(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the fourth kind: 1, 2 x + 1, …"""
    return _chebyshev(
        input, n, lambda x: 2 * x + 1, lambda n, angle: sin((n + 0.5) * angle) / sin(angle / 2)
    )


@delivers
def shifted_chebyshev_polynomial_t(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_t` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_t(*_shifted(input, n))


@delivers
def shifted_chebyshev_polynomial_u(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_u` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_u(*_shifted(input, n))


@delivers
def shifted_chebyshev_polynomial_v(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_v` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_v(*_shifted(input, n))


@delivers
def shifted_chebyshev_polynomial_w(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_w` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_w(*_shifted(input, n))


@delivers
def hermite_polynomial_h(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Hermite polynomial of the physicists: 1, 2 x, 4 x² - 2, …"""
    return _of_degree(
        input, n, lambda x: 2 * x, lambda x, k, last, before: 2 * (x * last - k * before)
    )


@delivers
def hermite_polynomial_he(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Hermite polynomial of probability theory: 1, x, x² - 1, …"""
    return _of_degree(input, n, lambda x: x, lambda x, k, last, before: x * last - k * before)


@delivers
def laguerre_polynomial_l(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Laguerre polynomial: 1, 1 - x, (x² - 4 x + 2) / 2, …"""
    return _of_degree(
        input,
        n,
        lambda x: 1 - x,
        lambda x, k, last, before: ((2 * k + 1 - x) * last - k * before) / (k + 1),
    )


@delivers
def legendre_polynomial_p(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Legendre polynomial: 1, x, (3 x² - 1) / 2, …"""
    return _of_degree(
        input,
        n,
        lambda x: x,
        lambda x, k, last, before: ((2 * k + 1) * x * last - k * before) / (k + 1),
    )


def _shifted(x: Any, n: Any) -> tuple[Tensor, Tensor]:
    x, n = together("polynomial", x, n)
    return 2 * x - 1, n


def _chebyshev(
    x: Any, n: Any, linear: Callable[..., Tensor], of_angle: Callable[..., Tensor]
) -> Tensor:
    """By the recurrence; within (-1, 1), where the degree is high, from the angle."""
    x, degree = _prepared(x, n)
    waves = (abs(x) < 1) & (degree > _HIGH)
    known = of_angle(degree, acos(where(waves, x, 0)))
    climbed = _of_degree(
        x, where(waves, 0, degree), linear, lambda x, k, last, before: 2 * x * last - before
    )
    return where(waves, known, climbed)


def _of_degree(
    x: Any, n: Any, linear: Callable[..., Tensor], following: Callable[..., Tensor]
) -> Tensor:
    """The polynomial that follows on 1 and the linear one: from those of degrees k and k - 1 comes
    that of degree k + 1.
    """
    x, degree = _prepared(x, n)
    highest = int(amax(degree).item()) if degree.numel() else 0
    before, last = ones_like(x), linear(x)
    out = where(degree == 1, last, where(degree == 0, before, 0))
    for k in range(1, highest):
        before, last = last, following(x, k, last, before)
        out = where(degree == k + 1, last, out)
    return out


def _prepared(x: Any, n: Any) -> tuple[Tensor, Tensor]:
    """The argument, and whole degrees, -1 for those that do not count."""
    x, n = together("polynomial", x, n)
    n = n.detach()
    return x, where((n > -1) & (n < 2.0**63), trunc(n), -1)


_HIGH = 8
