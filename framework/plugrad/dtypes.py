"""The element types, how they promote, and what numbers they hold.

A dtype is a singleton, compared by identity; a backend maps it to its own once. Promotion is one
table. Python scalars are weak: they choose the kind of a result, never its width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, NoReturn, final

from plugrad.errors import ArgumentError, DtypeError

Kind = Literal["bool", "int", "float", "complex"]


@final
class DType:
    """One element type; `itemsize` in bytes. The instances below are all there are."""

    __slots__ = ("is_complex", "is_floating_point", "is_signed", "itemsize", "kind", "name")

    name: str
    itemsize: int
    kind: Kind
    is_signed: bool
    is_floating_point: bool
    is_complex: bool

    def __init__(self, name: str, itemsize: int, kind: Kind, *, is_signed: bool = True) -> None:
        # Stored rather than computed: a slot reads in a third of a property's time.
        fix = object.__setattr__
        fix(self, "name", name)
        fix(self, "itemsize", itemsize)
        fix(self, "kind", kind)
        fix(self, "is_signed", is_signed)
        fix(self, "is_floating_point", kind == "float")
        fix(self, "is_complex", kind == "complex")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{self!r} is a constant; {name!r} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self!r} is a constant; {name!r} cannot be deleted")

    def __repr__(self) -> str:
        return f"plugrad.{self.name}"

    def __reduce__(self) -> str:
        # A string names a global of this module: pickle and copy return the singleton itself.
        return "bool_" if self.kind == "bool" else self.name

    def to_real(self) -> DType:
        """The dtype of the real part; a dtype that is not complex is its own."""
        return _REAL.get(self, self)

    def to_complex(self) -> DType:
        """The complex dtype whose parts hold this one. There is no complex half: float16 gives
        complex64. Integers and bool have none: DtypeError.
        """
        found = _COMPLEX.get(self)
        if found is None:
            raise DtypeError("to_complex", "dtype", expected="a float or complex dtype", got=self)
        return found


bool_ = DType("bool", 1, "bool", is_signed=False)
uint8 = DType("uint8", 1, "int", is_signed=False)
int8 = DType("int8", 1, "int")
int16 = DType("int16", 2, "int")
int32 = DType("int32", 4, "int")
int64 = DType("int64", 8, "int")
float16 = DType("float16", 2, "float")
bfloat16 = DType("bfloat16", 2, "float")
float32 = DType("float32", 4, "float")
float64 = DType("float64", 8, "float")
complex64 = DType("complex64", 8, "complex")
complex128 = DType("complex128", 16, "complex")

ALL: tuple[DType, ...] = (
    bool_,
    uint8,
    int8,
    int16,
    int32,
    int64,
    float16,
    bfloat16,
    float32,
    float64,
    complex64,
    complex128,
)

BY_NAME: dict[str, DType] = {dtype.name: dtype for dtype in ALL} | {
    "short": int16,
    "int": int32,
    "long": int64,
    "half": float16,
    "float": float32,
    "double": float64,
    "cfloat": complex64,
    "cdouble": complex128,
}

_REAL = {complex64: float32, complex128: float64}
_COMPLEX = {
    float16: complex64,
    bfloat16: complex64,
    float32: complex64,
    float64: complex128,
    complex64: complex64,
    complex128: complex128,
}


# --- promotion ------------------------------------------------------------------------------------


def _promotion_table() -> dict[tuple[DType, DType], DType]:
    """Row and column to the least dtype above both, both in the order of `ALL`.

    Two choices are PyTorch's: any integer with any float gives the float, however wide the
    integer; and neither 16-bit float holds the other, so that together they give float32.
    """
    b1, u1, i1, i2, i4, i8, f2, bf, f4, f8, c4, c8 = ALL
    rows = (
        (b1, u1, i1, i2, i4, i8, f2, bf, f4, f8, c4, c8),  # bool
        (u1, u1, i2, i2, i4, i8, f2, bf, f4, f8, c4, c8),  # uint8
        (i1, i2, i1, i2, i4, i8, f2, bf, f4, f8, c4, c8),  # int8
        (i2, i2, i2, i2, i4, i8, f2, bf, f4, f8, c4, c8),  # int16
        (i4, i4, i4, i4, i4, i8, f2, bf, f4, f8, c4, c8),  # int32
        (i8, i8, i8, i8, i8, i8, f2, bf, f4, f8, c4, c8),  # int64
        (f2, f2, f2, f2, f2, f2, f2, f4, f4, f8, c4, c8),  # float16
        (bf, bf, bf, bf, bf, bf, f4, bf, f4, f8, c4, c8),  # bfloat16
        (f4, f4, f4, f4, f4, f4, f4, f4, f4, f8, c4, c8),  # float32
        (f8, f8, f8, f8, f8, f8, f8, f8, f8, f8, c8, c8),  # float64
        (c4, c4, c4, c4, c4, c4, c4, c4, c4, c8, c4, c8),  # complex64
        (c8, c8, c8, c8, c8, c8, c8, c8, c8, c8, c8, c8),  # complex128
    )
    return {(a, b): out for a, row in zip(ALL, rows) for b, out in zip(ALL, row)}


_PROMOTED = _promotion_table()
_RANK: dict[Kind, int] = {"bool": 0, "int": 1, "float": 2, "complex": 3}


def promote_types(type1: DType, type2: DType) -> DType:
    """The least dtype that both promote to."""
    return type1 if type1 is type2 else _PROMOTED[type1, type2]


def can_cast(from_: DType, to: DType) -> bool:
    """Whether a result of `from_` may be written into `to`: its kind must not be lower.

    Width and sign do not count: int64 casts to uint8, but neither float32 to int64 nor int8 to
    bool.
    """
    return _RANK[from_.kind] <= _RANK[to.kind]


def promote(
    dimensioned: Iterable[DType], zero_dim: Iterable[DType], scalars: Iterable[type]
) -> DType:
    """The dtype in which operands of three ranks meet.

    Tensors with axes outrank tensors without, which outrank Python scalars (given as their
    types). Within a rank dtypes promote by the table; a lower rank changes the outcome only where
    its kind is higher, as 2.5 does to an int64 tensor, which gives the default dtype.
    """
    strong = zero = weak = None
    for dtype in dimensioned:
        strong = dtype if strong is None else promote_types(strong, dtype)
    for dtype in zero_dim:
        zero = dtype if zero is None else promote_types(zero, dtype)
    for scalar in scalars:
        dtype = of_scalar_type(scalar)
        weak = dtype if weak is None else promote_types(weak, dtype)
    out = _outrank(strong, _outrank(zero, weak))
    if out is None:
        raise ArgumentError("promote", "operands", expected="at least one", got="none")
    return out


def _outrank(higher: DType | None, lower: DType | None) -> DType | None:
    if lower is None or higher is lower:
        return higher
    if higher is None:
        return lower
    if _RANK[lower.kind] <= _RANK[higher.kind]:
        return higher
    # A float operand keeps its width under a complex scalar: complex64 from float32 and 2j,
    # even where the default dtype is float64.
    return higher.to_complex() if higher.is_floating_point else _PROMOTED[higher, lower]


# --- the default dtype and Python scalars ---------------------------------------------------------

_default = float32


def get_default_dtype() -> DType:
    """What Python floats become, and what creation functions use unless told otherwise."""
    return _default


def set_default_dtype(dtype: DType) -> None:
    """Change the default for the whole process; DtypeError unless it is a float dtype."""
    global _default
    if dtype not in _EXPONENT_AND_MANTISSA_BITS:
        raise DtypeError("set_default_dtype", "dtype", expected="a float dtype", got=repr(dtype))
    _default = dtype


def of_scalar(value: bool | int | float | complex) -> DType:
    """bool, int64, the default dtype or its complex: what a tensor of this Python scalar holds."""
    return of_scalar_type(type(value))


def of_scalar_type(scalar: type) -> DType:
    """`of_scalar` for the type alone; subclasses of the four count, anything else: DtypeError."""
    if scalar is float:
        return _default
    if scalar is bool:
        return bool_
    if issubclass(scalar, int):
        return int64
    if issubclass(scalar, float):
        return _default
    if issubclass(scalar, complex):
        return _default.to_complex()
    expected = "a bool, int, float or complex"
    raise DtypeError("of_scalar", "value", expected=expected, got=scalar.__name__)


# --- limits ---------------------------------------------------------------------------------------


class FloatInfo(NamedTuple):
    """Limits of a float format. `eps` is the gap above 1, `tiny` (also `smallest_normal`) the
    least positive normal number, `resolution` the last decimal that survives.
    """

    bits: int
    eps: float
    max: float
    min: float
    tiny: float
    smallest_normal: float
    resolution: float
    dtype: str


class IntInfo(NamedTuple):
    """Limits of an integer format."""

    bits: int
    max: int
    min: int
    dtype: str


_EXPONENT_AND_MANTISSA_BITS = {
    float16: (5, 10),
    bfloat16: (8, 7),
    float32: (8, 23),
    float64: (11, 52),
}


def finfo(dtype: DType | None = None) -> FloatInfo:
    """Limits of a float dtype (None: the default one), or of the parts of a complex dtype."""
    dtype = _default if dtype is None else dtype.to_real()
    widths = _EXPONENT_AND_MANTISSA_BITS.get(dtype)
    if widths is None:
        hint = "use iinfo() for integers"
        raise DtypeError(
            "finfo", "dtype", expected="a float or complex dtype", got=dtype, hint=hint
        )
    exponent, mantissa = widths
    bias = 2 ** (exponent - 1) - 1
    eps = math.ldexp(1.0, -mantissa)
    largest = math.ldexp(2.0 - eps, bias)
    tiny = math.ldexp(1.0, 1 - bias)
    return FloatInfo(
        bits=1 + exponent + mantissa,
        eps=eps,
        max=largest,
        min=-largest,
        tiny=tiny,
        smallest_normal=tiny,
        resolution=10.0 ** -math.floor(mantissa * math.log10(2)),
        dtype=dtype.name,
    )


def iinfo(dtype: DType) -> IntInfo:
    """Limits of an integer dtype."""
    if dtype.kind != "int":
        hint = "" if dtype.kind == "bool" else "use finfo() for floats"
        raise DtypeError("iinfo", "dtype", expected="an integer dtype", got=dtype, hint=hint)
    bits = 8 * dtype.itemsize
    if dtype.is_signed:
        return IntInfo(bits, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), dtype.name)
    return IntInfo(bits, 2**bits - 1, 0, dtype.name)
