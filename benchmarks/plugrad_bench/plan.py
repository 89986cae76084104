"""What a run is to measure: cases and sides, made from the command's options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import final

from plugrad.discovery import INSTALL_HINTS
from plugrad.inventory import backend_state
from plugrad_bench.cases import Case, operator_cases, step_cases
from plugrad_bench.clock import FULL, QUICK, Effort
from plugrad_bench.errors import MisuseError
from plugrad_bench.sides import TORCH, Side, open_side
from plugrad_bench.sizes import parse_size

NUMPY = "numpy"
_SIZES = "small,medium,large"
_QUICK_SIZES = "small,medium"


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """Every case on every side, the reference first."""

    operators: list[Case]
    steps: list[Case]
    sides: list[Side]
    threads: int
    quick: bool

    @property
    def reference(self) -> Side:
        """What the others are compared with."""
        return self.sides[0]

    @property
    def effort(self) -> Effort:
        """How long each is measured."""
        return QUICK if self.quick else FULL


def make_plan(
    backends: str | None = None,
    operators: str | None = None,
    sizes: str | None = None,
    reference: str | None = None,
    *,
    steps: bool | None = None,
    quick: bool = False,
    threads: int = 1,
) -> Plan:
    """Take the options in, names with commas between; raises what keeps the run from starting.

    By default: the well-known backends that can be used, PyTorch if it is there as the reference,
    every row, three sizes, and the training steps unless operators were chosen.
    """
    wanted = None if operators is None else _names("--operators", operators)
    chosen = [
        parse_size(each) for each in _names("--sizes", sizes or (_QUICK_SIZES if quick else _SIZES))
    ]
    names = _ready() if backends is None else _names("--backends", backends)
    first = reference or (TORCH if find_spec(TORCH) else NUMPY)
    return Plan(
        operator_cases(wanted, list(dict.fromkeys(chosen))),
        step_cases() if (wanted is None if steps is None else steps) else [],
        [open_side(name, threads) for name in dict.fromkeys([first, *names])],
        threads,
        quick,
    )


def _ready() -> list[str]:
    return [name for name in INSTALL_HINTS if backend_state(name).condition == "ready"]


def _names(option: str, text: str) -> Sequence[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise MisuseError(f"{option}: expected names with commas between, got {text!r}")
    return names
