"""A test's judge: it counts what was compared, sets aside what was expected to differ, and fails
with what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import final

import pytest

from .agreement import Disagreement
from .differences import differences
from .sides import NotCarriedError, plugrad_has

PROPERTY = "parity"
SHOWN = 20


@final
@dataclass
class Tally:
    """What one name's comparisons came to."""

    compared: int = 0
    agreed: int = 0


@final
@dataclass
class Judge:
    """Collects the disagreements of one test; `properties` are those of its report."""

    properties: list[tuple[str, object]]
    tallies: dict[str, Tally] = field(default_factory=dict)
    #: Which patterns of which entries were met.
    met: set[tuple[int, str]] = field(default_factory=set)
    unexpected: list[str] = field(default_factory=list)

    def hear(
        self, name: str, cases: Iterable[tuple[str, Callable[[], list[Disagreement]]]]
    ) -> None:
        """Compare a name in all cases, if plugrad has it."""
        if not plugrad_has(name):
            return
        tally = self.tallies.setdefault(name, Tally())
        for case, compare in cases:
            try:
                found = compare()
            except NotCarriedError:
                continue
            tally.compared += 1
            tally.agreed += not found
            for each in found:
                if not self._is_expected(name, case, each):
                    self.unexpected.append(f"{name} | {case} | {each}")

    def _is_expected(self, name: str, case: str, disagreement: Disagreement) -> bool:
        expected = False
        for number, entry in enumerate(differences()):
            for pattern in entry.expects(name, case, disagreement):
                self.met.add((number, pattern))
                expected = True
        return expected

    def rule(self) -> None:
        """Tell the report the counts, then fail with the disagreements that nothing expected."""
        counts = {name: (t.compared, t.agreed) for name, t in self.tallies.items()}
        self.properties.append((PROPERTY, {"tallies": counts, "met": sorted(self.met)}))
        if self.unexpected:
            more = len(self.unexpected) - SHOWN
            lines = self.unexpected[:SHOWN] + ([f"and {more} more"] if more > 0 else [])
            pytest.fail("\n".join(lines), pytrace=False)
