"""Reductions along axes, and running sums. A contract's `dim` is a tuple of axes in ascending
order.
"""

from __future__ import annotations

from plugrad import dtypes, shapes
from plugrad.errors import DtypeError, ShapeError
from plugrad.families import as_operand, composite, primitive, reduction
from plugrad.ops.comparison import bitwise_not, isnan, where
from plugrad.ops.creation import arange, clone, full
from plugrad.ops.elementwise import exp, log, maximum, mul, neg, sqrt
from plugrad.ops.indexing import gather, scatter_add
from plugrad.ops.joining import cat, flip
from plugrad.ops.special import logaddexp
from plugrad.ops.views import expand, reshape, slice_dim
from plugrad.spec import spec_of


@reduction(result="sum")
def sum(x, /, dim, keepdim):
    """Sum; of no elements 0. Integers are summed as int64."""


sum.vjp(x=lambda g, x_spec, dim, keepdim: unreduce(g, x_spec.shape, dim, keepdim))
sum.linear("x")


@reduction(result="float", takes="float complex", body=True)
def mean(x, /, dim, keepdim):
    """Sum divided by the number of elements; of no elements NaN."""
    return sum(x, dim, keepdim) / reduced_count(x.shape, dim)


mean.vjp(
    x=lambda g, x_spec, dim, keepdim: unreduce(
        g / reduced_count(x_spec.shape, dim), x_spec.shape, dim, keepdim
    )
)
mean.linear("x")


@reduction(result="sum")
def prod(x, /, dim, keepdim):
    """Product; of no elements 1. Integers are multiplied as int64."""


prod.vjp(x=lambda g, x, dim, keepdim: unreduce(g, x.shape, dim, keepdim) * _other_factors(x, dim))


@reduction(empty=False, takes="bool int float")
def amax(x, /, dim, keepdim):
    """The largest element; NaN if there is one."""


@reduction(empty=False, takes="bool int float")
def amin(x, /, dim, keepdim):
    """The smallest element; NaN if there is one."""


# Elements that tie share the cotangent equally.
for _extreme in (amax, amin):
    _extreme.vjp(x=lambda g, x, out, dim, keepdim: _share_among_ties(g, x, out, dim, keepdim))


@reduction(result="bool")
def any(x, /, dim, keepdim):
    """Whether some element is nonzero; of no elements False."""


@reduction(result="bool")
def all(x, /, dim, keepdim):
    """Whether every element is nonzero; of no elements True."""


@reduction(result="float", takes="float complex", body=True)
def logsumexp(x, /, dim, keepdim):
    """`log(sum(exp(x)))`; of no elements -inf."""
    if not x.spec.numel:
        return log(sum(exp(x), dim, keepdim))
    # Shifted by the largest element, no exp overflows; an infinite one must not give inf - inf.
    top = amax(x.real if x.dtype.is_complex else x, dim, True)
    top = where(top.isfinite(), top, 0)
    out = log(sum(exp(x - top), dim, True)) + top
    return out if keepdim else reshape(out, shapes.reduce_shape(x.shape, dim, False))


logsumexp.vjp(
    x=lambda g, x, out, dim, keepdim: (
        unreduce(g, x.shape, dim, keepdim) * exp(x - unreduce(out, x.shape, dim, keepdim))
    )
)


def _position_spec(name):
    def rule(x, dim, keepdim):
        if x.numel == 0 and (dim is None or x.shape[dim] == 0):
            raise ShapeError(name, "input", expected="at least one element along dim", got=x.shape)
        if x.dtype.kind in ("complex", "bool"):
            raise DtypeError(name, "input", expected="an int or float dtype", got=x.dtype)
        dims = range(len(x.shape)) if dim is None else (dim,) if x.shape else ()
        return spec_of(shapes.reduce_shape(x.shape, tuple(dims), keepdim), dtypes.int64, x.device)

    return rule


@primitive(_position_spec("argmax"), family="position")
def argmax(x, /, dim, keepdim):
    """Where the largest element is, the first of equals; a NaN counts as largest. `dim` None: in
    the flattened tensor.
    """


@primitive(_position_spec("argmin"), family="position")
def argmin(x, /, dim, keepdim):
    """Where the smallest element is, the first of equals; a NaN counts as smallest. `dim` None: in
    the flattened tensor.
    """


def _widen(arguments, params):
    (x,) = arguments
    narrow = x.dtype.kind in ("bool", "int")
    return (as_operand(x, dtypes.int64, x.device) if narrow else x,), params


@primitive(lambda x: x, prepare=_widen, family="scan")
def cumsum(x, /, dim):
    """Running sum along an axis; integers are summed as int64."""


