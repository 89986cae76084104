"""DataLoader: batches of a data set, made in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from plugrad.creation import from_bytes
from plugrad.devices import Device
from plugrad.dtypes import int64
from plugrad.encoding import encode
from plugrad.errors import ArgumentError
from plugrad.functions.indexing import index_select
from plugrad.random import Generator
from plugrad.utils.data.collate import default_collate
from plugrad.utils.data.dataset import IterableDataset, Subset, TensorDataset
from plugrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler


class DataLoader:
    """The batches of a data set, once per `for`.

    The order is the data set's own, a random one (`shuffle`), that of `sampler` (indices) or of
    `batch_sampler` (lists of indices). `collate_fn` makes a batch of a list of samples; with
    `batch_size` None samples come one by one. `generator` draws the random order. Batches are made
    in this process: `num_workers` is 0; `pin_memory` changes nothing.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
    ) -> None:
        if num_workers:
            raise ArgumentError(
                "DataLoader",
                "num_workers",
                expected="0: batches are made in this process; worker processes are not there yet",
                got=num_workers,
            )
        iterable = isinstance(dataset, IterableDataset)
        _check_order(batch_size, shuffle, sampler, batch_sampler, drop_last, iterable)
        self.dataset = dataset
        self.num_workers = 0
        self.pin_memory = pin_memory
        self.generator = generator
        self.drop_last = drop_last
        self.batch_size = batch_size if batch_sampler is None else None
        if sampler is None and not iterable:
            order = RandomSampler(dataset, generator=generator) if shuffle else None
            sampler = order or SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None and sampler is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else _as_it_is)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            return self._of_stream()
        if self.batch_sampler is not None:
            return self._of_batches(self.batch_sampler)
        assert self.sampler is not None
        return (self.collate_fn(self.dataset[index]) for index in self.sampler)

    def _of_batches(self, batches: Iterable[list[Any]]) -> Iterator[Any]:
        plain = self.collate_fn is default_collate
        for indices in batches:
            rows = _rows_of(self.dataset, indices) if plain else None
            if rows is None:
                rows = self.collate_fn([self.dataset[index] for index in indices])
            yield rows

    def _of_stream(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        if self.batch_size is None:
            yield from map(self.collate_fn, samples)
            return
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield self.collate_fn(batch)

    def __len__(self) -> int:
        """How many batches there are; TypeError if the data set's length is unknown."""
        if isinstance(self.dataset, IterableDataset):
            count: int = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return count
            return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        counted: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
        return len(counted)


def _check_order(
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
    iterable: bool,
) -> None:
    def refuse(argument: str, expected: str, got: Any) -> None:
        raise ArgumentError("DataLoader", argument, expected=expected, got=got)

    if iterable and shuffle:
        refuse("shuffle", "None: an IterableDataset has its own order", shuffle)
    if iterable and (sampler is not None or batch_sampler is not None):
        refuse("sampler", "None: an IterableDataset has its own order", sampler or batch_sampler)
    if sampler is not None and shuffle:
        refuse("shuffle", "None beside a sampler, which gives the order", shuffle)
    if batch_sampler is not None and (
        batch_size != 1 or shuffle or sampler is not None or drop_last
    ):
        refuse(
            "batch_sampler",
            "no batch_size, shuffle, sampler or drop_last beside it: it decides them all",
            f"batch_size={batch_size}, shuffle={shuffle}, drop_last={drop_last}",
        )
    if batch_size is None and drop_last:
        refuse("drop_last", "False where batch_size is None", drop_last)
    if batch_size is not None and (isinstance(batch_size, bool) or batch_size <= 0):
        refuse("batch_size", "an integer above 0, or None", batch_size)


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


def _as_it_is(sample: Any) -> Any:
    return sample
