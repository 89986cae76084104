"""Anomaly mode: where a NaN in a gradient came from."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from plugrad import watching
from plugrad.dispatch import flatten
from plugrad.errors import AutogradError
from plugrad.ops.comparison import isnan
from plugrad.ops.reduction import any as any_of
from plugrad.tape import no_grad
from plugrad.watching import watch

_HERE = os.path.dirname(os.path.dirname(__file__))

Place = tuple[str, int, str]  # file, line, function


class set_detect_anomaly:
    """Switch the search for NaN on or off in this thread: from now on, and back at the end if used
    as a block.

    While it is on, each recorded call remembers where it was made, and a backward whose operator
    pulls a NaN out of its cotangent raises an error that names the operator and that line;
    `check_nan=False` only remembers. It is slow: for finding a fault.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = watch.trace, watch.judge
        _switch(_place if mode else None, _refuse_nan if mode and check_nan else None)

    def __enter__(self) -> None:
        """The constructor has switched already."""

    def __exit__(self, *exception: object) -> None:
        _switch(*self._before)


class detect_anomaly(set_detect_anomaly):
    """In the block a NaN in a gradient is an error that names the operator which made it, and the
    line that called it; `check_nan=False` only remembers the lines.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan

    def __enter__(self) -> None:
        super().__init__(True, self._check_nan)


def is_anomaly_enabled() -> bool:
    """Whether calls remember where they were made, in this thread."""
    return watch.trace is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether a NaN in a gradient is an error, in this thread."""
    return watch.judge is not None


def _switch(trace: Any, judge: Any) -> None:
    was, watch.trace, watch.judge = watch.trace, trace, judge
    if (was is None) is not (trace is None):
        watching.end() if trace is None else watching.begin()


def _place() -> Place | None:
    """The innermost line outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_HERE, "<derivative")):
        frame = frame.f_back
    if frame is None:
        return None
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name


def _refuse_nan(node: Any, place: Place | None, cotangents: Sequence[Any]) -> None:
    for position, cotangent in enumerate(cotangents):
        for each in flatten((cotangent,)):
            kind = each.spec.dtype.kind
            with no_grad():
                broken = kind in ("float", "complex") and any_of(isnan(each)).item()
            if broken:
                raise AutogradError(
                    f"{node.name()}: the gradient of its input {position} has NaN; {_said(place)}"
                )


def _said(place: Place | None) -> str:
    if place is None:
        return "it was called outside detect_anomaly(), which would tell where"
    file, line, function = place
    source = linecache.getline(file, line).strip()
    return f"it was called in {file}, line {line}, in {function}: {source}"
