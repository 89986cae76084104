"""The worker processes of a `DataLoader`, seen from the program that started them.

Each worker has two pipes of its own and no lock is shared: one that is killed takes nobody along.
Whoever waits for an answer waits for the ends of the processes as well. No thread is started.
"""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import sys
import time
import weakref
from collections.abc import Collection
from contextlib import suppress
from multiprocessing import get_context, get_start_method
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from plugrad.devices import get_default_device
from plugrad.dtypes import get_default_dtype
from plugrad.errors import KindError, WorkerError
from plugrad.utils.data.transport import Inbox, start_tracking
from plugrad.utils.data.worker import Answer, Epoch, Job, Post, Task, work

_PIPE = 1 << 15  # bytes that fit into a pipe while nobody reads
_GRACE = 2.0  # seconds that workers are given to end by themselves


def default_context() -> Any:
    """What `multiprocessing.set_start_method` chose if not "fork", else what Python takes from 3.14
    on: processes that start afresh, as threads and locks do not survive a fork.
    """
    # "fork" may be a choice of nobody: multiprocessing puts it there as soon as it is used.
    chosen = get_start_method(allow_none=True)
    fresh = "forkserver" if sys.platform == "linux" else "spawn"
    return get_context(fresh if chosen in (None, "fork") else chosen)


class Pool:
    """So many workers, each making batches of one job, at most `ahead` before they are wanted."""

    def __init__(self, job: Job, count: int, ahead: int, context: Any) -> None:
        method = context.get_start_method()
        given = job if method == "fork" else _pickled(job)
        if method == "forkserver":
            # Its server, if this is the first start, imports for all workers; no thread comes with
            # these modules, and no NumPy.
            context.set_forkserver_preload(["__main__", work.__module__])
        start_tracking()
        token = secrets.token_hex(4)
        self.workers: list[Worker] = []
        # Before the first start, so that one that fails or is interrupted leaves no process behind.
        self.close = weakref.finalize(self, _end, self.workers, os.getpid())
        for number in range(count):
            post = Post(
                given,
                number,
                count,
                get_default_device(),
                get_default_dtype(),
                f"plugrad_{token}_{number}_",
                _PIPE // (ahead + 1),
            )
            worker = Worker(number, Inbox(post.prefix), context)
            self.workers.append(worker)
            worker.start(post, self.workers)

    def begin(self, seed: int) -> None:
        """Have all workers begin an epoch; what they still owe will be thrown away."""
        for worker in self.workers:
            worker.begin(seed)

    def receive(self, candidates: Collection[Worker], timeout: float) -> tuple[Worker, Answer]:
        """The first answer of one of these workers, and whose it is.

        Raises WorkerError if a worker has died, or after `timeout` seconds, where 0 is never.
        """
        deadline = time.monotonic() + timeout if timeout else None
        ends = [worker.process.sentinel for worker in self.workers]
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait([*[worker.answers for worker in candidates], *ends], left)
            speaking = [worker for worker in candidates if worker.answers in ready]
            if not speaking:
                self._complain(ready, candidates, timeout)
            for worker in speaking:
                try:
                    answer = worker.receive()
                except (EOFError, ConnectionError):
                    raise worker.death() from None
                if answer is not None:
                    return worker, answer

    def _complain(self, ready: Any, candidates: Collection[Worker], timeout: float) -> None:
        for worker in self.workers:
            if worker.process.sentinel in ready:
                raise worker.death()
        worker = next(iter(candidates))
        raise WorkerError(
            worker.number,
            f"gave no batch within {timeout:g} seconds",
            hint="give it more time, or look at what the data set waits for",
        )


class Worker:
    """One worker: its process, and the program's ends of its pipes."""

    def __init__(self, number: int, inbox: Inbox, context: Any) -> None:
        self.number = number
        self.process: Any = None
        self._context = context
        self._inbox = inbox
        theirs, self.tasks = context.Pipe(duplex=False)
        self.answers, their_answers = context.Pipe(duplex=False)
        self._theirs = [theirs, their_answers]
        self._owed = self._stale = 0

    def start(self, post: Post, family: list[Worker]) -> None:
        """Start the process. A forked one is born with the pipes of the `family`, and closes
        them.
        """
        forked = self._context.get_start_method() == "fork"
        foreign = [end for each in family for end in (each.tasks, each.answers)] if forked else []
        self.process = self._context.Process(
            target=work,
            args=(post, *self._theirs, foreign),
            name=f"DataLoader worker {self.number}",
            daemon=True,
        )
        self.process.start()
        for end in self._theirs:
            end.close()

    @property
    def started(self) -> bool:
        """Whether there is a process to end."""
        return self.process is not None and self.process.pid is not None

    def begin(self, seed: int) -> None:
        """Begin an epoch."""
        self._stale = self._owed
        self._send(Epoch(seed))

    def ask(self, where: Any) -> None:
        """Have a batch made of these indices."""
        self._owed += 1
        self._send(Task(where, self._inbox.take_read()))

    def _send(self, message: Epoch | Task) -> None:
        # A worker that is gone is reported where its answer is waited for.
        with suppress(ConnectionError):
            self.tasks.send(message)

    def receive(self) -> Answer | None:
        """What the worker has said; None if it belongs to an epoch that is over."""
        answer: Answer = self.answers.recv()
        self._owed -= 1
        if self._stale:
            self._stale -= 1
            self._inbox.skip(answer.content)
            return None
        return answer._replace(content=self._inbox.unpack(answer.content))

    def death(self) -> WorkerError:
        """What can be said of the process's end."""
        self.process.join(_GRACE)
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            problem = f"(process {self.process.pid}) was killed by {name}"
            return WorkerError(self.number, problem, hint=_HINTS.get(name, ""))
        return WorkerError(
            self.number,
            f"(process {self.process.pid}) ended with exit code {code}",
            hint="it says why above; a program that starts workers must be importable, with what "
            'it runs under `if __name__ == "__main__":`',
        )

    def dismiss(self) -> None:
        """Let the process end by itself."""
        self.tasks.close()

    def bury(self) -> None:
        """Free everything; the process must have ended."""
        self.answers.close()
        for end in self._theirs:
            end.close()
        self._inbox.close()
        if self.started:
            self.process.join()
            self.process.close()


_HINTS = {
    "SIGKILL": "the system does so when it is out of memory",
    "SIGBUS": "so it goes when shared memory (/dev/shm) is full: use smaller batches, fewer "
    "workers or a lower prefetch_factor",
}


def _end(workers: list[Worker], program: int) -> None:
    """Leave nothing behind: no process, no file descriptor, no shared memory."""
    if os.getpid() != program:
        return  # a fork of the program: the workers are not its children
    for worker in workers:
        worker.dismiss()
    started = [worker.process for worker in workers if worker.started]
    _wait_for(started)
    for process in started:
        process.terminate()
    _wait_for(started)
    for process in started:
        process.kill()
    for worker in workers:
        worker.bury()
    workers.clear()


def _wait_for(processes: list[Any]) -> None:
    deadline = time.monotonic() + _GRACE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


def _pickled(job: Job) -> bytes:
    try:
        return bytes(ForkingPickler.dumps(job))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise KindError(
            "DataLoader",
            "dataset",
            expected="a data set, collate_fn and worker_init_fn that can be pickled, as "
            "num_workers is not 0",
            got=f"an obstacle: {error}",
            hint="define classes and functions at the top of a module; "
            'multiprocessing_context="fork" does without, but is safe in programs without '
            "threads only",
        ) from error
