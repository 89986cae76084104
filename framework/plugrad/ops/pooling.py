"""Pooling: the largest element, or the mean, of each window of (N, C, *spatial), one to three
spatial axes.

Parameters are one number per spatial axis. Padding is no element: it is never the largest, and
counts in a mean only if asked. Positions are int64 in the flattened spatial axes, as PyTorch's.
"""

from __future__ import annotations

from itertools import product
from math import inf

from plugrad.dtypes import iinfo, int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import composite
from plugrad.geometry import window_counts
from plugrad.ops.comparison import gt, logical_or, ne, where
from plugrad.ops.convolution import add_windows, see_tap
from plugrad.ops.creation import arange, full
from plugrad.ops.elementwise import clamp_max, clamp_min, minimum
from plugrad.ops.indexing import gather, scatter_add
from plugrad.ops.joining import pad
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import reshape, windows
from plugrad.shapes import numel
from plugrad.spec import spec_of


def _check(operator, x, parameters, kinds):
    spatial = len(x.shape) - 2
    if not 1 <= spatial <= 3:
        raise ShapeError(
            operator,
            "input",
            expected="(N, C, *spatial) with 1 to 3 spatial axes",
            got=x.shape,
            hint="unsqueeze(0) puts the batch axis in front",
        )
    if x.dtype.kind not in kinds:
        raise DtypeError(
            operator, "input", expected=f"a {' or '.join(kinds)} dtype", got=x.dtype, hint="cast it"
        )
    for name, values in parameters.items():
        if len(values) != spatial:
            raise ArgumentError(
                operator, name, expected=f"one value for each of {spatial} axes", got=values
            )


