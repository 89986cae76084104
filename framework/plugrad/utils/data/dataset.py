"""Data sets: anything with `__getitem__` and `__len__`, or, of unknown length, with `__iter__`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from plugrad.errors import ArgumentError, RangeError, ShapeError
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
    """Samples one after the other; a subclass defines `__iter__`."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")


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
