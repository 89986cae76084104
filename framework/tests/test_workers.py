"""The loader's workers: the same batches, nothing left behind, what goes wrong said at once."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, KindError, WorkerError
from plugrad.utils.data import DataLoader, Subset, TensorDataset, get_worker_info

from . import worker_data as data

CHECKOUT = Path(__file__).parents[2]
SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers import the data sets by the name that they have here."""
    monkeypatch.syspath_prepend(str(CHECKOUT))


def segments() -> set[str]:
    return {each.name for each in SHARED_MEMORY.glob("plugrad_*")}


def lasting(names: set[str]) -> set[str]:
    """Those that are still there in ten seconds: another process tests too, and has segments each
    for a moment.
    """
    deadline = time.monotonic() + 10
    while names and time.monotonic() < deadline:
        time.sleep(0.05)
        names = names & segments()
    return names


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    before = segments()
    yield
    gc.collect()
    assert not lasting(segments() - before)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone_within(seconds: float, pids: list[int]) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(alive, pids))


def stream(seed: int = 0) -> pg.Generator:
    return pg.Generator().manual_seed(seed)


def flat(batches: Iterable[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(batches))


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


# the same batches ---------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_the_order_does_not_depend_on_the_number_of_workers(batch_size: int | None) -> None:
    def epochs(workers: int) -> Any:
        loader = DataLoader(
            data.Numbers(23), batch_size, shuffle=True, num_workers=workers, generator=stream(3)
        )
        batches = [[pg.as_tensor(batch).tolist() for batch in loader] for _ in range(2)]
        return batches, loader.generator.get_state().tolist()

    alone = epochs(0)
    assert sorted(flat(alone[0][0]) if batch_size else alone[0][0]) == list(range(23))
    assert epochs(1) == alone
    assert epochs(3) == alone


def test_the_default_generator_decides_the_order_as_well() -> None:
    def order(workers: int) -> list[Any]:
        pg.manual_seed(5)
        loader = DataLoader(data.Numbers(), 4, shuffle=True, num_workers=workers)
        return [batch.tolist() for batch in loader]

    assert order(2) == order(0)


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_every_start_method_gives_the_same(method: str) -> None:
    if method == "fork" and sys.version_info >= (3, 12):
        pytest.skip("Python 3.12 and later warn of a fork where there are threads")
    loader = DataLoader(data.Nests(5), 2, num_workers=2, multiprocessing_context=method)
    for batch, expected in zip(loader, DataLoader(data.Nests(5), 2), strict=True):
        assert batch["p"].x.tolist() == expected["p"].x.tolist()
        assert (batch["p"].y.dtype, batch["p"].y.tolist()) == (
            pg.float64,
            expected["p"].y.tolist(),
        )
        assert batch["name"] == expected["name"]
        assert batch["flag"].tolist() == expected["flag"].tolist()


def test_rows_of_tensors_come_from_workers_too() -> None:
    tensors = TensorDataset(pg.arange(20.0).reshape(10, 2), pg.arange(10))
    part = Subset(tensors, [3, 1, 8])
    batches = [[t.tolist() for t in batch] for batch in DataLoader(part, 2, num_workers=2)]
    assert batches == [[[[6.0, 7.0], [2.0, 3.0]], [3, 1]], [[[16.0, 17.0]], [8]]]


def test_batches_that_grow_and_shrink_keep_their_values() -> None:
    order = [*range(12), 0, 11, 3]
    loader = DataLoader(data.Rows(), None, sampler=order, num_workers=2, prefetch_factor=3)
    kept = list(loader)  # none of which may change when the memory it came in is used again
    assert [(row[0].item(), row.numel()) for row in kept] == [(i, 1 + 100 * i) for i in order]
    assert all([row.min().item() == row.max().item() for row in kept])


def test_what_a_collate_fn_makes_arrives_as_it_is() -> None:
    (record,) = DataLoader(data.Numbers(2), 2, num_workers=1, collate_fn=data.records)
    assert (record.image.tolist(), record.name) == ([[0.0], [1.0]], "2 samples")
    (made,) = DataLoader(data.Numbers(1), num_workers=1, collate_fn=data.views)
    turned, base, again, cut, parameter, empty = made
    assert turned.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert base is again
    assert cut.tolist() == [[1, 2], [4, 5]]
    assert isinstance(parameter, pg.nn.Parameter)
    assert parameter.requires_grad
    assert tuple(empty.shape) == (0, 3)


def test_arrays_have_memory_of_their_own() -> None:
    loader = DataLoader(data.Nests(40), 1, num_workers=1, collate_fn=data.as_list)
    arrays = [batch[0]["p"].y for batch in loader]
    assert all([type(array) is np.ndarray and array.flags.writeable for array in arrays])
    assert [array.tolist() for array in arrays] == [[i, i + 1.0] for i in range(40)]


def test_batches_that_are_ready_first_may_come_first() -> None:
    loader = DataLoader(data.Numbers(20), 3, num_workers=3, in_order=False)
    for _ in range(2):
        assert sorted(flat(batch.tolist() for batch in loader)) == list(range(20))


# streams ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_share_a_stream(workers: int) -> None:
    loader = DataLoader(data.Shares(), 2, num_workers=workers)
    for _ in range(2):
        batches = [batch.tolist() for batch in loader]
        assert sorted(flat(batches)) == list(range(11))
    if workers == 3:
        # 0 3 6 9, 1 4 7 10 and 2 5 8, in turns
        assert batches == [[0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8]]


def test_each_worker_drops_its_own_rest_of_a_stream() -> None:
    loader = DataLoader(data.Shares(), 2, num_workers=2, drop_last=True)
    assert [batch.tolist() for batch in loader] == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10]]


