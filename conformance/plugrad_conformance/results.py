"""The result of a run, from the answers to single questions to the file that reports are drawn
from.

A row has one status: the worst that any question about it gave, else who answers it. A check is a
question that is about no row, such as a training run. JSON is the result; table and page are
drawings of it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, final

SCHEMA = 1

Outcome = Literal["passed", "failed", "crash", "timeout", "expected", "unsupported", "skipped"]

#: What a row can be, from good to bad. `inherited`: a kernel of the backend that this one builds on
#: answered. `right`: so far as a part of the questions can tell; who answers was not among them.
STATUSES = (
    *("native", "inherited", "composite", "declined", "view", "right", "unsupported"),
    *("expected failure", "unexpected pass", "fail", "timeout", "crash"),
)
RIGHT: frozenset[str] = frozenset(STATUSES[:6])
WRONG: frozenset[str] = frozenset(STATUSES[8:])

_SEVERITY: dict[str, int] = {
    name: place
    for place, name in enumerate(
        ("skipped", "passed", "unsupported", "expected", "failed", "timeout", "crash")
    )
}
_STATUS_OF: dict[str, str] = {
    "unsupported": "unsupported",
    "expected": "expected failure",
    "failed": "fail",
    "timeout": "timeout",
    "crash": "crash",
}


@final
@dataclass(slots=True)
class Fact:
    """What became of one question. `error` is the exception's type; `claimed` says whether the
    manifest claims the row; `widening` is the room granted, in units of the usual; `expectation` is
    the number of the entry that expected the error.
    """

    node: str
    outcome: Outcome
    answer: str | None = None
    by: str = ""
    achieved: float | None = None
    allowed: float | None = None
    widening: float = 1.0
    error: str = ""
    message: str = ""
    program: str = ""
    claimed: bool = True
    remark: str = ""
    expectation: int = 0
    seconds: float = 0.0

    @property
    def ratio(self) -> float:
        """The achieved error in units of the allowed."""
        if self.achieved is None:
            return -1.0
        return self.achieved / self.allowed if self.allowed else float(self.achieved > 0) * 1e308


@final
@dataclass(slots=True)
class Entry:
    """A row or a check, and what was found of it; `questions` counts the outcomes at each level."""

    id: str
    operator: str | None
    family: str | None
    dtype: str | None
    variant: str | None
    level: int
    answer: str | None = None
    by: str = ""
    outcome: Outcome = "skipped"
    achieved: float | None = None
    allowed: float | None = None
    closest: str = ""
    question: str = ""
    error: str = ""
    message: str = ""
    program: str = ""
    claimed: bool = True
    unexpected: str = ""
    questions: dict[int, Counter[str]] = field(default_factory=dict)
    seconds: float = 0.0
    _ratio: float = -1.0

    def add(self, fact: Fact, question: str, level: int) -> None:
        """Take one answer in."""
        self.questions.setdefault(level, Counter())[fact.outcome] += 1
        self.seconds += fact.seconds
        self.claimed = self.claimed and fact.claimed
        if fact.answer is not None:
            self.answer, self.by = fact.answer, fact.by
        if fact.ratio > self._ratio:
            self._ratio, self.closest = fact.ratio, question
            self.achieved, self.allowed = fact.achieved, fact.allowed
        if _SEVERITY[fact.outcome] > _SEVERITY[self.outcome]:
            self.outcome, self.question = fact.outcome, question
            self.error, self.message, self.program = fact.error, fact.message, fact.program

    @property
    def status(self) -> str:
        """One of `STATUSES`; of a check that is as it should be "pass", or "skipped"."""
        if self.unexpected and self.outcome in ("passed", "skipped"):
            return "unexpected pass"
        found = _STATUS_OF.get(self.outcome)
        if found is not None:
            return found
        if self.dtype is None:
            return "pass" if self.outcome == "passed" else "skipped"
        return self.answer or ("right" if self.outcome == "passed" else "skipped")

    def record(self) -> dict[str, Any]:
        """As it stands in the file: what is empty is left out."""
        found: dict[str, Any] = {"id": self.id, "status": self.status, "level": self.level}
        names = ("operator", "family", "dtype", "variant", "by")
        found |= {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.achieved is not None:
            found |= {"achieved": _finite(self.achieved), "allowed": _finite(self.allowed or 0.0)}
            found |= {"closest": self.closest}
        if self.outcome in _STATUS_OF and self.question:
            found |= {"question": self.question, "error": self.error, "message": self.message}
            found |= {"program": self.program} if self.program else {}
        if self.unexpected:
            found |= {"message": self.unexpected}
        if not self.claimed and self.status in RIGHT:
            found["underclaimed"] = True
        found["questions"] = {str(k): dict(v) for k, v in sorted(self.questions.items())}
        return found


def _finite(value: float) -> float | str:
    return value if abs(value) < float("inf") else "inf"


@final
@dataclass(slots=True)
class Result:
    """A whole run. `about` says what was tested, where and with which options; `problems` are what
    makes the run fail beside its rows; `notes` are to be read.
    """

    about: dict[str, Any]
    rows: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    not_required: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self.about["backend"]["name"]

    def statuses(self) -> Counter[str]:
        """How many rows have each status."""
        return Counter(row["status"] for row in self.rows)

    def wrong(self) -> list[dict[str, Any]]:
        """The rows and checks that fail the run."""
        return [each for each in (*self.rows, *self.checks) if each["status"] in WRONG]

    @property
    def conforms(self) -> bool:
        """Whether nothing fails."""
        return not self.problems and not self.wrong()

    @property
    def partial(self) -> bool:
        """Whether an option left rows or questions of its levels out."""
        selection = self.about["selection"]
        return any(selection[name] for name in ("narrowed", "operators", "dtypes"))

    @property
    def strict(self) -> bool:
        """Whether it conforms as a whole, without a widened tolerance or an expected failure."""
        expected = self.about["expectations"]
        excused = expected["tolerance"] or expected["failures"]
        return self.conforms and not self.partial and not excused

    def levels(self) -> list[dict[str, Any]]:
        """Of each level asked: rows and checks that were asked at it, and how many are wrong."""
        found = []
        for level in range(self.about["level"] + 1):
            asked = [e for e in (*self.rows, *self.checks) if str(level) in e["questions"]]
            bad = ("failed", "crash", "timeout")
            wrong = [e for e in asked if any(b in e["questions"][str(level)] for b in bad)]
            late = [e for e in asked if e["status"] == "unexpected pass" and e["level"] == level]
            questions = sum(sum(e["questions"][str(level)].values()) for e in asked)
            found.append(
                {
                    "level": level,
                    "asked": len(asked),
                    "questions": questions,
                    "wrong": len({e["id"] for e in (*wrong, *late)}),
                }
            )
        return found

    def document(self) -> dict[str, Any]:
        """What is written as JSON."""
        count = self.statuses()
        total = len(self.rows)
        right = sum(count[status] for status in RIGHT)
        score = {
            "rows": total,
            "statuses": {status: count[status] for status in STATUSES if count[status]},
            "native_percent": percent(count["native"], total),
            "total_percent": percent(right, total),
            "conforms": self.conforms,
            "strict": self.strict,
            "levels": self.levels(),
        }
        return {"schema": SCHEMA, **self.about, "score": score} | {
            name: getattr(self, name)
            for name in ("problems", "notes", "not_required", "rows", "checks")
        }

    def write(self, path: Path) -> None:
        """Write the JSON file, one row a line."""
        document = self.document()
        lists = {name: document.pop(name) for name in ("rows", "checks")}
        text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
        text = text.removesuffix("\n}")
        for name, entries in lists.items():
            lines = ",\n".join(
                json.dumps(entry, allow_nan=False, ensure_ascii=False) for entry in entries
            )
            text += f',\n "{name}": [\n{lines}\n ]'
        path.write_text(text + "\n}\n", encoding="utf-8")


class ResultError(ValueError):
    """A file that is no result of this kit."""


def read(path: Path) -> Result:
    """A result from its file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        schema = document["schema"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise ResultError(f"{path}: no result of the conformance kit ({cause})") from cause
    if schema != SCHEMA:
        raise ResultError(f"{path}: written in schema {schema}, read here is {SCHEMA}")
    own = {name: document.pop(name) for name in ("rows", "checks", "not_required")}
    own |= {name: document.pop(name) for name in ("problems", "notes")}
    return Result({k: v for k, v in document.items() if k not in ("schema", "score")}, **own)


def percent(part: int, whole: int) -> float:
    """In percent, rounded towards zero: 100 means all."""
    return int(1000 * part / whole) / 10 if whole else 0.0


def neighbours(rows: Iterable[dict[str, Any]]) -> None:
    """Name for each wrong row the nearest right one: another dtype of the same variant, or another
    variant of the same dtype.
    """
    known = list(rows)
    right: dict[tuple[str, str], str] = {}
    for row in known:
        if row["status"] in RIGHT:
            right.setdefault((row["operator"], row["variant"]), row["id"])
            right.setdefault((row["operator"], row["dtype"]), row["id"])
    for row in known:
        if row["status"] in WRONG:
            same = [(row["operator"], row[key]) for key in ("variant", "dtype")]
            found = [right[key] for key in same if key in right]
            if found:
                row["neighbour"] = found[0]


_USUAL = asdict(Fact("", "passed"))


def as_property(fact: Fact) -> dict[str, Any]:
    """A fact as what may travel from a worker: what is usual is left out."""
    said = {name: getattr(fact, name) for name in _USUAL if getattr(fact, name) != _USUAL[name]}
    return {"node": fact.node, "outcome": fact.outcome} | said
