"""Views, and what puts a cotangent back where a view looked."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from plugrad.dtypes import complex64, complex128, float32, float64
from plugrad.ops import operators
from plugrad.ops import views as ops
from plugrad_conformance.case import EVERY, EXACT, REDUCTION, Case, call, each, reals


def _select_slice(x, dim, start, stop, step):
    return x[(slice(None),) * dim + (slice(start, stop, step),)]


def _unfold(x, dim, size, step):
    return _select_slice(sliding_window_view(x, size, dim), dim, None, None, step)


def windows(x, kernel, stride, dilation):
    """(N, C, *spatial) as (N, C, *out, *kernel)."""
    spatial = len(kernel)
    axes = tuple(range(2, 2 + spatial))
    reach = tuple([d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)])
    seen = sliding_window_view(x, reach, axes)
    every = [slice(None, None, step) for step in (*stride, *dilation)]
    return seen[(slice(None), slice(None), *every)]


def _as_strided(x, shape, strides, offset):
    flat = np.ascontiguousarray(x).reshape(-1)[offset:]
    return as_strided(flat, shape, [step * flat.itemsize for step in strides])


_LOOKS = {
    "slice_dim": _select_slice,
    "select": lambda x, dim, index: np.take(x, index, dim),
    "diagonal": lambda x, offset, dim1, dim2: np.diagonal(x, offset, dim1, dim2),
    "unfold": _unfold,
    "windows": windows,
    "as_strided": _as_strided,
}


def _place(g, shape, view, params):
    out = np.zeros(math.prod(shape), g.dtype)
    positions = _LOOKS[view](np.arange(math.prod(shape)).reshape(shape), *params)
    np.add.at(out, positions, g)
    return out.reshape(shape)


def _overwrite(x, source, steps):
    positions = np.arange(x.size).reshape(x.shape)
    for operator, params in steps:
        positions = _LOOKS[operator.name](positions, *params)
    out = np.array(x).reshape(-1)
    out[positions] = source
    return out.reshape(x.shape)


_COLUMN = ((operators["select"], (1, 2)),)
_CORNER = (
    (operators["slice_dim"], (0, 1, 3, 1)),
    (operators["slice_dim"], (1, 0, 4, 2)),
)

CASES = (
    Case(
        ops.view,
        each(
            rows=call(reals(3, 4), shape=(2, 6)),
            flat=call(reals(3, 4), shape=(-1,)),
            ones=call(reals(3, 4), shape=(1, 3, 1, 4)),
            scalar=call(reals(), shape=(1, 1)),
            empty=call(reals(0, 3), shape=(3, 0)),
        ),
        lambda x, shape: x.reshape(shape),
        EXACT,
        EVERY,
        layouts=False,
    ),
    Case(
        ops.permute,
        each(
            rows=call(reals(3, 4), dims=(1, 0)),
            cube=call(reals(2, 3, 4), dims=(2, 0, 1)),
            last=call(reals(2, 3, 4), dims=(0, -1, 1)),
            scalar=call(reals(), dims=()),
            empty=call(reals(0, 3), dims=(1, 0)),
        ),
        np.transpose,
        EXACT,
        EVERY,
    ),
    Case(
        ops.expand,
        each(
            rows=call(reals(3, 1), sizes=(3, 4)),
            front=call(reals(3, 4), sizes=(2, 3, 4)),
            both=call(reals(2, 1), sizes=(3, 2, 4)),
            scalar=call(reals(), sizes=(2, 3)),
            empty=call(reals(1, 3), sizes=(0, 3)),
        ),
        lambda x, sizes: np.broadcast_to(x, sizes),
        EXACT,
        EVERY,
    ),
    Case(
        ops.slice_dim,
        each(
            rows=call(reals(3, 4), dim=1, start=1, stop=3, step=1),
            steps=call(reals(7, 2), dim=0, start=1, stop=7, step=3),
            nothing=call(reals(3, 4), dim=0, start=2, stop=2, step=1),
            empty=call(reals(0, 3), dim=1, start=0, stop=2, step=1),
        ),
        _select_slice,
        EXACT,
        EVERY,
    ),
    Case(
        ops.select,
        each(
            rows=call(reals(3, 4), dim=1, index=2),
            first=call(reals(2, 3, 4), dim=0, index=1),
            only=call(reals(5), dim=0, index=4),
            empty=call(reals(0, 3), dim=1, index=0),
        ),
        lambda x, dim, index: np.take(x, index, dim),
        EXACT,
        EVERY,
    ),
    Case(
        ops.diagonal,
        each(
            rows=call(reals(3, 4), offset=0, dim1=0, dim2=1),
            above=call(reals(2, 3, 4), offset=1, dim1=1, dim2=2),
            below=call(reals(4, 2, 3), offset=-1, dim1=2, dim2=0),
            outside=call(reals(2, 3), offset=5, dim1=0, dim2=1),
        ),
        np.diagonal,
        EXACT,
        EVERY,
    ),
    Case(
        ops.unfold,
        each(
            rows=call(reals(3, 5), dim=1, size=2, step=1),
            apart=call(reals(7, 2), dim=0, size=2, step=3),
            whole=call(reals(4), dim=0, size=4, step=1),
        ),
        _unfold,
        EXACT,
        EVERY,
    ),
    Case(
        ops.windows,
        each(
            rows=call(reals(2, 1, 4, 5), kernel=(2, 3), stride=(1, 1), dilation=(1, 1)),
            line=call(reals(1, 2, 8), kernel=(3,), stride=(2,), dilation=(2,)),
        ),
        windows,
        EXACT,
        EVERY,
    ),
    Case(
        ops.as_strided,
        each(
            rows=call(reals(3, 4), shape=(2, 3), strides=(5, 1), offset=1),
            overlapping=call(reals(6), shape=(4, 3), strides=(1, 1), offset=0),
        ),
        _as_strided,
        EXACT,
        EVERY,
        layouts=False,
    ),
    Case(
        ops.view_as_real,
        each(rows=call(reals(3, 4)), scalar=call(reals()), empty=call(reals(0, 3))),
        lambda x: np.stack([x.real, x.imag], -1),
        EXACT,
        (complex64, complex128),
    ),
    Case(
        ops.view_as_complex,
        each(rows=call(reals(3, 2)), scalar=call(reals(2)), empty=call(reals(0, 2))),
        lambda x: np.ascontiguousarray(x).view(np.complex128)[..., 0],
        EXACT,
        (float32, float64),
        layouts=False,
    ),
    Case(
        ops.place,
        each(
            rows=call(reals(3, 2), shape=(3, 4), view="slice_dim", params=(1, 1, 3, 1)),
            chosen=call(reals(3), shape=(3, 4), view="select", params=(1, 2)),
            diagonal=call(reals(3), shape=(3, 4), view="diagonal", params=(1, 0, 1)),
            unfolded=call(reals(4, 2), shape=(5,), view="unfold", params=(0, 2, 1)),
            windows=call(
                reals(1, 2, 3, 2), shape=(1, 2, 4), view="windows", params=((2,), (1,), (1,))
            ),
            strided=call(reals(4, 3), shape=(6,), view="as_strided", params=((4, 3), (1, 1), 0)),
        ),
        _place,
        REDUCTION,
        EVERY,
    ),
    Case(
        ops.overwrite,
        each(
            rows=call(reals(3, 4), reals(3), steps=_COLUMN),
            stretched=call(reals(3, 4), reals(1, 2), steps=_CORNER),
            number=call(reals(3, 4), reals(), steps=_CORNER),
        ),
        _overwrite,
        EXACT,
        EVERY,
    ),
)
