"""NaN, infinities, signed zeros and the ends of the range, against NumPy in float64."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import plugrad
from plugrad.dtypes import DType
from plugrad_conformance.case import FLOATS, Case, native
from plugrad_conformance.check import assert_close
from plugrad_conformance.rows import Row, rows, to_numpy, to_tensors

_NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5)
_VECTORS = {
    "nan": (1.0, np.nan, 2.0),
    "nan_and_inf": (np.inf, np.nan, -np.inf),
    "inf": (1.0, np.inf, 2.0),
    "minus_inf": (-np.inf, -1.0, 0.5),
    "both_infinities": (np.inf, 1.0, -np.inf),
    "all_minus_inf": (-np.inf, -np.inf, -np.inf),
    "zeros": (-0.0, -0.0, -0.0),
}


def specials(dtype: DType) -> Any:
    """The numbers above, and the largest and the least normal number of a dtype."""
    limits = ml_dtypes.finfo(native(dtype))
    ends = (limits.max, limits.min, limits.smallest_normal)
    return np.array([*_NUMBERS, *map(float, ends)]).astype(native(dtype))


def floats(case: Case) -> tuple[DType, ...]:
    return tuple([dtype for dtype in FLOATS if dtype in case.dtypes])


def elementwise_rows() -> list[Row]:
    """The typical variant of each elementwise case that takes special values."""
    found = rows(lambda case: case.special and not case.operator.parameters, floats)
    return [row for row in found if row.variant == "rows"]


def reducing_rows() -> list[Any]:
    """One variant of each reduction, with each of the vectors."""
    found = rows(lambda case: case.special and case.operator.parameters, floats)
    return [
        pytest.param(row, name, id=f"{row.case.name}-{row.dtype.name}-{name}")
        for row in found
        if row.variant == "rows"
        for name in _VECTORS
    ]


@pytest.mark.parametrize("row", elementwise_rows(), ids=str)
def test_elementwise_operator_gives_what_ieee_arithmetic_gives(row: Row, device: str) -> None:
    skip_unless_stored(row, device)
    count = len(row.case.operator.tensors)
    arrays = tuple(map(np.ascontiguousarray, np.meshgrid(*[specials(row.dtype)] * count)))
    compare(row, device, arrays)


@pytest.mark.parametrize(("row", "name"), reducing_rows())
def test_reduction_gives_what_ieee_arithmetic_gives(row: Row, name: str, device: str) -> None:
    skip_unless_stored(row, device)
    compare(row, device, (np.array([_VECTORS[name]] * 2).astype(native(row.dtype)),))


def compare(row: Row, device: str, arrays: tuple[Any, ...]) -> None:
    """Compare a call on these arrays with the reference."""
    params = row.params(device)
    results = row.run(to_tensors(arrays, device), params)
    for got, want in zip(results, row.want(arrays, params), strict=True):
        assert_close(to_numpy(got), want, row, device, arrays=arrays)


def skip_unless_stored(row: Row, device: str) -> None:
    """A dtype that the backend does not store has no special values."""
    backend = plugrad.backends.backend(plugrad.device(device).type)
    if row.dtype not in backend.manifest.dtypes:
        pytest.skip(f"{device} does not store {row.dtype}")
