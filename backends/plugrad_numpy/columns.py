"""What each filter of a convolution sees, as columns of matrices, a block of the output at a time.

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
from math import prod

import numpy as np

from plugrad_numpy.layout import Array, Index, Sizes, scratch

# Bytes of columns made at once: within reach of the cache, and enough for a product to be worth it.
BLOCK = 3 << 20
# Places that a row of outputs must have to be worth a matrix product of its own.
_WIDE = 96


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
class Plan:
    """How to go over one geometry, `together` groups at a time.

    Where rows of the first axis do not serve, the axes get one of size 1 in front: `spatial` and
    `kernel` are the sizes to work with. Phases are (C, *phases, N), with the remainders before the
    sizes; `moves` are indices of the same shape into the phases and into the input, `margins` what
    they leave out. `plain` says that the input is its own and only phase, `pointwise` that it is
    its own columns.
    """

    out: Sizes
    spatial: Sizes
    kernel: Sizes
    step: int
    phases: Sizes
    moves: tuple[tuple[Index, Index], ...]
    margins: tuple[Index, ...]
    blocks: tuple[_Block, ...]
    together: int
    plain: bool
    pointwise: bool


@lru_cache(maxsize=512)
def plan_for(
    shape: Sizes,
    out: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    itemsize: int,
) -> Plan:
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
    margins: list[Index] = []
    for phase in product(*[sorted({tap * d % s for tap in range(k)}) for _, k, s, _, d in axes]):
        cuts = [_cut(n, size, at, s, p) for (n, _, s, p, _), size, at in zip(axes, sizes, phase)]
        within, seen = [cut[0] for cut in cuts], [cut[1] for cut in cuts]
        moves.append(((slice(None), *phase, *within), (slice(None), *seen)))
        for axis, (size, filled) in enumerate(zip(sizes, within)):
            ends = (slice(0, filled.start), slice(filled.stop, size))
            lead = (slice(None), *phase, *(slice(None),) * axis)
            margins += [(*lead, end) for end in ends if end.start < end.stop]
    group = sizes[0] * share * prod(kernel[1:]) * prod(out[1:]) * batch * itemsize
    return Plan(
        out,
        spatial,
        kernel,
        stride[0],
        (*[s for _, _, s, _, _ in axes], *sizes),
        tuple(moves),
        tuple(margins),
        tuple(_blocks(share, batch, out, kernel, stride, dilation, itemsize)),
        min(groups, max(1, BLOCK // max(1, group))),
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
    """The output in blocks of which one group's columns take about `BLOCK` bytes."""
    inner = prod(out[2:]) * batch
    unit = max(1, share * prod(kernel[1:]) * inner * itemsize)
    # Half a block must hold the rows of one product, so that blocks overlap by less than half.
    width = min(out[1], max(1, BLOCK // (2 * kernel[0] * unit)))
    width = -(-out[1] // -(-out[1] // width))
    height = max(1, (BLOCK // (width * unit) - kernel[0]) // stride[0] + 1)
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


def _into_phases(x: Array, plan: Plan) -> Array:
    x = x.reshape(len(x), *plan.spatial, x.shape[-1])
    shape = (len(x), *plan.phases, x.shape[-1])
    if plan.plain:
        return x.reshape(shape)
    phases = scratch(shape, x.dtype, "phases")
    for margin in plan.margins:
        phases[margin] = 0
    for within, seen in plan.moves:
        phases[within] = x[seen]
    return phases


def columns_of(x: Array, plan: Plan, groups: int) -> Iterator[tuple[slice, slice, slice, Array]]:
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
            lines = share * prod(plan.kernel[1:])  # of columns, from one row of the input
            row = lines * places * size
            rows = block.rows.stop - block.rows.start
            shape = (count, rows, plan.kernel[0] * lines, places)
            strides = (block.shape[0] * row, plan.step * row, places * size, size)
            matrices = np.ndarray(shape, x.dtype, columns, 0, strides)
            yield some, block.rows, slice(block.start, block.stop), matrices
