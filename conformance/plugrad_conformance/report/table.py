"""A result in the terminal: families by status, levels, what is wrong, and the verdict."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugrad_conformance.levels import LEVELS
from plugrad_conformance.results import RIGHT, STATUSES, WRONG, Result, percent

COLOURS = {
    "native": "green",
    "inherited": "cyan",
    "composite": "blue",
    "declined": "yellow",
    "view": "bright_black",
    "right": "green",
    "unsupported": "bright_black",
    "expected failure": "magenta",
    "unexpected pass": "red",
    "fail": "red",
    "timeout": "red",
    "crash": "red",
}
_MOST_OPERATORS = 12


def table_text(result: Result, width: int, colour: bool) -> str:
    """The same as text, for whoever writes it elsewhere."""
    out = StringIO()
    system = "standard" if colour else None
    print_result(
        Console(file=out, width=width, force_terminal=colour, color_system=system, highlight=False),
        result,
    )
    return out.getvalue().rstrip()


def print_result(console: Console, result: Result) -> None:
    """Print all that a reader of the terminal needs."""
    if result.rows:
        console.print(_families(result, console.width))
    console.print()
    for level in result.levels():
        console.print(_level(level))
    if skipped := len(result.not_required):
        console.print(f"  not required yet: {skipped} rows of operators newer than the contract")
    _print_wrong(console, result)
    for note in result.notes:
        console.print(Text(f"note: {note}", style="dim"))
    for problem in result.problems:
        console.print(Text(problem, style="bold red"))
    console.print(Text(summary(result)))
    console.print(Text(verdict(result), style="bold green" if result.conforms else "bold red"))


def summary(result: Result) -> str:
    """How many rows there are, and their statuses."""
    count = result.statuses()
    parts = ", ".join(f"{count[status]} {status}" for status in STATUSES if count[status])
    return f"plugrad conformance, {result.backend}: {len(result.rows)} rows: {parts or 'none'}"


def verdict(result: Result) -> str:
    """The last line."""
    about, level = result.about, result.about["level"]
    where = f"{result.backend}, contract {about['contract']['judged']}, level {level}"
    if not result.conforms:
        wrong = len(result.wrong())
        more = f" and {len(result.problems)} problems" if result.problems else ""
        return f"{where}: does not conform: {wrong} rows and checks are wrong{more}"
    if result.partial:
        return f"{where}: all that was asked is right; it was a part only"
    if result.strict:
        return f"{where}: conforms, strictly"
    expected = about["expectations"]
    return (
        f"{where}: conforms, with {expected['failures']} expected failures and "
        f"{expected['tolerance']} widened tolerances in its expectations"
    )


def by_family(result: Result) -> list[tuple[str, list[dict[str, Any]]]]:
    """The rows of each family, in the order of the case table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in result.rows:
        found.setdefault(row["family"], []).append(row)
    return list(found.items())


def _families(result: Result, width: int) -> Table:
    every = result.statuses()
    shown = [status for status in STATUSES if every[status]]
    narrow = width < 100
    table = Table(box=None, pad_edge=False, show_footer=True, padding=(0, 1 if narrow else 2, 0, 0))
    groups = by_family(result)
    table.add_column("family", footer="all")
    table.add_column("rows", justify="right", footer=str(len(result.rows)))
    for status in shown:
        colour = COLOURS[status]
        table.add_column(
            Text(status, style=colour), justify="right", footer=Text(str(every[status]))
        )
    shares = {"total %": RIGHT} if narrow else {"native %": ("native",), "total %": RIGHT}
    for title, statuses in shares.items():
        table.add_column(title, justify="right", footer=_percent(every, statuses))
    for family, rows in groups:
        count = Counter(row["status"] for row in rows)
        cells = [
            Text(str(count[status]) if count[status] else "·", style=_style(status, count))
            for status in shown
        ]
        percents = [_percent(count, statuses) for statuses in shares.values()]
        table.add_row(family, str(len(rows)), *cells, *percents)
    return table


def _style(status: str, count: Counter[str]) -> str:
    return COLOURS[status] if count[status] else "bright_black"


def _percent(count: Counter[str], statuses: Any) -> str:
    return f"{percent(sum(count[status] for status in statuses), count.total()):.1f}"


def _level(level: dict[str, Any]) -> Text:
    name = f"L{level['level']} {LEVELS[level['level']]}"
    text = Text(f"  {name:<28}{level['questions']:>7} questions about {level['asked']} subjects: ")
    wrong = level["wrong"]
    if not level["questions"]:
        return Text(f"  {name:<28}{'nothing asked':>13}")
    text.append(f"{wrong} wrong" if wrong else "right", style="red" if wrong else "green")
    return text


def _print_wrong(console: Console, result: Result) -> None:
    """One line for each operator with wrong rows, and for each wrong check."""
    wrong = result.wrong()
    if not wrong:
        return
    console.print()
    key = _subject
    groups = [(name, list(rows)) for name, rows in groupby(sorted(wrong, key=key), key=key)]
    for name, entries in groups[:_MOST_OPERATORS]:
        count = Counter(entry["status"] for entry in entries)
        said = ", ".join(f"{count[status]} {status}" for status in sorted(WRONG) if count[status])
        first = entries[0]
        about = first["message"].splitlines()[0] if first.get("message") else ""
        console.print(Text.assemble((f"  {name}: {said}", "red"), f"; {first['id']}: {about}"))
    if len(groups) > _MOST_OPERATORS:
        console.print(f"  and {len(groups) - _MOST_OPERATORS} more")


def _subject(entry: dict[str, Any]) -> str:
    return entry.get("operator") or entry["id"]
