"""How numbers spread: extremes, sums without NaN, variances, covariances, distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from plugrad import shapes
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions import reduction, views
from plugrad.functions.reduction import Dim
from plugrad.ops import comparison, elementwise, linalg
from plugrad.ops import reduction as ops
from plugrad.ops.comparison import where

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class MinAndMax(NamedTuple):
    """The smallest and the largest element."""

    min: Tensor
    max: Tensor


@delivers
def aminmax(
    input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: Any = None
) -> MinAndMax:
    """The smallest and the largest element: of all, or along an axis."""
    return MinAndMax(ops.amin(input, dim, keepdim), ops.amax(input, dim, keepdim))


def count_nonzero(input: Tensor, dim: Dim = None) -> Tensor:
    """How many elements are not 0."""
    return ops.sum(comparison.ne(input, 0), dim)


@delivers
def nansum(
    input: Tensor,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The sum of the elements that are not NaN."""
    if input.spec.dtype.is_complex:
        raise DtypeError("nansum", "input", expected="a bool, int or float dtype", got=input.dtype)
    return ops.sum(where(comparison.isnan(input), 0, input), dim, keepdim, dtype=dtype)


@delivers
def nanmean(
    input: Tensor,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The mean of the elements that are not NaN."""
    if not input.spec.dtype.is_floating_point:
        raise DtypeError("nanmean", "input", expected="a float dtype", got=input.dtype)
    count = ops.sum(comparison.logical_not(comparison.isnan(input)), dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


def var_mean(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """`var` and `mean`."""
    spread = reduction.var(input, dim, unbiased, keepdim, correction=correction)
    return spread, ops.mean(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    input: Tensor,
    dim: Dim | bool = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """`std` and `mean`."""
    spread = reduction.std(input, dim, unbiased, keepdim, correction=correction)
    return spread, ops.mean(input, None if isinstance(dim, bool) else dim, keepdim)


# several variables --------------------------------------------------------------------------------


def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """The covariances of variables, one per row, from observations, one per column.

    `fweights` says how often each observation was made (integers), `aweights` how much it counts.
    """
    if len(input.spec.shape) > 2:
        raise ShapeError("cov", "input", expected="at most two axes", got=input.spec.shape)
    if input.spec.dtype.kind == "bool":
        raise DtypeError("cov", "input", expected="an int, float or complex dtype", got=input.dtype)
    x: Any = views.reshape(input, (1, -1)) if len(input.spec.shape) < 2 else input
    if x.spec.dtype.kind == "int":
        x = x * 1.0
    count = x.spec.shape[1]
    weights: Any = None
    for name, given, kind in (("fweights", fweights, "int"), ("aweights", aweights, "float")):
        if given is None:
            continue
        if given.spec.shape != (count,) or given.spec.dtype.kind != kind:
            raise ArgumentError(
                "cov", name, expected=f"{count} numbers of {kind} dtype", got=given.spec
            )
        if given.spec.numel and bool((given < 0).any()):
            raise RangeError("cov", name, expected="no negative weights", got=given)
        weights = given if weights is None else weights * given
    if weights is None:
        total: Any = count
        centred = x - ops.mean(x, 1, True)
        scaled = centred
    else:
        total = ops.sum(weights)
        centred = x - ops.sum(x * weights, 1, True) / total
        scaled = centred * weights
    if aweights is None:
        freedom = total - correction
    else:
        freedom = total - correction * ops.sum(weights * aweights) / total
    freedom = max(freedom, 0) if isinstance(freedom, int) else elementwise.clamp_min(freedom, 0)
    out = linalg.matmul(scaled, views.t(elementwise.conj(centred))) / freedom
    return views.squeeze(out) if len(input.spec.shape) < 2 or out.spec.numel == 1 else out


def corrcoef(input: Tensor) -> Tensor:
    """The correlations of variables, one per row, from observations, one per column."""
    if len(input.spec.shape) > 2:
        raise ShapeError("corrcoef", "input", expected="at most two axes", got=input.spec.shape)
    spread = cov(input)
    if not spread.spec.shape:
        return spread / spread
    scale = elementwise.sqrt(views.real(views.diagonal(spread)))
    out = spread / views.unsqueeze(scale, 1) / scale
    if out.spec.dtype.is_complex:
        return out
    return elementwise.clamp(out, -1, 1)  # rounding may lead past 1


# distances ----------------------------------------------------------------------------------------


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of the difference of two tensors."""
    return reduction.norm(input - other, p)


@delivers
def renorm(
    input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None
) -> Tensor:
    """Each slice of an axis with a p-norm above `maxnorm` scaled down to it."""
    if len(input.spec.shape) < 2:
        raise ShapeError("renorm", "input", expected="at least two axes", got=input.spec.shape)
    if p <= 0:
        raise RangeError("renorm", "p", expected="more than 0", got=p)
    if maxnorm < 0:
        raise RangeError("renorm", "maxnorm", expected="at least 0", got=maxnorm)
    axis = shapes.normalize_dim(dim, len(input.spec.shape), "renorm")
    others = [each for each in range(len(input.spec.shape)) if each != axis]
    size: Any = reduction.norm(input, p, others, True)
    # A little less than maxnorm, so that rounding does not leave it above.
    return input * as_operand(
        where(size > maxnorm, maxnorm / (size + 1e-7), 1), input.spec.dtype, None
    )
