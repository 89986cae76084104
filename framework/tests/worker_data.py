"""Data sets that worker processes import: some misbehave."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import plugrad as pg
from plugrad.utils.data import Dataset, IterableDataset, get_worker_info

BAD = 5


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Record:
    image: Any
    name: str


class Numbers(Dataset):
    """0 to size - 1."""

    def __init__(self, size: int = 12) -> None:
        self.size = size

    def __getitem__(self, index: int) -> Any:
        return index

    def __len__(self) -> int:
        return self.size


class Rows(Numbers):
    """Float tensors of a width that grows with the index."""

    def __getitem__(self, index: int) -> Any:
        return pg.full((1 + index * 100,), float(index))


class Nests(Numbers):
    def __getitem__(self, index: int) -> Any:
        x = pg.full((3,), float(index))
        return {"p": Point(x, np.arange(2.0) + index), "name": str(index), "flag": index > 0}


class Draws(Numbers):
    """Random numbers of each generator, and the seed."""

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        return random.random(), pg.rand(1).item(), np.random.rand(), info.seed


class Stumbles(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == BAD:
            raise KeyError("no", index)
        return index


class StrangeError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class StumblesStrangely(Numbers):
    def __getitem__(self, index: int) -> Any:
        raise StrangeError(1, 2)


class Stops(Numbers):
    def __getitem__(self, index: int) -> Any:
        raise StopIteration


class Dies(Numbers):
    """Kills its process, or ends it."""

    def __init__(self, how: int) -> None:
        super().__init__()
        self.how = how

    def __getitem__(self, index: int) -> Any:
        if index == BAD and self.how < 0:
            os.kill(os.getpid(), -self.how)
        if index == BAD:
            os._exit(self.how)
        return index


class Sleeps(Numbers):
    def __getitem__(self, index: int) -> Any:
        if index == BAD:
            time.sleep(600)
        return index


class DiesUnpickled(Numbers):
    def __setstate__(self, state: Any) -> None:
        raise LookupError("not here")


class Shares(IterableDataset):
    """0 to size - 1, dealt out to the workers; says how many each has at hand."""

    def __init__(self, size: int = 11) -> None:
        self.size = size

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        here, workers = (info.id, info.num_workers) if info else (0, 1)
        return iter(range(here, self.size, workers))


class Whoami(Numbers):
    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        return os.getpid(), info.id, info.num_workers, info.dataset is self, pg.get_num_threads()


class Defaults(Numbers):
    def __getitem__(self, index: int) -> Any:
        return str(pg.get_default_device()), str(pg.get_default_dtype()), index


class Marks(Numbers):
    """What `mark` left behind in its process."""

    def __getitem__(self, index: int) -> Any:
        return os.environ.get("MARK", "")


def mark(worker: int) -> None:
    os.environ["MARK"] = f"worker {worker}"


def stumble(worker: int) -> None:
    raise OSError(f"no licence for {worker}")


def as_list(batch: list[Any]) -> list[Any]:
    return batch


def records(batch: list[Any]) -> Record:
    return Record(pg.stack([pg.tensor([float(each)]) for each in batch]), f"{len(batch)} samples")


def views(batch: list[Any]) -> Any:
    base = pg.arange(6).reshape(2, 3)
    return base.T, base, base, base[:, 1:], pg.nn.Parameter(pg.ones(2)), pg.ones(0, 3)


def lambdas(batch: list[Any]) -> Any:
    return lambda: batch


def wait_for_ever(data: Path) -> None:
    """The program that tests interrupt: says the ids of its workers, then waits for a batch."""
    loader = pg.utils.data.DataLoader(Sleeps(), batch_size=1, num_workers=2)
    iterator = iter(loader)
    next(iterator)
    pids = [worker.process.pid for worker in iterator._pool.workers]
    data.write_text(" ".join(map(str, pids)))
    for _ in iterator:
        pass


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    wait_for_ever(Path(sys.argv[1]))
