"""Convolution as matrix products of filters and columns, the columns being what each filter sees.

Memory is in the order of `plugrad_numpy.layout`. Columns are copied out of the input (im2col) for
the taps of the kernel's trailing axes only: where they lie row by row of the first spatial axis,
what neighbouring outputs see overlaps, and a matrix product may read it in place. A stride would
break runs of memory; the input is first sorted into phases, by the remainders of the padded
positions divided by the stride, and within a phase each tap moves by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import Any

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_numpy.arrays import in_single, quietly
from plugrad_numpy.layout import Array, batch_first, batch_last, scratch

# Bytes of columns made at once: within reach of the cache, and enough for a product to be worth it.
_BLOCK = 3 << 20
# Places that a row of outputs must have to be worth a matrix product of its own.
_WIDE = 192

Sizes = tuple[int, ...]
Index = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows of the output, and of each the places from `start` to `stop`, flattened.

    `shape` is that of the columns of one group: (rows of the input, C, *kernel[1:], *sizes, N).
    `taps` are indices of the same shape into the columns and into the phases, from C on.
    """

    rows: slice
    start: int
    stop: int
    shape: Sizes
    taps: tuple[tuple[Index, Index], ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to go over one geometry, `together` groups at a time.

    Where rows of the first axis do not serve, the axes get one of size 1 in front: `spatial` and
    `kernel` are the sizes to work with. Phases are (C, *phases, N), with the remainders before the
    sizes; `moves` are indices of the same shape into the phases and into the input. `plain` says
    that the input is its own and only phase, `pointwise` that it is its own columns.
    """

    out: Sizes
    spatial: Sizes
    kernel: Sizes
    step: int
    phases: Sizes
    moves: tuple[tuple[Index, Index], ...]
    blocks: tuple[_Block, ...]
    together: int
    plain: bool
    pointwise: bool


@lru_cache(maxsize=512)
def _plan(
    shape: Sizes,
    out: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    itemsize: int,
) -> _Plan:
    """The plan for an input of `shape` (C, *spatial, N); `padding` is that on the left."""
    batch, share, spatial = shape[-1], shape[0] // groups, shape[1:-1]
    plain = max(stride) == 1 and not any(padding) and out == _outputs(spatial, kernel, dilation)
    pointwise = plain and max(kernel) == 1
    if dilation[0] > 1 or kernel[0] == 1 or prod(out[1:]) * batch < _WIDE:
        spatial, kernel, out = (1, *spatial), (1, *kernel), (1, *out)
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    # Rows may lie any number apart: only the other axes have phases.
    axes = list(zip(spatial, kernel, (1, *stride[1:]), padding, dilation, strict=True))
    counts = [(out[0] - 1) * stride[0] + 1, *out[1:]]
    sizes = tuple([n - 1 + d * (k - 1) // s + 1 for n, (_, k, s, _, d) in zip(counts, axes)])
    moves: list[tuple[Index, Index]] = []
    for phase in product(*[sorted({tap * d % s for tap in range(k)}) for _, k, s, _, d in axes]):
        cuts = [_cut(n, size, at, s, p) for (n, _, s, p, _), size, at in zip(axes, sizes, phase)]
        within, seen = [cut[0] for cut in cuts], [cut[1] for cut in cuts]
        moves.append(((slice(None), *phase, *within), (slice(None), *seen)))
    group = sizes[0] * share * prod(kernel[1:]) * prod(out[1:]) * batch * itemsize
    return _Plan(
        out,
        spatial,
        kernel,
        stride[0],
        (*[s for _, _, s, _, _ in axes], *sizes),
        tuple(moves),
        tuple(_blocks(share, batch, out, kernel, stride, dilation, itemsize)),
        min(groups, max(1, _BLOCK // max(1, group))),
        plain,
        pointwise,
    )


def _outputs(spatial: Sizes, kernel: Sizes, dilation: Sizes) -> Sizes:
    """The output's sizes where there is neither stride nor padding."""
    return tuple([n - d * (k - 1) for n, k, d in zip(spatial, kernel, dilation)])


def _cut(size: int, count: int, phase: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Which of a phase's `count` positions hold elements of an axis, and which elements."""
    low = min(count, max(0, -((phase - padding) // stride)))
    high = max(low, min(count, (size - 1 + padding - phase) // stride + 1))
    seen = low * stride + phase - padding
    return slice(low, high), slice(seen, seen + (high - low) * stride, stride)


def _blocks(
    share: int,
    batch: int,
    out: Sizes,
    kernel: Sizes,
    stride: Sizes,
    dilation: Sizes,
    itemsize: int,
) -> Iterator[_Block]:
    """The output in blocks of which one group's columns take about `_BLOCK` bytes."""
    inner = prod(out[2:]) * batch
    unit = max(1, share * prod(kernel[1:]) * inner * itemsize)
    # Half a block must hold the rows of one product, so that blocks overlap by less than half.
    width = min(out[1], max(1, _BLOCK // (2 * kernel[0] * unit)))
    width = -(-out[1] // -(-out[1] // width))
    height = max(1, (_BLOCK // (width * unit) - kernel[0]) // stride[0] + 1)
    for left in range(0, out[1], width):
        sizes = (min(width, out[1] - left), *out[2:])
        firsts = (left, *(0,) * (len(out) - 2))
        for top in range(0, out[0], height):
            rows = slice(top, min(top + height, out[0]))
            first, count = top * stride[0], (rows.stop - top - 1) * stride[0] + kernel[0]
            taps: list[tuple[Index, Index]] = []
            for tap in product(*map(range, kernel[1:])):
                reach = [divmod(at * d, s) for at, d, s in zip(tap, dilation[1:], stride[1:])]
                seen = [
                    slice(start + whole, start + whole + size)
                    for start, size, (whole, _) in zip(firsts, sizes, reach)
                ]
                phase = [rest for _, rest in reach]
                columns = (slice(None), slice(None), slice(None), *tap)
                source = (slice(None), 0, *phase, slice(first, first + count), *seen)
                taps.append((columns, source))
            yield _Block(
                rows,
                left * inner,
                (left + sizes[0]) * inner,
                (count, share, *kernel[1:], *sizes, batch),
                tuple(taps),
            )


def _into_phases(x: Array, plan: _Plan) -> Array:
    x = x.reshape(len(x), *plan.spatial, x.shape[-1])
    shape = (len(x), *plan.phases, x.shape[-1])
    if plan.plain:
        return x.reshape(shape)
    phases = scratch(shape, x.dtype, "phases")
    phases.fill(0)
    for within, seen in plan.moves:
        phases[within] = x[seen]
    return phases


def _columns(x: Array, plan: _Plan, groups: int) -> Iterator[tuple[slice, slice, slice, Array]]:
    """Block by block: which groups, which rows of the output, which places of a row, and what the
    filters see there, as (groups, rows, kernel[0] * C * kernel[1:], places).
    """
    batch, share = x.shape[-1], len(x) // groups
    if plan.pointwise:
        columns = x.reshape(groups, 1, share, prod(plan.out) * batch)
        yield slice(None), slice(None), slice(None), columns
        return
    phases = _into_phases(x, plan)
    phases = phases.reshape(groups, share, *phases.shape[1:])
    # From (groups, C, rows, …) to the columns' order.
    order = (0, 2, 1, *range(3, len(plan.out) + 3))
    size = x.itemsize
    for first in range(0, groups, plan.together):
        some = slice(first, min(first + plan.together, groups))
        count = some.stop - first
        for block in plan.blocks:
            columns = scratch((count, *block.shape), x.dtype, "columns")
            for tap, seen in block.taps:
                columns[tap] = phases[(some, *seen)].transpose(order)
            places = block.stop - block.start
            row = share * prod(plan.kernel[1:]) * places
            rows = block.rows.stop - block.rows.start
            shape = (count, rows, plan.kernel[0] * row // places, places)
            strides = (block.shape[0] * row * size, plan.step * row * size, places * size, size)
            matrices = np.ndarray(shape, x.dtype, columns, 0, strides)
            yield some, block.rows, slice(block.start, block.stop), matrices


def _convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    out: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """From and to (C, *spatial, N); `padding` is that on the left, `out` says how far to go right."""
    count, kernel, batch = weight.shape[0], weight.shape[2:], x.shape[-1]
    plan = _plan(x.shape, out, kernel, stride, padding, dilation, groups, x.itemsize)
    filters = _row_by_row(weight, plan, groups)[:, None]
    y = np.empty((count, *out, batch), x.dtype)
    rows = _rows(y, plan, groups)
    if bias is not None:
        bias = bias.reshape(groups, 1, -1, 1)
    for some, lines, places, columns in _columns(x, plan, groups):
        piece = rows[some, lines, :, places]
        np.matmul(filters[some], columns, out=piece)
        if bias is not None:
            piece += bias[some]
    return y


def _row_by_row(weight: Array, plan: _Plan, groups: int) -> Array:
    """Filters in the order of the columns, (groups, O / groups, kernel[0] * C * kernel[1:])."""
    count, share = weight.shape[:2]
    parts = weight.reshape(groups, count // groups, share, plan.kernel[0], -1)
    return np.ascontiguousarray(parts.swapaxes(2, 3)).reshape(groups, count // groups, -1)


def _rows(y: Array, plan: _Plan, groups: int) -> Array:
    """(O, *out, N) seen as (groups, rows, O / groups, places)."""
    lines = 1 if plan.pointwise else plan.out[0]
    return y.reshape(groups, len(y) // groups, lines, y[0].size // lines).swapaxes(1, 2)


@kernel
@in_single
@quietly
def convolution(x, weight, bias, stride, padding, dilation, groups):
    x = batch_last(x)
    axes = zip(x.shape[1:-1], weight.shape[2:], stride, padding, dilation)
    out = tuple([window_count(*axis) for axis in axes])
    return batch_first(_convolve(x, weight, bias, out, stride, padding, dilation, groups))


@kernel
@in_single
@quietly
def convolution_weight_gradient(y, x, kernel, stride, padding, dilation, groups):
    x, y = batch_last(x), batch_last(y)
    count, share = len(y), len(x) // groups
    plan = _plan(x.shape, y.shape[1:-1], kernel, stride, padding, dilation, groups, x.itemsize)
    rows = _rows(y, plan, groups)
    weight = np.zeros((groups, count // groups, share * prod(kernel)), x.dtype)
    for some, lines, places, columns in _columns(x, plan, groups):
        parts = np.matmul(rows[some, lines, :, places], columns.swapaxes(2, 3))
        weight[some] += parts.sum(1)
    weight = weight.reshape(groups, count // groups, plan.kernel[0], share, -1).swapaxes(2, 3)
    return weight.reshape(count, share, *kernel)


@kernel
@in_single
@quietly
def convolution_input_gradient(y, weight, input_size, stride, padding, dilation, groups):
    """Each phase of the input by itself: a convolution of `y`, without a stride, with those taps
    that fall on the phase, in reverse order.
    """
    y = batch_last(y)
    turned = _turned_round(weight, groups)
    shape = (len(turned), *input_size, y.shape[-1])
    axes = zip(input_size, weight.shape[2:], stride, padding, dilation)
    phases = [[_phase(*axis, at) for at in range(axis[2])] for axis in axes]
    x = None if max(stride) == 1 else np.zeros(shape, y.dtype)
    ones = (1,) * len(stride)
    for parts in product(*phases):
        where, taps, out, margins, steps = zip(*parts)
        # BLAS takes no negative strides, which a reshape alone may leave.
        filters = np.ascontiguousarray(turned[(..., *taps)])
        if min(out) > 0 and filters.size:
            part = _convolve(y, filters, None, out, ones, margins, steps, groups)
            if x is None:  # the only phase
                return batch_first(part)
            x[(slice(None), *where)] = part
    return batch_first(np.zeros(shape, y.dtype) if x is None else x)


def _turned_round(weight: Array, groups: int) -> Array:
    """(O, C / groups, *kernel) as (C, O / groups, *kernel)."""
    count, share, *kernel = weight.shape
    parts = weight.reshape(groups, count // groups, share, *kernel).swapaxes(1, 2)
    return parts.reshape(groups * share, count // groups, *kernel)


def _phase(
    size: int, kernel: int, stride: int, padding: int, dilation: int, phase: int
) -> tuple[slice, slice, int, int, int]:
    """One axis of the input's gradient, at the padded positions of one remainder.

    Gives the elements there, the taps that fall on them (reversed), how many elements those are,
    and the left padding and the dilation with which to convolve the output's cotangent.
    """
    step = stride // gcd(stride, dilation)  # taps on the same phase are so far apart
    taps = [tap for tap in range(kernel) if tap * dilation % stride == phase]
    first = -((phase - padding) // stride)  # the first position of the phase inside the input
    start = first * stride + phase - padding
    count = max(0, -(-(size - start) // stride))
    where = slice(start, size, stride)
    if not taps:
        return where, slice(0, 0), count, 0, 1
    last = taps[-1] * dilation // stride  # the position of the last tap, for the first output
    backwards = slice(taps[-1], taps[0] - 1 if taps[0] else None, -step)
    return where, backwards, count, last - first, dilation // gcd(stride, dilation)
