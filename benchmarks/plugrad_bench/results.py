"""What a run has found: a measurement per case and side, kept as JSON within pytest-benchmark's own
file.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import EllipsisType
from typing import Any, final

from plugrad_bench.errors import MisuseError

KEY = "plugrad_bench"
FORMAT = 1


@final
@dataclass(frozen=True, slots=True)
class Ratio:
    """Median and quartiles, over rounds, of a side's time divided by the reference's."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, mine: Sequence[float], reference: Sequence[float]) -> Ratio:
        """Of times that were taken in turn."""
        ratios = [a / b for a, b in zip(mine, reference, strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return cls(median, low, high)


@final
@dataclass(frozen=True, slots=True)
class Measurement:
    """One case on one side. `seconds` is the median of a call in steady state, `first_call` what
    the first took; a side that was not measured says why in `problem`. There is no `ratio` of the
    reference itself, nor where it was not measured.
    """

    label: str
    family: str
    size: int | None
    side: str
    seconds: float | None = None
    first_call: float | None = None
    ratio: Ratio | None = None
    problem: str = ""

    @property
    def startup(self) -> float:
        """Seconds that the first call took beyond a later one: compiling, loading, allocating."""
        if self.first_call is None or self.seconds is None:
            return 0.0
        return max(self.first_call - self.seconds, 0.0)

    @property
    def failed(self) -> bool:
        """Whether something is wrong, rather than out of the side's reach."""
        return self.problem.startswith("failed")


@final
@dataclass(slots=True)
class Comparison:
    """A run. `sides` describes them by name, in the order of the columns; the reference is one."""

    reference: str
    sides: dict[str, str]
    threads: int
    quick: bool
    version: str
    #: What it ran on: the processor, and versions of what computes.
    machine: str = ""
    interrupted: bool = False
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def challengers(self) -> list[str]:
        """The sides that the reference is compared with."""
        return [side for side in self.sides if side != self.reference]

    def lines(self) -> list[tuple[str, str, int | None]]:
        """Family, label and size of every case, in order."""
        return list(dict.fromkeys([(m.family, m.label, m.size) for m in self.measurements]))

    def at(self, label: str, size: int | None, side: str) -> Measurement | None:
        """What was found there, if it came to that."""
        for each in self.measurements:
            if (each.label, each.size, each.side) == (label, size, side):
                return each
        return None

    def ratios(self, side: str, size: int | EllipsisType | None = ...) -> list[float]:
        """The ratios of a side, of one size or of every one."""
        return [
            each.ratio.median
            for each in self.measurements
            if each.side == side and each.ratio and size in (..., each.size)
        ]

    def as_dict(self) -> dict[str, Any]:
        """The run in JSON's words."""
        return {"format": FORMAT, **asdict(self)}


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean that says the same of a ratio and of its inverse."""
    return math.exp(statistics.fmean([math.log(ratio) for ratio in ratios]))


def read(file: Path) -> Comparison:
    """The run that a file holds."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))[KEY]
        if found.pop("format") != FORMAT:
            raise MisuseError(f"{file}: written by another version of plugrad bench")
        found["measurements"] = [_measurement(each) for each in found["measurements"]]
        return Comparison(**found)
    except OSError as error:
        raise MisuseError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise MisuseError(f"{file}: not a result of plugrad bench") from None


def _measurement(found: dict[str, Any]) -> Measurement:
    ratio = found.pop("ratio")
    return Measurement(**found, ratio=None if ratio is None else Ratio(**ratio))
