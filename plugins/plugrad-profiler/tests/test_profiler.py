"""The profiler: what it records, what it draws, and that it leaves nothing behind."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import plugrad as pg
from plugrad.errors import ShapeError
from plugrad_profiler import profile


def names(prof: object) -> list[str]:
    return [call.name for call in prof.calls]  # type: ignore[attr-defined]


def test_operators_are_recorded_forwards_and_backwards() -> None:
    x = pg.ones(2, 3, requires_grad=True)
    with profile() as prof:
        x.exp().sum().backward()
    assert names(prof)[:2] == ["exp", "sum"]
    assert "mul" in names(prof)
    assert prof.calls[0].operands == ("float32[2, 3]",)
    assert {call.backend for call in prof.calls} == {"numpy"}


def test_a_composite_holds_the_operators_of_its_body() -> None:
    x = pg.ones(4)
    with profile() as prof:
        x.logsumexp(0)
    outer = prof.calls[-1]
    inner = [call for call in prof.calls if call.depth == 1]
    assert outer.name == "logsumexp"
    assert {"exp", "sum", "log"} <= {call.name for call in inner}
    assert outer.inner == sum(call.duration for call in inner)
    assert 0 < outer.own < outer.duration


def test_own_times_add_up_to_the_time_in_operators() -> None:
    x = pg.ones(4)
    with profile() as prof:
        x.logsumexp(0)
        x.tanh()
    outermost = sum(call.duration for call in prof.calls if not call.depth)
    assert sum(line.own for line in prof.lines()) == outermost


def test_while_closed_the_kernel_itself_is_called() -> None:
    owner = pg.backends.backend("numpy")
    bare = owner.resolve("add")
    with profile():
        assert owner.resolve("add") is not bare
    assert owner.resolve("add") is bare
    assert not [name for name in owner.origins if "profiler" in name]


def test_profiles_nest() -> None:
    x = pg.ones(3)
    with profile() as outer:
        x.exp()
        with profile() as inner:
            x.sin()
    assert names(outer) == ["exp", "sin"]
    assert names(inner) == ["sin"]


def test_an_error_passes_through_and_ends_the_call() -> None:
    x = pg.ones(3)
    with profile() as prof:
        with pytest.raises(IndexError):
            x.gather(0, pg.tensor([7]))
        x.exp()
    assert names(prof) == ["exp"]
    assert prof.calls[0].depth == 0
    with pytest.raises(ShapeError), profile():
        x.reshape(2, 2)
    assert pg.backends.backend("numpy").resolve("exp")


def test_spans_name_parts_of_the_program() -> None:
    with profile() as prof:
        with prof.span("forward"):
            pg.ones(3).exp()
        pg.ones(3)
    (span,) = [call for call in prof.calls if not call.backend]
    assert span.name == "forward"
    assert span.inner > 0
    assert prof.lines()[0].name == "forward"


def test_threads_are_kept_apart() -> None:
    together = threading.Barrier(3)

    def work() -> None:
        together.wait()
        for _ in range(20):
            pg.ones(3).logsumexp(0)
        together.wait()

    with profile() as prof:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({call.thread for call in prof.calls}) == 3
    assert sum(call.name == "logsumexp" and call.depth == 0 for call in prof.calls) == 60


def test_the_table_names_operators_shares_and_operands() -> None:
    with profile() as prof:
        for _ in range(3):
            pg.ones(2, 2) @ pg.ones(2, 2)
    said = prof.table(by_operands=True)
    row = next(line for line in said.splitlines() if line.startswith("matmul"))
    assert "numpy" in row
    assert "%" in row
    assert "float32[2, 2] float32[2, 2]" in row
    assert "9 calls of operators" in str(prof)
    assert "and 1 more lines" in prof.table(most=1)


def test_the_trace_is_what_chrome_reads(tmp_path: Path) -> None:
    with profile() as prof, prof.span("step"):
        pg.ones(3).logsumexp(0)
    prof.save_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(events) == len(prof.calls)
    step = events[0]
    assert (step["name"], step["cat"]) == ("step", "span")
    for event in events[1:]:
        assert event["ts"] >= step["ts"]
        assert event["ts"] + event["dur"] <= step["ts"] + step["dur"] + 1e-6
    assert {event["name"] for event in trace["traceEvents"] if event["ph"] == "M"} == {
        "process_name",
        "thread_name",
    }


def test_results_are_the_same_under_a_profile() -> None:
    x = pg.arange(6, dtype=pg.float32).reshape(2, 3)
    bare = x.softmax(1).tolist()
    with profile():
        assert x.softmax(1).tolist() == bare
