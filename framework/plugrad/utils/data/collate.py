"""From a list of samples to one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugrad.creation import as_tensor, tensor
from plugrad.dtypes import float64
from plugrad.errors import KindError, ShapeError
from plugrad.functions.joining import stack
from plugrad.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Tensors, arrays and numbers are stacked along a new first axis; strings stay a list.

    Dicts, named tuples and sequences are collated field by field; a tuple becomes a list. Python
    floats give float64.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, (bool, int, complex)):
        return tensor(list(batch))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _rebuilt(
            first, {key: default_collate([each[key] for each in batch]) for key in first}
        )
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*_columns(batch))
    if isinstance(first, tuple):
        return _columns(batch)
    if isinstance(first, Sequence):
        return _rebuilt(first, _columns(batch))
    if _is_array(first):
        return stack([as_tensor(each) for each in batch])
    raise KindError(
        "default_collate",
        "batch",
        expected="tensors, arrays, numbers, strings, or dicts and sequences of them",
        got=type(first).__name__,
        hint="pass a collate_fn of your own",
    )


def default_convert(data: Any) -> Any:
    """Arrays become tensors, also inside dicts, named tuples and sequences; all else stays."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(each) for key, each in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(each) for each in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(each) for each in data])
    return as_tensor(data) if _is_array(data) else data


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and value.dtype.kind in "biufcV"


def _columns(batch: Sequence[Any]) -> list[Any]:
    sizes = {len(sample) for sample in batch}
    if len(sizes) > 1:
        raise ShapeError(
            "default_collate",
            "batch",
            expected="samples of equal length",
            got=f"lengths {sorted(sizes)}",
        )
    return [default_collate(column) for column in zip(*batch, strict=True)]


def _rebuilt(model: Any, collated: Any) -> Any:
    """In the class of the samples, if that can be made from one dict or list."""
    try:
        return type(model)(collated)
    except TypeError:
        return collated
