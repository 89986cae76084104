"""Closeness to a reference: computed tolerances, and an error that says all that is needed to see
the failure again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from plugrad_conformance import journal
from plugrad_conformance.case import TRANSCENDENTAL, Tolerance
from plugrad_conformance.layouts import Layout
from plugrad_conformance.program import program
from plugrad_conformance.rows import Row, leaves

Array = np.ndarray[Any, Any]


class MismatchError(AssertionError):
    """A result that is not what it should be: `problem` in one line, `program` to see it again."""

    def __init__(self, row: str, problem: str, program: str) -> None:
        self.problem = problem
        self.program = program
        super().__init__(f"{row}\n  {problem}\n\n{program}\n")


def assert_close(
    got: Array,
    want: Array,
    row: Row,
    device: str,
    *,
    what: str = "result",
    arrays: Sequence[Any] | None = None,
    layout: Layout | None = None,
    room: Array | None = None,
    cotangents: Sequence[Array] = (),
    tolerance: Tolerance | None = None,
) -> None:
    """Raise unless a result has the reference's shape and dtype, and is as near as dtype and
    tolerance class ask.

    NaN equals NaN, infinities must agree, and where one operation is rounded the signs of zeros.
    The error names operator, dtype, the inputs' shapes and the worst element with its achieved and
    its allowed error, and ends with a program to paste. `room` replaces the computed allowance:
    then the dtype is the reference's own.
    """
    arrays = row.arrays() if arrays is None else arrays
    tolerance = tolerance or row.case.tolerance
    dtype = row.result_dtype(want, device) if room is None else want.dtype
    if got.shape != want.shape:
        problem = f"shape {got.shape}, expected {want.shape}"
    elif got.dtype != dtype:
        problem = f"dtype {got.dtype.name}, expected {dtype.name}"
    elif room is not None:
        problem = _worst_element(got, want, room)
    else:
        problem = _worst_element(got, want, allowed_error(want, dtype, arrays, tolerance))
        one_step = not (tolerance.steps or tolerance.terms)
        if not problem and row.case.signed_zero and one_step:
            problem = _sign_of_zero(got, want)
    if problem:
        problem = f"{what}: {problem} ({tolerance.name} class)"
        fail(problem, row, device, want, arrays=arrays, layout=layout, cotangents=cotangents)


def assert_untouched(got: Array, before: Array, message: str) -> None:
    """Raise unless an array has the bits that it had."""
    if got.tobytes() != before.tobytes():
        changed = np.flatnonzero(got.reshape(-1) != before.reshape(-1))
        raise AssertionError(f"{message} ({len(changed)} of {got.size} elements)")


def fail(
    problem: str,
    row: Row,
    device: str,
    want: Any,
    *,
    arrays: Sequence[Any],
    layout: Layout | None = None,
    cotangents: Sequence[Array] = (),
) -> None:
    """Raise, with the row and a program that repeats it."""
    shapes = ", ".join(str(array.shape) for array in leaves(arrays)) or "none"
    order = f", {layout.name}" if layout else ""
    raise MismatchError(
        f"{row.case.name} on {device!r}, {row.dtype.name}, inputs {shapes}{order} (row {row})",
        problem,
        program(row, device, arrays, layout, np.asarray(want), cotangents),
    )


def allowed_error(
    want: Array, dtype: np.dtype[Any], arrays: Sequence[Any], tolerance: Tolerance
) -> Array:
    """The allowed error of each element, from the dtype's `eps` and the tolerance class."""
    if dtype.kind in "biu" or not want.size:
        return np.zeros(want.shape)
    limits = ml_dtypes.finfo(dtype)
    eps = float(limits.eps)
    operands = [array for array in leaves(arrays) if array.dtype.kind not in "biu" and array.size]
    sizes = [_largest(array) for array in operands]
    size = max(1.0, _largest(want), *sizes)
    term = max(1.0, float(np.prod(sizes))) if tolerance.product else size
    count = max([array.size for array in operands], default=1)
    exact = np.nan_to_num(np.abs(want).astype(np.float64), nan=0, posinf=0, neginf=0)
    with np.errstate(all="ignore"):
        room = eps * (tolerance.own * exact + tolerance.steps * size)
        # Halves are summed in float32, so only float32's unit grows with the number of terms.
        room = room + min(eps, 2.0**-23) * tolerance.terms * count * term
        # What is computed in several steps may be lost below the normal numbers; those of float16
        # are too large to lose.
        least = (
            limits.smallest_normal if limits.smallest_normal < 1e-30 else limits.smallest_subnormal
        )
        least = least if tolerance.own >= TRANSCENDENTAL.own else limits.smallest_subnormal
        return room + (float(least) if tolerance.own else 0)


def parts(array: Array) -> Array:
    """The elements in float64, a complex one as two."""
    if array.dtype.kind != "c":
        return array.astype(np.float64)
    return np.stack([array.real, array.imag], axis=-1).astype(np.float64)


def _largest(array: Array) -> float:
    size = np.abs(array.astype(np.complex128 if array.dtype.kind == "c" else np.float64))
    return float(np.max(size, where=np.isfinite(size), initial=0))


def _sign_of_zero(got: Array, want: Array) -> str:
    if got.dtype.kind in "biu":
        return ""
    found, exact = parts(got), parts(want)
    wrong = (found == 0) & (exact == 0) & (np.signbit(found) != np.signbit(exact))
    return f"{int(np.sum(wrong))} zeros have the wrong sign" if np.any(wrong) else ""


def _worst_element(got: Array, want: Array, room: Array) -> str:
    """What is wrong with the worst element, or nothing."""
    if got.dtype.kind in "biu":
        wrong = np.argwhere(got != want)
        if not len(wrong):
            return ""
        place = tuple(map(int, wrong[0]))
        return (
            f"{len(wrong)} of {got.size} elements differ, first at {place}: {got[place]}, "
            f"expected {want[place]}"
        )
    room = room * journal.page().widening
    with np.errstate(all="ignore"):
        # What the dtype cannot hold must have become infinite.
        rounded = parts(want.astype(got.dtype))
        exact = np.where(np.isinf(rounded), rounded, parts(want))
        found = parts(got)
        if got.dtype.kind == "c":
            room = room[..., None]
        # In the exact class the reference, rounded to the dtype, is the only answer.
        error = np.where((found == exact) | (found == rounded), 0, np.abs(found - exact))
        error = np.where(np.isnan(found) & np.isnan(exact), 0, error)
        error = np.where(np.isnan(error), np.inf, error)
        wrong = ~(error <= room)
        if not error.size:
            return ""
        failed = bool(np.any(wrong))
        # The worst of those that are off; else the one that came nearest to being so.
        badness = np.where(wrong, error, -1) if failed else error / np.maximum(room, 1e-300)
    place = np.unravel_index(int(np.argmax(badness)), error.shape)
    at = tuple(map(int, place[: got.ndim]))
    allowed = float(np.broadcast_to(room, error.shape)[place])
    journal.note_error(float(error[place]), allowed)
    if not failed:
        return ""
    return (
        f"{int(np.sum(wrong))} of {got.size} elements are off, worst at {at}: {got[at]}, "
        f"expected {want[at]}; error {float(error[place]):.3g}, allowed {allowed:.3g}"
    )
