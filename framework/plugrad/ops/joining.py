"""Putting tensors together, and moving elements about: cat, stack, pad, flip."""

from __future__ import annotations

from plugrad import dtypes
from plugrad.errors import ShapeError
from plugrad.families import as_operand, composite, primitive
from plugrad.ops.creation import copy_, full
from plugrad.ops.views import slice_dim
from plugrad.spec import spec_of


def _cat_spec(tensors, dim):
    first = tensors[0]
    for spec in tensors[1:]:
        rest = spec.shape[:dim] + spec.shape[dim + 1 :]
        if (
            len(spec.shape) != len(first.shape)
            or rest != first.shape[:dim] + first.shape[dim + 1 :]
        ):
            raise ShapeError(
                "cat",
                "tensors",
                expected=f"sizes as in {first.shape} on every axis but {dim}",
                got=spec.shape,
            )
    total = sum(spec.shape[dim] for spec in tensors)
    shape = (*first.shape[:dim], total, *first.shape[dim + 1 :])
    return spec_of(shape, first.dtype, first.device)


def _cat_prepare(arguments, params):
    (tensors,) = arguments
    dtype = dtypes.promote(
        [t.spec.dtype for t in tensors if t.spec.shape],
        [t.spec.dtype for t in tensors if not t.spec.shape],
        (),
    )
    return (tuple([as_operand(t, dtype, t.spec.device) for t in tensors]),), params


@primitive(_cat_spec, prepare=_cat_prepare)
def cat(tensors, /, dim):
    """Several tensors one after the other along an axis that they have."""


cat.vjp(tensors=lambda g, tensors_spec, dim, needs: _cut(g, tensors_spec, dim))
cat.linear("tensors")


def _cut(g, specs, dim):
    pieces = []
    start = 0
    for spec in specs:
        stop = start + spec.shape[dim]
        pieces.append(slice_dim(g, dim, start, stop, 1))
        start = stop
    return tuple(pieces)


def _pad_spec(x, padding):
    shape = tuple([size + low + high for size, (low, high) in zip(x.shape, padding, strict=True)])
    return spec_of(shape, x.dtype, x.device)


@composite(_pad_spec)
def pad(x, /, padding, value):
    """Each axis with `padding[axis]` = (before, after) elements of `value` more, or less where
    negative.
    """
    out = full(_pad_spec(x.spec, padding).shape, value, x.dtype, x.device)
    inner = out
    for dim, (low, high) in enumerate(padding):
        size = inner.shape[dim]
        inner = slice_dim(inner, dim, max(low, 0), size - max(high, 0), 1)
        x = slice_dim(x, dim, max(-low, 0), x.shape[dim] - max(-high, 0), 1)
    copy_(inner, x)
    return out


pad.vjp(x=lambda g, padding: pad(g, tuple([(-low, -high) for low, high in padding]), 0))
pad.jvp(x=lambda t, padding: pad(t, padding, 0))


@primitive(lambda x: x)
def flip(x, /, dims):
    """The elements along these axes in reverse order; a copy."""


flip.vjp(x=lambda g, dims: flip(g, dims))
flip.linear("x")
