"""Samplers: iterables of the indices, or of the lists of indices, in which a data set is read."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import accumulate, islice
from typing import Any, Generic, TypeVar

from plugrad.dtypes import float64
from plugrad.errors import ArgumentError
from plugrad.random import Generator, rand, randint, randperm

T = TypeVar("T", covariant=True)


class Sampler(Generic[T]):
    """Base of all samplers; a subclass defines `__iter__`, and `__len__` if it knows it."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__()")


class SequentialSampler(Sampler[int]):
    """From first to last."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """In random order, anew each time; with `replacement` an index may come again.

    More samples than there are go through the data several times.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if num_samples is not None and num_samples <= 0:
            raise ArgumentError(
                "RandomSampler", "num_samples", expected="at least 1", got=num_samples
            )
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size, count = len(self.data_source), self.num_samples
        if self.replacement:
            draws = randint(0, size, (count,), generator=self.generator, device="cpu")
            yield from draws.tolist()
            return
        generator = self.generator
        if generator is None:  # later rounds do not depend on what others draw meanwhile
            drawn = randint(0, 1 << 62, (1,), device="cpu")
            generator = Generator().manual_seed(drawn.item())
        while count > 0:
            order = randperm(size, generator=generator, device="cpu").tolist()
            yield from order[:count]
            count -= size

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        order = randperm(len(self.indices), generator=self.generator, device="cpu")
        for position in order.tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices with probabilities in proportion to weights, which need not add up to 1."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.weights = [float(weight) for weight in weights]
        positive = sum(weight > 0 for weight in self.weights)
        if not positive or not all(0 <= weight < math.inf for weight in self.weights):
            raise ArgumentError(
                "WeightedRandomSampler",
                "weights",
                expected="finite numbers not below 0, one of them above",
                got=self.weights,
            )
        if num_samples <= 0:
            raise ArgumentError(
                "WeightedRandomSampler", "num_samples", expected="at least 1", got=num_samples
            )
        if not replacement and num_samples > positive:
            raise ArgumentError(
                "WeightedRandomSampler",
                "num_samples",
                expected=f"at most {positive}, the number of positive weights",
                got=num_samples,
                hint="draw with replacement",
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        return iter(self._with_replacement() if self.replacement else self._without_replacement())

    def _with_replacement(self) -> list[int]:
        ends = list(accumulate(self.weights))
        draws = rand(self.num_samples, dtype=float64, generator=self.generator, device="cpu")
        # A product may round up to the very end, where no index begins.
        last = max(index for index, weight in enumerate(self.weights) if weight)
        return [min(bisect_right(ends, u * ends[-1]), last) for u in draws.tolist()]

    def _without_replacement(self) -> list[int]:
        # P. S. Efraimidis, P. G. Spirakis, Weighted random sampling with a reservoir (2006):
        # whoever waits an exponential time of rate `weight` comes in the order of draws without
        # replacement.
        draws = rand(len(self.weights), dtype=float64, generator=self.generator, device="cpu")
        waits = {
            index: -math.log1p(-u) / weight
            for index, (u, weight) in enumerate(zip(draws.tolist(), self.weights, strict=True))
            if weight
        }
        return sorted(waits, key=waits.__getitem__)[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of a sampler in lists of `batch_size`; the last may be shorter, or is dropped."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
            raise ArgumentError(
                "BatchSampler", "batch_size", expected="an integer above 0", got=batch_size
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        sampler: Any = self.sampler
        full, rest = divmod(len(sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)
