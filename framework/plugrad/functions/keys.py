"""What stands between the brackets of `x[...]`: a view of `x`, and positions or masks for its axes.

The rules are PyTorch's. NumPy's differ twice where arrays take part: it counts a number as one of
them, and takes them for parted by an Ellipsis that stands for no axis. A list is the array that it
makes, as in NumPy, never a tuple.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as as_int
from typing import TYPE_CHECKING, Any, cast

from plugrad import creation, dtypes, geometry
from plugrad.constants import constant
from plugrad.devices import META
from plugrad.errors import DtypeError, RangeError
from plugrad.families import as_operand
from plugrad.ops import indexing, views
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

# An axis of the view, and an int64 tensor for it, or a bool tensor for it and the next.
Entry = tuple[int, "Tensor"]

_EVERYTHING = slice(None)
_ARRAY_PROTOCOLS = ("__array_interface__", "__dlpack__", "__cuda_array_interface__")


def resolve(operator: str, x: Tensor, key: Any) -> tuple[Tensor, list[Entry]]:
    """The view that the numbers, slices and new axes of a key make, and the tensors of the key."""
    kind = type(key)
    if kind is int:
        return select(operator, x, 0, 0, key, x), []
    if kind is slice:
        return _slice(operator, x, 0, 0, key, x), []
    shape = x.spec.shape
    if isinstance(key, Value) and key.spec.dtype is dtypes.int64 and key.spec.shape and shape:
        return x, [(0, cast("Tensor", key))]
    parts: Any = key if kind is tuple else (key,)
    items = [_item(operator, x, item) for item in parts]
    used = sum(map(_axes_used, items))
    if used > len(shape):
        raise RangeError(
            operator, "key", expected=f"at most {len(shape)} indices, for {shape}", got=used
        )
    return _walk(operator, x, items, len(shape) - used)


def _walk(operator: str, x: Tensor, items: list[Any], skipped: int) -> tuple[Tensor, list[Entry]]:
    view = x
    entries: list[Entry] = []
    source = axis = 0  # the axis of x, and of the view, that the next item is for
    for item in items:
        if item is Ellipsis:
            source, axis, skipped = source + skipped, axis + skipped, 0
        elif type(item) is int:
            view = select(operator, view, axis, source, item, x)
            source += 1
        elif type(item) is slice:
            if item != _EVERYTHING:
                view = _slice(operator, view, axis, source, item, x)
            source, axis = source + 1, axis + 1
        elif item is None:
            view = _with_new_axis(view, axis)
            axis += 1
        elif item.spec.dtype is not dtypes.bool_:
            entries.append((axis, item))
            source, axis = source + 1, axis + 1
        elif not item.spec.shape:
            # One element of a new axis, or none.
            view = _with_new_axis(view, axis)
            entries.append((axis, views.view(item, (1,))))
            axis += 1
        else:
            _check_mask(operator, x.spec.shape, source, item.spec.shape)
            entries.append((axis, item))
            source, axis = source + len(item.spec.shape), axis + len(item.spec.shape)
    return view, entries


def positions(entries: list[Entry]) -> tuple[Tensor | None, ...]:
    """The entries as one tensor of positions, or `None`, per axis."""
    indices: list[Tensor | None] = []
    for axis, tensor in entries:
        indices += [None] * (axis - len(indices))
        indices += indexing.columns(tensor) if tensor.dtype is dtypes.bool_ else (tensor,)
    return tuple(indices)


def as_positions(operator: str, argument: str, index: Any, x: Tensor) -> Tensor:
    """A tensor of integers, or what makes one, as int64."""
    tensor = _as_tensor(operator, argument, index, x)
    dtype = tensor.spec.dtype
    if dtype is dtypes.int64:
        return tensor
    if dtype.kind != "int":
        raise DtypeError(
            operator,
            argument,
            expected="positions of an integer dtype",
            got=dtype,
            hint="cast them with .long()",
        )
    return as_operand(tensor, dtypes.int64, None)


def select(operator: str, view: Tensor, axis: int, source: int, position: int, x: Tensor) -> Tensor:
    """One position of an axis of a view, which stands for the axis `source` of `x`."""
    shape = x.spec.shape
    if not shape:
        raise RangeError(
            operator,
            "key",
            expected="no index: the tensor has no axes",
            got=position,
            hint="item() gives its number",
        )
    size = shape[source]
    if not -size <= position < size:
        raise RangeError(
            operator,
            "key",
            expected=f"an index from {-size} to {size - 1} along axis {source} of {shape}",
            got=position,
        )
    return views.select(view, axis, position)


def _slice(operator: str, view: Tensor, axis: int, source: int, item: slice, x: Tensor) -> Tensor:
    shape = x.spec.shape
    if not shape:
        raise RangeError(
            operator, "key", expected="no slice: the tensor has no axes", got=item, hint="use ..."
        )
    bounds = geometry.slice_bounds(shape[source], item.start, item.stop, item.step, operator)
    return views.slice_dim(view, axis, *bounds)


def _item(operator: str, x: Tensor, item: Any) -> Any:
    """A number, a slice, `None`, Ellipsis, or a tensor of int64 or bool."""
    kind = type(item)
    if item is None or item is Ellipsis or kind is int or kind is slice:
        return item
    if kind is bool:
        return constant(item, dtypes.bool_, x.spec.device)
    if isinstance(item, Value):
        tensor: Any = item
    else:
        try:
            return as_int(item)
        except TypeError:
            tensor = _as_tensor(operator, "key", item, x)
    spec = tensor.spec
    if spec.dtype is dtypes.bool_:
        return tensor
    if spec.dtype is dtypes.uint8:
        raise DtypeError(
            operator,
            "key",
            expected="a bool mask, or positions of a signed integer dtype",
            got=spec.dtype,
            hint="uint8 may mean either: cast it with .bool() or .long()",
        )
    tensor = as_positions(operator, "key", tensor, x)
    # A single position is a number; its value is at hand except in a transform and without data.
    if not spec.shape and not tensor.level and spec.device.type != META:
        return int(tensor.item())
    return tensor


def _as_tensor(operator: str, argument: str, data: Any, x: Tensor) -> Any:
    if isinstance(data, Value):
        return data
    array = any([hasattr(data, protocol) for protocol in _ARRAY_PROTOCOLS])
    if isinstance(data, str) or not (array or isinstance(data, (Sequence, float, complex))):
        raise DtypeError(
            operator,
            argument,
            expected="integers, slices, None, Ellipsis, and arrays of integers or bools",
            got=type(data).__name__,
        )
    device = x.spec.device
    tensor: Any = creation.as_tensor(data, device=device)
    # An empty sequence says nothing of its dtype.
    if isinstance(data, Sequence) and not tensor.spec.numel:
        return as_operand(tensor, dtypes.int64, device)
    return tensor


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    if isinstance(item, Value) and item.spec.dtype is dtypes.bool_:
        return len(item.spec.shape)
    return 1


def _with_new_axis(view: Tensor, axis: int) -> Tensor:
    shape = view.spec.shape
    return views.view(view, (*shape[:axis], 1, *shape[axis:]))


def _check_mask(operator: str, shape: tuple[int, ...], axis: int, mask: tuple[int, ...]) -> None:
    wanted = shape[axis : axis + len(mask)]
    if mask != wanted:
        raise RangeError(
            operator,
            "key",
            expected=f"a mask of shape {wanted}, for the axes from {axis} on of {shape}",
            got=mask,
        )
