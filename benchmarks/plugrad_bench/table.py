"""The tables: times and ratios by case and side, then first calls, then what each side comes to."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugrad_bench.results import Comparison, Measurement, Ratio, geometric_mean
from plugrad_bench.sizes import size_label
from plugrad_bench.wording import duration, times

#: A ratio as far from 1 as that is worth a colour.
_NOTABLE = 1.05
#: Seconds that a first call may take beyond a later one before it is worth a line.
_SLOW_START = 1e-3
# Characters: what a line has beside its cells, and a cell without and with quartiles.
_HEAD, _CELL, _FULL_CELL = 44, 19, 34


def print_tables(console: Console, run: Comparison) -> None:
    """Print all that a run has found."""
    threads = "one thread" if run.threads == 1 else f"{run.threads} threads"
    hurry = ", in a hurry" if run.quick else ""
    says = [f"plugrad {run.version}, {threads}{hurry}"]
    says += [f"  {side}: {description}" for side, description in run.sides.items()]
    for line in says:
        console.print(line, style="dim", markup=False, soft_wrap=True)
    full = console.width >= _HEAD + _FULL_CELL * len(run.challengers)
    quotient = f"time / {run.reference}'s"
    steady = f"time, and {quotient}{' (quartiles)' * full}" if run.challengers else "time"
    tables = {
        f"in steady state: {steady}": _steady_table(run, full=full),
        "beyond that, a first call takes (to compile, load, allocate)": _start_table(run),
        f"geometric mean of {quotient}": _summary_table(run),
    }
    for title, table in tables.items():
        if table.row_count:
            console.print()
            console.print(Text(title, style="bold"), soft_wrap=True)
            console.print(table)


def _new_table() -> Table:
    return Table(box=None, pad_edge=False, header_style="dim")


def _steady_table(run: Comparison, *, full: bool) -> Table:
    """A line per case, with quartiles where there is room for them."""
    table = _new_table()
    table.add_column("operator", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column(run.reference.rjust(8), no_wrap=True)
    for side in run.challengers:
        table.add_column(side.rjust(8), max_width=_FULL_CELL if full else _CELL)
    last = family = None
    for line in run.lines():
        now, label, size = line
        if now != family:
            table.add_row()
            table.add_row(Text(now, style="bold cyan"))
        cells = [_cell(run.at(label, size, side), full=full) for side in run.sides]
        name = "" if (now, label) == last else label
        table.add_row(name, "" if size is None else size_label(size), *cells)
        last, family = (now, label), now
    return table


def _cell(found: Measurement | None, *, full: bool) -> Text:
    if found is None:
        return Text("not measured", style="dim")
    if found.seconds is None:
        return Text(found.problem, style="red" if found.failed else "yellow")
    cell = Text(f"{duration(found.seconds):>8}")
    if found.ratio is not None:
        cell.append(f"{times(found.ratio.median):>8}", _colour(found.ratio))
        if full:
            cell.append(f"  ({times(found.ratio.low)} to {times(found.ratio.high)})", "dim")
    return cell


def _colour(ratio: Ratio) -> str:
    if 1 / _NOTABLE <= ratio.median <= _NOTABLE:
        return ""
    return "green" if ratio.median < 1 else "red"


def _start_table(run: Comparison) -> Table:
    """How much longer than a later call the first one takes, where that is long on any side."""
    table = _new_table()
    table.add_column("operator", no_wrap=True)
    for side in run.sides:
        table.add_column(side, justify="right", no_wrap=True)
    startups: dict[str, dict[str, float]] = {}
    for each in run.measurements:
        longest = startups.setdefault(each.label, dict.fromkeys(run.sides, 0.0))
        longest[each.side] = max(longest[each.side], each.startup)
    for label, longest in startups.items():
        if max(longest.values()) >= _SLOW_START:
            cells = [duration(each) if each >= 1e-6 else "-" for each in longest.values()]
            table.add_row(label, *cells)
    return table


def _summary_table(run: Comparison) -> Table:
    table = _new_table()
    heads, rows = summary(run)
    table.add_column(heads[0], no_wrap=True)
    for name in heads[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def summary(run: Comparison) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: the geometric means of each side's ratios, by size, and what it could not
    do.
    """
    sizes = list(dict.fromkeys([size for _, _, size in run.lines()]))
    named = ["training steps" if size is None else f"size {size_label(size)}" for size in sizes]
    rows: list[list[str]] = []
    for side in run.challengers:
        found = [each for each in run.measurements if each.side == side]
        ratios = run.ratios(side)
        failed = sum(each.failed for each in found)
        declined = sum(bool(each.problem) for each in found) - failed
        faster = f"{sum(ratio < 1 for ratio in ratios)} of {len(ratios)}"
        means = [_mean(run.ratios(side, size)) for size in sizes]
        rows.append([side, *means, _mean(ratios), faster, str(declined), str(failed)])
    return ["backend", *named, "all", "faster in", "declined", "failed"], rows


def _mean(ratios: list[float]) -> str:
    return times(geometric_mean(ratios)) if ratios else "-"
