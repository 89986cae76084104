"""Threads: what several threads compute at once is what each computes alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import plugrad
from plugrad_conformance.answers import claim
from plugrad_conformance.models import EXERCISES, Training
from plugrad_conformance.models.heavy import HEAVY
from plugrad_conformance.rows import Row, to_numpy, to_tensors
from plugrad_conformance.suite.test_determinism import bits, rows_with_values, run_row

LEVEL = 4

THREADS = 4
_ROUNDS = 3
_CALLS = 20
_PATIENCE = 60.0  # seconds after which a thread counts as hung
#: Without dropout, whose generator all threads share.
_ALONE = [each for each in EXERCISES if each.name in ("cnn", "gru", "embedding")]


@contextmanager
def often_interrupted() -> Iterator[None]:
    """In the block the interpreter changes threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each gives, all begun at the same moment in threads of their own; their errors are
    raised here.
    """
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []
    start = threading.Barrier(len(works))

    def do(place: int) -> None:
        try:
            start.wait(_PATIENCE)
            results[place] = works[place]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=do, args=(i,), daemon=True) for i in range(len(works))]
    with often_interrupted():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_PATIENCE)
    if errors:
        raise errors[0]
    if any(thread.is_alive() for thread in threads):
        raise AssertionError(f"a thread hangs: it has not ended within {_PATIENCE:.0f} seconds")
    return results


def skip_unless_computed(row: Row, device: str) -> None:
    """Skip where the manifest promises nothing of the row's dtypes."""
    if claim(row, device) != "computes":
        pytest.skip(f"{device} does not compute in all of {sorted(map(str, row.dtypes))}")


# operators ----------------------------------------------------------------------------------------


def does_not_write(row: Row) -> bool:
    """Whether the operator leaves its operands alone."""
    return bool(row.case.operator.tensors) and not row.case.operator.writes


def calls(row: Row, tensors: tuple[Any, ...], device: str) -> list[list[Any]]:
    """The results of many calls on the same tensors, close one upon the other: what a kernel keeps
    in common places is then in use when the next thread comes.
    """
    params = row.params(device)
    return [list(row.run(tensors, params)) for _ in range(_CALLS)]


@pytest.mark.parametrize("row", rows_with_values(), ids=str)
def test_operator_gives_in_threads_what_it_gives_alone(row: Row, device: str) -> None:
    skip_unless_computed(row, device)

    def work() -> list[list[Any]]:
        # With gradients, and on new tensors each time; then what may be called again at once.
        found = [run_row(row, device) for _ in range(_ROUNDS)]
        if does_not_write(row):
            found += calls(row, to_tensors(row.arrays(), device), device)
        return found

    alone = [bits(each) for each in work()]
    for thread, found in enumerate(at_once(*[work] * THREADS)):
        assert [bits(each) for each in found] == alone, (
            f"{row} on {device!r}: thread {thread} got other bits"
        )


@pytest.mark.parametrize("name", HEAVY)
def test_large_call_gives_in_threads_what_it_gives_alone(name: str, device: str) -> None:
    alone = [to_numpy(each) for each in HEAVY[name](device)]
    for found in at_once(*[lambda: HEAVY[name](device)] * THREADS):
        for place, (tensor, want) in enumerate(zip(found, alone, strict=True)):
            message = f"{name} on {device!r}: result {place} of a thread"
            np.testing.assert_array_equal(to_numpy(tensor), want, err_msg=message)


def reading_rows() -> list[Row]:
    """The typical rows of operators that leave their operands alone."""
    return [row for row in rows_with_values() if does_not_write(row)]


@pytest.mark.parametrize("row", reading_rows(), ids=str)
def test_tensors_may_be_read_by_several_threads(row: Row, device: str) -> None:
    skip_unless_computed(row, device)
    alone = bits(row.run(to_tensors(row.arrays(), device), row.params(device)))
    shared = to_tensors(row.arrays(), device)
    for found in at_once(*[lambda: calls(row, shared, device)] * THREADS):
        assert [bits(each) for each in found] == [alone] * _CALLS, (
            f"{row} on {device!r}: other bits from a tensor that threads share"
        )


