"""What was recorded, as lines per operator, as a table, and in Chrome's trace format."""

from __future__ import annotations

import io
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from plugrad_profiler.recorder import Call

_WIDTH = 140


@final
@dataclass(frozen=True, slots=True)
class Line:
    """All calls of one operator on one backend, in nanoseconds. `own` leaves out the operators of
    its body, so that the own times of all lines add up to the time in operators.
    """

    name: str
    backend: str
    operands: tuple[str, ...]
    calls: int
    total: int
    own: int
    longest: int


def summary(calls: Sequence[Call], *, by_operands: bool) -> list[Line]:
    """One line per group of calls, the most own time first; spans come before all operators."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Call]] = defaultdict(list)
    for call in calls:
        operands = call.operands if by_operands else ()
        groups[call.name, call.backend, operands].append(call)
    lines = [
        Line(
            *key,
            len(group),
            sum(call.duration for call in group),
            sum(call.own for call in group),
            max(call.duration for call in group),
        )
        for key, group in groups.items()
    ]
    return sorted(lines, key=lambda line: (line.backend != "", -line.own))


def text(lines: Sequence[Line], most: int | None) -> str:
    """A table as it is printed."""
    operators = [line for line in lines if line.backend]
    everything = sum(line.own for line in operators) or 1
    table = Table(box=None, pad_edge=False)
    table.add_column("operator", no_wrap=True)
    table.add_column("backend", no_wrap=True)
    for heading in ("calls", "own", "share", "total", "mean", "longest"):
        table.add_column(heading, justify="right", no_wrap=True)
    if any(line.operands for line in lines):
        table.add_column("operands")
    shown = lines if most is None else lines[:most]
    for line in shown:
        share = f"{100 * line.own / everything:.1f} %" if line.backend else ""
        times = (line.total, line.total // line.calls, line.longest)
        cells = [line.name, line.backend or "(span)", f"{line.calls:,}", _time(line.own), share]
        table.add_row(*cells, *map(_time, times), " ".join(line.operands))
    out = io.StringIO()
    console = Console(file=out, width=_WIDTH, highlight=False)
    console.print(table)
    rest = len(lines) - len(shown)
    if rest:
        console.print(f"and {rest} more lines")
    calls = sum(line.calls for line in operators)
    console.print(f"{calls:,} calls of operators, {_time(everything)} in all")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _time(nanoseconds: int) -> str:
    for unit, size in (("s", 10**9), ("ms", 10**6)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.2f} {unit}"
    return f"{nanoseconds / 1000:.1f} µs"


def chrome_trace(calls: Sequence[Call]) -> str:
    """JSON for chrome://tracing and ui.perfetto.dev: complete events, times in microseconds."""
    process = os.getpid()
    threads = dict.fromkeys(call.thread for call in calls)
    numbers = {thread: number for number, thread in enumerate(threads)}
    events: list[dict[str, Any]] = [
        {"ph": "M", "name": "process_name", "pid": process, "args": {"name": "plugrad"}},
        *[
            {
                "ph": "M",
                "name": "thread_name",
                "pid": process,
                "tid": number,
                "args": {"name": f"thread {thread}"},
            }
            for thread, number in numbers.items()
        ],
    ]
    events += [
        {
            "ph": "X",
            "name": call.name,
            "cat": call.backend or "span",
            "pid": process,
            "tid": numbers[call.thread],
            "ts": call.start / 1000,
            "dur": call.duration / 1000,
            "args": {"operands": list(call.operands)},
        }
        for call in sorted(calls, key=lambda call: (call.start, call.depth))
    ]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})
