"""Where plugrad is known to differ from PyTorch: `differences.toml`, one entry for one reason.

    [[difference]]
    kind = "deliberate"            # or "notyet": plugrad's fault, known
    names = ["norm", "Tensor.norm"]  # patterns
    what = "accepted"              # one of agreement.What
    calls = "wrong-*"              # optional: a pattern of the calls' names
    says = "not implemented for"   # optional: what the disagreement must contain
    reason = "…"

A disagreement that no entry expects fails its test; an entry that no disagreement meets fails the
run.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, final, get_args

from .agreement import Disagreement, What

FILE = Path(__file__).with_name("differences.toml")
KINDS = ("deliberate", "notyet")

_FIELDS = {"kind", "names", "what", "calls", "says", "reason"}


@final
@dataclass(frozen=True)
class Difference:
    """One entry of the file."""

    kind: str
    names: tuple[str, ...]
    what: str
    reason: str
    calls: str = "*"
    says: str = ""

    def expects(self, name: str, call: str, disagreement: Disagreement) -> list[str]:
        """The entry's patterns that a disagreement meets, none if it is another one."""
        if self.what != disagreement.what or self.says not in disagreement.detail:
            return []
        if not fnmatchcase(call, self.calls):
            return []
        return [pattern for pattern in self.names if fnmatchcase(name, pattern)]


@cache
def differences() -> tuple[Difference, ...]:
    """The entries of the file."""
    tables = tomllib.loads(FILE.read_text(encoding="utf-8")).get("difference", [])
    return tuple([_read(number, table) for number, table in enumerate(tables, 1)])


def _read(number: int, table: dict[str, Any]) -> Difference:
    place = f"{FILE.name}: entry {number}"
    if not {"kind", "names", "what", "reason"} <= set(table) <= _FIELDS:
        raise ValueError(f"{place}: expected the fields {sorted(_FIELDS)}, got {sorted(table)}")
    if table["kind"] not in KINDS or table["what"] not in get_args(What):
        raise ValueError(f"{place}: {table['kind']}, {table['what']}")
    if not table["reason"].strip() or not table["names"]:
        raise ValueError(f"{place}: names and a reason are wanted")
    return Difference(**{**table, "names": tuple(table["names"])})
