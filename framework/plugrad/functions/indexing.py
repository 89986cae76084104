"""Indexing as users call it: `x[key]`, and PyTorch's functions of positions and masks.

A tensor without axes counts as one with a single element wherever an axis is named, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plugrad import creation, dtypes, shapes
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.functions.axes import flat, shaped, with_axis
from plugrad.functions.keys import as_positions, positions, resolve
from plugrad.ops import indexing as ops
from plugrad.ops import views
from plugrad.ops.comparison import where
from plugrad.ops.creation import copy_
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

Number = bool | int | float | complex

# x[key] -------------------------------------------------------------------------------------------


def getitem(input: Tensor, key: Any) -> Tensor:
    """What a key chooses: a copy where tensors take part, else a view."""
    view, entries = resolve("getitem", input, key)
    if not entries:
        return views.view(view, view.spec.shape) if view is input else view
    axis, tensor = entries[0]
    if len(entries) == 1 and axis == 0 and tensor.spec.dtype is dtypes.bool_:
        return ops.masked_select(view, tensor)
    return ops.index(view, positions(entries))


def setitem(input: Tensor, key: Any, value: Any) -> None:
    """Write a number, a tensor or nested sequences, broadcast and cast, where a key chooses.

    Of several values for one place any may win.
    """
    view, entries = resolve("setitem", input, key)
    value = _as_value("setitem", value, view)
    if not entries:
        copy_(view, _without_leading_ones(value, len(view.spec.shape)))
        return
    axis, tensor = entries[0]
    if len(entries) == 1 and tensor.spec.dtype is dtypes.bool_ and value.spec.numel == 1:
        # In front of the mask broadcasting adds axes by itself.
        behind = len(view.spec.shape) - axis - len(tensor.spec.shape)
        mask = views.reshape(tensor, (*tensor.spec.shape, *(1,) * behind))
        ops.masked_fill_(view, mask, views.reshape(value, ()))
        return
    indices = positions(entries)
    taken = [index.spec.shape for index in indices if index is not None]
    chosen = len(view.spec.shape) - len(taken) + max(map(len, taken))
    ops.index_put_(view, indices, _without_leading_ones(value, chosen), False)


def _as_value(operator: str, value: Any, target: Tensor) -> Any:
    """A number, tensor or array with a tensor's dtype, ready to be written into it."""
    spec = target.spec
    if not isinstance(value, (Value, bool, int, float, complex)):
        value = creation.as_tensor(value, device=spec.device)
    if isinstance(value, complex) and not spec.dtype.is_complex:
        raise DtypeError(operator, "value", expected=f"a number for {spec.dtype}", got=value)
    return as_operand(value, spec.dtype, spec.device)


def _without_leading_ones(value: Tensor, ndim: int) -> Tensor:
    shape = value.spec.shape
    extra = len(shape) - ndim
    return views.reshape(value, shape[extra:]) if extra > 0 and max(shape[:extra]) == 1 else value


