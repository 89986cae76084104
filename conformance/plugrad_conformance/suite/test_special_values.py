"""NaN, infinities, signed zeros and the ends of the range, against NumPy in float64: in vectors of
them, among many other numbers, and where elements only move.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from plugrad.dtypes import DType, float32
from plugrad_conformance.case import (
    EXACT,
    FLOATS,
    INTEGERS,
    Array,
    Case,
    native,
    nonzero,
    reals,
    small,
)
from plugrad_conformance.check import assert_close
from plugrad_conformance.rows import Row, leaves, rows, to_numpy, to_tensors, typical_dtype

LEVEL = 1

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


# More elements than the thresholds at which kernels start threads or cut blocks.
_MANY = 70001
_LONG = 1031


def specials(dtype: DType) -> Any:
    """The numbers above, and the largest and the least numbers of a dtype."""
    limits = ml_dtypes.finfo(native(dtype))
    ends = (limits.max, limits.min, limits.smallest_normal)
    below = 3 * float(limits.smallest_subnormal)
    return np.array([*_NUMBERS, *map(float, ends), below, -below]).astype(native(dtype))


def ends(dtype: DType) -> Any:
    """The ends of an integer dtype's range, what lies near them, and what floats do not hold."""
    limits = np.iinfo(native(dtype))
    wanted = (0, 1, -1, 2, limits.min, limits.min + 1, limits.max - 1, limits.max)
    wanted += ((1 << 24) + 1, (1 << 53) + 1, -(1 << 53) - 1)
    return np.array([n for n in wanted if limits.min <= n <= limits.max], native(dtype))


def floats(case: Case) -> tuple[DType, ...]:
    return tuple([dtype for dtype in FLOATS if dtype in case.dtypes])


def elementwise_rows() -> list[Row]:
    """The typical variant of each elementwise case that takes special values."""
    found = rows(lambda case: case.special and not case.operator.parameters, floats)
    return [row for row in found if row.variant == "rows"]


def integer_rows() -> list[Row]:
    """The typical variant of each elementwise case in each integer dtype."""
    return [
        row
        for row in rows(lambda case: case.special and not case.operator.parameters, integers)
        if row.variant == "rows"
    ]


def integers(case: Case) -> tuple[DType, ...]:
    return tuple([dtype for dtype in INTEGERS if dtype in case.dtypes])


def moving_rows() -> list[Row]:
    """The exact cases that have floats of any value to move."""
    found = rows(lambda case: case.tolerance is EXACT and case.reference, typical_dtype)
    return [
        row
        for row in found
        if row.dtype.kind == "float"
        and row.case.name != "max_pool"  # of several NaN in a window any may be named
        and any(_takes_any(recipe) for recipe in leaves(row.call.tensors))
    ]


def _takes_any(recipe: Array) -> bool:
    return recipe.dtype is None and recipe.domain is reals().domain


def reducing_rows() -> list[Any]:
    """One variant of each reduction, with each of the vectors."""
    found = rows(lambda case: case.special and case.operator.parameters, floats)
    return [
        pytest.param(row, name, id=f"{row}-{name}")
        for row in found
        if row.variant == "rows"
        for name in _VECTORS
    ]


@pytest.mark.parametrize("row", elementwise_rows(), ids=str)
def test_elementwise_operator_gives_what_ieee_arithmetic_gives(row: Row, device: str) -> None:
    count = len(row.case.operator.tensors)
    grid = [each.reshape(-1) for each in np.meshgrid(*[specials(row.dtype)] * count)]
    size = _MANY if row.dtype is float32 else 3 * grid[0].size
    compare(row, device, tuple([np.resize(each, size) for each in grid]))


@pytest.mark.parametrize("row", integer_rows(), ids=str)
def test_integers_at_the_ends_of_their_range_give_what_numpy_gives(row: Row, device: str) -> None:
    recipes = row.call.tensors
    grid = [each.reshape(-1) for each in np.meshgrid(*[ends(row.dtype)] * len(recipes))]
    meant = np.full(grid[0].shape, True)
    for recipe, values in zip(recipes, grid, strict=True):
        # Where a divisor or an exponent is asked for, the others have no agreed meaning.
        if recipe.domain is nonzero().domain and not row.case.as_float:
            meant &= (values != 0) & (values != -1)
        elif recipe.domain is small().domain:
            meant &= (values >= 0) & (values < 4)
    compare(row, device, tuple([values[meant] for values in grid]))


@pytest.mark.parametrize("row", moving_rows(), ids=str)
def test_special_values_move_as_others_do(row: Row, device: str) -> None:
    draw = np.random.default_rng(5)
    chosen = specials(row.dtype)

    def sprinkled(recipe: Any, value: Any) -> Any:
        if type(recipe) is tuple:
            return tuple([sprinkled(r, v) for r, v in zip(recipe, value, strict=True)])
        if recipe is None or not _takes_any(recipe):
            return value
        places = draw.permutation(value.size)[: value.size // 2]
        flat = value.reshape(-1).copy()
        flat[places] = np.resize(chosen, len(places))
        return flat.reshape(value.shape)

    given = zip(row.call.tensors, row.arrays(), strict=True)
    compare(row, device, tuple([sprinkled(recipe, value) for recipe, value in given]))


@pytest.mark.parametrize(("row", "name"), reducing_rows())
def test_reduction_gives_what_ieee_arithmetic_gives(row: Row, name: str, device: str) -> None:
    vector = np.array(_VECTORS[name]).astype(native(row.dtype))
    compare(row, device, (np.array([vector] * 2),))
    # The same among many ones: in the middle of a row, and at its end.
    long = np.ones((2, _LONG), vector.dtype)
    long[0, 700 : 700 + vector.size] = vector
    long[1, -vector.size :] = vector
    compare(row, device, (long,))


def compare(row: Row, device: str, arrays: tuple[Any, ...]) -> None:
    """Compare a call on these arrays with the reference."""
    params = row.params(device)
    results = row.run(to_tensors(arrays, device), params)
    for got, want in zip(results, row.want(arrays, params), strict=True):
        assert_close(to_numpy(got), want, row, device, arrays=arrays)
