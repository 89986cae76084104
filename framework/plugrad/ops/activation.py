"""Activations: composites whose bodies are their meaning, with derivatives that save little."""

from __future__ import annotations

import math

from plugrad.errors import DtypeError
from plugrad.families import composite, elementwise
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import (
    ORDERED,
    abs,
    erf,
    exp,
    log,
    log1p,
    maximum,
    minimum,
    sigmoid,
    tanh,
)
from plugrad.ops.reduction import amax
from plugrad.ops.reduction import sum as sum_over


@elementwise(takes=ORDERED, body=True)
def relu(x, /):
    """`x` where it is positive, else 0; a NaN stays one."""
    return maximum(x, 0)


# At 0 the subgradient 0 is chosen.
relu.vjp(x=lambda g, out: relu_backward(g, out))


@elementwise(takes="float", body=True)
def relu_backward(g, y, /):
    """The cotangent of relu's operand, from that of its result `y`; where that is NaN, `g`."""
    return where(y <= 0, 0, g)


# `out` would name this operator's own result.
relu_backward.vjp(g=lambda g, y: relu_backward(g, y))


@elementwise(takes=ORDERED, body=True)
def hardtanh(x, low, high, /):
    """`x` kept between two numbers `low` and `high`."""
    return minimum(maximum(x, low), high)


# Unlike clamp's, it is 0 at the bounds themselves, as in PyTorch.
hardtanh.vjp(x=lambda g, x, low, high: where((x > low) & (x < high), g, 0))


@elementwise(takes="float", body=True)
def log_sigmoid(x, /):
    """The logarithm of the sigmoid, without forming it."""
    return minimum(x, 0) - log1p(exp(-abs(x)))


log_sigmoid.vjp(x=lambda g, x: g * sigmoid(-x))


@elementwise(takes="float", body=True)
def silu(x, /):
    """`x * sigmoid(x)`."""
    return x * sigmoid(x)


silu.vjp(x=lambda g, x: silu_backward(g, x))


@elementwise(takes="float", body=True)
def silu_backward(g, x, /):
    """The cotangent of silu's operand."""
    s = sigmoid(x)
    return g * s * (1 + x * (1 - s))


@elementwise(takes="float", body=True)
def gelu(x, /):
    """`x` times the normal distribution function at `x`."""
    return x * 0.5 * (1 + erf(x * math.sqrt(0.5)))


gelu.vjp(x=lambda g, x: gelu_backward(g, x))


@elementwise(takes="float", body=True)
def gelu_backward(g, x, /):
    """The cotangent of gelu's operand."""
    below = (1 + erf(x * math.sqrt(0.5))) * 0.5
    density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (below + x * density)


@elementwise(takes="float", body=True)
def gelu_tanh(x, /):
    """`gelu` with the distribution function approximated by tanh (D. Hendrycks, K. Gimpel, arXiv
    1606.08415).
    """
    return x * 0.5 * (1 + tanh(_gelu_argument(x)))


gelu_tanh.vjp(x=lambda g, x: gelu_tanh_backward(g, x))

_ROOT = math.sqrt(2 / math.pi)


def _gelu_argument(x):
    return (x + x * x * x * 0.044715) * _ROOT


@elementwise(takes="float", body=True)
def gelu_tanh_backward(g, x, /):
    """The cotangent of gelu_tanh's operand."""
    t = tanh(_gelu_argument(x))
    # In this order nothing is left where the square of x overflows.
    fall = (1 - t * t) * x
    slope = (fall + fall * x * x * (3 * 0.044715)) * _ROOT
    return g * (1 + t + slope) * 0.5


def _floating_spec(operator):
    def rule(x):
        if not x.dtype.is_floating_point:
            raise DtypeError(
                operator, "input", expected="a floating dtype", got=x.dtype, hint="cast it"
            )
        return x

    return rule


@composite(_floating_spec("softmax"))
def softmax(x, /, dim):
    """`exp(x)` over its sum along an axis."""
    raised = exp(x - _largest(x, dim))
    return raised / sum_over(raised, dim, True)


softmax.vjp(x=lambda g, out, dim: softmax_backward(g, out, dim))
# Its Jacobian is symmetric.
softmax.jvp(x=lambda t, out, dim: softmax_backward(t, out, dim))


@composite(lambda g: g)
def softmax_backward(g, out, /, dim):
    """The cotangent of softmax's operand, from that of its result."""
    weighted = g * out
    return weighted - out * sum_over(weighted, dim, True)


@composite(_floating_spec("log_softmax"))
def log_softmax(x, /, dim):
    """The logarithm of softmax, without forming it."""
    shifted = x - _largest(x, dim)
    return shifted - log(sum_over(exp(shifted), dim, True))


log_softmax.vjp(x=lambda g, out, dim: log_softmax_backward(g, out, dim))
log_softmax.jvp(x=lambda t, out, dim: t - sum_over(exp(out) * t, dim, True))


@composite(lambda g: g)
def log_softmax_backward(g, out, /, dim):
    """The cotangent of log_softmax's operand, from that of its result."""
    return g - exp(out) * sum_over(g, dim, True)


def _largest(x, dim):
    # A shift changes nothing in the result, so it is taken as a constant.
    return amax(x.detach(), dim, True) if x.numel() else 0
