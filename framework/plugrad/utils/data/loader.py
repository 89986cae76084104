"""DataLoader: batches of a data set, made in this process or in workers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from typing import Any

from plugrad.cuda.devices import is_available
from plugrad.errors import ArgumentError
from plugrad.random import Generator, randint
from plugrad.utils.data.collate import default_collate, default_convert
from plugrad.utils.data.dataset import IterableDataset
from plugrad.utils.data.fetch import fetch, stream
from plugrad.utils.data.iterating import WorkerIterator
from plugrad.utils.data.pool import Pool, default_context
from plugrad.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from plugrad.utils.data.worker import Job


class DataLoader:
    """The batches of a data set, once per `for`.

    The order is the data set's own, a random one (`shuffle`), that of `sampler` (indices) or of
    `batch_sampler` (lists of indices). `collate_fn` makes a batch of a list of samples; with
    `batch_size` None samples come one by one. `generator` draws the random order and, once per
    `for`, the seed of the workers.

    `num_workers` processes make batches ahead, `prefetch_factor` (2 unless said otherwise) each, in
    turns, so that the order is the same for any number of them; not `in_order`, whichever batch is
    ready comes first. Batches come through shared memory. `worker_init_fn(id)` is called in each
    worker before the first batch; `get_worker_info` tells there which worker it is. plugrad's,
    Python's and NumPy's generators of worker `id` are seeded with the epoch's seed plus `id`.
    `persistent_workers` stay for the next `for`; without, starting them costs every epoch what
    importing the program costs.

    An exception in a worker is raised here, of its own class, with its traceback as a note, and the
    next batch can be asked for. A worker that dies, or gives no batch for `timeout` seconds (0 is
    for ever), raises WorkerError at once, and all are ended. Workers end with the iterator, with
    Ctrl-C and with the program, however that ends.

    Processes start afresh ("forkserver" on Linux, "spawn" elsewhere), unless
    `multiprocessing.set_start_method` says otherwise. The data set is then pickled, and the program
    must be importable: what it runs stands under `if __name__ == "__main__":`. Only
    `multiprocessing_context="fork"` gives forked workers. They ask for neither and start at once,
    but have copies of locks and libraries without the threads that these belong to, and may hang
    where the program used threads before, as NumPy, Numba and CUDA do.

    `pin_memory` is what the CUDA backend does for all that it is sent: a batch goes to the device
    by way of page-locked memory, while the program goes on. The batches themselves are in ordinary
    memory, and a warning says so where there is no CUDA device. `pin_memory_device` changes
    nothing.
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
        timeout: float = 0,
        worker_init_fn: Callable[[int], object] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        iterable = isinstance(dataset, IterableDataset)
        _check_order(batch_size, shuffle, sampler, batch_sampler, drop_last, iterable)
        _check_workers(num_workers, timeout, prefetch_factor)
        if not num_workers:
            _check_no_workers(prefetch_factor, persistent_workers, multiprocessing_context)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = _context(multiprocessing_context)
        self.in_order = in_order
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
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
        self._batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)
        self._kept: WorkerIterator | None = None

    def __iter__(self) -> Iterator[Any]:
        if self.pin_memory and not is_available():
            warnings.warn(
                "DataLoader: pin_memory is True, but there is no CUDA device: batches stay in "
                "ordinary memory",
                stacklevel=2,
            )
        # Drawn without workers as well: the order, drawn next, does not depend on their number.
        drawn = randint(0, 1 << 62, (1,), generator=self.generator, device="cpu")
        if self.num_workers:
            return self._of_workers(drawn.item())
        if isinstance(self.dataset, IterableDataset):
            return stream(self.dataset, self.batch_size, self.collate_fn, self.drop_last)
        return (
            fetch(self.dataset, where, self.collate_fn, self._batched) for where in self._order()
        )

    def _order(self) -> Iterable[Any]:
        """Indices, lists of indices, or of a stream `None` for ever."""
        if isinstance(self.dataset, IterableDataset):
            return repeat(None)
        order = self.sampler if self.batch_sampler is None else self.batch_sampler
        assert order is not None
        return order

    def _of_workers(self, seed: int) -> WorkerIterator:
        iterator = self._kept
        if iterator is None or iterator.closed:
            iterator = self._new_workers()
        self._kept = iterator if self.persistent_workers else None
        return iterator.begin(self._order(), seed)

    def _new_workers(self) -> WorkerIterator:
        ahead = self.prefetch_factor
        assert ahead is not None
        job = Job(
            self.dataset,
            self.collate_fn,
            self.worker_init_fn,
            isinstance(self.dataset, IterableDataset),
            self._batched,
            self.batch_size,
            self.drop_last,
        )
        context = self.multiprocessing_context or default_context()
        return WorkerIterator(
            Pool(job, self.num_workers, ahead, context),
            ahead=ahead,
            timeout=self.timeout,
            in_order=self.in_order,
            persistent=self.persistent_workers,
        )

    def __len__(self) -> int:
        """How many batches there are; TypeError if the data set's length is unknown."""
        if isinstance(self.dataset, IterableDataset):
            count: int = len(self.dataset)  # type: ignore[arg-type]
            if self.batch_size is None:
                return count
            return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        counted: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
        return len(counted)


def _refuse(argument: str, expected: str, got: Any) -> None:
    raise ArgumentError("DataLoader", argument, expected=expected, got=got)


def _context(wanted: str | BaseContext | None) -> Any:
    if not isinstance(wanted, str):
        return wanted
    known = get_all_start_methods()
    if wanted not in known:
        _refuse("multiprocessing_context", f"one of {', '.join(known)}", repr(wanted))
    return get_context(wanted)


def _check_workers(num_workers: Any, timeout: float, prefetch_factor: Any) -> None:
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        _refuse("num_workers", "an integer of at least 0", num_workers)
    if timeout < 0:
        _refuse("timeout", "at least 0 seconds, where 0 is for ever", timeout)
    if prefetch_factor is not None and (
        not isinstance(prefetch_factor, int) or prefetch_factor < 1
    ):
        _refuse("prefetch_factor", "an integer of at least 1", prefetch_factor)


def _check_no_workers(
    prefetch_factor: int | None, persistent_workers: bool, multiprocessing_context: Any
) -> None:
    reason = "as num_workers is 0"
    if prefetch_factor is not None:
        _refuse("prefetch_factor", f"None, {reason}", prefetch_factor)
    if persistent_workers:
        _refuse("persistent_workers", f"False, {reason}", persistent_workers)
    if multiprocessing_context is not None:
        _refuse("multiprocessing_context", f"None, {reason}", multiprocessing_context)


def _check_order(
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
    iterable: bool,
) -> None:
    if iterable and shuffle:
        _refuse("shuffle", "None: an IterableDataset has its own order", shuffle)
    if iterable and (sampler is not None or batch_sampler is not None):
        _refuse("sampler", "None: an IterableDataset has its own order", sampler or batch_sampler)
    if sampler is not None and shuffle:
        _refuse("shuffle", "None beside a sampler, which gives the order", shuffle)
    if batch_sampler is not None and (
        batch_size != 1 or shuffle or sampler is not None or drop_last
    ):
        _refuse(
            "batch_sampler",
            "no batch_size, shuffle, sampler or drop_last beside it: it decides them all",
            f"batch_size={batch_size}, shuffle={shuffle}, drop_last={drop_last}",
        )
    if batch_size is None and drop_last:
        _refuse("drop_last", "False where batch_size is None", drop_last)
    if batch_size is not None and (isinstance(batch_size, bool) or batch_size <= 0):
        _refuse("batch_size", "an integer above 0, or None", batch_size)
