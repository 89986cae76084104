"""Elementwise functions as users call them: `alpha`, `rounding_mode`, bounds, tolerances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad.dtypes import DType, complex128, float64
from plugrad.errors import ArgumentError
from plugrad.families import as_operand
from plugrad.functions import indexing
from plugrad.ops import activation, comparison, creation, elementwise, reduction
from plugrad.ops.elementwise import mul
from plugrad.shapes import normalize_dim

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def add(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """`input + alpha * other`."""
    return elementwise.add(input, other if alpha == 1 else mul(other, alpha))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Tensor:
    """`input - alpha * other`."""
    return elementwise.sub(input, other if alpha == 1 else mul(other, alpha))


def add_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`add`, in place."""
    return elementwise.add_(input, other if alpha == 1 else mul(other, alpha))


def sub_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`sub`, in place."""
    return elementwise.sub_(input, other if alpha == 1 else mul(other, alpha))


def div_(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """`div`, in place."""
    if rounding_mode is None:
        return elementwise.div_(input, other)
    return creation.copy_(input, div(input, other, rounding_mode=rounding_mode))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """The quotient: true, or rounded towards 0 ("trunc") or down ("floor")."""
    if rounding_mode is None:
        return elementwise.div(input, other)
    if rounding_mode == "floor":
        return elementwise.floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ArgumentError(
            "div", "rounding_mode", expected="None, 'trunc' or 'floor'", got=rounding_mode
        )
    quotient = elementwise.div(input, other)
    exact = elementwise.trunc(quotient)
    return exact if input.is_floating_point() else exact.to(input.dtype)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """`input` kept between two bounds, one of which may be missing."""
    return _bounded(elementwise.clamp, elementwise.clamp_min, elementwise.clamp_max)(
        input, min, max
    )


def clamp_(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """`clamp`, in place."""
    return _bounded(elementwise.clamp_, elementwise.clamp_min_, elementwise.clamp_max_)(
        input, min, max
    )


clip = clamp


def _bounded(both: Any, low: Any, high: Any) -> Any:
    def bounded(input: Any, minimum: Any, maximum: Any) -> Any:
        if minimum is None and maximum is None:
            raise ArgumentError("clamp", "min and max", expected="at least one of them", got=None)
        if maximum is None:
            return low(input, minimum)
        return high(input, maximum) if minimum is None else both(input, minimum, maximum)

    return bounded


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """`input + weight * (end - input)`."""
    return input + (end - input) * weight


def lerp_(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    """`lerp`, in place."""
    return creation.copy_(input, lerp(input, end, weight))


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """`input + value * tensor1 * tensor2`."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


def addcmul_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """`addcmul`, in place."""
    return creation.copy_(input, addcmul(input, tensor1, tensor2, value=value))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """`input + value * tensor1 / tensor2`."""
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


def addcdiv_(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    """`addcdiv`, in place."""
    return creation.copy_(input, addcdiv(input, tensor1, tensor2, value=value))


def float_power(input: Tensor, exponent: Any) -> Tensor:
    """`pow` in float64, or complex128."""
    wide = complex128 if input.is_complex() else float64
    return elementwise.pow(as_operand(input, wide, None), exponent)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; of the condition alone its positions."""
    if input is None and other is None:
        return indexing.nonzero(condition, as_tuple=True)
    return comparison.where(condition, input, other)


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Whether `|input - other| <= atol + rtol * |other|`, element by element; equal infinities are
    close.
    """
    near = elementwise.abs(input - other) <= atol + rtol * elementwise.abs(other)
    close = (input == other) | (near & comparison.isfinite(other))
    if equal_nan:
        close = close | (comparison.isnan(input) & comparison.isnan(other))
    return close


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close."""
    return bool(reduction.all(isclose(input, other, rtol, atol, equal_nan)).item())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shape and all elements agree."""
    return input.shape == other.shape and bool(reduction.all(input == other).item())


def softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """`exp(x)` over its sum along an axis."""
    return activation.softmax(
        as_operand(input, dtype, None), normalize_dim(dim, len(input.shape), "softmax")
    )


def log_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """The logarithm of `softmax`."""
    return activation.log_softmax(
        as_operand(input, dtype, None), normalize_dim(dim, len(input.shape), "log_softmax")
    )
