"""One case on one side: the first call, whether it computes what the reference does, then the
rounds.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from plugrad_bench.cases import Case
from plugrad_bench.clock import Call, Effort, compare
from plugrad_bench.results import Measurement, Ratio
from plugrad_bench.sides import Side

_TOLERANCE = 0.01


class DisagreementError(AssertionError):
    """Two sides that do not compute the same cannot be compared."""


def measure(benchmark: Any, case: Case, side: Side, reference: Side, effort: Effort) -> Measurement:
    """What was found, or what kept it from being found."""

    def found(**facts: Any) -> Measurement:
        return Measurement(case.label, case.family, case.size, side.name, **facts)

    try:
        call = _ready(case, side)
        first_call, result = call.once()
        other, expected = _reference(case, side, reference)
        if other is not None and not case.random:
            _check_agreement(result, expected)
        times = compare(benchmark, call, other, effort)
    except side.refusals as refusal:
        return found(problem=f"declined: {_line(refusal)}")
    except Exception as error:
        return found(problem=f"failed: {type(error).__name__}: {_line(error)}")
    ratio = Ratio.of(times.mine, times.reference) if other is not None else None
    seconds = statistics.median(times.mine)
    return found(seconds=seconds, first_call=first_call, ratio=ratio)


def _ready(case: Case, side: Side) -> Call:
    function, operands = case.prepare(side)
    return Call(function, operands, side.clock)


def _reference(case: Case, side: Side, reference: Side) -> tuple[Call | None, Any]:
    """What a side is compared with, and the result to expect: nothing for the reference itself, nor
    where that cannot make the call, which its own measurement says.
    """
    if side is reference:
        return None, None
    try:
        call = _ready(case, reference)
        return call, call.once()[1]
    except Exception:
        return None, None


def _check_agreement(result: Any, expected: Any) -> None:
    if not isinstance(expected, tuple):
        result, expected = (result,), (expected,)
    for mine, theirs in zip(map(_to_host, result), map(_to_host, expected), strict=True):
        if mine.shape != theirs.shape:
            raise DisagreementError(f"the shape is {mine.shape}, the reference's {theirs.shape}")
        allowed = _TOLERANCE * (1 + np.abs(theirs).max(initial=0))
        if not (np.abs(mine - theirs) <= allowed).all():
            raise DisagreementError("the result is not the reference's")


def _to_host(tensor: Any) -> Any:
    """As float64: neither library hands out bfloat16."""
    return np.asarray(tensor.detach().cpu().double().numpy())


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