def test_samples_of_a_stream_come_one_by_one_without_a_batch_size() -> None:
    assert list(DataLoader(data.Shares(5), None, num_workers=2)) == [0, 1, 2, 3, 4]


# random numbers, and who a worker is --------------------------------------------------------------


def test_workers_draw_the_same_numbers_for_a_seed_and_others_than_their_neighbours() -> None:
    def drawn(seed: int, **options: Any) -> Any:
        loader = DataLoader(data.Draws(4), None, num_workers=2, generator=stream(seed), **options)
        return [list(loader) for _ in range(2)]

    first, second = drawn(1)
    flat = [number for sample in first + second for number in sample[:3]]
    assert len(set(flat)) == len(flat)
    assert first[1][3] == first[0][3] + 1
    assert drawn(1) == [first, second]
    assert drawn(1, persistent_workers=True) == [first, second]
    assert drawn(2)[0] != first


def test_a_worker_knows_who_it_is_and_takes_one_thread() -> None:
    assert get_worker_info() is None
    seen = list(DataLoader(data.Whoami(4), None, num_workers=2))
    assert [each[1:] for each in seen] == [[0, 2, True, 1], [1, 2, True, 1]] * 2
    assert os.getpid() not in {each[0] for each in seen}


def test_a_worker_has_the_programs_defaults() -> None:
    pg.set_default_dtype(pg.float64)
    try:
        with pg.device("meta"):
            loader = DataLoader(data.Defaults(1), None, num_workers=1)
            assert list(loader) == [["meta", "plugrad.float64", 0]]
    finally:
        pg.set_default_dtype(pg.float32)


def test_worker_init_fn_is_called_in_each_worker() -> None:
    loader = DataLoader(data.Marks(2), None, num_workers=2, worker_init_fn=data.mark)
    assert list(loader) == ["worker 0", "worker 1"]
    assert "MARK" not in os.environ


def test_persistent_workers_stay() -> None:
    loader = DataLoader(data.Whoami(2), None, num_workers=2, persistent_workers=True)
    first, second = [[sample[0] for sample in loader] for _ in range(2)]
    assert first == second
    other = DataLoader(data.Whoami(2), None, num_workers=2)
    assert not {s[0] for s in other} & {s[0] for s in other}
    del loader
    gc.collect()
    assert gone_within(10, first)


def test_an_epoch_that_was_left_does_not_reach_into_the_next() -> None:
    loader = DataLoader(
        data.Rows(), None, num_workers=2, persistent_workers=True, prefetch_factor=4
    )
    for _ in range(3):
        assert next(iter(loader)).numel() == 1
    assert [row.numel() for row in loader] == [1 + 100 * i for i in range(12)]


