"""Whether two results are the same but for rounding; what differs is said, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, final

from plugrad import dtypes
from plugrad.creation import as_tensor
from plugrad.dtypes import DType, promote_types
from plugrad.errors import ArgumentError, KindError
from plugrad.functions.elementwise import isclose, where
from plugrad.functions.reduction import argmax
from plugrad.ops.comparison import isnan
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

#: By dtype, the relative and the absolute tolerance; other dtypes must be equal.
TOLERANCES: dict[DType, tuple[float, float]] = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}
_EXACT = (0.0, 0.0)

Message = str | Callable[[str], str] | None


@final
@dataclass(frozen=True)
class _Options:
    allow_subclasses: bool
    tolerances: tuple[float, float] | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_stride: bool
    msg: Message

    def tolerances_of(self, *types: DType) -> tuple[float, float]:
        """Those that were named, or the widest of the dtypes'."""
        if self.tolerances is not None:
            return self.tolerances
        pairs = [TOLERANCES.get(each, _EXACT) for each in types]
        return max([pair[0] for pair in pairs]), max([pair[1] for pair in pairs])


@no_grad()
def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Raise an AssertionError unless every `|actual - expected| <= atol + rtol |expected|`.

    Takes tensors, arrays, numbers, `None`, and sequences and mappings of them, to any depth. The
    tolerances go by the dtype (float32: 1.3e-6 and 1e-5, float64: both 1e-7); name both or none.
    Shapes must be equal, and dtypes, devices and strides where these are checked. All tensors are
    dense, so that `check_layout` finds nothing. `msg` replaces the message, or is called with it.
    """
    if (rtol is None) is not (atol is None):
        raise ArgumentError(
            "assert_close",
            "rtol" if rtol is None else "atol",
            expected="both rtol and atol, or neither",
            got=None,
        )
    tolerances = None if rtol is None or atol is None else (rtol, atol)
    options = _Options(
        allow_subclasses, tolerances, equal_nan, check_device, check_dtype, check_stride, msg
    )
    _compare(actual, expected, options, "")


def _compare(actual: Any, expected: Any, options: _Options, place: str) -> None:
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        missing, more = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        if missing or more:
            problem = "The keys of the mappings do not match:"
            problem += f"\nMissing: {sorted(map(repr, missing))}" if missing else ""
            problem += f"\nUnexpected: {sorted(map(repr, more))}" if more else ""
            _fail(problem, options, place)
        for key in expected:
            _compare(actual[key], expected[key], options, f"{place}[{key!r}]")
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            _fail(
                f"The lengths of the sequences do not match: {len(actual)} != {len(expected)}",
                options,
                place,
            )
        for position, (one, other) in enumerate(zip(actual, expected, strict=True)):
            _compare(one, other, options, f"{place}[{position}]")
    elif actual is None or expected is None:
        if actual is not expected:
            _fail(f"None mismatch: {actual} is not {expected}", options, place)
    elif isinstance(actual, bool) and isinstance(expected, bool):
        if actual is not expected:
            _fail(f"Booleans mismatch: {actual} is not {expected}", options, place)
    elif isinstance(actual, int | float | complex) and isinstance(expected, int | float | complex):
        _compare_numbers(actual, expected, options, place)
    else:
        _compare_tensors(*_as_tensors(actual, expected, options), options, place)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _compare_numbers(actual: Any, expected: Any, options: _Options, place: str) -> None:
    kinds = _kind(actual), _kind(expected)
    if options.check_dtype and kinds[0] is not kinds[1]:
        _fail(f"The types do not match: {type(actual)} != {type(expected)}", options, place)
    rtol, atol = options.tolerances_of(*kinds)
    if actual == expected or (options.equal_nan and actual != actual and expected != expected):
        return
    difference = abs(actual - expected)
    if difference <= atol + rtol * abs(expected) < float("inf"):
        return
    relative = difference / abs(expected) if expected else float("inf")
    _fail(
        f"Scalars are not {_word(rtol, atol)}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {difference}{_allowed(atol)}\n"
        f"Relative difference: {relative}{_allowed(rtol)}",
        options,
        place,
    )


def _kind(number: complex) -> DType:
    if isinstance(number, int):
        return dtypes.int64
    return dtypes.float64 if isinstance(number, float) else dtypes.complex128


def _as_tensors(actual: Any, expected: Any, options: _Options) -> tuple[Tensor, Tensor]:
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if not options.allow_subclasses:
        related = type(actual) is type(expected)
    arrays = all(isinstance(x, Tensor) or hasattr(x, "__array__") for x in (actual, expected))
    if not (related and arrays):
        raise KindError(
            "assert_close",
            "actual",
            expected="two tensors, arrays, numbers, sequences or mappings of one kind",
            got=f"{type(actual).__name__} and {type(expected).__name__}",
        )
    return as_tensor(actual), as_tensor(expected)


def _compare_tensors(actual: Tensor, expected: Tensor, options: _Options, place: str) -> None:
    checks: list[tuple[str, Any, Any]] = [("shape", tuple(actual.shape), tuple(expected.shape))]
    if options.check_device:
        checks.append(("device", actual.device, expected.device))
    if options.check_dtype:
        checks.append(("dtype", actual.dtype, expected.dtype))
    if options.check_stride:
        checks.append(("stride()", actual.stride(), expected.stride()))
    for name, one, other in checks:
        if one != other:
            _fail(
                f"The values for attribute {name!r} do not match: {one} != {other}", options, place
            )
    rtol, atol = options.tolerances_of(actual.dtype, expected.dtype)
    common = promote_types(actual.dtype, expected.dtype)
    if common.kind in ("bool", "int"):
        common = dtypes.int64  # in which differences are numbers, and below 0 too
    one, other = actual.to(expected.device, common), expected.to(common)
    matches = isclose(one, other, rtol, atol, options.equal_nan)
    if not matches.all():
        wide = _widest(common)
        _fail(_report(one.to(wide), other.to(wide), matches, rtol, atol), options, place)


def _widest(dtype: DType) -> DType:
    """The widest dtype of a kind: differences are computed in it."""
    if dtype.is_complex:
        return dtypes.complex128
    return dtypes.float64 if dtype.is_floating_point else dtypes.int64


def _report(actual: Tensor, expected: Tensor, matches: Tensor, rtol: float, atol: float) -> str:
    count, total = int((~matches).sum()), matches.numel()
    apart = where(matches, 0, (actual - expected).abs())
    shares = where(matches, 0, apart / expected.abs())
    return (
        f"Tensor-likes are not {_word(rtol, atol)}!\n\n"
        f"Mismatched elements: {count} / {total} ({100 * count / total:.1f}%)\n"
        f"Greatest absolute difference: {_greatest(apart)}{_allowed(atol)}\n"
        f"Greatest relative difference: {_greatest(shares)}{_allowed(rtol)}"
    )


def _greatest(differences: Tensor) -> str:
    flat = differences.flatten()
    unknown = isnan(flat)
    # NaN counts as the greatest.
    place = int(argmax(unknown.to(dtypes.int64) if unknown.any() else flat))
    index: list[int] = []
    for size in reversed(differences.shape):
        place, rest = divmod(place, size)
        index.insert(0, rest)
    found = differences[tuple(index)].item()
    return f"{found} at index {tuple(index)}" if index else f"{found}"


def _word(rtol: float, atol: float) -> str:
    return "close" if rtol or atol else "equal"


def _allowed(tolerance: float) -> str:
    return f" (up to {tolerance} allowed)" if tolerance else ""


def _fail(problem: str, options: _Options, place: str) -> NoReturn:
    message = f"{problem}\n\nThe failure occurred for item {place}" if place else problem
    if options.msg is not None:
        message = options.msg if isinstance(options.msg, str) else options.msg(message)
    raise AssertionError(message)
