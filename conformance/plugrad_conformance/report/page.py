"""A result, or several side by side, as one page that needs nothing else: the matrix, and below it
the cell that was opened, down to the row and the program that repeats it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from plugrad_conformance.cases import FAMILIES, name_of
from plugrad_conformance.levels import LEVELS
from plugrad_conformance.report.table import verdict
from plugrad_conformance.results import RIGHT, STATUSES, WRONG, Result, percent

# Statuses that are drawn alike: what goes wrong has one colour, whatever the way.
GROUPS = {
    "native": "native",
    "inherited": "inherited",
    "composite": "composite",
    "declined": "declined",
    "view": "view",
    "right": "native",
    "unsupported": "unsupported",
    "expected failure": "expected",
    "unexpected pass": "wrong",
    "fail": "wrong",
    "timeout": "wrong",
    "crash": "wrong",
}
LEGEND = (
    ("native", "a kernel of the backend"),
    ("inherited", "a kernel of the backend it builds on"),
    ("composite", "the operator's body; there is no kernel"),
    ("declined", "the body; the kernel declined"),
    ("view", "metadata alone"),
    ("unsupported", "refused, with a typed error"),
    ("expected", "fails, as its author expects"),
    ("wrong", "fails, crashes or hangs"),
)
_NONE = "<span class=none>not asked</span>"


def write_page(results: Sequence[Result], path: Path) -> None:
    """Write the page of these results."""
    path.write_text(page(results), encoding="utf-8")


def page(results: Sequence[Result]) -> str:
    """The page as text."""
    parts = files("plugrad_conformance.report")
    names = " and ".join(dict.fromkeys(result.backend for result in results))
    replaced = {
        "TITLE": escape(f"plugrad conformance: {names}"),
        "STYLE": parts.joinpath("page.css").read_text(encoding="utf-8"),
        "BACKENDS": "".join(_backend(result) for result in results),
        "LEGEND": "".join(
            f'<li><i class="{name}"></i><b>{name}</b> {escape(text)}</li>' for name, text in LEGEND
        ),
        "MATRIX": _matrix(results),
        "DATA": json.dumps(list(map(_data, results)), ensure_ascii=False).replace("</", "<\\/"),
        "SCRIPT": parts.joinpath("page.js").read_text(encoding="utf-8"),
    }
    text = parts.joinpath("page.html").read_text(encoding="utf-8")
    for name, value in replaced.items():
        text = text.replace(f"<!--{name}-->", value)
    return text


def _backend(result: Result) -> str:
    """The card of a backend: who it is, and how far it comes."""
    about = result.about
    sound = "part" if result.partial else "strict" if result.strict else "conforms"
    state = sound if result.conforms else "fails"
    count, total = result.statuses(), len(result.rows)
    right = percent(sum(count[status] for status in RIGHT), total)
    levels = "".join(_level(level) for level in result.levels())
    facts = [
        about["backend"]["version"],
        f"contract {about['contract']['judged']}",
        f"{about['questions']:,} questions",
        f"{about['seconds']:.0f} s",
        about["date"][:10],
    ]
    lines = [f'<p class="problem">{escape(text)}</p>' for text in result.problems]
    lines += [f'<p class="note">{escape(text)}</p>' for text in result.notes]
    if result.not_required:
        lines.append(f'<p class="note">{len(result.not_required)} rows not required yet</p>')
    return (
        f"<article><header><h2>{escape(about['device'])}</h2>"
        f'<span class="badge {state}">{state}</span></header>'
        f'<p class="facts">{escape(" · ".join(facts))}</p>'
        f'<p class="figures"><b>{right:g}<small>%</small></b> right'
        f"<b>{percent(count['native'], total):g}<small>%</small></b> native"
        f"<b>{total:,}</b> rows</p>"
        f'{_bar(count)}<ol class="levels">{levels}</ol>'
        f'<p class="verdict">{escape(verdict(result))}</p>{"".join(lines)}</article>'
    )


def _level(level: dict[str, Any]) -> str:
    wrong, asked = level["wrong"], level["questions"]
    state = "idle" if not asked else "bad" if wrong else "good"
    said = "not asked" if not asked else f"{wrong} wrong" if wrong else f"{asked:,} right"
    return (
        f'<li class="{state}"><b>L{level["level"]}</b> {LEVELS[level["level"]]}'
        f"<span>{said}</span></li>"
    )


def _bar(count: Counter[str]) -> str:
    """A strip whose parts are as long as their share of the rows."""
    groups: Counter[str] = Counter()
    for status in STATUSES:
        groups[GROUPS[status]] += count[status]
    parts = "".join(
        f'<i class="{name}" style="flex-grow:{number}" title="{number} {name}"></i>'
        for name, number in groups.items()
        if number
    )
    return f'<div class="bar">{parts}</div>'


def _matrix(results: Sequence[Result]) -> str:
    """Families by backends; a cell is a button that opens what is behind it."""
    head = "".join(f"<th scope=col>{escape(result.about['device'])}</th>" for result in results)
    lines = []
    for family in map(name_of, FAMILIES):
        cells = [
            _cell(
                number, family, Counter(r["status"] for r in result.rows if r["family"] == family)
            )
            for number, result in enumerate(results)
        ]
        if any(cells):
            shown = "".join(f"<td>{cell or _NONE}</td>" for cell in cells)
            lines.append(f"<tr><th scope=row>{escape(family)}</th>{shown}</tr>")
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _cell(backend: int, family: str, count: Counter[str]) -> str:
    total = count.total()
    if not total:
        return ""
    right = percent(sum(count[status] for status in RIGHT), total)
    wrong = sum(count[status] for status in WRONG)
    own = f"{percent(count['native'], total):.0f} % native"
    said = f"<em>{wrong} wrong</em>" if wrong else "metadata" if 2 * count["view"] > total else own
    label = f"{family}: {right:g} % of {total} rows right, {wrong} wrong"
    return (
        f'<button data-backend="{backend}" data-family="{escape(family)}" aria-label="{label}" '
        f'class="{"bad" if wrong else ""}">'
        f"<b>{right:g}<small>%</small></b><span>{said}</span>{_bar(count)}</button>"
    )


def _data(result: Result) -> dict[str, Any]:
    """What the script needs: rows as short lists, with details for those that have any."""
    details = ("question", "error", "message", "program", "neighbour", "closest")
    return {
        "device": result.about["device"],
        "groups": GROUPS,
        "rows": [
            [
                *(row[name] for name in ("id", "operator", "family", "dtype", "variant", "status")),
                row.get("by", ""),
                row.get("achieved"),
                row.get("allowed"),
                {name: row[name] for name in details if name in row and name != "closest"}
                if "message" in row
                else 0,
            ]
            for row in result.rows
        ],
        "checks": [
            {name: value for name, value in check.items() if name != "questions"}
            for check in result.checks
            if check["status"] not in ("pass", "skipped")
        ],
    }
