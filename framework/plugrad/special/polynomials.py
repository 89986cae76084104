"""Orthogonal polynomials by their recurrences of three terms.

The degree `n` is an integer, or a tensor of them that broadcasts with the argument; of a negative
degree the polynomial is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plugrad.dtypes import get_default_dtype
from plugrad.errors import DtypeError
from plugrad.families import as_operand, delivers
from plugrad.ops.comparison import where
from plugrad.ops.reduction import amax
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


@delivers
def chebyshev_polynomial_t(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the first kind: `cos(n * angle)` in `x = cos(angle)`."""
    return _chebyshev(input, n, lambda x: x)


@delivers
def chebyshev_polynomial_u(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the second kind: 1, 2 x, …"""
    return _chebyshev(input, n, lambda x: 2 * x)


@delivers
def chebyshev_polynomial_v(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the third kind: 1, 2 x - 1, …"""
    return _chebyshev(input, n, lambda x: 2 * x - 1)


@delivers
def chebyshev_polynomial_w(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """Chebyshev polynomial of the fourth kind: 1, 2 x + 1, …"""
    return _chebyshev(input, n, lambda x: 2 * x + 1)


@delivers
def shifted_chebyshev_polynomial_t(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_t` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_t(2 * input - 1, n)


@delivers
def shifted_chebyshev_polynomial_u(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_u` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_u(2 * input - 1, n)


@delivers
def shifted_chebyshev_polynomial_v(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_v` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_v(2 * input - 1, n)


@delivers
def shifted_chebyshev_polynomial_w(input: Tensor, n: Any, *, out: Tensor | None = None) -> Tensor:
    """`chebyshev_polynomial_w` of `2 x - 1`: orthogonal on [0, 1]."""
    return chebyshev_polynomial_w(2 * input - 1, n)


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


def _chebyshev(x: Tensor, n: Any, linear: Callable[..., Tensor]) -> Tensor:
    return _of_degree(x, n, linear, lambda x, k, last, before: 2 * x * last - before)


def _of_degree(
    x: Tensor, n: Any, linear: Callable[..., Tensor], following: Callable[..., Tensor]
) -> Tensor:
    """The polynomial that follows on 1 and the linear one: from those of degrees k and k - 1 comes
    that of degree k + 1.
    """
    if x.dtype.is_complex:
        raise DtypeError("polynomial", "input", expected="a bool, int or float dtype", got=x.dtype)
    if not x.dtype.is_floating_point:
        x = as_operand(x, get_default_dtype(), None)
    degree = as_operand(n, None, x.device)
    highest = int(amax(degree).item()) if isinstance(n, Value) else int(n)
    before, last = where(degree == degree, 0 * x, x), x * 0 + 1
    out = where(degree == 0, last, before)
    before = last
    last = linear(x)
    for k in range(1, highest + 1):
        out = where(degree == k, last, out)
        before, last = last, following(x, k, last, before)
    return out