def index_put(
    input: Tensor, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Tensor:
    """A copy with `values` written, or added, where tensors or masks, one per axis, say."""
    return ops.index_put(*_put(input, indices, values, "index_put"), accumulate)


def index_put_(
    input: Tensor, indices: Sequence[Any], values: Any, accumulate: bool = False
) -> Tensor:
    """`index_put`, in place."""
    return ops.index_put_(*_put(input, indices, values, "index_put_"), accumulate)


def _put(input: Tensor, indices: Sequence[Any], values: Any, operator: str) -> tuple[Any, ...]:
    key: list[Any] = []
    for index in indices:
        if index is not None and not isinstance(index, Value):
            raise ArgumentError(operator, "indices", expected="tensors, or None", got=indices)
        key.append(slice(None) if index is None else with_axis(index))
    _, entries = resolve(operator, input, tuple(key))
    if not isinstance(values, Value):
        values = _as_value(operator, values, input)
    return input, positions(entries), values


# positions along one axis -------------------------------------------------------------------------


@delivers
def gather(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Along axis `dim` the elements at the positions in `index`, whose shape the result has."""
    index = as_positions("gather", "index", index, input)
    if not index.spec.numel:  # of any shape, as PyTorch has it
        return views.reshape(views.slice_dim(flat(input), 0, 0, 0, 1), index.spec.shape)
    x, at, axis = _on_axis(input, index, dim, "gather")
    return shaped(ops.gather(x, at, axis), index.spec.shape)


@delivers
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with `src`, a tensor or a number, written at the positions in `index` along an axis.

    `reduce` "add" or "multiply" combines it with what was there. Of a larger `src` the first
    elements are taken.
    """
    return _scatter(input, dim, index, src if value is None else value, reduce, "scatter")


def scatter_(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
) -> Tensor:
    """`scatter`, in place."""
    return _scatter(input, dim, index, src if value is None else value, reduce, "scatter_")


@delivers
def scatter_add(
    input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None
) -> Tensor:
    """A copy with `src` added at the positions in `index` along axis `dim`."""
    return _scatter(input, dim, index, src, "add", "scatter")


def scatter_add_(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """`scatter_add`, in place."""
    return _scatter(input, dim, index, src, "add", "scatter_")


_SCATTERS = {
    ("scatter", None): ops.scatter,
    ("scatter", "add"): ops.scatter_add,
    ("scatter", "multiply"): ops.scatter_mul,
    ("scatter_", None): ops.scatter_,
    ("scatter_", "add"): ops.scatter_add_,
    ("scatter_", "multiply"): ops.scatter_mul_,
}


def _scatter(
    input: Tensor, dim: int, index: Tensor, source: Any, reduce: str | None, name: str
) -> Tensor:
    write = _SCATTERS.get((name, reduce))
    if write is None:
        raise ArgumentError(name, "reduce", expected="None, 'add' or 'multiply'", got=reduce)
    index = as_positions(name, "index", index, input)
    x, at, axis = _on_axis(input, index, dim, name)
    if not isinstance(source, Value):
        source = views.expand(_as_value(name, source, input), at.spec.shape)
    else:
        source = _first_elements(with_axis(source), at.spec.shape, name)
    result = write(x, at, source, axis)
    return input if name == "scatter_" else shaped(result, input.spec.shape)


def _first_elements(source: Any, shape: tuple[int, ...], operator: str) -> Any:
    sizes = source.spec.shape
    if sizes == shape:
        return source
    if len(sizes) != len(shape) or any(size > room for size, room in zip(shape, sizes)):
        raise ShapeError(
            operator, "src", expected=f"at least the sizes of index, {shape}", got=sizes
        )
    for axis, (size, room) in enumerate(zip(shape, sizes, strict=True)):
        if size != room:
            source = views.slice_dim(source, axis, 0, size, 1)
    return source


@delivers
def take_along_dim(
    input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None
) -> Tensor:
    """`gather` with negative positions and broadcasting; without `dim` in the flattened tensor."""
    index = as_positions("take_along_dim", "indices", indices, input)
    if dim is None:
        input, index, dim = flat(input), flat(index), 0
    x, index, axis = _on_axis(input, index, dim, "take_along_dim")
    size, count = x.spec.shape[axis], index.spec.shape[axis]
    rest = shapes.broadcast_shapes(
        "take_along_dim", _with(x.spec.shape, axis, 1), _with(index.spec.shape, axis, 1)
    )
    index = views.expand(where(index < 0, index + size, index), _with(rest, axis, count))
    return ops.gather(views.expand(x, _with(rest, axis, size)), index, axis)


@delivers
def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements at positions of the flattened tensor, in the shape of `index`."""
    return ops.index(flat(input), (as_positions("take", "index", index, input),))


# whole slices of one axis -------------------------------------------------------------------------


@delivers
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The slices of axis `dim` at the positions in `index`, a vector or a number."""
    x, at, axis = _slices(input, index, dim, "index_select")
    result = ops.index_select(x, at, axis)
    return result if input.spec.shape else shaped(result, ())


@delivers
def index_add(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    *,
    alpha: float = 1,
    out: Tensor | None = None,
) -> Tensor:
    """A copy with `alpha` times the slices of `source` added to those that `index` names."""
    x, at, axis = _slices(input, index, dim, "index_add")
    return shaped(ops.index_add(x, at, _times(source, alpha), axis), input.spec.shape)


def index_add_(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1
) -> Tensor:
    """`index_add`, in place."""
    x, at, axis = _slices(input, index, dim, "index_add_")
    ops.index_add_(x, at, _times(source, alpha), axis)
    return input


@delivers
def index_copy(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None
) -> Tensor:
    """A copy with the slices that `index` names replaced by those of `source`."""
    x, at, axis = _slices(input, index, dim, "index_copy")
    return shaped(ops.index_copy(x, at, with_axis(source), axis), input.spec.shape)


def index_copy_(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """`index_copy`, in place."""
    x, at, axis = _slices(input, index, dim, "index_copy_")
    ops.index_copy_(x, at, with_axis(source), axis)
    return input


@delivers
def index_fill(
    input: Tensor, dim: int, index: Tensor, value: Any, *, out: Tensor | None = None
) -> Tensor:
    """A copy with the slices that `index` names filled with a number."""
    x, at, axis = _slices(input, index, dim, "index_fill")
    filled = ops.index_fill(x, at, _as_value("index_fill", value, input), axis)
    return shaped(filled, input.spec.shape)


def index_fill_(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """`index_fill`, in place."""
    x, at, axis = _slices(input, index, dim, "index_fill_")
    ops.index_fill_(x, at, _as_value("index_fill_", value, input), axis)
    return input


def _times(source: Tensor, alpha: Number) -> Any:
    source = with_axis(source)
    return source if alpha == 1 else source * alpha


# masks --------------------------------------------------------------------------------------------


def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy with a number, or a tensor without axes, where `mask`, broadcast, holds."""
    return ops.masked_fill(input, mask, _as_value("masked_fill", value, input))


def masked_fill_(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """`masked_fill`, in place."""
    return ops.masked_fill_(input, mask, _as_value("masked_fill_", value, input))


@delivers
def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where `mask` holds, after broadcasting the two, along one axis."""
    shape = shapes.broadcast_shapes("masked_select", input.spec.shape, mask.spec.shape)
    expanded = [with_axis(views.expand(each, shape)) for each in (input, mask)]
    return ops.masked_select(*expanded)


@delivers
def nonzero(
    input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None
) -> Tensor | tuple[Tensor, ...]:
    """The positions of the nonzero elements: one row each, or one tensor per axis."""
    return ops.columns(with_axis(input)) if as_tuple else ops.nonzero(input)


def argwhere(input: Tensor) -> Tensor:
    """The positions of the nonzero elements, one row each."""
    return ops.nonzero(input)


# what the functions share ------------------------------------------------------------------------


def _with(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def _on_axis(input: Any, index: Any, dim: int, operator: str) -> tuple[Any, Any, int]:
    axis = shapes.normalize_dim(dim, len(input.spec.shape), operator)
    return with_axis(input), with_axis(index), axis


def _slices(input: Any, index: Any, dim: int, operator: str) -> tuple[Any, Any, int]:
    return _on_axis(input, as_positions(operator, "index", index, input), dim, operator)