# what goes wrong ----------------------------------------------------------------------------------


def test_an_exception_arrives_in_its_class_with_its_traceback_and_the_next_batch_after_it() -> None:
    iterator = iter(DataLoader(data.Stumbles(8), 2, num_workers=2))
    assert [next(iterator).tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(KeyError) as caught:
        next(iterator)
    assert caught.value.args == ("no", data.BAD)
    (note,) = caught.value.__notes__
    assert note.startswith("raised in worker 0 of the DataLoader")
    assert 'raise KeyError("no", index)' in note
    assert [batch.tolist() for batch in iterator] == [[6, 7]]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"dataset": data.StumblesStrangely()}, WorkerError, "StrangeError.*pickled: 1 and 2"),
        ({"dataset": data.Stops()}, RuntimeError, "raised StopIteration"),
        ({"collate_fn": data.lambdas}, Exception, "pickle"),
        ({"worker_init_fn": data.stumble}, OSError, "no licence for 0"),
        ({"dataset": data.DiesUnpickled()}, LookupError, "not here"),
    ],
    ids=["cannot be pickled", "stop", "batch", "init", "unpickling"],
)
def test_other_errors_of_a_worker_arrive(options: Any, error: Any, said: str) -> None:
    loader = DataLoader(**{"dataset": data.Numbers(), "num_workers": 2, **options})
    with pytest.raises(error, match=said) as caught:
        list(loader)
    assert "in worker 0" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (-signal.SIGKILL, r"worker 1 .*\(process \d+\) was killed by SIGKILL; .*out of memory"),
        (-signal.SIGBUS, "killed by SIGBUS; .*shared memory"),
        (7, "worker 1 .*ended with exit code 7; .*__main__"),
    ],
    ids=["killed", "bus", "exit"],
)
def test_a_dead_worker_is_reported_without_a_timeout(how: int, said: str) -> None:
    iterator = iter(DataLoader(data.Dies(how), num_workers=2))
    pids = [worker.process.pid for worker in iterator._pool.workers]
    with pytest.raises(WorkerError, match=said) as caught:
        list(iterator)
    assert caught.value.worker == 1
    assert gone_within(10, pids)
    assert list(iterator) == []


@linux
def test_a_worker_killed_from_outside_is_reported_at_once() -> None:
    iterator = iter(DataLoader(data.Sleeps(), num_workers=2, timeout=300))
    pids = [worker.process.pid for worker in iterator._pool.workers]
    for _ in range(data.BAD):
        next(iterator)
    os.kill(pids[0], signal.SIGKILL)  # the other one is asleep, and its batch is the next
    began = time.monotonic()
    with pytest.raises(WorkerError, match=r"worker 0 .*SIGKILL"):
        next(iterator)
    assert time.monotonic() - began < 60
    assert gone_within(10, pids)


@linux
def test_a_batch_that_does_not_come_in_time_is_reported() -> None:
    loader = DataLoader(data.Sleeps(), num_workers=1, persistent_workers=True)
    iterator = iter(loader)
    pids = [worker.process.pid for worker in iterator._pool.workers]
    for _ in range(data.BAD):
        next(iterator)
    iterator._timeout = 0.2
    with pytest.raises(WorkerError, match=r"worker 0 .*gave no batch within 0.2 seconds"):
        next(iterator)
    assert gone_within(10, pids)
    iterator._timeout = 300
    assert next(iter(loader)).item() == 0  # others have taken their place


def test_the_error_itself_can_be_pickled() -> None:
    error = WorkerError(3, "went away", hint="wait")
    error.add_note("there")
    twin = pickle.loads(pickle.dumps(error))
    assert str(twin) == str(error) == "worker 3 of the DataLoader went away; wait"
    assert (twin.worker, twin.problem, twin.hint, twin.__notes__) == (
        *(3, "went away", "wait"),
        ["there"],
    )


