"""Convolution and its two gradients: the reference adds up one tap of the kernel after another."""

from __future__ import annotations

from itertools import product

import numpy as np

from plugrad.ops import convolution as ops
from plugrad_conformance.case import (
    CONTRACTION,
    EXACT,
    HALVES,
    INEXACT,
    REDUCTION,
    SINGLE,
    Case,
    call,
    each,
    positive,
    reals,
)


def _out(sizes, kernel, stride, padding, dilation):
    axes = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple([(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes])


def _taps(kernel, out, stride, dilation):
    """Each tap of the kernel, with the slices of the padded input that it meets."""
    for tap in product(*map(range, kernel)):
        starts = [position * d for position, d in zip(tap, dilation, strict=True)]
        spans = zip(starts, out, stride, strict=True)
        yield tap, tuple([slice(a, a + (n - 1) * s + 1, s) for a, n, s in spans])


def _padded(x, padding):
    return np.pad(x, ((0, 0), (0, 0), *[(p, p) for p in padding]))


def _groups(x, axis, groups):
    return np.split(x, groups, axis)


def _convolution(x, weight, bias, stride, padding, dilation, groups):
    out = _out(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    x = _padded(x, padding)
    y = []
    for part, filters in zip(_groups(x, 1, groups), _groups(weight, 0, groups), strict=True):
        taps = _taps(weight.shape[2:], out, stride, dilation)
        y.append(
            sum(
                np.einsum("nc...,oc->no...", part[(..., *seen)], filters[(..., *tap)])
                for tap, seen in taps
            )
        )
    y = np.concatenate(y, 1)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(stride))


def _input_gradient(y, weight, input_size, stride, padding, dilation, groups):
    sizes = [size + 2 * p for size, p in zip(input_size, padding, strict=True)]
    x = np.zeros((y.shape[0], weight.shape[1] * groups, *sizes), y.dtype)
    # The parts are views of x.
    for part, g, filters in zip(
        _groups(x, 1, groups), _groups(y, 1, groups), _groups(weight, 0, groups), strict=True
    ):
        for tap, seen in _taps(weight.shape[2:], y.shape[2:], stride, dilation):
            part[(..., *seen)] += np.einsum("no...,oc->nc...", g, filters[(..., *tap)])
    inner = [slice(p, p + size) for size, p in zip(input_size, padding, strict=True)]
    return x[(..., *inner)]


def _weight_gradient(y, x, kernel, stride, padding, dilation, groups):
    weight = np.zeros((y.shape[1], x.shape[1] // groups, *kernel), y.dtype)
    x = _padded(x, padding)
    every = (0, *range(2, x.ndim))
    for part, g, filters in zip(
        _groups(x, 1, groups), _groups(y, 1, groups), _groups(weight, 0, groups), strict=True
    ):
        for tap, seen in _taps(kernel, y.shape[2:], stride, dilation):
            filters[(..., *tap)] = np.tensordot(g, part[(..., *seen)], (every, every))
    return weight


def _im2col(x, kernel, stride, padding, dilation):
    out = _out(x.shape[2:], kernel, stride, padding, dilation)
    x = _padded(x, padding)
    columns = [x[(..., *seen)] for _, seen in _taps(kernel, out, stride, dilation)]
    columns = np.stack(columns, 2)
    return columns.reshape(x.shape[0], x.shape[1] * columns.shape[2], -1)


def _col2im(y, output_size, kernel, stride, padding, dilation):
    out = _out(output_size, kernel, stride, padding, dilation)
    columns = y.reshape(y.shape[0], -1, *kernel, *out)
    sizes = [size + 2 * p for size, p in zip(output_size, padding, strict=True)]
    x = np.zeros((*columns.shape[:2], *sizes), y.dtype)
    for tap, seen in _taps(kernel, out, stride, dilation):
        x[(..., *seen)] += columns[(slice(None), slice(None), *tap)]
    return x[(..., *[slice(p, p + size) for size, p in zip(output_size, padding, strict=True)])]


# input, weight, stride, padding, dilation, groups
_SHAPES = {
    "rows": ((2, 3, 5, 6), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    "padded": ((2, 2, 4, 5), (3, 2, 3, 3), (1, 1), (1, 2), (1, 1), 1),
    "strided": ((1, 2, 7, 6), (2, 2, 3, 2), (2, 3), (1, 0), (1, 1), 1),
    "dilated": ((1, 2, 7, 6), (3, 2, 3, 2), (1, 2), (2, 1), (2, 3), 1),
    "grouped": ((2, 4, 4, 4), (6, 2, 2, 2), (1, 1), (0, 0), (1, 1), 2),
    "depthwise": ((1, 3, 4, 5), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    "pointwise": ((2, 3, 3, 4), (5, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "line": ((2, 3, 9), (4, 3, 4), (2,), (1,), (1,), 1),
    "everything": ((1, 4, 9, 8), (4, 2, 2, 3), (2, 3), (1, 2), (3, 2), 2),
    "cube": ((1, 2, 4, 3, 5), (3, 2, 2, 2, 3), (1, 1, 2), (0, 1, 1), (1, 1, 1), 1),
    "empty": ((0, 2, 4, 5), (3, 2, 3, 3), (1, 1), (0, 0), (1, 1), 1),
}

# Sizes at which kernels cut blocks or take another way; uneven in every respect.
_LARGE = {
    "large": ((3, 5, 37, 41), (7, 5, 3, 5), (1, 1), (1, 2), (1, 1), 1),
    "many_channels": ((2, 67, 9, 7), (35, 67, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "many_images": ((33, 3, 8, 9), (5, 3, 3, 3), (2, 1), (1, 1), (1, 1), 1),
    "wide": ((1, 2, 5, 1031), (3, 2, 3, 7), (1, 3), (1, 3), (1, 1), 1),
    "tall": ((1, 2, 1031, 3), (3, 2, 5, 2), (2, 1), (2, 0), (1, 1), 1),
    "large_groups": ((3, 12, 11, 13), (18, 4, 3, 3), (2, 1), (1, 1), (1, 2), 3),
    "large_depthwise": ((3, 17, 13, 11), (34, 1, 3, 3), (1, 2), (1, 1), (1, 1), 17),
    "large_pointwise": ((3, 33, 17, 19), (65, 33, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    "pointwise_strided": ((2, 3, 9, 11), (5, 3, 1, 1), (2, 3), (0, 0), (1, 1), 1),
    "blocks": ((8, 64, 33, 35), (16, 64, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "aligned": ((32, 8, 8, 16), (16, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    "square": ((3, 3, 5, 5), (3, 3, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    "long_line": ((2, 3, 4099), (5, 3, 9), (2,), (4,), (1,), 1),
    "one_pixel": ((2, 3, 3, 2), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    "one_image": ((1, 1, 5, 6), (1, 1, 2, 3), (1, 1), (0, 0), (1, 1), 1),
    "stride_past_kernel": ((2, 3, 11, 10), (4, 3, 2, 2), (3, 4), (0, 1), (1, 1), 1),
    "much_padding": ((1, 2, 3, 4), (3, 2, 3, 3), (1, 1), (2, 2), (1, 1), 1),
}


def _drawn(number):
    """Parameters drawn at random: faults hide where two or three of them meet."""
    draw = np.random.default_rng(number)
    axes = 1 + number % 3
    kernel, stride, dilation = draw.integers(1, 4, (3, axes)).tolist()
    padding = draw.integers(0, 3, axes).tolist()
    groups, per_group, filters = draw.integers(1, 4, 3).tolist()
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    sizes = [r + int(draw.integers(0, 5)) for r in reach]
    x = (int(draw.integers(1, 3)), groups * per_group, *sizes)
    weight = (groups * filters, per_group, *kernel)
    return x, weight, tuple(stride), tuple(padding), tuple(dilation), groups


_LARGE |= {f"drawn_{number}": _drawn(number) for number in range(24)}


def _common(stride, padding, dilation, groups):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _forward(x, weight, *common):
    return call(reals(*x), reals(*weight), reals(weight[0]), **_common(*common))


def _towards_input(x, weight, stride, padding, dilation, groups):
    out = _out(x[2:], weight[2:], stride, padding, dilation)
    common = _common(stride, padding, dilation, groups)
    return call(reals(x[0], weight[0], *out), reals(*weight), input_size=x[2:], **common)


def _towards_weight(x, weight, stride, padding, dilation, groups):
    out = _out(x[2:], weight[2:], stride, padding, dilation)
    common = _common(stride, padding, dilation, groups)
    return call(reals(x[0], weight[0], *out), reals(*x), kernel=weight[2:], **common)


def _every(make, shapes=_SHAPES):
    return {name: make(*each) for name, each in shapes.items()}


# input, kernel, stride, padding, dilation
_WINDOWS = {
    "image": ((2, 3, 5, 6), (3, 2), (2, 1), (1, 0), (1, 2)),
    "line": ((1, 2, 7), (3,), (1,), (1,), (1,)),
    "apart": ((2, 1, 6, 5), (2, 2), (3, 3), (0, 0), (1, 1)),
}


def _windows(kernel, stride, padding, dilation):
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}


def _columns(x, kernel, stride, padding, dilation):
    out = _out(x[2:], kernel, stride, padding, dilation)
    return x[0], x[1] * int(np.prod(kernel)), int(np.prod(out))


_PLAIN = call(reals(2, 3, 5, 6), reals(4, 3, 3, 2), None, **_common((1, 1), (0, 0), (1, 1), 1))

CASES = (
    Case(
        ops.convolution, _every(_forward) | each(plain=_PLAIN), _convolution, CONTRACTION, INEXACT
    ),
    Case(
        ops.convolution_input_gradient,
        _every(_towards_input),
        _input_gradient,
        CONTRACTION,
        INEXACT,
    ),
    Case(
        ops.convolution_weight_gradient,
        _every(_towards_weight),
        _weight_gradient,
        CONTRACTION,
        INEXACT,
    ),
    Case(
        ops.im2col,
        {name: call(reals(*x), **_windows(*window)) for name, (x, *window) in _WINDOWS.items()},
        _im2col,
        EXACT,
        INEXACT,
    ),
    Case(
        ops.col2im,
        {
            name: call(reals(*_columns(x, *window)), output_size=x[2:], **_windows(*window))
            for name, (x, *window) in _WINDOWS.items()
        },
        _col2im,
        REDUCTION,
        INEXACT,
    ),
    *[
        Case(
            function,
            _every(make, _LARGE),
            reference,
            CONTRACTION,
            SINGLE,
            differentiable=False,
            layouts=False,
        )
        for function, make, reference in (
            (ops.convolution, _forward, _convolution),
            (ops.convolution_input_gradient, _towards_input, _input_gradient),
            (ops.convolution_weight_gradient, _towards_weight, _weight_gradient),
        )
    ],
    # More terms of one sign than a sum in half precision can count.
    Case(
        ops.convolution,
        each(
            long=call(
                positive(1, 450, 4, 3),
                positive(2, 450, 3, 3),
                None,
                **_common((1, 1), (0, 0), (1, 1), 1),
            )
        ),
        _convolution,
        CONTRACTION,
        HALVES,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.convolution_input_gradient,
        each(
            long=call(
                positive(1, 1031, 2, 3),
                positive(1031, 2, 2, 2),
                input_size=(3, 4),
                **_common((1, 1), (0, 0), (1, 1), 1),
            )
        ),
        _input_gradient,
        CONTRACTION,
        HALVES,
        differentiable=False,
        layouts=False,
    ),
    Case(
        ops.convolution_weight_gradient,
        each(
            long=call(
                positive(3, 2, 41, 37),
                positive(3, 1, 42, 39),
                kernel=(2, 3),
                **_common((1, 1), (0, 0), (1, 1), 1),
            )
        ),
        _weight_gradient,
        CONTRACTION,
        HALVES,
        differentiable=False,
        layouts=False,
    ),
)
