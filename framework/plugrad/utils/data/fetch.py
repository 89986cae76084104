"""One batch from a data set: the same in the program itself and in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from plugrad.creation import from_bytes
from plugrad.devices import Device
from plugrad.dtypes import int64
from plugrad.encoding import encode
from plugrad.functions.indexing import index_select
from plugrad.utils.data.collate import default_collate
from plugrad.utils.data.dataset import Subset, TensorDataset

Collate = Callable[[Any], Any]


def fetch(dataset: Any, where: Any, collate_fn: Collate, batched: bool) -> Any:
    """The batch of these indices; if not `batched`, the one sample of this index."""
    if not batched:
        return collate_fn(dataset[where])
    if collate_fn is default_collate:
        rows = _rows_of(dataset, where)
        if rows is not None:
            return rows
    if hasattr(dataset, "__getitems__"):
        return collate_fn(dataset.__getitems__(where))
    return collate_fn([dataset[index] for index in where])


def stream(
    dataset: Any, batch_size: int | None, collate_fn: Collate, drop_last: bool
) -> Iterator[Any]:
    """The batches of an iterable; without `batch_size` its samples."""
    samples = iter(dataset)
    if batch_size is None:
        yield from map(collate_fn, samples)
        return
    while batch := list(islice(samples, batch_size)):
        if len(batch) < batch_size and drop_last:
            return
        yield collate_fn(batch)


def _rows_of(dataset: Any, indices: list[int]) -> list[Any] | None:
    """What `default_collate` would make of these samples of a `TensorDataset`, in one copy per
    tensor.
    """
    while type(dataset) is Subset:
        indices = [dataset.indices[index] for index in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or not indices:
        return None
    if min(indices) < 0:
        indices = [index + len(dataset) if index < 0 else index for index in indices]
    packed, shape = memoryview(encode(indices, int64)), (len(indices),)
    positions: dict[Device, Any] = {}
    for each in dataset.tensors:
        if each.device not in positions:
            positions[each.device] = from_bytes(packed, int64, shape, each.device)
    return [index_select(each, 0, positions[each.device]) for each in dataset.tensors]
