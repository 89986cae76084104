"""One row per operator, in files named as in `plugrad.ops` and in the backends. `CASES` holds them
all, in that order; behind them those of the plugins that the run switches on.

A plugin offers a module with `CASES` in the entry-point group `plugrad_conformance.cases`, under
the plugin's own name.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from types import ModuleType

from plugrad_conformance import scope
from plugrad_conformance.case import Case
from plugrad_conformance.cases import (
    activation,
    attention,
    bessel,
    comparison,
    convolution,
    creation,
    ctc,
    decomposition,
    elementwise,
    fourier,
    incomplete_gamma,
    indexing,
    joining,
    linalg,
    loss,
    norm,
    normalization,
    numbers,
    optimizer,
    pooling,
    recurrent,
    reduction,
    sampling,
    sorting,
    special,
    systems,
    transfer,
    views,
)

GROUP = "plugrad_conformance.cases"


def of_plugins(names: tuple[str, ...]) -> tuple[ModuleType, ...]:
    """The modules of cases that these plugins offer; importing one declares its operators."""
    return tuple([entry.load() for name in names for entry in entry_points(group=GROUP, name=name)])


def name_of(family: ModuleType) -> str:
    """What reports call a module of cases: as `family_of` calls the operators'."""
    ours, _, name = family.__name__.rpartition(".")
    return name if ours == __name__ else family.__name__.partition(".")[0]


FAMILIES = (
    creation,
    elementwise,
    comparison,
    numbers,
    special,
    incomplete_gamma,
    bessel,
    reduction,
    views,
    joining,
    indexing,
    sorting,
    linalg,
    norm,
    systems,
    decomposition,
    fourier,
    activation,
    convolution,
    pooling,
    normalization,
    loss,
    ctc,
    attention,
    recurrent,
    sampling,
    optimizer,
    transfer,
    *of_plugins(scope.plugins),
)

CASES: tuple[Case, ...] = tuple([case for family in FAMILIES for case in family.CASES])

_FIRSTS = {case.operator: case for case in reversed(CASES)}


def is_repeated(case: Case) -> bool:
    """Whether a case is an operator's again, at other sizes or with other numbers: then its values
    are asked for, but not what follows from the operator alone.
    """
    return case is not _FIRSTS[case.operator] and not case.differentiable