def test_processes_are_no_part_of_importing_plugrad() -> None:
    program = (
        "import sys, plugrad; before = 'multiprocessing' in sys.modules;"
        "plugrad.utils.data.DataLoader; print(before, 'data' in dir(plugrad.utils));"
        "plugrad.utils.date"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]
    assert "module 'plugrad.utils' has no attribute 'date'" in done.stderr


def test_what_cannot_be_pickled_is_refused_before_anything_starts() -> None:
    loader = DataLoader(data.Numbers(), num_workers=1, collate_fn=lambda batch: batch)
    with pytest.raises(KindError, match=r'that can be pickled.*lambda.*"fork"'):
        iter(loader)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"num_workers": -1}, "num_workers: expected an integer of at least 0, got -1"),
        ({"num_workers": True}, "num_workers: expected an integer"),
        ({"timeout": -1}, "timeout: expected at least 0"),
        ({"prefetch_factor": 2}, "prefetch_factor: expected None, as num_workers is 0"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor: expected an integer of"),
        ({"persistent_workers": True}, "persistent_workers: expected False, as num_workers is 0"),
        ({"multiprocessing_context": "spawn"}, "multiprocessing_context: expected None"),
        (
            {"num_workers": 1, "multiprocessing_context": "thread"},
            "multiprocessing_context: expected one of .*spawn.*, got 'thread'",
        ),
    ],
)
def test_wrong_options_for_workers_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=f"DataLoader: {said}"):
        DataLoader(data.Numbers(), **options)


# nothing stays ------------------------------------------------------------------------------------


@linux
def test_an_iterator_that_is_left_takes_its_workers_along() -> None:
    iterator = iter(DataLoader(data.Rows(), num_workers=2))
    next(iterator)
    pids = [worker.process.pid for worker in iterator._pool.workers]
    del iterator
    assert gone_within(10, pids)


@linux
def test_an_iterator_whose_exception_was_caught_goes_too() -> None:
    gc.collect()
    gc.disable()
    try:
        iterator = iter(DataLoader(data.Stumbles(), num_workers=1))
        pids = [worker.process.pid for worker in iterator._pool.workers]
        with pytest.raises(KeyError):
            list(iterator)
        del iterator
        assert gone_within(10, pids)
    finally:
        gc.enable()


@linux
def test_ten_thousand_batches_leave_nothing() -> None:
    def use() -> tuple[int, int]:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return descriptors, pages * os.sysconf("SC_PAGE_SIZE")

    # The helpers of multiprocessing are started, and stay.
    list(DataLoader(data.Numbers(1), num_workers=1))
    before, _ = use()
    iterator = iter(DataLoader(data.Numbers(10_400), num_workers=2))
    for _ in range(400):
        next(iterator)
    middle, memory = use()
    for expected, batch in enumerate(iterator, 400):
        assert batch.item() == expected
        if expected == 10_000:
            assert use()[0] == middle
            assert not lasting(segments())  # names go as soon as both sides have the memory
    assert use()[1] - memory < 4 << 20
    del iterator
    assert use()[0] == before


def run_waiting_program(folder: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    told = folder / "pids"
    command = [sys.executable, data.__file__, str(told)]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (told.exists() and told.read_text().count(" ") == 1):
        assert program.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.1)
    return program, [int(pid) for pid in told.read_text().split()]


@linux
@pytest.mark.parametrize("to_all", [False, True], ids=["the program", "all, as a terminal does"])
def test_ctrl_c_leaves_no_process(tmp_path: Path, to_all: bool) -> None:
    program, pids = run_waiting_program(tmp_path)
    (os.killpg if to_all else os.kill)(program.pid, signal.SIGINT)
    _, said = program.communicate(timeout=60)
    assert program.returncode == -signal.SIGINT or b"KeyboardInterrupt" in said
    assert said.count(b"Traceback") == 1
    assert gone_within(20, pids)


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
def test_a_program_that_is_killed_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    program, pids = run_waiting_program(tmp_path)
    sleeper = pids.pop(data.BAD % 2)
    program.send_signal(how)
    program.wait(timeout=60)
    program.stderr.close()
    # The one that sleeps in the data set sees it when it wakes.
    assert gone_within(20, pids)
    os.kill(sleeper, signal.SIGTERM)
    assert gone_within(20, [sleeper])
