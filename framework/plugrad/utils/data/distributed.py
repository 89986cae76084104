"""The share of one process among several that train together."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from plugrad.errors import ArgumentError
from plugrad.random import Generator, randperm
from plugrad.utils.data.sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index from `rank` on, of an order that is the same in all processes.

    The order is random (`shuffle`) by `seed` plus the epoch, which `set_epoch` tells. All shares
    are of one length: with `drop_last` what is left over is dropped, else the first indices come
    again at the end. Nothing here knows of processes: both numbers must be given.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or num_replicas < 1:
            raise ArgumentError(
                "DistributedSampler", "num_replicas", expected="at least 1", got=num_replicas
            )
        if rank is None or not 0 <= rank < num_replicas:
            raise ArgumentError(
                "DistributedSampler", "rank", expected=f"0 to {num_replicas - 1}", got=rank
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0
        size = len(dataset)
        self.num_samples = size // num_replicas if drop_last else -(-size // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        order = list(range(size))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            order = randperm(size, generator=generator, device="cpu").tolist()
        places = range(self.rank, self.total_size, self.num_replicas)
        return iter([order[place % size] for place in places])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Have the next pass in the order of this epoch; call it before each."""
        self.epoch = epoch
