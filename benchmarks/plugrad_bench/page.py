"""A run as a page of Markdown: what was measured where, the means, every ratio, and the rows on
which a side is slower than the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from plugrad_bench.results import Comparison, Measurement
from plugrad_bench.sizes import size_label
from plugrad_bench.table import summary
from plugrad_bench.wording import duration, times


def write_page(run: Comparison, file: Path, picture: Path | None = None) -> None:
    """Write the page; a picture that lies beside it, or below, is shown."""
    file.write_text("\n".join(_lines(run, file, picture)) + "\n", encoding="utf-8")


def _lines(run: Comparison, file: Path, picture: Path | None) -> Iterator[str]:
    threads = "one thread" if run.threads == 1 else f"{run.threads} threads"
    yield f"# Speed beside {run.reference}: {threads}"
    yield ""
    yield f"Measured by `plugrad bench` with plugrad {run.version}: {run.machine}."
    yield "A ratio is a median over rounds that alternate, of the side's time divided by"
    yield f"{run.reference}'s, with its quartiles: below 1 the side is faster."
    yield ""
    yield from [f"- {side}: {description}" for side, description in run.sides.items()]
    if picture is not None:
        yield ""
        yield f"![Ratios by operator, size and side]({picture.relative_to(file.parent).as_posix()})"
    yield ""
    yield "## In the mean"
    yield ""
    heads, rows = summary(run)
    yield from _table(heads, rows)
    for family in dict.fromkeys([family for family, _, _ in run.lines()]):
        yield ""
        yield f"## {family.capitalize()}"
        yield ""
        rows = [
            [label, "" if size is None else size_label(size), *_cells(run, label, size)]
            for its, label, size in run.lines()
            if its == family
        ]
        yield from _table(["case", "size", *run.sides], rows)
    for side in run.challengers:
        yield ""
        yield f"## Where {side} is slower"
        yield ""
        yield from _slower(run, side) or ["Nowhere."]


def _cells(run: Comparison, label: str, size: int | None) -> list[str]:
    return [_cell(run.at(label, size, side)) for side in run.sides]


def _cell(found: Measurement | None) -> str:
    if found is None or found.seconds is None:
        return "not measured" if found is None else found.problem
    if found.ratio is None:
        return duration(found.seconds)
    median, low, high = map(times, (found.ratio.median, found.ratio.low, found.ratio.high))
    strong = "**" if found.ratio.median > 1 else ""
    return f"{duration(found.seconds)}, {strong}{median}{strong} ({low} to {high})"


def _slower(run: Comparison, side: str) -> list[str]:
    """A line per case, the slowest first."""
    found = [
        (each.ratio.median, each)
        for each in run.measurements
        if each.side == side and each.ratio and each.ratio.median > 1
    ]
    return [
        f"- {times(ratio)} {each.label}"
        + ("" if each.size is None else f" of {size_label(each.size)} elements")
        for ratio, each in sorted(found, key=lambda pair: -pair[0])
    ]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    heads = list(heads)
    yield _row(heads)
    yield _row(["---"] * len(heads))
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
