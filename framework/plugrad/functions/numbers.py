"""Functions that look at how a number is made: sign, parts, exponent, divisors, what is no number.
And complex numbers from their parts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad.dtypes import finfo, get_default_dtype, int32
from plugrad.errors import DtypeError
from plugrad.families import as_operand, delivers
from plugrad.families.operands import promoted
from plugrad.functions import joining, views
from plugrad.ops import comparison, creation, elementwise, numbers
from plugrad.ops.views import view_as_complex, view_as_real

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Frexp(NamedTuple):
    """What `frexp` returns."""

    mantissa: Any
    exponent: Any


@delivers
def copysign(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """The size of `input` with the sign of `other`, which may be that of a zero."""
    _refuse_complex("copysign", input)
    dtype = promoted("copysign", [input, other])
    size = as_operand(input, dtype if dtype.is_floating_point else get_default_dtype(), None)
    other = as_operand(other, None, input.device)
    same = comparison.eq(numbers.signbit(size), numbers.signbit(other))
    return comparison.where(same, size, elementwise.neg(size))


@delivers
def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """What is left of a number without its integer part; it keeps the sign."""
    if not input.is_floating_point():
        raise DtypeError("frac", "input", expected="a floating dtype", got=input.dtype)
    return elementwise.sub(input, elementwise.trunc(input))


@delivers
def frexp(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> Frexp:
    """`mantissa * 2**exponent` with a mantissa between 1/2 and 1 in size and an int32 exponent; of
    0, infinities and NaN the number itself, and 0.
    """
    if not input.is_floating_point():
        raise DtypeError("frexp", "input", expected="a floating dtype", got=input.dtype)
    exponent = numbers.binary_exponent(input)
    # In two steps, neither of which leaves the range.
    half = elementwise.trunc(exponent * 0.5)
    mantissa = input * elementwise.exp2(-half) * elementwise.exp2(half - exponent)
    return Frexp(mantissa, creation.cast(exponent, int32))


@delivers
def ldexp(input: Tensor, other: Any, *, out: Tensor | None = None) -> Tensor:
    """`input * 2**other`."""
    other = as_operand(other, None, input.device)
    return elementwise.mul(input, elementwise.pow(2.0, other))


@delivers
def gcd(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The greatest common divisor, which is not negative."""
    return numbers.gcd(input, other)


@delivers
def lcm(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The least common multiple, which is not negative; 0 if either is 0."""
    divisor = numbers.gcd(input, other)
    safe = comparison.where(comparison.eq(divisor, 0), 1, divisor)
    return elementwise.abs(elementwise.mul(elementwise.floor_divide(input, safe), other))


@delivers
def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """0 below 0 and of NaN, 1 above, at 0 what `values` says; both of one dtype."""
    _refuse_complex("heaviside", input)
    if input.dtype is not values.dtype:
        raise DtypeError("heaviside", "values", expected=f"{input.dtype}", got=values.dtype)
    positive = creation.cast(comparison.gt(input, 0), input.dtype)
    return comparison.where(comparison.eq(input, 0), values.detach(), positive)


@delivers
def nan_to_num(
    input: Tensor,
    nan: float | None = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """NaN and infinities replaced; where nothing is named by 0 and by the ends of the dtype's
    range.
    """
    if input.is_complex():
        return view_as_complex(nan_to_num(view_as_real(input), nan, posinf, neginf))
    if not input.is_floating_point():
        return creation.clone(input)
    limits = finfo(input.dtype)
    low = limits.min if neginf is None else neginf
    high = limits.max if posinf is None else posinf
    kept = comparison.where(comparison.eq(input, -math.inf), low, input)
    kept = comparison.where(comparison.eq(input, math.inf), high, kept)
    return comparison.where(comparison.isnan(input), nan or 0.0, kept)


@delivers
def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the element is +infinity."""
    _refuse_complex("isposinf", input)
    return comparison.logical_and(comparison.isinf(input), comparison.gt(input, 0))


@delivers
def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the element is -infinity."""
    _refuse_complex("isneginf", input)
    return comparison.logical_and(comparison.isinf(input), comparison.lt(input, 0))


def isreal(input: Tensor) -> Tensor:
    """Whether the element has no imaginary part."""
    if input.is_complex():
        return comparison.eq(views.imag(input), 0)
    return comparison.eq(input, input) | comparison.isnan(input)


@delivers
def fmax(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The larger of the two; of a number and a NaN the number."""
    first = comparison.logical_or(comparison.ge(input, other), comparison.isnan(other))
    return comparison.where(first, input, other)


@delivers
def fmin(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smaller of the two; of a number and a NaN the number."""
    first = comparison.logical_or(comparison.le(input, other), comparison.isnan(other))
    return comparison.where(first, input, other)


@delivers
def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Degrees as radians."""
    _refuse_complex("deg2rad", input)
    return elementwise.mul(input, math.pi / 180)


@delivers
def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Radians as degrees."""
    _refuse_complex("rad2deg", input)
    return elementwise.mul(input, 180 / math.pi)


def positive(input: Tensor) -> Tensor:
    """The tensor itself, which must not be of bools."""
    if input.dtype.kind == "bool":
        raise DtypeError("positive", "input", expected="numbers", got=input.dtype)
    return input


@delivers
def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complex numbers from real and imaginary parts of one floating dtype."""
    for name, part in (("real", real), ("imag", imag)):
        if part.dtype.to_complex().to_real() is not part.dtype or part.is_complex():
            raise DtypeError("complex", name, expected="float32 or float64", got=part.dtype)
    if real.dtype is not imag.dtype:
        raise DtypeError("complex", "imag", expected=f"{real.dtype}, as real", got=imag.dtype)
    shape = (real + imag).shape if real.shape != imag.shape else real.shape
    parts = views.broadcast_to(real, shape), views.broadcast_to(imag, shape)
    return view_as_complex(joining.stack(parts, -1))


@delivers
def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complex numbers from their absolute values and their angles in radians."""
    for name, part in (("abs", abs), ("angle", angle)):
        if not part.is_floating_point():
            raise DtypeError("polar", name, expected="float32 or float64", got=part.dtype)
    return complex(abs * elementwise.cos(angle), abs * elementwise.sin(angle))


def _refuse_complex(name: str, input: Tensor) -> None:
    if input.is_complex():
        raise DtypeError(name, "input", expected="a bool, int or float dtype", got=input.dtype)
