"""Normalisation, fused. Channels are reduced in the order that memory has, (C, ..., N) or (N, C,
...): nothing is copied, and results lie in the same order.

Means are products with ones, which BLAS sums several times as fast as `add.reduce` does short rows.
"""

from __future__ import annotations

from math import prod

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, in_single, quietly

# layer norm ---------------------------------------------------------------------------------------


@kernel
@quietly
def layer_norm(x, weight, bias, axes, eps):
    if x.dtype in HALVES or not x.size:
        return None
    out = _rows(x, axes)
    average = out @ _shares(out)
    out = out - average[:, None]
    out *= _scale(np.vecdot(out, out) / out.shape[1], eps)[:, None]
    if weight is not None:
        out *= weight.reshape(-1)
    if bias is not None:
        out += bias.reshape(-1)
    return out.reshape(x.shape)


@kernel
@quietly
def layer_norm_backward(g, x, weight, axes, eps):
    if x.dtype in HALVES or not x.size:
        return None
    rows, g = _rows(x, axes), _rows(g, axes)
    shares = _shares(rows)
    average = rows @ shares
    normal = rows - average[:, None]
    scale = _scale(np.vecdot(normal, normal) / rows.shape[1], eps)[:, None]
    normal *= scale
    ones = np.ones(rows.shape[0], x.dtype)
    out = g * normal
    for_weight, for_bias = ones @ out, ones @ g
    if weight is None:
        along, level = out @ shares, g @ shares
        np.multiply(normal, along[:, None], out=out)
        np.subtract(g, out, out=out)
    else:
        weight = weight.reshape(-1)
        along, level = out @ (weight * shares), g @ (weight * shares)
        normal *= along[:, None]
        np.multiply(g, weight, out=out)
        out -= normal
    out -= level[:, None]
    out *= scale
    shape = x.shape[x.ndim - axes :]
    return out.reshape(x.shape), for_weight.reshape(shape), for_bias.reshape(shape)


def _rows(x, axes):
    return x.reshape(-1, prod(x.shape[x.ndim - axes :]))


def _shares(rows):
    """What a row is multiplied by to get its mean."""
    return np.full(rows.shape[1], 1 / rows.shape[1], rows.dtype)


# batch norm ---------------------------------------------------------------------------------------


@kernel
@quietly
def batch_norm(x, weight, bias, eps):
    if x.dtype in HALVES or not x.size:
        return None
    form = _Form(x)
    count = x.size // x.shape[1]
    out = form.see(x)
    average = form.sums(out) / count
    out = out - form.level(average)
    variance = form.products(out, out) / count
    scale = _scale(variance, eps)
    if weight is not None:
        scale *= weight
    out *= form.level(scale)
    if bias is not None:
        out += form.level(bias)
    return form.back(out), average, variance


@kernel
@quietly
def batch_norm_backward(g, x, weight, eps):
    if x.dtype in HALVES or not x.size:
        return None
    form = _Form(x)
    count = x.size // x.shape[1]
    x, g = form.see(x), form.see(g)
    centred = x - form.level(form.sums(x) / count)
    scale = _scale(form.products(centred, centred) / count, eps)
    for_bias = form.sums(g)
    for_weight = form.products(g, centred) * scale
    # g - mean(g) - normal * mean(g * normal), the whole times scale * weight
    centred *= form.level(for_weight * scale / -count)
    centred += g
    centred -= form.level(for_bias / count)
    centred *= form.level(scale if weight is None else scale * weight)
    return form.back(centred), for_weight, for_bias


@kernel
@in_single
@quietly
def batch_norm_inference(x, mean, var, weight, bias, eps):
    form = _Form(x)
    scale = _scale(var, eps)
    if weight is not None:
        scale *= weight
    out = form.see(x) - form.level(mean)
    out *= form.level(scale)
    if bias is not None:
        out += form.level(bias)
    return form.back(out)


def _scale(variance, eps):
    """One over the standard deviation."""
    return np.reciprocal(np.sqrt(variance + eps))


class _Form:
    """How to see (N, C, ...) so that memory is walked in its order: as (C, all else), (N, C) or (N,
    C, the rest).
    """

    def __init__(self, x):
        self.order = (*range(1, x.ndim), 0)
        self.shape = x.shape
        self.leading = x.transpose(self.order).flags.c_contiguous
        self.rest = prod(x.shape[2:])

    def see(self, x):
        """The array in this form; a copy if its memory is in another order."""
        if self.leading:
            moved = x.transpose(self.order)
            return np.ascontiguousarray(moved).reshape(self.shape[1], -1)
        return x.reshape(self.shape[:2] if self.rest == 1 else (*self.shape[:2], self.rest))

    def back(self, y):
        """From this form to the shape (N, C, ...)."""
        if not self.leading:
            return y.reshape(self.shape)
        last = len(self.shape) - 1
        return y.reshape(*self.shape[1:], self.shape[0]).transpose(last, *range(last))

    def level(self, statistic):
        """(C,) so that it broadcasts."""
        return statistic if self.rest == 1 and not self.leading else statistic[:, None]

    def sums(self, y):
        """Each channel's sum."""
        ones = np.ones(y.shape[-1], y.dtype)
        if self.leading:
            return y @ ones
        if self.rest > 1:
            y = (y.reshape(-1, self.rest) @ ones).reshape(self.shape[:2])
        return np.ones(self.shape[0], y.dtype) @ y

    def products(self, x, y):
        """Each channel's sum of the products."""
        if self.leading:
            return np.vecdot(x, y)
        return np.einsum("nc,nc->c" if self.rest == 1 else "ncs,ncs->c", x, y)
