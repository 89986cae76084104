"""The checks that raise: closeness to a reference, with a program that reproduces a failure, and numerical derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import plugrad
from plugrad.dtypes import DType
from plugrad_conformance.case import Tolerance, native
from plugrad_conformance.layouts import Layout
from plugrad_conformance.program import program
from plugrad_conformance.rows import Row, leaves

Array = np.ndarray[Any, Any]


def assert_close(
    got: Array,
    want: Array,
    row: Row,
    device: str,
    *,
    what: str = "result",
    arrays: Sequence[Any] | None = None,
    tolerance: Tolerance | None = None,
    layout: Layout | None = None,
) -> None:
    """Raise unless a result is as near to the reference as its dtype and the case's tolerance class ask.

    NaN equals NaN, and infinities must agree. The error names operator, dtype, shapes, the worst element with the
    achieved and the allowed error, and ends with a program to paste.
    """
    arrays = row.arrays() if arrays is None else arrays
    tolerance = tolerance or row.case.tolerance
    if got.shape != want.shape:
        problem = f"shape {got.shape}, expected {want.shape}"
    elif got.dtype != expected_dtype(want, row.dtype):
        problem = f"dtype {got.dtype}, expected {expected_dtype(want, row.dtype)}"
    else:
        problem = _worst(got, want, allowed_error(want, got.dtype, arrays, tolerance), tolerance)
    if problem:
        raise AssertionError(_report(row, device, arrays, layout, f"{what}: {problem}", want))


def expected_dtype(want: Array, dtype: DType) -> np.dtype[Any]:
    """The result's dtype for a row: NumPy's own for bools and integers, else the row's, or its real or complex half."""
    kind = want.dtype.kind
    if kind in "biu":
        return want.dtype
    base = dtype if dtype.kind in ("float", "complex") else plugrad.get_default_dtype()
    return native(base.to_real() if kind == "f" else base.to_complex())


def allowed_error(
    want: Array, dtype: np.dtype[Any], arrays: Sequence[Any], tolerance: Tolerance
) -> Array:
    """The allowed error of each element: what the class allows in units of the dtype's `eps`."""
    if dtype.kind in "biu" or not want.size:
        return np.zeros(want.shape)
    limits = _limits(dtype)
    eps = float(limits.eps)
    operands = [a for a in leaves(arrays) if a.dtype.kind not in "biu" and a.size]
    sizes = [_largest(a) for a in operands]
    finite = np.where(np.isfinite(want), np.abs(want), 0)
    size = max(1.0, *sizes, float(np.max(finite))) if sizes else max(1.0, float(np.max(finite)))
    term = max(1.0, float(np.prod(sizes))) if tolerance.product else size
    count = max([a.size for a in operands], default=1)
    room = eps * (tolerance.own * finite + tolerance.steps * size)
    # Halves are summed in float32, so that only float32's unit grows with the number of terms.
    room = room + min(eps, float(np.finfo(np.float32).eps)) * tolerance.terms * count * term
    return room + (float(limits.smallest_subnormal) if tolerance.own else 0)


def _limits(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "fc":
        return np.finfo(dtype)
    return native_finfo(dtype)


def native_finfo(dtype: np.dtype[Any]) -> Any:
    """Limits of bfloat16, which NumPy does not know."""
    import ml_dtypes

    return ml_dtypes.finfo(dtype)
