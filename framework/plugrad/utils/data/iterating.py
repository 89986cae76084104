"""One pass over a data set with workers: who makes which batch, and whose turn it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Self

from plugrad.utils.data.pool import Pool, Worker


class WorkerIterator:
    """Batches as they come from a pool's workers, which take turns.

    `begin` starts a pass over `order`, one entry for each batch. At any time each worker has
    `ahead` batches to make. A pass that ends by itself closes the pool unless it is `persistent`;
    an exception of the data set leaves it as it is, so that the next batch can be asked for.
    """

    def __init__(
        self, pool: Pool, *, ahead: int, timeout: float, in_order: bool, persistent: bool
    ) -> None:
        self._pool = pool
        self._ahead = ahead
        self._timeout = timeout
        self._in_order = in_order
        self._persistent = persistent
        self._order: Iterator[Any] = iter(())
        # The worker of each batch that was asked for, in the order of the batches.
        self._turns: deque[Worker] = deque()

    def begin(self, order: Iterable[Any], seed: int) -> Self:
        """Begin a pass, and forget what is left of the one before."""
        self._order = iter(order)
        self._turns.clear()
        self._pool.begin(seed)
        for _ in range(self._ahead):
            for worker in self._pool.workers:
                self._ask(worker)
        return self

    def _ask(self, worker: Worker) -> None:
        for where in self._order:
            worker.ask(where)
            self._turns.append(worker)
            return

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while self._turns:
            worker, (kind, content) = self._receive()
            if kind == "end":
                continue
            self._ask(worker)
            if kind == "batch":
                return content
            try:
                raise content
            finally:
                del content  # or it would keep this frame, and the workers, alive by its traceback
        if not self._persistent:
            self._pool.close()
        raise StopIteration

    def _receive(self) -> Any:
        candidates = [self._turns[0]] if self._in_order else dict.fromkeys(self._turns)
        try:
            worker, answer = self._pool.receive(candidates, self._timeout)
        except BaseException:
            self.close()
            raise
        self._turns.remove(worker)
        return worker, answer

    @property
    def closed(self) -> bool:
        """Whether there are no workers any more."""
        return not self._pool.workers

    def close(self) -> None:
        """End the workers."""
        self._turns.clear()
        self._pool.close()
