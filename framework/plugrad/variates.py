"""Random numbers of further distributions, drawn from the streams of `plugrad.random`, and Tensor's
methods that fill with them.

The words of a stream are the same on every backend, and so is what follows from them, but for the
last bit of a logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plugrad import dtypes
from plugrad.dtypes import DType
from plugrad.errors import DtypeError, RangeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions.axes import flat, shaped
from plugrad.ops import elementwise, indexing, reduction, sorting
from plugrad.ops.comparison import logical_not, where
from plugrad.ops.creation import cast, copy_, full
from plugrad.ops.special import lgamma
from plugrad.random import Generator, check_interval, draw_normal, draw_uniform, integers

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


_LEAST = 5e-324  # above 0


@delivers
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Positions drawn in proportion to weights, a vector of them or one per row: with replacement,
    or each position once.
    """
    weights: Any = input.detach()
    shape = weights.spec.shape
    if not weights.spec.dtype.is_floating_point:
        raise DtypeError("multinomial", "input", expected="a float dtype", got=input.dtype)
    if len(shape) not in (1, 2) or not shape[-1]:
        raise ShapeError(
            "multinomial", "input", expected="a vector, or rows, of weights", got=shape
        )
    if num_samples < 1 or (num_samples > shape[-1] and not replacement):
        most = "" if replacement else f", at most {shape[-1]} without replacement"
        raise RangeError(
            "multinomial", "num_samples", expected=f"at least 1{most}", got=num_samples
        )
    check_interval("multinomial", "input", weights, 0, dtypes.finfo(weights.spec.dtype).max)
    last = len(shape) - 1
    wide: Any = as_operand(weights, dtypes.float64, None)
    check_interval("multinomial", "sum of input", reduction.sum(wide, last), _LEAST, None)
    device = weights.spec.device
    if replacement:
        edges = reduction.cumsum(wide, last)
        drawn = draw_uniform((*shape[:-1], num_samples), dtypes.float64, device, generator)
        # The last edge is the whole: what is drawn stays below it.
        whole = edges.narrow(last, shape[-1] - 1, 1)
        return sorting.searchsorted(edges / whole, drawn, True)
    # P. S. Efraimidis, P. G. Spirakis, Weighted random sampling with a reservoir, IPL 97 (2006).
    waits = _exponential(shape, dtypes.float64, device, generator)
    return sorting.topk(wide / waits, num_samples, last, True)[1]


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """How many events of a Poisson process there are, at the rates that the elements give."""
    if not input.dtype.is_floating_point:
        raise DtypeError("poisson", "input", expected="a float dtype", got=input.dtype)
    rates: Any = as_operand(flat(input.detach()), dtypes.float64, None)
    check_interval("poisson", "input", rates, 0, float("inf"))

    def small(u: Any, rate: Any) -> Any:
        return _by_search(u, elementwise.exp(-rate), lambda k: rate / k)

    counts = _in_two(rates < 10, (rates,), small, _poisson_proposal, generator)
    return cast(shaped(counts, input.spec.shape), input.dtype)


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials succeed, each with probability `prob`."""
    dtype = prob.dtype
    if not dtype.is_floating_point or count.dtype is not dtype:
        raise DtypeError("binomial", "count", expected=f"{dtype}, a float dtype", got=count.dtype)
    n, p = _together(count, prob)
    check_interval("binomial", "prob", p, 0, 1)
    check_interval("binomial", "count", n, 0, float("inf"))
    shape = n.spec.shape
    trials, rarer = flat(n), flat(elementwise.minimum(p, 1 - p))

    def small(u: Any, n: Any, p: Any) -> Any:
        odds = p / (1 - p)
        start = elementwise.exp(n * elementwise.log1p(-p))
        return _by_search(u, start, lambda k: odds * (n + 1 - k) / k)

    few = trials * rarer < 10
    counts = _in_two(few, (trials, rarer), small, _binomial_proposal, generator)
    counts = where(flat(p) > 0.5, trials - counts, counts)
    return cast(shaped(counts, shape), dtype)


def _together(x: Tensor, y: Tensor) -> tuple[Any, Any]:
    """Two tensors in float64 at their common shape, without a graph."""
    wide = [as_operand(each.detach(), dtypes.float64, None) for each in (x, y)]
    shape = (wide[0] + wide[1]).spec.shape
    return wide[0].expand(shape), wide[1].expand(shape)


Parameters = tuple[Any, ...]


def _in_two(
    few: Any,
    parameters: Parameters,
    small: Callable[..., Any],
    propose: Callable[..., Any],
    generator: Generator | None,
) -> Any:
    """Counts of small means by inversion, the others by rejection."""
    device, total = few.spec.device, few.spec.numel
    out = full((total,), 0, dtypes.float64, device)
    (places,) = indexing.columns(few)
    if places.spec.numel:
        drawn = draw_uniform(places.spec.shape, dtypes.float64, device, generator)
        these = [indexing.index(each, (places,)) for each in parameters]
        out = indexing.index_put(out, (places,), small(drawn, *these), False)
    (places,) = indexing.columns(logical_not(few))
    while places.spec.numel:
        u, v = draw_uniform((2, places.spec.numel), dtypes.float64, device, generator)
        these = [indexing.index(each, (places,)) for each in parameters]
        counts, taken = propose(u - 0.5, v, *these)
        out = indexing.index_put(out, (places,), counts, False)
        places = indexing.masked_select(places, logical_not(taken))
    return out


_MOST = 200  # steps: a mean below 10 does not lead so far in 53 bits


def _by_search(u: Any, chance: Any, ratio: Callable[[int], Any]) -> Any:
    """The least count whose cumulated probability exceeds `u`: `chance` is that of 0, `ratio(k)`
    that of k over that of k - 1.
    """
    count: Any = u * 0
    for k in range(1, _MOST):
        beyond = u >= chance
        if not bool(beyond.any()):
            break
        u = where(beyond, u - chance, -1.0)  # below every probability from now on
        count = count + beyond
        chance = chance * ratio(k)
    return count


def _poisson_proposal(u: Any, v: Any, rate: Any) -> tuple[Any, Any]:
    """W. Hörmann, The transformed rejection method for generating Poisson random variables,
    Insurance: Mathematics and Economics 12 (1993): PTRS.
    """
    root = elementwise.sqrt(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    edge = 0.5 - elementwise.abs(u)
    k = elementwise.floor((2 * a / edge + b) * u + rate + 0.43)
    sure = (edge >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    out = (k < 0) | ((edge < 0.013) & (v > edge))
    left = elementwise.log(v * inverse_alpha / (a / (edge * edge) + b))
    right = k * elementwise.log(rate) - rate - lgamma(elementwise.clamp_min(k, 0) + 1)
    return k, sure | (logical_not(out) & (left <= right))


def _binomial_proposal(u: Any, v: Any, n: Any, p: Any) -> tuple[Any, Any]:
    """W. Hörmann, The generation of binomial random variates, Journal of Statistical Computation
    and Simulation 46 (1993): BTRS. For p up to 1/2.
    """
    spread = elementwise.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    edge = 0.5 - elementwise.abs(u)
    k = elementwise.floor((2 * a / edge + b) * u + n * p + 0.5)
    sure = (edge >= 0.07) & (v <= 0.92 - 4.2 / b)
    inside = (k >= 0) & (k <= n)
    k = elementwise.clamp_min(elementwise.minimum(k, n), 0)
    peak = elementwise.floor((n + 1) * p)
    left = elementwise.log(v * (2.83 + 5.1 / b) * spread / (a / (edge * edge) + b))
    right = lgamma(peak + 1) + lgamma(n - peak + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    right = right + (k - peak) * elementwise.log(p / (1 - p))
    return k, inside & (sure | (left <= right))


# filled in place ----------------------------------------------------------------------------------


def exponential_(
    input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with times, above 0, between events at the rate `lambd`."""
    _check_positive("exponential_", "lambd", lambd)
    dtype = _floating("exponential_", input)
    return copy_(input, _exponential(input.shape, dtype, input.device, generator) / lambd)


def geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with numbers, from 1 on, of trials until the first success, each of
    probability `p`.
    """
    if not 0 < p < 1:
        raise RangeError("geometric_", "p", expected="between 0 and 1", got=p)
    waits = _exponential(input.shape, dtypes.float64, input.device, generator)
    return copy_(input, elementwise.ceil(waits / -math.log1p(-p)))


def cauchy_(
    input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with numbers of the Cauchy distribution, half of which lie within `sigma` of
    the median.
    """
    _check_positive("cauchy_", "sigma", sigma)
    dtype = _floating("cauchy_", input)
    drawn = draw_uniform(input.shape, dtype, input.device, generator)
    return copy_(input, elementwise.tan((drawn - 0.5) * math.pi) * sigma + median)


def log_normal_(
    input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with numbers whose logarithms are normal, of this mean and standard
    deviation.
    """
    _check_positive("log_normal_", "std", std)
    dtype = _floating("log_normal_", input)
    drawn = draw_normal(input.shape, dtype, input.device, generator)
    return copy_(input, elementwise.exp(drawn * std + mean))


# Of a float dtype: up to which all integers are its numbers.
_DIGITS = {dtypes.float16: 11, dtypes.bfloat16: 8, dtypes.float32: 24, dtypes.float64: 53}


def random_(
    input: Tensor, from_: int | None = None, to: int | None = None, *, generator: Any = None
) -> Tensor:
    """Fill a tensor with integers: from `from_` to `to - 1`, below one of them where only that is
    given, or else from 0 up to the largest of its dtype; of a float dtype to the largest that
    stands in a row of all.
    """
    dtype = input.dtype
    low, high = (from_, to) if to is None or from_ is not None else (to, None)
    if low is None:
        kind = dtype.kind
        most = 1 if kind == "bool" else 1 << _DIGITS[dtype] if kind == "float" else None
        most = dtypes.iinfo(dtype).max if most is None else most
        low, high = 0, min(most + 1, (1 << 63) - 1)
    elif high is None:
        low, high = 0, low
    drawn = integers("random_", low, high, input.shape, dtypes.int64, input.device, generator)
    return copy_(input, drawn)


def _exponential(
    shape: tuple[int, ...], dtype: DType, device: Any, generator: Generator | None
) -> Any:
    drawn = draw_uniform(shape, dtype, device, generator)
    least = 2.0 ** (-54 if dtype is dtypes.float64 else -25)  # half a step: a time of 0 is none
    return -elementwise.log1p(-elementwise.clamp_min(drawn, least))


def _floating(operator: str, input: Tensor) -> DType:
    if not input.dtype.is_floating_point:
        raise DtypeError(operator, "self", expected="a float dtype", got=input.dtype)
    return input.dtype


def _check_positive(operator: str, argument: str, value: float) -> None:
    if not value > 0:
        raise RangeError(operator, argument, expected="more than 0", got=value)
