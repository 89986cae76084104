"""Elementwise functions as users call them: `alpha`, `rounding_mode`, bounds, tolerances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad.dtypes import DType, bool_, complex128, float32, float64, uint8
from plugrad.errors import ArgumentError, DtypeError
from plugrad.families import as_operand, deliver, delivers
from plugrad.functions import indexing
from plugrad.functions.in_place import writing
from plugrad.ops import activation, comparison, elementwise, reduction
from plugrad.ops.elementwise import mul
from plugrad.shapes import normalize_dim
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def add(input: Any, other: Any, *, alpha: float = 1, out: Tensor | None = None) -> Tensor:
    """`input + alpha * other`."""
    return elementwise.add(input, other if alpha == 1 else mul(other, alpha), out=out)


def sub(input: Any, other: Any, *, alpha: float = 1, out: Tensor | None = None) -> Tensor:
    """`input - alpha * other`."""
    return elementwise.sub(input, other if alpha == 1 else mul(other, alpha), out=out)


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`other - alpha * input`."""
    return sub(other, input, alpha=alpha)


def add_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`add`, in place."""
    return elementwise.add_(input, other if alpha == 1 else mul(other, alpha))


def sub_(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """`sub`, in place."""
    return elementwise.sub_(input, other if alpha == 1 else mul(other, alpha))


def div(
    input: Any, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None
) -> Tensor:
    """The quotient: true, or rounded towards 0 ("trunc") or down ("floor")."""
    if rounding_mode is None:
        return elementwise.div(input, other, out=out)
    quotient = _rounded_quotient(input, other, rounding_mode)
    return quotient if out is None else deliver("div", quotient, out)


def div_(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """`div`, in place."""
    if rounding_mode is None:
        return elementwise.div_(input, other)
    return writing(div)(input, other, rounding_mode=rounding_mode)


def _rounded_quotient(input: Any, other: Any, rounding_mode: str) -> Tensor:
    if rounding_mode == "floor":
        return elementwise.floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ArgumentError(
            "div", "rounding_mode", expected="None, 'trunc' or 'floor'", got=rounding_mode
        )
    quotient = elementwise.div(input, other)
    exact = elementwise.trunc(quotient)
    return exact if input.is_floating_point() else exact.to(input.dtype)


@delivers
def clamp(input: Tensor, min: Any = None, max: Any = None, *, out: Tensor | None = None) -> Tensor:
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


@delivers
def lerp(input: Tensor, end: Tensor, weight: Any, *, out: Tensor | None = None) -> Tensor:
    """`input + weight * (end - input)`."""
    return input + (end - input) * weight


lerp_ = writing(lerp)


@delivers
def addcmul(
    input: Tensor,
    tensor1: Tensor,
    tensor2: Tensor,
    *,
    value: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`input + value * tensor1 * tensor2`."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


addcmul_ = writing(addcmul)


@delivers
def addcdiv(
    input: Tensor,
    tensor1: Tensor,
    tensor2: Tensor,
    *,
    value: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """`input + value * tensor1 / tensor2`."""
    if not any([each.dtype.kind in ("float", "complex") for each in (tensor1, tensor2)]):
        raise DtypeError(
            *("addcdiv", "tensor1"),
            expected="a float or complex dtype, there or in tensor2",
            got=tensor1.dtype,
            hint="div() can round, and addcmul() adds whole products",
        )
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * value)


addcdiv_ = writing(addcdiv)


def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """`input` to the power `exponent`."""
    return elementwise.pow(input, exponent, out=out)


def pow_(input: Tensor, exponent: Any) -> Tensor:
    """`pow`, in place."""
    return elementwise.pow_(input, exponent)


@delivers
def float_power(input: Any, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """`pow` in float64, or complex128."""
    dtypes = [each.spec.dtype for each in (input, exponent) if isinstance(each, Value)]
    number_is_complex = isinstance(input, complex) or isinstance(exponent, complex)
    wide = number_is_complex or any([dtype.is_complex for dtype in dtypes])
    dtype = complex128 if wide else float64
    given = [as_operand(x, dtype, None) if isinstance(x, Value) else x for x in (input, exponent)]
    return elementwise.pow(*given)


def float_power_(input: Tensor, exponent: Any) -> Tensor:
    """`float_power`, in place, of float64 or complex128."""
    if input.dtype not in (float64, complex128):
        raise DtypeError("float_power_", "input", expected="float64 or complex128", got=input.dtype)
    return writing(float_power)(input, exponent)


def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """The nearest number with so many decimals; halves go to the even one. Negative `decimals`
    round to tens, hundreds and so on.
    """
    if decimals == 0:
        return elementwise.round(input, out=out)
    if not input.is_floating_point():
        raise DtypeError("round", "input", expected="floats, to have decimals", got=input.dtype)
    x = as_operand(input, float32, None) if input.dtype.itemsize == 2 else input
    scale = 10 ** abs(decimals)
    if decimals > 0:
        rounded = elementwise.round(x * scale) / scale
    else:
        rounded = elementwise.round(x / scale) * scale
    rounded = as_operand(rounded, input.dtype, None)
    return rounded if out is None else deliver("round", rounded, out)


def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """`round`, in place."""
    if decimals == 0:
        return elementwise.round_(input)
    return writing(round)(input, decimals=decimals)


@delivers
def where(
    condition: Tensor, input: Any = None, other: Any = None, *, out: Tensor | None = None
) -> Any:
    """`input` where the condition holds, else `other`; of the condition alone its positions."""
    if input is None and other is None:
        return indexing.nonzero(condition, as_tuple=True)
    if condition.dtype not in (bool_, uint8):
        raise DtypeError(
            *("where", "condition"),
            expected="bools",
            got=condition.dtype,
            hint="compare it with something, as in condition != 0",
        )
    return comparison.where(condition, input, other)


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Whether `|input - other| <= atol + rtol * |other|`, element by element; equal infinities are
    close.
    """
    for name, bound in (("rtol", rtol), ("atol", atol)):
        if bound < 0:
            raise ArgumentError("isclose", name, expected="0 or more", got=bound)
    dtypes = [each.spec.dtype for each in (input, other) if isinstance(each, Value)]
    if dtypes[-1] is not dtypes[0]:
        raise DtypeError(
            "isclose", "other", expected=str(dtypes[0]), got=dtypes[-1], hint="cast it"
        )
    if dtypes[0].kind == "bool":
        return input == other
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


@delivers
def softmax(
    input: Tensor, dim: int, dtype: DType | None = None, *, out: Tensor | None = None
) -> Tensor:
    """`exp(x)` over its sum along an axis."""
    return activation.softmax(
        as_operand(input, dtype, None), normalize_dim(dim, len(input.shape), "softmax")
    )


@delivers
def log_softmax(
    input: Tensor, dim: int, dtype: DType | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The logarithm of `softmax`."""
    return activation.log_softmax(
        as_operand(input, dtype, None), normalize_dim(dim, len(input.shape), "log_softmax")
    )
