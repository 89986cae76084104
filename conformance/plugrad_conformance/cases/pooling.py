"""Pooling: the reference looks at one window after the other."""

from __future__ import annotations

from itertools import product

import numpy as np

from plugrad.ops import pooling as ops
from plugrad_conformance.case import (
    EXACT,
    FLOATS,
    HALVES,
    INEXACT,
    ORDERED,
    REDUCTION,
    SINGLE,
    Case,
    call,
    close,
    each,
    holed,
    integers,
    positive,
    reals,
    wide,
)


def _count(size, kernel, stride, padding, dilation, ceil_mode):
    spare = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return spare // stride + 1
    count = -(-spare // stride) + 1
    # The last window must begin inside the input or the padding before it.
    return count - 1 if (count - 1) * stride >= size + padding else count


def _windows(sizes, kernel, stride, padding, dilation, ceil_mode):
    """Of each window its place in the result, and the positions of its elements, those in the
    padding too.
    """
    axes = list(zip(sizes, kernel, stride, padding, dilation, strict=True))
    counts = [_count(*axis, ceil_mode) for axis in axes]
    for place in product(*map(range, counts)):
        yield (
            place,
            [
                [at * s - p + d * i for i in range(k)]
                for at, (_, k, s, p, d) in zip(place, axes, strict=True)
            ],
        )


def _inside(positions, sizes):
    """The positions of a window that lie in the input."""
    return [
        at
        for at in product(*positions)
        if all(0 <= i < size for i, size in zip(at, sizes, strict=True))
    ]


def _max_pool(x, kernel, stride, padding, dilation, ceil_mode):
    sizes = x.shape[2:]
    seen = list(_windows(sizes, kernel, stride, padding, dilation, ceil_mode))
    shape = (*x.shape[:2], *[last + 1 for last in seen[-1][0]])
    values, places = np.zeros(shape, x.dtype), np.zeros(shape, np.int64)
    for place, positions in seen:
        flat = np.array([np.ravel_multi_index(at, sizes) for at in _inside(positions, sizes)])
        elements = x.reshape(*x.shape[:2], -1)[:, :, flat]
        best = np.argmax(elements, -1)
        values[(..., *place)] = np.take_along_axis(elements, best[..., None], -1)[..., 0]
        places[(..., *place)] = flat[best]
    return values, places


def _max_pool_backward(g, indices, input_size):
    out = np.zeros((*g.shape[:2], int(np.prod(input_size))), g.dtype)
    for n, c in np.ndindex(*g.shape[:2]):
        np.add.at(out[n, c], indices[n, c].ravel(), g[n, c].ravel())
    return out.reshape(*g.shape[:2], *input_size)


def _divisor(positions, sizes, padding, count_include_pad, divisor):
    if divisor is not None:
        return divisor
    if not count_include_pad:
        return len(_inside(positions, sizes))
    # What hangs over the end even of the padding does not count.
    limits = [size + p for size, p in zip(sizes, padding, strict=True)]
    return int(
        np.prod([sum(i < end for i in axis) for axis, end in zip(positions, limits, strict=True)])
    )


def _shares(input_size, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """Of each window its place, the positions that it sees, and what their sum is divided by."""
    dense = (1,) * len(kernel)
    for place, positions in _windows(input_size, kernel, stride, padding, dense, ceil_mode):
        by = _divisor(positions, input_size, padding, count_include_pad, divisor)
        yield place, _inside(positions, input_size), by


def _avg_pool(x, *params):
    found = {
        place: sum(x[(..., *at)] for at in inside) / by
        for place, inside, by in _shares(x.shape[2:], *params)
    }
    shape = [last + 1 for last in max(found)]
    out = np.zeros((*x.shape[:2], *shape), x.dtype)
    for place, value in found.items():
        out[(..., *place)] = value
    return out


def _avg_pool_backward(g, input_size, *params):
    out = np.zeros((*g.shape[:2], *input_size), g.dtype)
    for place, inside, by in _shares(input_size, *params):
        for at in inside:
            out[(..., *at)] += g[(..., *place)] / by
    return out


def _largest(x, kernel, stride, padding, dilation, ceil_mode=False, of=reals):
    return call(
        of(*x),
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        ceil_mode=ceil_mode,
    )


# input, kernel, stride, padding, ceil_mode, count_include_pad, divisor
_AVERAGES = {
    "rows": ((2, 3, 4, 6), (2, 2), (2, 2), (0, 0), False, True, None),
    "overlapping": ((1, 2, 5, 6), (3, 2), (1, 2), (1, 1), False, True, None),
    "without_padding": ((1, 2, 5, 6), (3, 2), (2, 2), (1, 1), False, False, None),
    "ceiled": ((1, 2, 5, 6), (2, 3), (2, 2), (1, 1), True, True, None),
    "ceiled_inside": ((1, 2, 5, 6), (2, 3), (2, 2), (1, 1), True, False, None),
    "divided": ((1, 2, 4, 4), (2, 2), (2, 2), (0, 0), False, True, 3),
    "line": ((2, 3, 7), (3,), (2,), (1,), False, True, None),
    "cube": ((1, 2, 4, 4, 3), (2, 2, 3), (2, 1, 1), (0, 0, 1), False, True, None),
    "line_inside": ((2, 3, 8), (3,), (2,), (1,), True, False, None),
    "cube_inside": ((1, 2, 4, 5, 3), (2, 3, 3), (2, 2, 1), (1, 0, 1), True, False, None),
}
_LARGE_AVERAGES = {
    "large": ((3, 5, 37, 41), (3, 2), (2, 2), (1, 1), False, False, None),
    "many_channels": ((5, 67, 9, 7), (2, 3), (1, 2), (0, 1), True, True, None),
    "aligned": ((32, 8, 8, 16), (2, 2), (2, 2), (0, 0), False, True, None),
    "long_line": ((2, 3, 4099), (5,), (2,), (2,), False, True, None),
    "whole": ((2, 3, 9, 11), (9, 11), (9, 11), (0, 0), False, True, None),
    "one": ((1, 1, 3, 4), (1, 1), (1, 1), (0, 0), False, True, None),
    "apart": ((2, 3, 11, 10), (2, 2), (3, 4), (0, 1), False, True, 5),
    "empty": ((0, 2, 4, 5), (2, 2), (2, 2), (0, 0), False, True, None),
}
_NAMES = ("kernel", "stride", "padding", "ceil_mode", "count_include_pad", "divisor")


def _means(x, *params, of=reals):
    return call(of(*x), **dict(zip(_NAMES, params, strict=True)))


def _means_backward(x, kernel, stride, padding, ceil_mode, *rest):
    axes = zip(x[2:], kernel, stride, padding, strict=True)
    out = [_count(n, k, s, p, 1, ceil_mode) for n, k, s, p in axes]
    params = dict(zip(_NAMES, (kernel, stride, padding, ceil_mode, *rest), strict=True))
    return call(reals(*x[:2], *out), input_size=x[2:], **params)


def _drawn(number):
    """Input, kernel, stride, padding and dilation drawn at random, and whether to round up: faults
    hide where two or three of them meet.
    """
    draw = np.random.default_rng(number)
    axes = 1 + number % 3
    kernel, stride = draw.integers(1, 4, (2, axes)).tolist()
    dilation = draw.integers(1, 3, axes).tolist()
    padding = [int(draw.integers(0, k // 2 + 1)) for k in kernel]
    sizes = [d * (k - 1) + 1 + int(draw.integers(0, 6)) for d, k in zip(dilation, kernel)]
    x = (int(draw.integers(1, 3)), int(draw.integers(1, 4)), *sizes)
    return x, tuple(kernel), tuple(stride), tuple(padding), tuple(dilation), number % 2 == 1


def _drawn_average(number):
    x, kernel, stride, padding, _, ceil_mode = _drawn(number)
    return x, kernel, stride, padding, ceil_mode, number % 4 < 2, (None, None, 3)[number % 3]


_LARGE_AVERAGES |= {f"drawn_{number}": _drawn_average(number) for number in range(18)}

CASES = (
    Case(
        ops.max_pool,
        each(
            rows=_largest((2, 3, 4, 6), (2, 2), (2, 2), (0, 0), (1, 1)),
            overlapping=_largest((1, 2, 5, 6), (3, 2), (1, 2), (1, 1), (1, 1)),
            dilated=_largest((1, 2, 6, 7), (2, 3), (1, 2), (1, 2), (2, 2)),
            ceiled=_largest((1, 2, 5, 6), (2, 3), (2, 2), (1, 1), (1, 1), True),
            line=_largest((2, 3, 7), (3,), (2,), (1,), (1,)),
            cube=_largest((1, 2, 4, 4, 3), (2, 2, 3), (2, 1, 1), (0, 0, 1), (1, 1, 1)),
        ),
        _max_pool,
        EXACT,
        ORDERED,
    ),
    Case(
        ops.max_pool,
        each(
            ties=_largest((2, 3, 6, 7), (3, 2), (1, 1), (1, 0), (1, 1), of=close),
            tied_line=_largest((2, 3, 31), (4,), (3,), (2,), (1,), of=close),
            tied_dilated=_largest((2, 2, 9, 8), (2, 3), (1, 2), (1, 1), (2, 1), True, of=close),
            large_numbers=_largest((2, 3, 6, 7), (2, 2), (2, 2), (0, 1), (1, 1), of=wide),
        ),
        _max_pool,
        EXACT,
        ORDERED,
        differentiable=False,
    ),
    Case(
        ops.max_pool,
        each(holes=_largest((2, 3, 8, 9), (3, 2), (3, 2), (1, 0), (1, 1), of=holed)),
        _max_pool,
        EXACT,
        FLOATS,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.max_pool,
        each(
            large=_largest((3, 5, 37, 41), (3, 2), (2, 2), (1, 1), (1, 1)),
            many_channels=_largest((5, 67, 9, 7), (2, 3), (1, 2), (0, 1), (1, 1)),
            many_taps=_largest((1, 2, 21, 23), (17, 19), (2, 1), (3, 2), (1, 1)),
            aligned=_largest((32, 8, 8, 16), (2, 2), (2, 2), (0, 0), (1, 1)),
            long_line=_largest((2, 3, 4099), (5,), (2,), (2,), (1,)),
            whole=_largest((2, 3, 9, 11), (9, 11), (9, 11), (0, 0), (1, 1)),
            one=_largest((1, 1, 3, 4), (1, 1), (1, 1), (0, 0), (1, 1)),
            apart=_largest((2, 3, 11, 10), (2, 2), (3, 4), (0, 1), (1, 1)),
        )
        | {f"drawn_{number}": _largest(*_drawn(number)) for number in range(18)},
        _max_pool,
        EXACT,
        SINGLE,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.max_pool_backward,
        each(
            rows=call(reals(2, 3, 2, 2), integers(0, 20, 2, 3, 2, 2), input_size=(4, 5)),
            line=call(reals(1, 2, 6), integers(0, 4, 1, 2, 6), input_size=(4,)),
            empty=call(reals(0, 2, 6), integers(0, 4, 0, 2, 6), input_size=(4,)),
        ),
        _max_pool_backward,
        REDUCTION,
        INEXACT,
    ),
    Case(
        ops.max_pool_backward,
        each(
            large=call(reals(3, 5, 19, 21), integers(0, 1517, 3, 5, 19, 21), input_size=(37, 41)),
            crowded=call(reals(2, 3, 41, 37), integers(0, 6, 2, 3, 41, 37), input_size=(2, 3)),
        ),
        _max_pool_backward,
        REDUCTION,
        SINGLE,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.max_pool_backward,
        each(long=call(positive(1, 2, 4099), integers(0, 2, 1, 2, 4099), input_size=(2,))),
        _max_pool_backward,
        REDUCTION,
        HALVES,
        differentiable=False,
        layouts=False,
    ),
    *[
        Case(
            function,
            {name: make(*shapes) for name, shapes in _LARGE_AVERAGES.items()},
            reference,
            REDUCTION,
            SINGLE,
            differentiable=False,
            layouts=False,
        )
        for function, make, reference in (
            (ops.avg_pool, _means, _avg_pool),
            (ops.avg_pool_backward, _means_backward, _avg_pool_backward),
        )
    ],
    Case(
        ops.avg_pool,
        each(long=_means((1, 2, 4099), (4099,), (1,), (0,), False, True, None, of=positive)),
        _avg_pool,
        REDUCTION,
        HALVES,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.avg_pool,
        {name: _means(*made) for name, made in _AVERAGES.items()},
        _avg_pool,
        REDUCTION,
        FLOATS,
    ),
    Case(
        ops.avg_pool_backward,
        {name: _means_backward(*made) for name, made in _AVERAGES.items()},
        _avg_pool_backward,
        REDUCTION,
        FLOATS,
    ),
)
