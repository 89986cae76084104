"""Elements by position, and sorting.

The standard reads by position (`take`) and does not write. So positions along axes become positions
in the flat array, and writing is turned into reading: once the positions are sorted, each place of
the result finds its value by a search.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from plugrad.errors import RangeError
from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Array, Kernels

Shape = tuple[int, ...]
Combine = Callable[[Array, Array], Array]


class Indexing(Kernels):
    """Positions are int64; each kernel checks that they are inside."""

    # one index per axis

    @kernel
    def index(self, x, indices):
        places = self._places("index", x.shape, indices)
        flat = self.xp.take(self._flat(x), self._flat(places), axis=0)
        return self.xp.reshape(flat, places.shape)

    @kernel
    def index_put(self, x, indices, values, accumulate):
        places = self._places("index_put", x.shape, indices)
        values = self.xp.broadcast_to(values, places.shape)
        return self._put(x, places, values, self.added if accumulate else None)

    # one position per element, along one axis

    @kernel
    def gather(self, x, index, dim):
        places = self._places_along("gather", x.shape, index, dim)
        flat = self.xp.take(self._flat(x), self._flat(places), axis=0)
        return self.xp.reshape(flat, index.shape)

    @kernel
    def scatter(self, x, index, source, dim):
        return self._put(x, self._places_along("scatter", x.shape, index, dim), source, None)

    @kernel
    def scatter_add(self, x, index, source, dim):
        places = self._places_along("scatter_add", x.shape, index, dim)
        return self._put(x, places, source, self.added)

    @kernel
    def scatter_mul(self, x, index, source, dim):
        places = self._places_along("scatter_mul", x.shape, index, dim)
        return self._put(x, places, source, self.multiplied)

    # masks

    @kernel
    def nonzero(self, x):
        if not x.ndim:
            return self.xp.zeros((int(self.truth(x)), 0), dtype=self.xp.int64)
        return self.xp.stack(self.xp.nonzero(self.truth(x)), axis=1)

    # order

    @kernel
    def sort(self, x, dim, descending, stable):
        xp = self.xp
        if not x.ndim:
            return self.copy(x), xp.zeros((), dtype=xp.int64)
        order = xp.argsort(self.ordered(x), axis=dim, descending=descending, stable=stable)
        return xp.take_along_axis(x, order, axis=dim), xp.astype(order, xp.int64)

    # what the kernels share

    def _flat(self, x: Array) -> Array:
        return self.xp.reshape(x, (-1,))

    def _places(self, operator: str, shape: Shape, indices: Any) -> Array:
        """Where in the flat array the elements of `x[indices]` stand, in the result's shape."""
        xp = self.xp
        axes = [axis for axis, each in enumerate(indices) if each is not None]
        counted = {
            axis: self._counted(operator, f"indices[{axis}]", indices[axis], shape, axis, True)
            for axis in axes
        }
        common = self._common_shape([counted[axis].shape for axis in axes])
        adjacent = bool(axes) and axes[-1] - axes[0] + 1 == len(axes)
        before = [axis for axis in range(len(shape)) if axis not in axes]
        lead = [axis for axis in before if adjacent and axis < axes[0]]
        rest = [axis for axis in before if axis not in lead]
        out = (*[shape[a] for a in lead], *common, *[shape[a] for a in rest])
        steps = _strides(shape)
        places = xp.zeros(out, dtype=xp.int64)
        for axis in axes:
            chosen = counted[axis] * steps[axis]
            places = places + xp.reshape(chosen, (*chosen.shape, *(1,) * len(rest)))
        for place, axis in enumerate((*lead, *rest)):
            behind = len(out) - 1 - place if axis in lead else len(lead) + len(rest) - 1 - place
            places = places + self._count_along(shape[axis], steps[axis], behind)
        return places

    def _places_along(self, operator: str, shape: Shape, index: Array, dim: int) -> Array:
        if not shape:
            return self._counted(operator, "index", index, (1,), 0, False)
        steps = _strides(shape)
        places = self._counted(operator, "index", index, shape, dim, False) * steps[dim]
        for axis, size in enumerate(index.shape):
            if axis != dim:
                behind = index.ndim - 1 - axis
                places = places + self._count_along(size, steps[axis], behind)
        return places

    def _count_along(self, size: int, step: int, behind: int) -> Array:
        """Flat distances along one axis, with `behind` axes after it."""
        distances = self.xp.arange(size, dtype=self.xp.int64) * step
        return self.xp.reshape(distances, (size, *(1,) * behind))

    def _common_shape(self, shapes: list[Shape]) -> Shape:
        ndim = max(map(len, shapes), default=0)
        padded = [(*(1,) * (ndim - len(shape)), *shape) for shape in shapes]
        sizes = [{size for size in column if size != 1} or {1} for column in zip(*padded)]
        return tuple([size.pop() for size in sizes])

    def _counted(
        self, operator: str, argument: str, index: Array, shape: Shape, axis: int, negative: bool
    ) -> Array:
        """The positions counted from the start; refuses the first that lies outside."""
        xp, size = self.xp, shape[axis]
        outside = (index < (-size if negative else 0)) | (index >= size)
        if prod(index.shape) and bool(xp.any(outside)):
            low = -size if negative else 0
            raise RangeError(
                operator,
                argument,
                expected=f"positions from {low} to {size - 1} along axis {axis} of {shape}",
                got=int(index[outside][0]),
            )
        return xp.where(index < 0, index + size, index) if negative else index

    def _put(self, x: Array, places: Array, values: Array, combine: Combine | None) -> Array:
        """A copy of `x` with values written at places in its flat form, the last one at each; or
        combined with what stands there, all of them.
        """
        xp = self.xp
        if not prod(places.shape):
            return self.copy(x)
        flat, places, values = self._flat(x), self._flat(places), self._flat(values)
        order = xp.argsort(places, stable=True)
        places, values = xp.take(places, order, axis=0), xp.take(values, order, axis=0)
        if combine is not None:
            values = self._running(places, values, combine)
        everywhere = xp.arange(flat.shape[0], dtype=xp.int64)
        last = xp.searchsorted(places, everywhere, side="right") - 1
        last = xp.where(last < 0, xp.zeros_like(last), last)
        found = xp.take(values, last, axis=0)
        if combine is not None:
            found = combine(flat, found)
        hit = xp.take(places, last, axis=0) == everywhere
        return xp.reshape(xp.where(hit, found, flat), x.shape)

    def _running(self, places: Array, values: Array, combine: Combine) -> Array:
        """Each value combined with all before it at the same place, by doubling distances."""
        xp = self.xp
        gap, count = 1, values.shape[0]
        while gap < count:
            same = places[gap:] == places[:-gap]
            if not bool(xp.any(same)):
                break
            together = xp.where(same, combine(values[gap:], values[:-gap]), values[gap:])
            values = xp.concat([values[:gap], together])
            gap *= 2
        return values


def _strides(shape: Shape) -> list[int]:
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return strides[::-1]
