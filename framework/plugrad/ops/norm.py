"""The length of vectors along axes. At 0, where it has a corner, the derivative is 0."""

from __future__ import annotations

from math import inf

from plugrad import shapes
from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite
from plugrad.ops.comparison import eq, ne, where
from plugrad.ops.creation import full
from plugrad.ops.elementwise import abs, pow, sgn, sqrt
from plugrad.ops.reduction import amax, amin, sum
from plugrad.ops.views import reshape
from plugrad.spec import spec_of


def _norm_spec(x, p, dim, keepdim):
    if x.dtype.kind not in ("float", "complex"):
        raise DtypeError(
            "vector_norm", "input", expected="a floating or complex dtype", got=x.dtype
        )
    if (p < 0 or p == inf) and any([x.shape[each] == 0 for each in dim]):
        raise ShapeError(
            "vector_norm", "input", expected=f"at least one element, for order {p}", got=x.shape
        )
    return spec_of(shapes.reduce_shape(x.shape, dim, keepdim), x.dtype.to_real(), x.device)


@composite(_norm_spec, holomorphic=False)
def vector_norm(x, /, p, dim, keepdim):
    """(Σ |x|^p)^(1/p) over the axes `dim`; for an infinite `p` the largest or the smallest |x|, for
    0 how many x are not 0.
    """
    size = x if p == 2 and not x.is_complex() else abs(x)
    if p == inf:
        return amax(size, dim, keepdim)
    if p == -inf:
        return amin(size, dim, keepdim)
    if p == 0:
        return sum(ne(x, 0), dim, keepdim, dtype=size.dtype)
    if p == 1:
        return sum(size, dim, keepdim)
    if p == 2:
        return sqrt(sum(size * size, dim, keepdim))
    return pow(sum(pow(size, p), dim, keepdim), 1 / p)


vector_norm.vjp(
    x=lambda g, x, out, p, dim: _times_slope(_kept(g, x, dim), x, _kept(out, x, dim), p, dim)
)
vector_norm.jvp(x=lambda t, x, out, p, dim, keepdim: _moved(t, x, out, p, dim, keepdim))


def _kept(x, like, dim):
    """With axes of one element where there were others."""
    return reshape(x, shapes.reduce_shape(like.spec.shape, dim, True))


def _moved(t, x, out, p, dim, keepdim):
    one = full((), 1, out.spec.dtype, out.spec.device)
    slope = _times_slope(one, x, _kept(out, x, dim), p, dim)
    product = slope.conj() * t if x.is_complex() else slope * t
    return sum(product.real if x.is_complex() else product, dim, keepdim)


def _times_slope(g, x, out, p, dim):
    if p == 0:
        return x * 0 * g
    if p == 1:
        return sgn(x) * g
    if p in (inf, -inf):
        size = abs(x)
        ties = eq(size, out)
        return sgn(x) * where(ties, g / sum(ties, dim, True), 0)
    # Where a divisor or the base of a negative power is 0 another number stands in its place.
    zero = eq(out, 0)
    whole = where(zero, 1, out)
    if p == 2:
        return x * where(zero, 0, g / whole)
    flat = eq(x, 0)
    size = where(flat, 1, abs(x))
    scale = where(zero, 0, g / pow(whole, p - 1))
    return where(flat, 0, sgn(x) * pow(size, p - 1)) * scale