def _pooled(operator, sizes, kernel, stride, padding, dilation, ceil_mode):
    out = window_counts(sizes, kernel, stride, padding, dilation, operator, ceil_mode)
    # Else a window could lie in the padding alone.
    most = tuple([(step * (size - 1) + 1) // 2 for size, step in zip(kernel, dilation)])
    if any([margin > limit for margin, limit in zip(padding, most)]):
        raise ArgumentError(
            operator, "padding", expected=f"at most half the kernel, {most}", got=padding
        )
    return out


def _margins(sizes, out, kernel, stride, padding, dilation):
    """What to pad so that the windows fit exactly; below 0 it cuts off what none sees."""
    axes = zip(sizes, out, kernel, stride, padding, dilation)
    return (
        (0, 0),
        (0, 0),
        *[(p, (count - 1) * s + d * (k - 1) + 1 - p - n) for n, count, k, s, p, d in axes],
    )


# maximum ------------------------------------------------------------------------------------------


def _max_pool_spec(x, kernel, stride, padding, dilation, ceil_mode):
    name = "max_pool"
    parameters = {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
    }
    _check(name, x, parameters, ("int", "float"))
    out = _pooled(name, x.shape[2:], kernel, stride, padding, dilation, ceil_mode)
    shape = (*x.shape[:2], *out)
    return spec_of(shape, x.dtype, x.device), spec_of(shape, int64, x.device)


@composite(_max_pool_spec)
def max_pool(x, /, kernel, stride, padding, dilation, ceil_mode):
    """The largest element of each window and its position: the first of equals, the last NaN."""
    sizes = x.shape[2:]
    out = window_counts(sizes, kernel, stride, padding, dilation, "max_pool", ceil_mode)
    margins = _margins(sizes, out, kernel, stride, padding, dilation)
    lowest = -inf if x.dtype.kind == "float" else iinfo(x.dtype).min
    count = numel(sizes)
    places = reshape(arange(0, 1, count, int64, x.device), (1, 1, *sizes))
    padded, places = pad(x, margins, lowest), pad(places, margins, count)
    taps = [
        (see_tap(padded, tap, out, stride, dilation), see_tap(places, tap, out, stride, dilation))
        for tap in product(*map(range, kernel))
    ]
    values = full((), lowest, x.dtype, x.device)
    positions = taps[0][1]
    for _, place in taps:  # where nothing exceeds the lowest value, the first element is chosen
        positions = minimum(positions, place)
    for seen, place in taps:
        better = logical_or(gt(seen, values), ne(seen, seen))
        values = where(better, seen, values)
        positions = where(better, place, positions)
    return _gather(x, positions), positions


max_pool.vjp(x=lambda g, out_1, x_spec: max_pool_backward(g[0], out_1, x_spec.shape[2:]))
max_pool.jvp(x=lambda t, out_1: (_gather(t, out_1), None))


def _max_pool_backward_spec(g, indices, input_size):
    if indices.shape != g.shape:
        raise ShapeError("max_pool_backward", "indices", expected=str(g.shape), got=indices.shape)
    return spec_of((*g.shape[:2], *input_size), g.dtype, g.device)


@composite(_max_pool_backward_spec)
def max_pool_backward(g, indices, /, input_size):
    """Zeros of spatial sizes `input_size`, with `g` added at the positions that `max_pool` gave."""
    zeros = full((*g.shape[:2], numel(input_size)), 0, g.dtype, g.device)
    flat = scatter_add(zeros, _flat(indices), _flat(g), 2)
    return reshape(flat, (*g.shape[:2], *input_size))


max_pool_backward.vjp(g=lambda g, indices: _gather(g, indices))
max_pool_backward.linear("g")


def _gather(x, positions):
    return reshape(gather(_flat(x), _flat(positions), 2), positions.shape)


def _flat(x):
    """The spatial axes as one."""
    return reshape(x, (*x.shape[:2], numel(x.shape[2:])))


# mean ---------------------------------------------------------------------------------------------


def _average_parameters(kernel, stride, padding, divisor):
    if divisor == 0:
        raise ArgumentError(
            "avg_pool", "divisor_override", expected="a number other than 0", got=divisor
        )
    return {"kernel_size": kernel, "stride": stride, "padding": padding}


def _avg_pool_spec(x, kernel, stride, padding, ceil_mode, divisor):
    name = "avg_pool"
    _check(name, x, _average_parameters(kernel, stride, padding, divisor), ("float",))
    out = _pooled(name, x.shape[2:], kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    return spec_of((*x.shape[:2], *out), x.dtype, x.device)


@composite(_avg_pool_spec)
def avg_pool(x, /, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """The sum of each window over `divisor`; `None` stands for the number of its elements, with
    `count_include_pad` those in the padding too.
    """
    sizes, dense = x.shape[2:], (1,) * len(kernel)
    out = window_counts(sizes, kernel, stride, padding, dense, "avg_pool", ceil_mode)
    padded = pad(x, _margins(sizes, out, kernel, stride, padding, dense), 0)
    seen = windows(padded, kernel, stride, dense)
    total = sum_over(seen, tuple(range(-len(kernel), 0)))
    return total / _divisor(
        x, sizes, out, kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )


avg_pool.vjp(
    x=lambda g, x_spec, kernel, stride, padding, ceil_mode, count_include_pad, divisor: (
        avg_pool_backward(
            g, x_spec.shape[2:], kernel, stride, padding, ceil_mode, count_include_pad, divisor
        )
    )
)
avg_pool.linear("x")


def _avg_pool_backward_spec(g, input_size, kernel, stride, padding, ceil_mode, divisor):
    name = "avg_pool_backward"
    parameters = _average_parameters(kernel, stride, padding, divisor)
    _check(name, g, {**parameters, "input_size": input_size}, ("float",))
    out = _pooled(name, input_size, kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    if g.shape[2:] != out:
        raise ShapeError(name, "g", expected=f"the sizes of the output, {out}", got=g.shape)
    return spec_of((*g.shape[:2], *input_size), g.dtype, g.device)


@composite(_avg_pool_backward_spec)
def avg_pool_backward(
    g, /, input_size, kernel, stride, padding, ceil_mode, count_include_pad, divisor
):
    """The cotangent of `avg_pool`'s input: each element's share of the windows that see it."""
    out, dense = g.shape[2:], (1,) * len(kernel)
    share = g / _divisor(
        g, input_size, out, kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )
    margins = _margins(input_size, out, kernel, stride, padding, dense)
    shape = [size + low + high for size, (low, high) in zip((*g.shape[:2], *input_size), margins)]
    padded = add_windows(lambda tap: share, g, shape, out, kernel, stride, dense)
    return pad(padded, tuple([(-low, -high) for low, high in margins]), 0)


avg_pool_backward.vjp(
    g=lambda g, kernel, stride, padding, ceil_mode, count_include_pad, divisor: avg_pool(
        g, kernel, stride, padding, ceil_mode, count_include_pad, divisor
    )
)
avg_pool_backward.linear("g")


def _divisor(like, sizes, out, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    """What sums are divided by: a number where all windows are alike, else a tensor (*out)."""
    if divisor is not None:
        return divisor
    if not ceil_mode and (count_include_pad or not any(padding)):
        return numel(kernel)
    counts = full((), 1, like.dtype, like.device)
    for axis, (size, count, taps, hop, margin) in enumerate(
        zip(sizes, out, kernel, stride, padding)
    ):
        first = arange(-margin, hop, count, like.dtype, like.device)
        # A last window may hang over the end even of the padding, and what lies there never counts.
        last = clamp_max(first + taps, size + margin)
        if not count_include_pad:
            first, last = clamp_min(first, 0), clamp_max(last, size)
        counts = counts * reshape(last - first, (count, *(1,) * (len(sizes) - axis - 1)))
    return counts
