"""What a backend's author expects to go wrong: one file, `expectations.toml`, in the backend's own
package.

    [[expect]]
    kind = "notyet"                      # see KINDS
    rows = ["sort-bool-rows"]            # exact ids of rows, or of checks
    question = "forward.values_…"        # optional: only this question about them
    raises = "UnsupportedError"          # or "crash", "timeout"; for a tolerance `factor = 4.0`
    reason = "the library sorts no bools"
    until = "0.3"                        # optional, kind bug: the version that has it mended

Nothing in it is silent. A row that does better than expected, an id that matches nothing and a date
that has passed each fail the run.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from packaging.version import InvalidVersion, Version

from plugrad import discovery

FILE = "expectations.toml"
SCHEMA = 1
#: What each kind says, and whether a row of that kind may pass without failing the run.
KINDS = {
    "unsupported": "never: the backend refuses, with a typed error",
    "notyet": "not yet: something that it needs is missing",
    "bug": "its own fault, known",
    "tolerance": "right within `factor` times the usual room",
}
UNEXPLAINED = "unexplained: "

Kind = Literal["unsupported", "notyet", "bug", "tolerance"]

_FIELDS = {"kind", "rows", "question", "raises", "factor", "reason", "link", "until"}


class ExpectationError(ValueError):
    """An expectations file that does not say what it must."""


@final
@dataclass(frozen=True, slots=True)
class Expectation:
    """One entry of the file. `number` is its place there, from 1."""

    number: int
    kind: Kind
    rows: tuple[str, ...]
    reason: str
    raises: str = ""
    question: str = ""
    factor: float = 1.0
    link: str = ""
    until: str = ""

    def meets(self, subject: str, question: str) -> bool:
        """Whether it speaks of this question about this row or check."""
        return subject in self.rows and self.question in ("", question)

    def allows(self, names: Iterable[str]) -> bool:
        """Whether it expects an exception whose class and base classes have these names."""
        return self.kind != "tolerance" and self.raises in names

    @property
    def place(self) -> str:
        """How to find it in the file."""
        return f"entry {self.number} ({self.kind}: {self.reason})"


@final
class Expectations:
    """The entries of a backend, by the row or check that they speak of."""

    def __init__(self, entries: Iterable[Expectation] = (), path: Path | None = None) -> None:
        self.entries = tuple(entries)
        self.path = path
        self._by_row: dict[str, list[Expectation]] = {}
        for entry in self.entries:
            for row in entry.rows:
                self._by_row.setdefault(row, []).append(entry)

    def of(self, subject: str, question: str = "") -> list[Expectation]:
        """The entries that speak of a question, or of any about the subject."""
        found = self._by_row.get(subject, [])
        return [e for e in found if not question or e.meets(subject, question)]

    def widening(self, subject: str, question: str) -> float:
        """How many times the usual room a question's values get."""
        return max([e.factor for e in self.of(subject, question)], default=1.0)

    def pairs(self) -> Iterator[tuple[Expectation, str]]:
        """Each entry with each of its rows."""
        for entry in self.entries:
            for row in entry.rows:
                yield entry, row


def locate(backend: str) -> Path | None:
    """Where a backend's file is, or would be: beside the module that its entry point names."""
    offer = discovery.find(backend)
    plugin: Any = offer.load()
    if offer.entry is not None:
        name = offer.entry.module
    else:
        name = getattr(plugin, "__name__", type(plugin).__module__)
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    # An object that a program made up is no package.
    installed = offer.entry is not None or plugin is module or isinstance(plugin, type)
    known = file is not None and installed
    return Path(file).with_name(FILE) if known and file else None


def version_of(backend: str) -> str:
    """The version of the distribution that offers a backend."""
    return discovery.find(backend).version


def read(path: Path | None, version: str = "") -> Expectations:
    """The entries of a file, none if there is no such file; ExpectationError says what is amiss."""
    if path is None or not path.exists():
        return Expectations((), path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, OSError) as cause:
        raise ExpectationError(f"{path}: {cause}") from cause
    unknown = set(document) - {"schema", "expect"}
    if unknown or document.get("schema", SCHEMA) != SCHEMA:
        raise ExpectationError(
            f"{path}: expected schema = {SCHEMA} and [[expect]] tables, got {sorted(document)}"
        )
    entries = []
    for number, table in enumerate(document.get("expect", []), 1):
        entry = _entry(path, number, table)
        if entry.until and _reached(path, entry, version):
            raise ExpectationError(
                f"{path}: {entry.place} was to last until {entry.until}; this is {version}"
            )
        entries.append(entry)
    return Expectations(entries, path)


def _entry(path: Path, number: int, table: dict[str, Any]) -> Expectation:
    def complain(problem: str) -> ExpectationError:
        return ExpectationError(f"{path}: entry {number}: {problem}")

    kind = table.get("kind")
    if kind not in KINDS:
        raise complain(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    if unknown := set(table) - _FIELDS:
        raise complain(f"there is no field {', '.join(sorted(unknown))}")
    rows = table.get("rows")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, str) for row in rows):
        raise complain("rows: expected a list of ids")
    if not str(table.get("reason", "")).strip():
        raise complain("reason: mandatory")
    if kind == "tolerance":
        factor = table.get("factor")
        if not isinstance(factor, int | float) or not factor > 1 or "raises" in table:
            raise complain("a tolerance has a factor above 1, and no `raises`")
    elif not table.get("raises") or "factor" in table:
        raise complain(f"raises: mandatory for kind {kind}; a factor is for tolerances")
    if "until" in table and kind != "bug":
        raise complain("until: only a bug has an end")
    return Expectation(number, **{**table, "rows": tuple(rows)})


def _reached(path: Path, entry: Expectation, version: str) -> bool:
    try:
        return bool(version) and Version(version) >= Version(entry.until)
    except InvalidVersion as cause:
        raise ExpectationError(f"{path}: {entry.place}: until: {cause}") from cause


def write(path: Path, entries: Iterable[Expectation]) -> None:
    """Write the file anew; the comment lines at its head stay."""
    head: list[str] = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                break
            head.append(line)
    head = head or [
        "# What the conformance kit finds wrong with this backend, and why that is known.",
        "# Kinds: unsupported, notyet, bug, tolerance; see the kit's README.",
    ]
    tables = [f"schema = {SCHEMA}", *map(_table, entries)]
    path.write_text("\n".join(head) + "\n" + "\n\n".join(tables) + "\n", encoding="utf-8")


def _table(entry: Expectation) -> str:
    lines = ["[[expect]]", f"kind = {_quoted(entry.kind)}"]
    rows = [_quoted(row) for row in entry.rows]
    one = f"rows = [{', '.join(rows)}]"
    lines.append(one if len(one) <= 100 else "rows = [\n    " + ",\n    ".join(rows) + ",\n]")
    lines += _fields(entry, "question", "raises")
    if entry.kind == "tolerance":
        lines.append(f"factor = {float(entry.factor)}")
    return "\n".join([*lines, *_fields(entry, "reason", "link", "until")])


def _fields(entry: Expectation, *names: str) -> list[str]:
    return [f"{name} = {_quoted(value)}" for name in names if (value := getattr(entry, name))]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
