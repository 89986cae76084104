"""Activations: an operator where the backend should know it, else a line of others."""

from __future__ import annotations

import warnings
from typing import Any

from plugrad import shapes
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError
from plugrad.families import delivers
from plugrad.functions.elementwise import log_softmax as _log_softmax
from plugrad.functions.elementwise import softmax as _softmax
from plugrad.functions.views import chunk
from plugrad.ops import activation
from plugrad.ops.comparison import where
from plugrad.ops.creation import clone, copy_
from plugrad.ops.elementwise import abs as _abs
from plugrad.ops.elementwise import exp, expm1, log1p
from plugrad.ops.elementwise import sigmoid as sigmoid
from plugrad.ops.elementwise import sign as _sign
from plugrad.ops.elementwise import tanh as tanh
from plugrad.random import Generator, rand_like
from plugrad.tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """`input` where it is positive, else 0."""
    return _written(input, activation.relu(input), inplace)


def relu_(input: Tensor) -> Tensor:
    """`relu`, in place."""
    return relu(input, inplace=True)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """`input` kept between 0 and 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """`input` kept between two bounds, of integers between their whole parts."""
    low, high = _bounds(input, min_val, max_val)
    return _written(input, activation.hardtanh(_source(input, inplace), low, high), inplace)


def _bounds(input: Tensor, low: float, high: float) -> tuple[float, float]:
    if low > high:
        raise ArgumentError("hardtanh", "min_val", expected=f"at most max_val, {high}", got=low)
    if input.dtype.kind in ("float", "complex"):
        return low, high
    if input.dtype.kind == "bool" or (low < 0 and not input.dtype.is_signed):
        expected = "floats or integers" + (", with signs for a min_val below 0" if low < 0 else "")
        raise DtypeError("hardtanh", "input", expected=expected, got=input.dtype)
    return int(low), int(high)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """`input` where it is positive, else `input * negative_slope`."""
    x = _source(input, inplace)
    return _written(input, where(x > 0, x, x * negative_slope), inplace)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """`leaky_relu` whose slope is drawn between two bounds for each element in training, else their
    mean.
    """
    if not lower <= upper:
        raise ArgumentError(
            "rrelu", "lower", expected=f"at most upper, {upper}", got=lower, hint="exchange them"
        )
    x = _source(input, inplace)
    slope = (lower + upper) / 2
    if training:
        slope = rand_like(x, generator=generator) * (upper - lower) + lower
    return _written(input, where(x > 0, x, x * slope), inplace)


def rrelu_(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """`rrelu`, in place."""
    return rrelu(input, lower, upper, training, inplace=True, generator=generator)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`input` where it is positive, else `alpha * (exp(input) - 1)`."""
    return _written(input, _elu(_source(input, inplace), alpha), inplace)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, in place."""
    return elu(input, alpha, inplace=True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """`elu` with `exp(input / alpha)`, whose slope is continuous."""
    if alpha == 0:
        raise ArgumentError("celu", "alpha", expected="a number other than 0", got=alpha)
    x = _source(input, inplace)
    below = expm1(_not_above_zero(x) / alpha) * alpha
    return _written(input, where(x > 0, x, below), inplace)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, in place."""
    return celu(input, alpha, inplace=True)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """`elu` scaled so that mean 0 and variance 1 persist (Klambauer et al., arXiv 1706.02515)."""
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return _written(input, _elu(_source(input, inplace), alpha) * scale, inplace)


def selu_(input: Tensor) -> Tensor:
    """`selu`, in place."""
    return selu(input, inplace=True)


def _elu(input: Tensor, alpha: float) -> Tensor:
    return where(input > 0, input, expm1(_not_above_zero(input)) * alpha)


def _not_above_zero(input: Tensor) -> Tensor:
    # The branch that is not taken must not overflow: its derivative would be infinity times 0.
    return where(input > 0, 0, input)


@delivers
def gelu(input: Tensor, approximate: str = "none", *, out: Tensor | None = None) -> Tensor:
    """`input` times the normal distribution function, exactly or by way of "tanh"."""
    if approximate == "none":
        return activation.gelu(input)
    if approximate != "tanh":
        raise ArgumentError(
            "gelu", "approximate", expected="'none' or 'tanh'", got=repr(approximate)
        )
    return activation.gelu_tanh(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """`input * sigmoid(input)`."""
    x = _source(input, inplace)
    return _written(input, x * sigmoid(x) if x.is_complex() else activation.silu(x), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """`input * tanh(softplus(input))`."""
    x = _source(input, inplace)
    return _written(input, x * tanh(softplus(x)), inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """`input / 6 + 1/2` kept between 0 and 1."""
    return _written(input, activation.hardtanh(input + 3, 0, 6) / 6, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """`input * hardsigmoid(input)`."""
    x = _source(input, inplace)
    return _written(input, x * activation.hardtanh(x + 3, 0, 6) / 6, inplace)


@delivers
def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The logarithm of the sigmoid, without forming it."""
    return activation.log_sigmoid(input)


@delivers
def softplus(
    input: Tensor, beta: float = 1.0, threshold: float = 20.0, *, out: Tensor | None = None
) -> Tensor:
    """`log(1 + exp(beta * input)) / beta`; `input` itself where `beta * input` exceeds the
    threshold.
    """
    scaled = input * beta
    large = scaled > threshold
    return where(large, input, log1p(exp(where(large, 0, scaled))) / beta)


def softsign(input: Tensor) -> Tensor:
    """`input / (1 + |input|)`."""
    return input / (_abs(input) + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """`input - tanh(input)`."""
    if input.dtype.kind == "bool":
        raise DtypeError("tanhshrink", "input", expected="numbers", got=input.dtype)
    return input - tanh(input)


@delivers
def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Tensor:
    """`input` moved towards 0 by `lambd`, at most to 0."""
    if not lambd >= 0:
        raise ArgumentError("softshrink", "lambd", expected="0 or more", got=lambd)
    return where(_abs(input) <= lambd, input * 0, input - _sign(input) * lambd)


@delivers
def threshold(
    input: Tensor,
    threshold: float,
    value: float,
    inplace: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """`input` where it exceeds the threshold, else `value`."""
    x = _source(input, inplace)
    return _written(input, where(x <= threshold, value, x), inplace)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, in place."""
    x = clone(input)
    return copy_(input, where(x <= threshold, value, x))


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half of an axis times the sigmoid of the second."""
    axis = shapes.normalize_dim(dim, input.ndim, "glu")
    if not input.ndim or input.shape[axis] % 2:
        raise ArgumentError("glu", "input", expected="an even size along dim", got=input.shape)
    value, gate = chunk(input, 2, axis)
    return value * sigmoid(gate)


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """`exp(input)` over its sum along an axis. Without `dim` that is axis 1, or 0 where there are
    no, one or three axes, and a warning asks to say which.
    """
    return _softmax(input, _axis(dim, "softmax", input, _stacklevel), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """`softmax` of `-input`."""
    return _softmax(-input, _axis(dim, "softmin", input, _stacklevel), dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """The logarithm of `softmax`."""
    return _log_softmax(input, _axis(dim, "log_softmax", input, _stacklevel), dtype)


def _axis(dim: int | None, operator: str, input: Tensor, stacklevel: int) -> int:
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {operator} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def _source(input: Tensor, inplace: bool) -> Tensor:
    """What to compute from: a copy where the input is overwritten, because derivatives save it."""
    return clone(input) if inplace else input


def _written(input: Tensor, out: Any, inplace: bool) -> Any:
    return copy_(input, out) if inplace else out
