"""Where in an array elements are that tensors of positions choose: taken, written, added up.

What several threads could write to one place is sorted by place first and then added up by one
thread each: two runs give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, final

import cupy
import numpy as np

from plugrad_cupy.arrays import index_of, new
from plugrad_cupy.devices import enter
from plugrad_cupy.positions import Axis, check_now, watch
from plugrad_cupy.strided import (
    SIZE,
    Sizes,
    axes,
    axes_layout,
    broadcast_steps,
    ctype,
    divisor,
    launch,
    moved_as,
    steps,
)

INT64 = np.dtype(np.int64)


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """Where in an array the elements of some shape are.

    `walk` are the array's own steps along the shape's axes. Each tensor of positions has steps
    along them too, and says where to go along one further axis: its size and the array's step.
    """

    operator: str
    shape: Sizes
    walk: Sizes
    tensors: tuple[tuple[Any, Sizes, int, int], ...]
    axes: tuple[Axis, ...]

    def run(self, name: str, array: Any, others: Any, other_walk: Sizes, kind: str) -> None:
        """Call a kernel of indexing.cu."""
        size = prod(self.shape)
        if not size:
            return
        index = index_of(array)
        enter(index)
        count = len(self.tensors)
        address, number = watch(self.operator, self.axes)
        fields = [
            *[tensor.data.ptr for tensor, _, _, _ in self.tensors],
            *[length for _, _, length, _ in self.tensors],
            *[step for _, _, _, step in self.tensors],
            any(axis.negative for axis in self.axes),
            address,
            number,
        ]
        walks = [walk for _, walk, _, _ in self.tensors]
        fields += axes(self.operator, self.shape, self.walk, other_walk, *walks)
        modules = ("indexing.cu", name, (kind,))
        layout = f"2Pq{count}P{2 * count}qqPq{axes_layout(2 + count)}"
        where = array.data.ptr, others.data.ptr
        launch(*modules, layout, size, *where, size, *fields, lines=f"INDEXING({count})\n")
        check_now(index)

    def take(self, array: Any) -> Any:
        """The elements."""
        out = new(self.shape, array.dtype, array)
        self.run("take", array, out, steps(out), moved_as(out))
        return out

    def put(self, array: Any, values: Any) -> Any:
        """Write values, broadcast, there."""
        self.run("put", array, values, broadcast_steps(values, len(self.shape)), moved_as(array))
        return array

    def locations(self, array: Any) -> Any:
        """The places themselves, in elements, in C order of the shape."""
        out = new((prod(self.shape),), INT64, array)
        self.run("locations", array, out, (0,) * len(self.shape), "int64")
        return out


_RUNS = f"4Pq{SIZE}{axes_layout(1)}{axes_layout(2)}"


def collect(
    choice: Choice,
    out: Any,
    values: Any,
    outer: Sizes,
    inner: Sizes = (),
    inner_out: Sizes = (),
    inner_values: Sizes = (),
    *,
    name: str = "add",
) -> Any:
    """Add values, or multiply by them, at the places of a choice.

    `outer` are the steps of the values along the choice's shape. At each place there is a slice of
    the shape `inner`, with the steps of `out` and of the values along it.
    """
    count, width = prod(choice.shape), prod(inner)
    if not count or not width:
        return out
    places = choice.locations(out)
    order = cupy.argsort(places)
    operator = choice.operator
    launch(
        "gathering.cu",
        name,
        (ctype(out),),
        _RUNS,
        count * width,
        *(out.data.ptr, values.data.ptr, places.data.ptr, order.data.ptr, count, *divisor(width)),
        *axes(operator, choice.shape, outer),
        *axes(operator, inner, inner_out, inner_values),
    )
    return out


@final
class Indexing:
    """`x[indices]`: the axes that tensors choose from, and how they stand in the result."""

    def __init__(self, operator: str, x: Any, indices: Any) -> None:
        self.used = [axis for axis, each in enumerate(indices) if each is not None]
        self.rest = [axis for axis in range(x.ndim) if axis not in self.used]
        chosen = [indices[axis] for axis in self.used]
        self.common = np.broadcast_shapes(*[each.shape for each in chosen])
        adjacent = self.used[-1] - self.used[0] + 1 == len(self.used) if self.used else True
        # How many of the other axes stand before the common ones.
        self.lead = self.used[0] if self.used and adjacent else 0
        own = steps(x)
        self.inner = tuple([x.shape[axis] for axis in self.rest])
        self.inner_steps = tuple([own[axis] for axis in self.rest])
        self.operator = operator
        self.axes = tuple([Axis(f"indices[{a}]", a, tuple(x.shape), True) for a in self.used])
        self.tensors = [
            (each, broadcast_steps(each, len(self.common)), x.shape[axis], own[axis])
            for axis, each in zip(self.used, chosen, strict=True)
        ]

    def _spread(self, rest: Sizes, common: Sizes) -> Sizes:
        return (*rest[: self.lead], *common, *rest[self.lead :])

    @property
    def shape(self) -> Sizes:
        """The result's."""
        return self._spread(self.inner, self.common)

    def jointly(self) -> Choice:
        """Each element of the result."""
        none = (0,) * len(self.rest)
        tensors = [
            (each, self._spread(none, walk), size, step) for each, walk, size, step in self.tensors
        ]
        walk = self._spread(self.inner_steps, (0,) * len(self.common))
        return Choice(self.operator, self.shape, walk, tuple(tensors), self.axes)

    def add(self, out: Any, values: Any) -> Any:
        """Add values, broadcast to the result's shape."""
        tensors = tuple(self.tensors)
        walk = (0,) * len(self.common)
        choice = Choice(self.operator, tuple(self.common), walk, tensors, self.axes)
        given = broadcast_steps(values, len(self.shape))
        stop = self.lead + len(self.common)
        inner = (*given[: self.lead], *given[stop:])
        return collect(
            choice, out, values, given[self.lead : stop], self.inner, self.inner_steps, inner
        )
