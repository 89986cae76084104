"""Initial values of weights. Each function fills a tensor in place, without recording, and returns
it.

The fan-in of a weight (O, I, *kernel) is I times the kernel's size, the fan-out O times that. X.
Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks,
AISTATS 2010; K. He et al., Delving deep into rectifiers, arXiv 1502.01852.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import wraps

from plugrad import random
from plugrad.creation import empty
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, ShapeError
from plugrad.functions.indexing import index_fill_
from plugrad.ops.comparison import where
from plugrad.ops.creation import copy_, fill_
from plugrad.ops.decomposition import qr
from plugrad.ops.elementwise import abs as _abs
from plugrad.ops.elementwise import clamp, log, sign, sqrt
from plugrad.random import Generator
from plugrad.shapes import numel
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

_LINEAR = {"linear", "sigmoid"} | {f"conv{n}d" for n in (1, 2, 3)}
_LINEAR |= {f"conv_transpose{n}d" for n in (1, 2, 3)}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By what to scale weights so that the variance passes a nonlinearity; `param` is leaky_relu's
    slope.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 0.75
    raise ArgumentError(
        "calculate_gain",
        "nonlinearity",
        expected="linear, conv*, sigmoid, tanh, relu, leaky_relu or selu",
        got=repr(nonlinearity),
    )


@no_grad()
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform numbers in [a, b)."""
    return random.uniform_(tensor, a, b, generator=generator)


@no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal numbers."""
    return random.normal_(tensor, mean, std, generator=generator)


@no_grad()
def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers, those alone that lie in [a, b]."""
    low, high = _below((a - mean) / std), _below((b - mean) / std)
    share = random.rand_like(tensor.detach(), generator=generator) * (high - low) + low
    return copy_(tensor, clamp(_quantile(share) * std + mean, a, b))


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return fill_(tensor, val)


@no_grad()
def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return fill_(tensor, 1)


@no_grad()
def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return fill_(tensor, 0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """1 on the diagonal of a matrix, 0 elsewhere."""
    if tensor.ndim != 2:
        raise ShapeError("eye_", "tensor", expected="two axes", got=tuple(tensor.shape))
    fill_(tensor, 0)
    fill_(tensor.diagonal(), 1)
    return tensor


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight (O, I, *kernel) that passes on as many channels as it can, in each of
    the groups that O is divided into.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError("dirac_", "tensor", expected="3, 4 or 5 axes", got=tuple(tensor.shape))
    if tensor.shape[0] % groups:
        raise ArgumentError(
            "dirac_", "groups", expected=f"a divisor of {tensor.shape[0]} channels", got=groups
        )
    fill_(tensor, 0)
    middle = tensor
    for size in tensor.shape[2:]:
        middle = middle.select(2, size // 2)
    out = tensor.shape[0] // groups
    for group in range(groups):
        fill_(middle[group * out : (group + 1) * out].diagonal(), 1)
    return tensor


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """`gain` times a random matrix (O, the rest) with orthonormal rows, or columns if there are
    fewer of these.

    A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning
    in deep linear neural networks, arXiv 1312.6120.
    """
    if tensor.ndim < 2:
        raise ShapeError(
            "orthogonal_", "tensor", expected="at least two axes", got=tuple(tensor.shape)
        )
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], numel(tensor.shape[1:])
    tall = (max(rows, columns), min(rows, columns))
    drawn = empty(tall, dtype=tensor.dtype, device=tensor.device)
    q, r = qr(random.normal_(drawn, generator=generator), False)
    # With these signs all orthogonal matrices are equally probable.
    q = q * sign(r.diagonal())
    return copy_(tensor, (q if rows >= columns else q.t()).reshape(*tensor.shape) * gain)


@no_grad()
def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """A matrix of normal numbers with a share `sparsity` of each column set to 0 (J. Martens, Deep
    learning via Hessian-free optimization, ICML 2010).
    """
    if tensor.ndim != 2:
        raise ShapeError("sparse_", "tensor", expected="two axes", got=tuple(tensor.shape))
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    for column in range(columns):
        order = random.randperm(rows, generator=generator, dtype=int64, device=tensor.device)
        index_fill_(tensor.select(1, column), 0, order[:zeros], 0)
    return tensor


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform, with variance gain² · 2 / (fan_in + fan_out)."""
    bound = gain * math.sqrt(6.0 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal, with variance gain² · 2 / (fan_in + fan_out)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform, with variance gain² / fan; `a` is the slope of leaky_relu."""
    if not tensor.numel():
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal, with variance gain² / fan; `a` is the slope of leaky_relu."""
    if not tensor.numel():
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def _former(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function under the name that it had before names of functions in place got their `_`."""
    name = function.__name__

    @wraps(function)
    def former(*arguments: object, **options: object) -> Tensor:
        warnings.warn(f"nn.init.{name[:-1]} is now nn.init.{name}", FutureWarning, stacklevel=2)
        return function(*arguments, **options)

    former.__name__ = former.__qualname__ = name[:-1]
    return former


uniform = _former(uniform_)
normal = _former(normal_)
constant = _former(constant_)
eye = _former(eye_)
dirac = _former(dirac_)
xavier_uniform = _former(xavier_uniform_)
xavier_normal = _former(xavier_normal_)
kaiming_uniform = _former(kaiming_uniform_)
kaiming_normal = _former(kaiming_normal_)
orthogonal = _former(orthogonal_)
sparse = _former(sparse_)


def fans(tensor: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (O, I, *kernel)."""
    if tensor.ndim < 2:
        raise ShapeError("fans", "tensor", expected="at least two axes", got=tuple(tensor.shape))
    field = numel(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError("kaiming", "mode", expected="'fan_in' or 'fan_out'", got=repr(mode))
    return fans(tensor)[mode == "fan_out"]


def _below(x: float) -> float:
    """The normal distribution function."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _quantile(p: Tensor) -> Tensor:
    """The normal quantile, to about seven digits.

    M. J. Wichura, Algorithm AS 241: the percentage points of the normal distribution, Applied
    Statistics 37 (1988): PPND7, one quotient of polynomials in the middle and two in the tails.
    """
    q = p - 0.5
    r = 0.180625 - q * q
    middle = q * _ratio(
        r,
        (5.9109374720e1, 1.5929113202e2, 5.0434271938e1, 3.3871327179e0),
        (6.7187563600e1, 7.8757757664e1, 1.7895169469e1, 1.0),
    )
    tail = clamp(where(q < 0, p, 1 - p), 1e-30, 0.5)
    r = sqrt(-log(tail))
    near = _ratio(
        r - 1.6,
        (1.7023821103e-1, 1.3067284816e0, 2.7568153900e0, 1.4234372777e0),
        (1.2021132975e-1, 7.3700164250e-1, 1.0),
    )
    far = _ratio(
        r - 5,
        (1.7337203997e-2, 4.2868294337e-1, 3.0812263860e0, 6.6579051150e0),
        (1.2258202635e-2, 2.4197894225e-1, 1.0),
    )
    outer = where(r <= 5, near, far)
    return where(_abs(q) <= 0.425, middle, where(q < 0, -outer, outer))


def _ratio(x: Tensor, above: tuple[float, ...], below: tuple[float, ...]) -> Tensor:
    return _polynomial(x, above) / _polynomial(x, below)


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    out = x * coefficients[0] + coefficients[1]
    for each in coefficients[2:]:
        out = out * x + each
    return out
