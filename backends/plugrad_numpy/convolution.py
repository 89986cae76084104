"""Convolution as matrix products: columns of what each filter sees (im2col), a block of output
positions at a time.

Memory is in the order of `plugrad_numpy.layout`, so that columns are copied in runs of whole rows,
and a block of the product lands where it belongs in the result. A stride would break the runs: the
input is first sorted into phases, by the remainders of the padded positions divided by the stride,
and within a phase every tap of the kernel moves by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from plugrad.geometry import window_count
from plugrad.hooks import kernel
from plugrad_numpy.arrays import in_single, quietly
from plugrad_numpy.layout import Array, batch_first, batch_last, scratch

# Bytes of columns made at once. Measured with 512 KiB of L2: a plateau from 2 to 8 MiB; below, the
# products get too small.
_BLOCK = 3 << 20

Sizes = tuple[int, ...]
Index = tuple[Any, ...]
_Part = tuple[slice, slice, Array, Array, Array, tuple[tuple[Index, Index], ...]]


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring output positions: where they lie in the flattened output, their sizes, and for
    each tap of the kernel two indices of the same shape: into the columns (C, *kernel, *sizes, N)
    and into the phases.
    """

    start: int
    stop: int
    sizes: Sizes
    taps: tuple[tuple[Index, Index], ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to go over one geometry, `together` groups at a time.

    Phases are (C, *stride, *sizes, N); `moves` are indices of the same shape into the phases and
    into the input. `plain` says that the input is its own and only phase, `pointwise` that it is
    its own columns.
    """

    out: Sizes
    phases: Sizes
    moves: tuple[tuple[Index, Index], ...]
    blocks: tuple[_Block, ...]
    together: int
    plain: bool
    pointwise: bool


@lru_cache(maxsize=512)
def _plan(
    shape: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    itemsize: int,
) -> _Plan:
    """The plan for an input of `shape` (C, *spatial, N)."""
    axes = list(zip(shape[1:-1], kernel, stride, padding, dilation))
    out = tuple([window_count(*axis) for axis in axes])
    sizes = tuple([-(-(n + 2 * p) // s) for n, _, s, p, _ in axes])
    moves: list[tuple[Index, Index]] = []
    for phase in product(*[sorted({tap * d % s for tap in range(k)}) for _, k, s, _, d in axes]):
        cuts = [_cut(n, size, at, s, p) for (n, _, s, p, _), size, at in zip(axes, sizes, phase)]
        within, seen = [cut[0] for cut in cuts], [cut[1] for cut in cuts]
        moves.append(((slice(None), *phase, *within), (slice(None), *seen)))
    # Several groups at once where their columns are small, part of the positions where one group's
    # are large.
    position = max(1, shape[0] // groups * prod(kernel) * shape[-1] * itemsize)
    whole = position * prod(out)
    plain = max(stride) == 1 and not any(padding)
    return _Plan(
        out,
        (*stride, *sizes),
        tuple(moves),
        tuple(_blocks(out, kernel, stride, dilation, max(1, _BLOCK // position))),
        min(groups, max(1, _BLOCK // whole)),
        plain,
        plain and max(kernel) == 1,
    )


def _cut(size: int, count: int, phase: int, stride: int, padding: int) -> tuple[slice, slice]:
    """Which of a phase's `count` positions hold elements of an axis, and which elements."""
    low = max(0, -((phase - padding) // stride))
    high = max(low, min(count, (size - 1 + padding - phase) // stride + 1))
    seen = low * stride + phase - padding
    return slice(low, high), slice(seen, seen + (high - low) * stride, stride)


def _blocks(
    out: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes, most: int
) -> Iterator[_Block]:
    """The output cut into blocks of about `most` positions, each contiguous when flattened."""
    axis = 0
    while axis < len(out) - 1 and prod(out[axis + 1 :]) > most:
        axis += 1
    count = -(-out[axis] // max(1, most // prod(out[axis + 1 :])))
    step = -(-out[axis] // count)
    start = 0
    for lead in product(*map(range, out[:axis])):
        for low in range(0, out[axis], step):
            firsts = (*lead, low, *(0,) * (len(out) - axis - 1))
            sizes = (*(1,) * axis, min(step, out[axis] - low), *out[axis + 1 :])
            taps: list[tuple[Index, Index]] = []
            for tap in product(*map(range, kernel)):
                reach = [divmod(at * d, s) for at, d, s in zip(tap, dilation, stride)]
                seen = [
                    slice(first + whole, first + whole + size)
                    for first, size, (whole, _) in zip(firsts, sizes, reach)
                ]
                phase = [rest for _, rest in reach]
                taps.append(((slice(None), *tap), (slice(None), *phase, *seen)))
            stop = start + prod(sizes)
            yield _Block(start, stop, sizes, tuple(taps))
            start = stop


def _turned_round(weight: Array, groups: int) -> Array:
    """(O, C / groups, *kernel) as (C, O / groups, *kernel), mirrored in the kernel's axes."""
    count, share, *kernel = weight.shape
    mirrored = np.flip(weight, tuple(range(2, weight.ndim)))
    mirrored = mirrored.reshape(groups, count // groups, share, *kernel).swapaxes(1, 2)
    # BLAS takes no negative strides, which a reshape alone may leave.
    return np.ascontiguousarray(mirrored).reshape(groups * share, count // groups, *kernel)


def _empty_phases(shape: Sizes, plan: _Plan, dtype: np.dtype[Any]) -> Array:
    sizes = (shape[0], *plan.phases, shape[-1])
    if plan.plain:  # they will be the result
        return np.zeros(sizes, dtype)
    phases = scratch(sizes, dtype, "phases")
    phases.fill(0)
    return phases


def _into_phases(x: Array, plan: _Plan) -> Array:
    if plan.plain:
        return x.reshape(len(x), *plan.phases, x.shape[-1])
    phases = _empty_phases(x.shape, plan, x.dtype)
    for within, seen in plan.moves:
        phases[within] = x[seen]
    return phases


def _out_of_phases(phases: Array, plan: _Plan, shape: Sizes) -> Array:
    if plan.plain:
        return phases.reshape(shape)
    # Where the moves leave a gap, no tap has looked.
    covered = prod(plan.phases[: len(shape) - 2]) == len(plan.moves)
    x = np.empty(shape, phases.dtype) if covered else np.zeros(shape, phases.dtype)
    for within, seen in plan.moves:
        x[seen] = phases[within]
    return x


def _parts(plan: _Plan, phases: Array, kernel: Sizes, groups: int) -> Iterator[_Part]:
    """The groups and positions part by part, with scratch memory for the columns of each."""
    batch, share = phases.shape[-1], len(phases) // groups
    for first in range(0, groups, plan.together):
        some = slice(first, min(first + plan.together, groups))
        channels = phases[some.start * share : some.stop * share]
        for block in plan.blocks:
            columns = scratch(
                (len(channels), *kernel, *block.sizes, batch), phases.dtype, "columns"
            )
            places = slice(block.start * batch, block.stop * batch)
            matrices = columns.reshape(some.stop - first, share * prod(kernel), -1)
            yield some, places, matrices, columns, channels, block.taps


def _columns(
    x: Array, plan: _Plan, kernel: Sizes, groups: int
) -> Iterator[tuple[slice, slice, Array]]:
    """Groups, places in the flattened output, what filters see there (groups, rows, places)."""
    if plan.pointwise:
        yield slice(None), slice(None), x.reshape(groups, len(x) // groups, -1)
        return
    phases = _into_phases(x, plan)
    for some, places, matrices, columns, channels, taps in _parts(plan, phases, kernel, groups):
        for tap, seen in taps:
            columns[tap] = channels[seen]
        yield some, places, matrices


def _convolve(x, weight, bias, stride, padding, dilation, groups):
    x = batch_last(x)
    count, kernel = weight.shape[0], weight.shape[2:]
    plan = _plan(x.shape, kernel, stride, padding, dilation, groups, x.itemsize)
    filters = weight.reshape(groups, count // groups, -1)
    y = np.empty((count, *plan.out, x.shape[-1]), x.dtype)
    rows = y.reshape(groups, count // groups, -1)
    if bias is not None:
        bias = bias.reshape(groups, -1, 1)
    for some, places, columns in _columns(x, plan, kernel, groups):
        piece = rows[some, :, places]
        np.matmul(filters[some], columns, out=piece)
        if bias is not None:
            piece += bias[some]
    return batch_first(y)


@kernel
@in_single
@quietly
def convolution(x, weight, bias, stride, padding, dilation, groups):
    return _convolve(x, weight, bias, stride, padding, dilation, groups)


@kernel
@in_single
@quietly
def convolution_weight_gradient(y, x, kernel, stride, padding, dilation, groups):
    x, y = batch_last(x), batch_last(y)
    count = len(y)
    plan = _plan(x.shape, kernel, stride, padding, dilation, groups, x.itemsize)
    rows = y.reshape(groups, count // groups, -1)
    weight = np.zeros((groups, count // groups, len(x) // groups * prod(kernel)), x.dtype)
    for some, places, columns in _columns(x, plan, kernel, groups):
        weight[some] += np.matmul(rows[some, :, places], columns.swapaxes(1, 2))
    return weight.reshape(count, len(x) // groups, *kernel)


@kernel
@in_single
@quietly
def convolution_input_gradient(y, weight, input_size, stride, padding, dilation, groups):
    count, kernel = weight.shape[0], weight.shape[2:]
    shape = (weight.shape[1] * groups, *input_size, y.shape[0])
    margins = tuple([d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding)])
    if max(stride) == 1 and min(margins) >= 0 and count <= shape[0]:
        # A convolution with the filters turned round: making columns is cheaper than adding.
        filters = _turned_round(weight, groups)
        return _convolve(y, filters, None, stride, margins, dilation, groups)
    y = batch_last(y)
    plan = _plan(shape, kernel, stride, padding, dilation, groups, y.itemsize)
    rows = y.reshape(groups, count // groups, -1)
    filters = weight.reshape(groups, count // groups, -1).swapaxes(1, 2)
    if plan.pointwise:
        return batch_first(np.matmul(filters, rows).reshape(shape))
    phases = _empty_phases(shape, plan, y.dtype)
    for some, places, matrices, columns, channels, taps in _parts(plan, phases, kernel, groups):
        np.matmul(filters[some], rows[some, :, places], out=matrices)
        for tap, seen in taps:
            channels[seen] += columns[tap]
    return batch_first(_out_of_phases(phases, plan, shape))