cumsum.vjp(x=lambda g, dim: flip(cumsum(flip(g, (dim,)), dim), (dim,)) if g.ndim else g)
cumsum.linear("x")


@composite(lambda x: x, prepare=_widen, family="scan")
def cumprod(x, /, dim):
    """Running product along an axis; integers are multiplied as int64."""
    return _scan(mul, x, dim)


def _running_extreme_spec(name):
    def rule(x):
        if x.dtype.is_complex:
            raise DtypeError(name, "input", expected="a bool, int or float dtype", got=x.dtype)
        return x, spec_of(x.shape, dtypes.int64, x.device)

    return rule


@composite(_running_extreme_spec("cummax"), family="scan")
def cummax(x, /, dim):
    """The largest element so far along an axis, and where it stands, the last of equals; once there
    is a NaN, that.
    """
    values = _scan(maximum, x, dim)
    column = (x.shape[dim], *(1,) * (x.ndim - 1 - dim))
    place = reshape(arange(0, 1, x.shape[dim], dtypes.int64, x.device), column)
    marks = where((x == values) | isnan(x), place, 0)
    return values, _scan(maximum, marks, dim)


@composite(_running_extreme_spec("cummin"), family="scan")
def cummin(x, /, dim):
    """The smallest element so far along an axis, and where it stands, the last of equals; once
    there is a NaN, that.
    """
    # Unlike negation, the complement turns the order of all integers round.
    turned = neg if x.dtype.is_floating_point else bitwise_not
    values, positions = cummax(turned(x), dim)
    return turned(values), positions


for _running in (cummax, cummin):
    _running.vjp(
        x=lambda g, out_1, x_spec, dim: scatter_add(
            full(x_spec.shape, 0, g[0].dtype, g[0].device), out_1, g[0], dim
        )
    )
    _running.jvp(x=lambda t, out_1, dim: (gather(t, out_1, dim), None))


def _floating(x):
    if not x.dtype.is_floating_point:
        raise DtypeError("logcumsumexp", "input", expected="a float dtype", got=x.dtype)
    return x


@composite(_floating, family="scan")
def logcumsumexp(x, /, dim):
    """`log(cumsum(exp(x)))` along an axis."""
    return _scan(logaddexp, x, dim)


@composite()
def var(x, /, dim, correction, keepdim):
    """Mean squared distance from the mean, over the number of elements less `correction`."""
    count = reduced_count(x.shape, dim)
    centred = x - mean(x, dim, True)  # two passes: E[x²] - E[x]² cancels
    squares = (centred * centred.conj()).real if x.dtype.is_complex else centred * centred
    freedom = count - correction if count > correction else 0
    return sum(squares, dim, keepdim) / freedom


@composite()
def std(x, /, dim, correction, keepdim):
    """Square root of `var`."""
    return sqrt(var(x, dim, correction, keepdim))


def reduced_count(shape, dim):
    """How many elements go into one of the result."""
    return shapes.numel([shape[d] for d in dim])


def unreduce(x, shape, dim, keepdim):
    """The result of a reduction, repeated over the elements that it came from."""
    if not keepdim and x.spec.shape:
        x = reshape(x, shapes.reduce_shape(shape, dim, True))
    return expand(x, shape)


def _other_factors(x, dim):
    # The product of the others is p / x, where no zero is among them.
    zero = x == 0
    zeros = expand(sum(zero, dim, True), x.shape)
    safe = where(zero, 1, x)
    others = expand(prod(safe, dim, True), x.shape) / safe
    return where(zeros == 0, others, where((zeros == 1) & zero, others, 0))


def _scan(combine, x, dim):
    """Each element combined with all before it: with the one before, then two, then four before.

    W. D. Hillis, G. L. Steele, Data parallel algorithms, CACM 29 (1986). Derivatives of every order
    follow from those of `combine`, also where a product is 0.
    """
    if not x.shape or x.shape[dim] < 2:
        return clone(x)
    size, step = x.shape[dim], 1
    while step < size:
        late = slice_dim(x, dim, step, size, 1)
        early = slice_dim(x, dim, 0, size - step, 1)
        x = cat((slice_dim(x, dim, 0, step, 1), combine(early, late)), dim)
        step *= 2
    return x


def _share_among_ties(g, x, out, dim, keepdim):
    peak = unreduce(out, x.shape, dim, keepdim)
    ties = ((x == peak) | (x.isnan() & peak.isnan())).to(g.dtype)
    return unreduce(g, x.shape, dim, keepdim) * ties / sum(ties, dim, True)
