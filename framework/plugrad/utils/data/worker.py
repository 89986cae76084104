"""What a worker process does: make the batches that it is told to make, one answer for each.

A worker ends when its pipe is closed, or when the process that started it is gone.
"""

from __future__ import annotations

import pickle
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import Any, Literal, NamedTuple

from plugrad.devices import Device, set_default_device
from plugrad.dtypes import DType, set_default_dtype
from plugrad.errors import WorkerError
from plugrad.random import manual_seed
from plugrad.threads import set_num_threads
from plugrad.utils.data.fetch import fetch, stream
from plugrad.utils.data.transport import Outbox


@dataclass(frozen=True)
class WorkerInfo:
    """The worker that a data set finds itself in: number `id` of `num_workers`, with its copy of
    the data set, and the seed of its random numbers: the epoch's seed plus `id`.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process of a `DataLoader` who it is, elsewhere None.

    An `IterableDataset` asks so that each worker reads its own share of the stream.
    """
    return _info


@dataclass(frozen=True)
class Job:
    """All that batches are made from, as it goes to each worker."""

    dataset: Any
    collate_fn: Callable[[Any], Any]
    worker_init_fn: Callable[[int], object] | None
    iterable: bool
    batched: bool
    batch_size: int | None
    drop_last: bool


@dataclass(frozen=True)
class Post:
    """One worker's place. `job` is pickled if the worker was not forked; `device` and `dtype` are
    the defaults of the program.
    """

    job: Job | bytes
    id: int
    num_workers: int
    device: Device
    dtype: DType
    prefix: str
    short: int


class Epoch(NamedTuple):
    """Told to a worker: begin anew, with this seed."""

    seed: int


class Task(NamedTuple):
    """Told to a worker: make a batch, of these indices; these segments have been read."""

    where: Any
    read: tuple[int, ...]


class Answer(NamedTuple):
    """What comes back for a task: a "batch", the exception of a "failure", or at the "end" of the
    worker's share of a stream nothing.
    """

    kind: Literal["batch", "failure", "end"]
    content: Any


def work(post: Post, tasks: Connection, answers: Connection, foreign: list[Connection]) -> None:
    """A worker's life. `foreign` are ends of pipes that a forked process holds by accident."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the program's, which ends its workers
    for connection in foreign:
        connection.close()
    set_default_device(post.device)
    set_default_dtype(post.dtype)
    set_num_threads(1)
    outbox = Outbox(post.prefix, post.short)
    maker = _Maker(post)
    program = parent_process()
    assert program is not None
    try:
        while tasks in wait([tasks, program.sentinel]):
            message = tasks.recv()
            if isinstance(message, Epoch):
                maker.begin(message.seed)
                continue
            outbox.reuse(message.read)
            answers.send(_answer(maker, message.where, outbox))
    except (EOFError, ConnectionError):
        pass
    finally:
        outbox.close()


def _answer(maker: _Maker, where: Any, outbox: Outbox) -> Answer:
    if maker.broken is not None:
        return Answer("failure", outbox.pack(maker.broken))
    try:
        batch = maker.make(where)
        if batch is _END:
            return Answer("end", outbox.pack(None))
        return Answer("batch", outbox.pack(batch))
    except Exception as error:
        return Answer("failure", outbox.pack(_portable(error, maker.id)))


_END = object()


class _Maker:
    """Makes batches; `broken` is why it cannot."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._job: Job | None = None
        self._stream: Iterator[Any] = iter(())
        self.broken: Exception | None = None
        self.id = post.id

    def begin(self, seed: int) -> None:
        """Seed everything, and begin the stream anew."""
        seed += self.id
        manual_seed(seed)
        random.seed(seed)
        try:
            job = self._job or self._start(seed)
            self._introduce(job, seed)
            if job.iterable:
                self._stream = stream(job.dataset, job.batch_size, job.collate_fn, job.drop_last)
        except Exception as error:
            self.broken = _portable(error, self.id)

    def _start(self, seed: int) -> Job:
        job = self._post.job
        if isinstance(job, bytes):
            job = pickle.loads(job)
        assert isinstance(job, Job)
        self._introduce(job, seed)
        if job.worker_init_fn is not None:
            job.worker_init_fn(self.id)
        self._job = job
        return job

    def _introduce(self, job: Job, seed: int) -> None:
        global _info
        _info = WorkerInfo(self.id, self._post.num_workers, seed, job.dataset)
        numpy: Any = sys.modules.get("numpy")
        if numpy is not None:  # nothing here needs it, but data sets draw from its generator
            # Python's has the same algorithm, and would draw the same numbers from two words.
            numpy.random.seed([seed & 0xFFFF_FFFF, seed >> 32, 1])

    def make(self, where: Any) -> Any:
        """A batch, or `_END`."""
        job = self._job
        assert job is not None
        if job.iterable:
            return next(self._stream, _END)
        try:
            return fetch(job.dataset, where, job.collate_fn, job.batched)
        except StopIteration as error:  # would end the program's loop without a word
            raise RuntimeError("the data set raised StopIteration") from error


def _portable(error: Exception, worker: int) -> Exception:
    """The error with its traceback as a note, if it survives the way; else one that tells of it."""
    text = "".join(traceback.format_exception(error)).rstrip()
    error.add_note(f"raised in worker {worker} of the DataLoader, there:\n{text}")
    try:
        twin = pickle.loads(pickle.dumps(error))
        if type(twin) is type(error):
            return error
    except Exception:
        pass
    told = WorkerError(worker, f"raised {type(error).__name__}, which cannot be pickled: {error}")
    told.add_note(error.__notes__[-1])
    return told
