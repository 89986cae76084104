"""Dtypes: identity, the promotion lattice, the ranks of operands, limits."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import struct
from collections.abc import Iterator

import pytest

from plugrad.dtypes import (
    ALL,
    BY_NAME,
    DType,
    bfloat16,
    bool_,
    can_cast,
    complex64,
    complex128,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    of_scalar,
    promote,
    promote_types,
    set_default_dtype,
    uint8,
)
from plugrad.errors import ArgumentError, DtypeError

PAIRS = list(itertools.product(ALL, ALL))
INTEGERS = (uint8, int8, int16, int32, int64)
FLOATS = (float16, bfloat16, float32, float64)
RANK = {"bool": 0, "int": 1, "float": 2, "complex": 3}


@pytest.fixture
def restore_default() -> Iterator[None]:
    before = get_default_dtype()
    yield
    set_default_dtype(before)


# --- the singletons -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ALL)
def test_a_dtype_survives_copies_and_pickles_as_itself(dtype: DType):
    assert copy.copy(dtype) is dtype
    assert copy.deepcopy([dtype])[0] is dtype
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(dtype, protocol)) is dtype


def test_a_dtype_reads_as_users_write_it():
    assert repr(float32) == str(float32) == "plugrad.float32"
    assert repr(bool_) == "plugrad.bool"


def test_a_dtype_cannot_be_changed():
    with pytest.raises(AttributeError, match=r"plugrad\.int8 is a constant"):
        int8.itemsize = 2
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del int8.name
    assert int8.itemsize == 1


def test_names_and_their_aliases_lead_to_the_singletons():
    assert all(BY_NAME[dtype.name] is dtype for dtype in ALL)
    assert (BY_NAME["half"], BY_NAME["float"], BY_NAME["double"]) == (float16, float32, float64)
    assert (BY_NAME["short"], BY_NAME["int"], BY_NAME["long"]) == (int16, int32, int64)
    assert (BY_NAME["cfloat"], BY_NAME["cdouble"]) == (complex64, complex128)


def test_kind_and_sign_follow_the_name():
    assert {d for d in ALL if d.is_floating_point} == set(FLOATS)
    assert {d for d in ALL if d.is_complex} == {complex64, complex128}
    assert {d for d in ALL if not d.is_signed} == {bool_, uint8}
    sizes = [d.itemsize for d in ALL]
    assert sizes == [1, 1, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16]


def test_complex_dtypes_hold_two_of_their_real_parts():
    assert complex64.to_real() is float32
    assert complex128.to_real() is float64
    assert int8.to_real() is int8
    for dtype in (float32, float64):
        assert dtype.to_complex().to_real() is dtype
        assert dtype.to_complex().to_complex() is dtype.to_complex()
    assert float16.to_complex() is bfloat16.to_complex() is complex64


@pytest.mark.parametrize("dtype", [bool_, *INTEGERS])
def test_integers_have_no_complex_counterpart(dtype: DType):
    with pytest.raises(DtypeError, match="to_complex: dtype: expected a float"):
        dtype.to_complex()


# --- promotion ------------------------------------------------------------------------------------


def test_promotion_does_not_depend_on_order():
    assert all(promote_types(a, b) is promote_types(b, a) for a, b in PAIRS)


def test_promotion_of_a_dtype_with_itself_changes_nothing():
    assert all(promote_types(a, a) is a for a in ALL)


def test_promotion_does_not_depend_on_grouping():
    for a, b, c in itertools.product(ALL, repeat=3):
        assert promote_types(promote_types(a, b), c) is promote_types(a, promote_types(b, c))


def test_promotion_rises_to_the_higher_kind_and_no_further():
    for a, b in PAIRS:
        assert RANK[promote_types(a, b).kind] == max(RANK[a.kind], RANK[b.kind])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (bool_, uint8, uint8),
        (uint8, int8, int16),
        (uint8, int64, int64),
        (int8, int32, int32),
        (int64, float16, float16),
        (int64, bfloat16, bfloat16),
        (float16, bfloat16, float32),
        (float32, float64, float64),
        (float16, complex64, complex64),
        (float64, complex64, complex128),
        (int64, complex64, complex64),
        (complex64, complex128, complex128),
    ],
)
def test_promotion_meets_where_the_lattice_says(a: DType, b: DType, expected: DType):
    assert promote_types(a, b) is expected


def test_a_cast_may_lose_width_but_not_kind():
    assert can_cast(float64, float16)
    assert can_cast(int64, uint8)
    assert can_cast(bool_, complex64)
    assert not can_cast(float32, int64)
    assert not can_cast(complex64, float64)
    assert not can_cast(uint8, bool_)


@pytest.mark.parametrize(
    ("dimensioned", "zero_dim", "scalars", "expected"),
    [
        ([int8], [], [int], int8),
        ([int8], [], [bool], int8),
        ([bool_], [], [int], int64),
        ([int8], [], [float], float32),
        ([float16], [], [float], float16),
        ([bfloat16], [], [complex], complex64),
        ([float32], [], [complex], complex64),
        ([float64], [], [complex], complex128),
        ([int64], [], [complex], complex64),
        ([int8], [int64], [], int8),
        ([bool_], [uint8], [], uint8),
        ([int8], [float64], [], float64),
        ([float16], [float64], [], float16),
        ([float32], [complex128], [], complex64),
        ([float32, int64], [float64], [complex], complex64),
        ([float16, bfloat16], [], [], float32),
        ([], [float16], [float], float16),
        ([], [int8], [int], int8),
        ([], [int8, int32], [], int32),
        ([int8], [bool_], [float], float32),
        ([int8], [float16], [float], float16),
        ([], [], [bool, int], int64),
        ([], [], [int, float], float32),
        ([], [], [float, complex], complex64),
    ],
)
def test_lower_ranks_lift_the_kind_only(
    dimensioned: list[DType], zero_dim: list[DType], scalars: list[type], expected: DType
):
    assert promote(dimensioned, zero_dim, scalars) is expected


def test_promotion_of_nothing_is_refused():
    with pytest.raises(ArgumentError, match="at least one"):
        promote([], [], [])


# --- the default dtype ----------------------------------------------------------------------------


@pytest.mark.usefixtures("restore_default")
def test_the_default_dtype_is_what_python_floats_become():
    assert get_default_dtype() is float32
    assert (of_scalar(2.5), of_scalar(1j)) == (float32, complex64)
    set_default_dtype(float64)
    assert (of_scalar(2.5), of_scalar(1j)) == (float64, complex128)
    assert promote([int32], [], [float]) is float64
    assert promote([float32], [], [complex]) is complex64
    assert finfo().dtype == "float64"


def test_python_bools_and_ints_do_not_depend_on_the_default():
    assert of_scalar(True) is bool_
    assert of_scalar(7) is int64


@pytest.mark.parametrize("dtype", [int32, bool_, complex64, "float32"])
def test_only_floats_can_be_the_default(dtype: DType):
    with pytest.raises(DtypeError, match="set_default_dtype: dtype: expected a float dtype"):
        set_default_dtype(dtype)
    assert get_default_dtype() is float32


def test_a_value_that_is_no_number_has_no_dtype():
    with pytest.raises(TypeError, match="got str"):
        of_scalar("1")  # pyright: ignore[reportArgumentType]


# --- limits ---------------------------------------------------------------------------------------


def bits_of(dtype: DType, value: float) -> int:
    """The value in the dtype's own bits; a bfloat16 is the upper half of a float32."""
    if dtype is bfloat16:
        whole = int.from_bytes(struct.pack(">f", value))
        assert whole & 0xFFFF == 0, "not a bfloat16"
        return whole >> 16
    code = {float16: ">e", float32: ">f", float64: ">d"}[dtype]
    packed = struct.pack(code, value)
    assert struct.unpack(code, packed) == (value,), f"not a {dtype.name}"
    return int.from_bytes(packed)


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_limits_are_the_last_of_their_kind(dtype: DType):
    info = finfo(dtype)
    infinity = bits_of(dtype, math.inf)
    assert bits_of(dtype, info.max) == infinity - 1
    assert info.min == -info.max
    assert bits_of(dtype, 1 + info.eps) == bits_of(dtype, 1.0) + 1
    smallest_exponent = bits_of(dtype, 2.0) - bits_of(dtype, 1.0)
    assert bits_of(dtype, info.tiny) == smallest_exponent
    assert info.smallest_normal == info.tiny
    assert info.bits == 8 * dtype.itemsize
    assert info.dtype == dtype.name


def test_resolution_is_the_last_decimal_that_survives():
    assert [finfo(d).resolution for d in FLOATS] == [1e-3, 1e-2, 1e-6, 1e-15]


def test_a_complex_dtype_has_the_limits_of_its_parts():
    assert finfo(complex64) == finfo(float32)
    assert finfo(complex128) == finfo(float64)


def test_integer_limits_fill_the_bits():
    assert (iinfo(uint8).min, iinfo(uint8).max) == (0, 255)
    assert (iinfo(int8).min, iinfo(int8).max) == (-128, 127)
    assert iinfo(int64).max == 0x7FFF_FFFF_FFFF_FFFF
    assert all(iinfo(d).bits == 8 * d.itemsize for d in INTEGERS)


def test_limits_of_the_wrong_kind_point_to_the_right_function():
    with pytest.raises(DtypeError, match=r"use iinfo\(\)"):
        finfo(int32)
    with pytest.raises(DtypeError, match=r"use finfo\(\)"):
        iinfo(float32)
    with pytest.raises(DtypeError, match="iinfo: dtype: expected an integer dtype"):
        iinfo(bool_)
    with pytest.raises(DtypeError):
        finfo(bool_)
