"""Functions of mathematics and statistics that are a few operators each."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from plugrad.dtypes import get_default_dtype
from plugrad.errors import ArgumentError, DtypeError
from plugrad.families import as_operand, delivers
from plugrad.families.operands import device_of, promoted
from plugrad.ops import bessel, comparison, elementwise, special
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import exp, log, log1p

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


# logarithms ---------------------------------------------------------------------------------------


@delivers
def logit(input: Tensor, eps: float | None = None, *, out: Tensor | None = None) -> Tensor:
    """`log(x / (1 - x))`, the inverse of `sigmoid`; `eps` keeps x between `eps` and `1 - eps`."""
    x = _floating("logit", input)
    if eps is not None:
        x = elementwise.clamp(x, eps, 1 - eps)
    return log(x) - log1p(-x)


@delivers
def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`log2(2**x + 2**y)` without overflow."""
    x, y = together("logaddexp2", input, other)
    natural = math.log(2)
    return special.logaddexp(x * natural, y * natural) * (1 / natural)


@delivers
def xlogy(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """`x * log(y)`, and 0 where x is 0, whatever y but NaN."""
    x, y = together("xlogy", input, other)
    return _product_with_log(x, y, log, 0)


@delivers
def xlog1py(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """`x * log1p(y)`, and 0 where x is 0, whatever y but NaN."""
    x, y = together("xlog1py", input, other)
    return _product_with_log(x, y, log1p, -1)


@delivers
def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The entropy's term `-x * log(x)`: 0 at 0, -inf below."""
    x = _floating("entr", input)
    inside = x > 0
    known = where(inside, x, 1)
    return where(inside | comparison.isnan(x), -x * log(known), where(x == 0, 0 * known, -math.inf))


def _product_with_log(x: Tensor, y: Tensor, logarithm: Any, least: float) -> Tensor:
    # Where the logarithm is infinite, and x is 0.
    vanishes = comparison.eq(x, 0) & (comparison.le(y, least) | comparison.isinf(y))
    return where(vanishes, 0, x * logarithm(where(vanishes, 1, y)))


# the gamma function -------------------------------------------------------------------------------


@delivers
def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The derivative of order `n` of `digamma`."""
    if n < 0:
        raise ArgumentError("polygamma", "n", expected="an order of at least 0", got=n)
    x = _floating("polygamma", input)
    return special.polygamma(n, x) if n else special.digamma(x)


@delivers
def multigammaln(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `p`, of numbers above
    `(p - 1) / 2`: the sum of lgamma(x - j / 2) over j < p, and p (p - 1) / 4 log(pi).
    """
    if p < 1:
        raise ArgumentError("mvlgamma", "p", expected="a dimension of at least 1", got=p)
    if input.dtype.kind == "bool":
        raise DtypeError("mvlgamma", "input", expected="numbers", got=input.dtype)
    x = _floating("mvlgamma", input)
    terms = [special.lgamma(x - j / 2) for j in range(p)]
    return sum(terms[1:], terms[0]) + p * (p - 1) / 4 * math.log(math.pi)


# sines and Bessel functions -----------------------------------------------------------------------


@delivers
def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`sin(pi x) / (pi x)`, and 1 at 0."""
    origin = comparison.eq(input, 0)
    angle = where(origin, 1, input * math.pi)
    return where(origin, 1, elementwise.sin(angle) / angle)


@delivers
def spherical_bessel_j0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`sin(x) / x`, and 1 at 0."""
    x = _floating("spherical_bessel_j0", input)
    apart = (x == 0) | comparison.isinf(x)
    angle = where(apart, 1, x)
    return where(x == 0, 1, where(apart, 0, elementwise.sin(angle) / angle))


@delivers
def i0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the first kind of order 0."""
    return _unscaled(bessel.i0e, input)


@delivers
def i1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the first kind of order 1."""
    return _unscaled(bessel.i1e, input)


@delivers
def modified_bessel_k0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the second kind of order 0: inf at 0, NaN below."""
    x = _floating("modified_bessel_k0", input)
    return bessel.scaled_modified_bessel_k0(x) * exp(-x)


@delivers
def modified_bessel_k1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function of the second kind of order 1: inf at 0, NaN below."""
    x = _floating("modified_bessel_k1", input)
    return bessel.scaled_modified_bessel_k1(x) * exp(-x)


def _unscaled(scaled: Any, input: Tensor) -> Tensor:
    # In two steps: the exponential alone overflows before the function does.
    half = exp(elementwise.abs(input) * 0.5)
    return scaled(input) * half * half


# the normal distribution --------------------------------------------------------------------------


@delivers
def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The probability that a standard normal variable is below `input`."""
    return elementwise.erfc(input * -math.sqrt(0.5)) * 0.5


@delivers
def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of `ndtr`, also where that vanishes."""
    x = _floating("log_ndtr", input)
    low = x < -1
    left, right = where(low, x, -1), where(low, 0, x)
    tail = log(special.erfcx(left * -math.sqrt(0.5)) * 0.5) - left * left * 0.5
    return where(low, tail, log1p(elementwise.erfc(right * math.sqrt(0.5)) * -0.5))


def together(name: str, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Two operands in the floating dtype in which they meet."""
    dtype = promoted(name, [x, y])
    if dtype.is_complex:
        raise DtypeError(name, "input", expected="a bool, int or float dtype", got=dtype)
    if not dtype.is_floating_point:
        dtype = get_default_dtype()
    device = device_of(name, (x, y))
    return as_operand(x, dtype, device), as_operand(y, dtype, device)


def _floating(name: str, x: Tensor) -> Tensor:
    if x.dtype.is_complex:
        raise DtypeError(name, "input", expected="a bool, int or float dtype", got=x.dtype)
    return x if x.dtype.is_floating_point else as_operand(x, get_default_dtype(), None)
