"""Data sets: anything with `__getitem__` and `__len__`, or, of unknown length, with `__iter__`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from plugrad.errors import ArgumentError, KindError, RangeError, ShapeError
from plugrad.random import Generator, randperm
from plugrad.tensor import Tensor

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Samples by index; a subclass defines `__getitem__`, and `__len__` if it is to be shuffled."""

    def __getitem__(self, index: int) -> T:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__()")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Samples one after the other; a subclass defines `__iter__`.

    Each worker of a `DataLoader` reads the whole of it, unless `__iter__` asks `get_worker_info`
    and gives a share only.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is row i of each tensor."""

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset", "tensors", expected="at least one", got="none")
        for position, tensor in enumerate(tensors):
            if tensor.shape[:1] != tensors[0].shape[:1] or not tensor.shape:
                raise ShapeError(
                    "TensorDataset",
                    f"tensors[{position}]",
                    expected=f"as many rows as tensors[0], of shape {tuple(tensors[0].shape)}",
                    got=tuple(tensor.shape),
                )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class Subset(Dataset[T]):
    """The samples of a data set at some indices."""

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> T:
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T]:
        """The samples of several indices, which the data set may give at once."""
        source: Any = self.dataset
        chosen = [self.indices[index] for index in indices]
        if hasattr(source, "__getitems__"):
            return source.__getitems__(chosen)
        return [source[index] for index in chosen]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T]):
    """Several data sets, one after the other."""

    def __init__(self, datasets: Iterable[Dataset[T]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset", "datasets", expected="at least one", got="none")
        for position, dataset in enumerate(self.datasets):
            if isinstance(dataset, IterableDataset):
                raise ArgumentError(
                    "ConcatDataset",
                    f"datasets[{position}]",
                    expected="a data set with indices",
                    got=f"{type(dataset).__name__}, an IterableDataset",
                )
        sizes: Any = self.datasets
        self.cumulative_sizes = list(accumulate(map(len, sizes)))

    def __getitem__(self, index: int) -> T:
        size = len(self)
        if not -size <= index < size:
            raise RangeError("ConcatDataset", "index", expected=f"-{size} to {size - 1}", got=index)
        index %= size
        position = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[position - 1] if position else 0
        return self.datasets[position][index - before]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[T]):
    """Several iterable data sets, one after the other."""

    def __init__(self, datasets: Iterable[IterableDataset[T]]) -> None:
        super().__init__()
        self.datasets = datasets

    def _checked(self) -> Iterator[Any]:
        for position, dataset in enumerate(self.datasets):
            if not isinstance(dataset, IterableDataset):
                raise KindError(
                    "ChainDataset",
                    f"datasets[{position}]",
                    expected="an IterableDataset",
                    got=type(dataset).__name__,
                    hint="ConcatDataset joins data sets with indices",
                )
            yield dataset

    def __iter__(self) -> Iterator[T]:
        for dataset in self._checked():
            yield from dataset

    def __len__(self) -> int:
        return sum(map(len, self._checked()))


class StackDataset(Dataset[Any]):
    """Sample i is the tuple, or the dict, of the samples i of several data sets of one length.

    Positional data sets give tuples, named ones dicts.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ArgumentError(
                "StackDataset",
                "datasets",
                expected="some, either positional or named",
                got="both" if args else "none",
            )
        self.datasets: Any = args or kwargs
        lengths = [len(each) for each in self._parts()]
        self._length = lengths[0]
        if len(set(lengths)) > 1:
            raise ShapeError(
                "StackDataset", "datasets", expected="data sets of one length", got=lengths
            )

    def _parts(self) -> list[Any]:
        named = isinstance(self.datasets, dict)
        return list(self.datasets.values() if named else self.datasets)

    def _sample(self, values: Iterable[Any]) -> Any:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, values, strict=True))
        return tuple(values)

    def __getitem__(self, index: Any) -> Any:
        return self._sample(each[index] for each in self._parts())

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        """The samples of several indices, which each data set may give at once."""
        columns = [
            each.__getitems__(indices)
            if hasattr(each, "__getitems__")
            else [each[index] for index in indices]
            for each in self._parts()
        ]
        return [self._sample(row) for row in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Disjoint random subsets of these lengths, or of these fractions, which add up to 1.

    Fractions are rounded down; what is left over goes to the subsets one by one from the first.
    """
    source: Any = dataset
    total = len(source)
    counts = list(lengths)
    if sum(lengths) <= 1 and math.isclose(sum(lengths), 1):
        counts = [math.floor(total * fraction) for fraction in lengths]
        for position in range(total - sum(counts)):
            counts[position % len(counts)] += 1
    if sum(counts) != total or any(count < 0 for count in counts):
        raise ArgumentError(
            "random_split",
            "lengths",
            expected=f"numbers that add up to {total}, the data set's length, or fractions to 1",
            got=list(lengths),
        )
    order = randperm(total, generator=generator, device="cpu").tolist()
    ends = list(accumulate(map(int, counts)))
    return [
        Subset(dataset, order[end - int(count) : end])
        for end, count in zip(ends, counts, strict=True)
    ]