def test_views_of_a_fresh_tensor_may_be_taken_by_several_threads(device: str) -> None:
    # The first view of a result fixes its order in memory: each time all threads want to be first.
    matrix = plugrad.tensor(np.arange(48.0).reshape(6, 8).astype(np.float32), device=device)
    want = (to_numpy(matrix).T + 1).reshape(12, 4)[1:].sum(0)
    for _ in range(100):
        fresh = matrix.t() + 1
        found = at_once(*[lambda fresh=fresh: fresh.reshape(12, 4)[1:].sum(0)] * THREADS)
        for each in found:
            np.testing.assert_array_equal(to_numpy(each), want)


# gradients and modes ------------------------------------------------------------------------------


def test_threads_may_train_at_once(device: str) -> None:
    def begun() -> list[Training]:
        return [Training(exercise, device) for exercise in _ALONE]

    alone = [[training.step() for _ in range(4)] for training in begun()]
    works = [lambda each=each: [each.step() for _ in range(4)] for each in begun()]
    for exercise, found, want in zip(_ALONE, at_once(*works), alone, strict=True):
        assert found == want, f"{exercise} on {device!r}: other losses beside other threads"


def test_threads_may_differentiate_by_the_same_leaf(device: str) -> None:
    leaf = plugrad.full((33, 17), 0.5, device=device).requires_grad_()

    def work(factor: int) -> Any:
        out = (leaf * factor).exp().sum()
        return to_numpy(plugrad.autograd.grad(out, [leaf])[0])

    alone = [work(factor) for factor in range(THREADS)]
    found = at_once(*[lambda factor=factor: work(factor) for factor in range(THREADS)])
    for got, want in zip(found, alone, strict=True):
        np.testing.assert_array_equal(got, want)
    assert leaf.grad is None


def test_whether_operators_are_recorded_is_each_threads_own(device: str) -> None:
    leaf = plugrad.ones(3, device=device, requires_grad=True)
    inside, outside = threading.Event(), threading.Event()

    def without() -> bool:
        with plugrad.no_grad():
            inside.set()
            assert outside.wait(_PATIENCE)
            return (leaf * 2).requires_grad

    def with_() -> bool:
        assert inside.wait(_PATIENCE)
        recorded = (leaf * 2).requires_grad
        outside.set()
        return recorded

    assert at_once(without, with_) == [False, True]


def test_default_device_of_a_block_is_its_threads_own(device: str) -> None:
    inside, outside = threading.Event(), threading.Event()

    def within() -> str:
        with plugrad.device("meta"):
            inside.set()
            assert outside.wait(_PATIENCE)
            return str(plugrad.zeros(2).device)

    def without() -> str:
        assert inside.wait(_PATIENCE)
        found = str(plugrad.zeros(2).device)
        outside.set()
        return found

    assert at_once(within, without) == ["meta", str(plugrad.get_default_device())]


def test_threads_that_share_a_generator_get_parts_of_its_stream(device: str) -> None:
    def draws(generator: plugrad.Generator) -> list[bytes]:
        return [bits([plugrad.rand(6, generator=generator, device=device)])[0][2] for _ in range(9)]

    shared = plugrad.Generator().manual_seed(3)
    parts = at_once(*[lambda: draws(shared)] * THREADS)
    whole = plugrad.Generator().manual_seed(3)
    want = [part for _ in range(THREADS) for part in draws(whole)]
    assert sorted(part for own in parts for part in own) == sorted(want)


# numbers of threads -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEAVY)
def test_number_of_threads_changes_nothing_but_rounding(name: str, device: str) -> None:
    before = plugrad.get_num_threads()
    try:
        found = []
        for count in (1, 2, 4):
            plugrad.set_num_threads(count)
            found.append([to_numpy(each) for each in HEAVY[name](device)])
    finally:
        plugrad.set_num_threads(before)
    for place, (one, *others) in enumerate(zip(*found, strict=True)):
        # Sums in another order: each element within a few dozen units of the largest.
        room = 64 * np.finfo(np.float32).eps * np.abs(one).max() if one.dtype.kind == "f" else 0
        for count, other in zip((2, 4), others, strict=True):
            off = np.abs(other.astype(np.float64) - one).max()
            assert off <= room, (
                f"{name} on {device!r}: result {place} by {count} threads is off by {off:.3g}, "
                f"allowed {room:.3g}"
            )
