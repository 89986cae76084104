"""Tensors made to stand beside each other: broadcast, as grids, as products, with axes added; and
the positions of triangles.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as choices
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from plugrad import creation, dtypes, shapes
from plugrad.backends import resolve_device
from plugrad.creation import DeviceLike
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.functions import joining, views
from plugrad.functions.axes import flat
from plugrad.functions.keys import as_positions
from plugrad.ops import elementwise, indexing, reduction
from plugrad.ops.creation import full as filled
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def broadcast_shapes(*sizes: int | Sequence[int]) -> tuple[int, ...]:
    """The shape that tensors of these shapes broadcast to."""
    each = [(size,) if isinstance(size, int) else tuple(size) for size in sizes]
    return shapes.broadcast_shapes("broadcast_shapes", *each)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to their common shape, without copies."""
    given = _several("broadcast_tensors", tensors)
    shape = shapes.broadcast_shapes("broadcast_tensors", *[each.spec.shape for each in given])
    return tuple([views.expand(each, shape) for each in given])


def atleast_1d(*tensors: Any) -> Any:
    """A tensor without axes as a vector; of several, a tuple of each."""
    return _each(tensors, lambda x: x if x.spec.shape else views.reshape(x, (1,)))


def atleast_2d(*tensors: Any) -> Any:
    """Tensors of fewer axes as matrices of one row."""
    return _each(
        tensors, lambda x: x if len(x.spec.shape) > 1 else views.reshape(x, (1, x.spec.numel))
    )


def atleast_3d(*tensors: Any) -> Any:
    """Tensors of fewer axes with three: a vector as (1, n, 1), a matrix with a last axis of 1."""

    def grown(x: Any) -> Any:
        shape = x.spec.shape
        if len(shape) > 2:
            return x
        return views.reshape(x, (*shape, 1) if len(shape) == 2 else (1, x.spec.numel, 1))

    return _each(tensors, grown)


def _each(tensors: tuple[Any, ...], grow: Any) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Value):
        return grow(tensors[0])
    return tuple([grow(each) for each in _several("atleast", tensors)])


def _several(name: str, tensors: tuple[Any, ...]) -> list[Any]:
    given = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Value) else tensors
    if not all([isinstance(each, Value) for each in given]):
        raise ArgumentError(name, "tensors", expected="tensors", got=given)
    return list(given)


# grids and products -------------------------------------------------------------------------------


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Vectors as coordinates of all points of a grid, one tensor for each.

    With `indexing="ij"`, as where nothing is said, the first vector goes along axis 0; with "xy"
    along axis 1, and the second along axis 0.
    """
    given = _several("meshgrid", tensors)
    if not given:
        raise ArgumentError("meshgrid", "tensors", expected="at least one tensor", got="none")
    if indexing not in (None, "ij", "xy"):
        raise ArgumentError("meshgrid", "indexing", expected="'ij' or 'xy'", got=indexing)
    for each in given:
        if len(each.spec.shape) > 1:
            raise ShapeError("meshgrid", "tensors", expected="vectors", got=each.spec.shape)
        if each.spec.dtype is not given[0].spec.dtype:
            raise DtypeError(
                "meshgrid", "tensors", expected=given[0].spec.dtype, got=each.spec.dtype
            )
    swapped = indexing == "xy" and len(given) > 1
    if swapped:
        given[:2] = given[1::-1]
    sizes = tuple([each.spec.numel for each in given])
    grids = [
        views.expand(views.reshape(each, (-1, *(1,) * (len(sizes) - 1 - axis))), sizes)
        for axis, each in enumerate(given)
    ]
    if swapped:
        grids[:2] = grids[1::-1]
    return tuple(grids)


def cartesian_prod(*tensors: Any) -> Tensor:
    """All ways to take one element of each vector, a row each; of one vector, itself."""
    given = _several("cartesian_prod", tensors)
    if len(given) == 1:
        return given[0]
    return joining.stack([flat(grid) for grid in meshgrid(*given)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All ways to take `r` elements of a vector in its order, a row each."""
    if len(input.spec.shape) != 1:
        raise ShapeError("combinations", "input", expected="one axis", got=input.spec.shape)
    if r < 0:
        raise RangeError("combinations", "r", expected="at least 0", got=r)
    if r == 0:
        return creation.empty(0, dtype=input.spec.dtype, device=input.spec.device)
    take = combinations_with_replacement if with_replacement else choices
    rows = list(take(range(input.spec.numel), r))
    places: Any = creation.tensor(rows, dtype=dtypes.int64, device=input.spec.device)
    return indexing.index(input, (views.reshape(places, (len(rows), r)),))


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """A row of powers for each element of a vector, the highest first: `x**(N-1)` to `x**0`."""
    if len(x.spec.shape) != 1:
        raise ShapeError("vander", "x", expected="one axis", got=x.spec.shape)
    count = x.spec.numel if N is None else N
    if count < 0:
        raise RangeError("vander", "N", expected="at least 0", got=N)
    base: Any = x.long() if x.spec.dtype.kind in ("bool", "int") else x
    size = base.spec.numel
    # Products, not powers: these have every derivative at 0.
    first = filled((size, min(count, 1)), 1, base.spec.dtype, base.spec.device)
    rest = views.expand(views.unsqueeze(base, 1), size, max(count - 1, 0))
    made = reduction.cumprod(joining.cat((first, rest), 1), 1)
    return made if increasing else joining.flip(made, 1)


# positions ----------------------------------------------------------------------------------------


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = dtypes.int64, device: DeviceLike = None
) -> Tensor:
    """Rows and columns, (2, count), of what lies on or below a diagonal of a matrix."""
    return _triangle_indices("tril", row, col, offset, dtype, device)


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: DType = dtypes.int64, device: DeviceLike = None
) -> Tensor:
    """Rows and columns, (2, count), of what lies on or above a diagonal of a matrix."""
    return _triangle_indices("triu", row, col, offset, dtype, device)


def _triangle_indices(
    name: str, row: int, col: int, offset: int, dtype: DType, device: DeviceLike
) -> Any:
    shape = creation.checked_size(f"{name}_indices", (row, col))
    whole = filled(shape, True, dtypes.bool_, resolve_device(device))
    part = getattr(joining, name)(whole, offset)
    return joining.stack(indexing.columns(part), 0).to(dtype)


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Positions in the flattened tensor as positions along the axes of `shape`."""
    sizes = (shape,) if isinstance(shape, int) else shapes.as_ints(shape, "unravel_index", "shape")
    creation.checked_size("unravel_index", sizes)
    rest: Any = as_positions("unravel_index", "indices", indices, indices)
    places: list[Any] = []
    for size in reversed(sizes):
        places.append(elementwise.remainder(rest, size))
        rest = elementwise.floor_divide(rest, size)
    return tuple(reversed(places))
