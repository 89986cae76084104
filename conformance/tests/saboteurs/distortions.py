"""Mechanical sabotage, first kind: a sound kernel whose calls are distorted, always or only under a
condition on the inputs. Every distortion applies to every operator.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import ml_dtypes
import numpy as np

from plugrad import ops
from plugrad_conformance.cases import CASES
from plugrad_conformance.rows import leaves
from saboteurs.sabotage import Kernel, sound, with_contract

Array = np.ndarray[Any, Any]


@final
@dataclass(frozen=True, slots=True)
class Call:
    """What a kernel is called with: arrays (opened tuples), and the parameters by name."""

    operator: str
    tensors: tuple[Any, ...]
    params: dict[str, Any]
    number: int

    @property
    def arrays(self) -> list[Array]:
        """The arrays of all tensors."""
        return [np.asarray(each) for each in leaves(self.tensors)]

    @property
    def floats(self) -> list[Array]:
        """Those that hold floats or complex numbers."""
        return [each for each in self.arrays if each.dtype.kind not in "biu"]

    @property
    def positions(self) -> list[Array]:
        """Those that hold int64 while others hold something else, or where indices stand."""
        names = ("index", "indices", "target")
        operator = ops.operators[self.operator]
        pairs = zip(operator.tensors, self.tensors, strict=True)
        return [np.asarray(a) for name, value in pairs if name in names for a in leaves((value,))]


Condition = Callable[[Call], bool]


def _any(test: Callable[[Array], Any]) -> Condition:
    return lambda call: any(bool(test(each)) for each in call.arrays)


def _wide(array: Array) -> Array:
    return array.astype(np.float64) if array.dtype.kind not in "biuc" else array


def _any_float(test: Callable[[Array], Any]) -> Condition:
    return lambda call: any(bool(np.any(test(_wide(each)))) for each in call.floats)


def _any_integer(test: Callable[[Array], Any]) -> Condition:
    return lambda call: any(
        bool(np.any(test(each))) for each in call.arrays if each.dtype.kind in "iu"
    )


def _any_position(test: Callable[[Array], Any]) -> Condition:
    return lambda call: any(bool(test(each)) for each in call.positions)


def _ties(array: Array) -> bool:
    return array.size > 1 and len(np.unique(_wide(array))) < array.size


def _sizes(call: Call) -> int:
    return max((each.size for each in call.arrays), default=0)


def _ranks(test: Callable[[int], bool]) -> Condition:
    return lambda call: test(max((each.ndim for each in call.arrays), default=0))


CONDITIONS: dict[str, Condition] = {
    "always": lambda call: True,
    "from the second call on": lambda call: call.number > 1,
    "at the first call": lambda call: call.number == 1,
    # sizes and shapes
    "beyond 2^16 elements": lambda call: _sizes(call) > 1 << 16,
    "beyond 5000 elements": lambda call: _sizes(call) > 5000,
    "beyond 1024 elements": lambda call: _sizes(call) > 1024,
    "for one element": lambda call: _sizes(call) == 1,
    "for an odd size": lambda call: _sizes(call) % 2 == 1,
    "for an axis longer than 600": _any(lambda a: max(a.shape, default=0) > 600),
    "for a last axis longer than 130": _any(lambda a: a.ndim > 1 and a.shape[-1] > 130),
    "for a first axis longer than 130": _any(lambda a: a.ndim > 1 and a.shape[0] > 130),
    "for 0 axes": _any(lambda a: a.ndim == 0),
    "for 1 axis": _ranks(lambda n: n == 1),
    "for 3 axes": _ranks(lambda n: n == 3),
    "for 4 axes": _ranks(lambda n: n == 4),
    "for more than 4 axes": _ranks(lambda n: n > 4),
    "for an axis of size 1": _any(lambda a: a.ndim > 0 and 1 in a.shape),
    "for a last axis of size 1": _any(lambda a: a.ndim > 1 and a.shape[-1] == 1),
    "for a first axis of size 1": _any(lambda a: a.ndim > 1 and a.shape[0] == 1),
    "for no elements": lambda call: any(each.size == 0 for each in call.arrays),
    "where shapes differ": lambda call: len({each.shape for each in call.arrays}) > 1,
    "where ranks differ": lambda call: len({each.ndim for each in call.arrays}) > 1,
    "where all shapes are equal": lambda call: (
        len(call.arrays) > 1 and len({each.shape for each in call.arrays}) == 1
    ),
    # memory
    "for an input out of order": _any(lambda a: not a.flags.c_contiguous),
    "for a first input out of order": lambda call: (
        bool(call.arrays) and not call.arrays[0].flags.c_contiguous
    ),
    "for a last input out of order": lambda call: (
        bool(call.arrays) and not call.arrays[-1].flags.c_contiguous
    ),
    "for a gap in the last axis": _any(lambda a: a.ndim and a.strides[-1] > a.itemsize),
    "for a stride of 0": _any(lambda a: a.size > 1 and 0 in a.strides),
    "for a part of a buffer": _any(
        lambda a: a.flags.c_contiguous and a.base is not None and _start(a) > 0
    ),
    "for a large input out of order": _any(lambda a: a.size > 5000 and not a.flags.c_contiguous),
    "for the same array twice": lambda call: _twice(call.arrays),
    # contents
    "for a NaN": _any_float(np.isnan),
    "for a NaN in the first": lambda call: (
        bool(call.floats) and bool(np.any(np.isnan(_wide(call.floats[0]))))
    ),
    "for an infinity": _any_float(np.isinf),
    "for minus infinity": _any_float(lambda a: np.isneginf(a.real)),
    "for a minus zero": _any_float(lambda a: (a == 0) & np.signbit(a.real)),
    "for a zero": _any_float(lambda a: a == 0),
    "for a negative float": _any_float(lambda a: a.real < 0),
    "for a float beyond 20": _any_float(lambda a: np.isfinite(a) & (np.abs(a) > 20)),
    "for a float beyond 1000": _any_float(lambda a: np.isfinite(a) & (np.abs(a) > 1000)),
    "for a float below 1e-4": _any_float(lambda a: (a != 0) & (np.abs(a) < 1e-4)),
    "for ties": _any(_ties),
    "for all elements equal": _any(lambda a: a.size > 1 and bool(np.all(a == a.flat[0]))),
    "for a negative integer": _any_integer(lambda a: a < 0),
    "for an integer beyond 2^53": _any_integer(
        lambda a: (a > 1 << 53) | (a < -(1 << 53)) if a.dtype == np.int64 else a < a
    ),
    "for an integer beyond 2^24": _any_integer(
        lambda a: (a > 1 << 24) | (a < -(1 << 24)) if a.itemsize > 2 else a < a
    ),
    "for the ends of an integer dtype": _any_integer(
        lambda a: (a == np.iinfo(a.dtype).max) | ((a == np.iinfo(a.dtype).min) & (a < 0))
    ),
    "for a negative position": _any_position(lambda a: np.any(a < 0)),
    "for a repeated position": _any_position(_ties),
    "for positions out of order": _any_position(
        lambda a: a.size > 1 and np.any(np.diff(a.reshape(-1)) < 0)
    ),
    "for no position": _any_position(lambda a: a.size == 0),
    "for many positions": _any_position(lambda a: a.size > 500),
}
for _dtype in (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16"),
    *("float32", "float64", "complex64", "complex128"),
):
    CONDITIONS[f"for {_dtype}"] = lambda call, name=_dtype: any(
        each.dtype.name == name for each in call.arrays
    )


def _start(array: Array) -> int:
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return array.__array_interface__["data"][0] - base.__array_interface__["data"][0]


def _twice(arrays: list[Array]) -> bool:
    pairs = itertools.combinations(arrays, 2)
    return any(a.size and a.shape == b.shape and np.shares_memory(a, b) for a, b in pairs)


# effects ------------------------------------------------------------------------------------------


def spoil(array: Array, place: int) -> None:
    """Make one element wrong, by as much as no tolerance allows."""
    if not array.size:
        return
    flat = array.flat
    old = flat[place]
    if array.dtype.kind == "b":
        flat[place] = not old
    elif array.dtype.kind in "iu":
        flat[place] = old ^ 1
    else:
        flat[place] = 1.0 if np.isnan(complex(old)) or np.isinf(complex(old)) else old * 1.5 + 1


def spoil_last(array: Array) -> None:
    """Make the last element wrong."""
    spoil(array, -1)


def results_of(out: Any) -> tuple[Any, ...]:
    """A kernel's results as a tuple of writable arrays."""
    return tuple(leaves(out if type(out) is tuple else (out,)))


def writable(out: Any) -> Any:
    """The results as arrays that may be changed."""
    if type(out) is tuple:
        return tuple([writable(each) for each in out])
    if out is None:
        return None
    array = np.asarray(out)
    return array if array.flags.writeable else array.copy()


# distorted kernels --------------------------------------------------------------------------------


class Distorted:
    """A sound kernel that is given other arguments, or whose results are changed.

    `distort` gets the call and the results and gives other results; `struck` counts the calls in
    which that made a difference.
    """

    def __init__(
        self,
        operator: str,
        distort: Callable[[Call, Any], Any] = lambda call, out: out,
        arguments: Callable[[tuple[Any, ...]], tuple[Any, ...]] = lambda given: given,
    ) -> None:
        self.operator = operator
        self.struck = 0
        self._calls = 0
        self._kernel = sound(operator)
        self._distort = distort
        self._arguments = arguments

    def kernels(self) -> dict[str, Kernel]:
        """The plugin's function."""
        return {self.operator: with_contract(self.operator, self._run)}

    def _run(self, *arguments: Any) -> Any:
        self._calls += 1
        declared = ops.operators[self.operator]
        count = len(declared.tensors)
        params = dict(zip(declared.parameters, arguments[count:], strict=True))
        call = Call(self.operator, arguments[:count], params, self._calls)
        given = self._arguments(arguments)
        out = self._kernel(*given)
        if out is None:
            return None
        before = bits(out)
        out = self._distort(call, out)
        self.struck += given is not arguments or out is None or bits(out) != before
        return out


def bits(out: Any) -> list[tuple[Any, ...]]:
    """What can be seen of results."""
    arrays = [np.asarray(each) for each in results_of(out)]
    return [(each.shape, each.dtype.name, each.tobytes()) for each in arrays]


def wrong_when(operator: str, condition: Condition) -> Distorted:
    """The last element of each result is wrong where a condition holds of the inputs."""

    def distort(call: Call, out: Any) -> Any:
        if condition(call):
            out = writable(out)
            for each in results_of(out):
                spoil_last(each)
        return out

    return Distorted(operator, distort)


def parameter_ignored(operator: str, name: str, value: Any) -> Distorted:
    """One parameter always has the same value."""
    declared = ops.operators[operator]
    place = len(declared.tensors) + declared.parameters.index(name)

    def arguments(given: tuple[Any, ...]) -> tuple[Any, ...]:
        same = given[place] is value or given[place] == value
        return given if same else (*given[:place], value, *given[place + 1 :])

    return Distorted(operator, arguments=arguments)


def transformed(operator: str, before: Any = None, after: Any = None) -> Distorted:
    """`before(arguments)` gives other arguments, `after(out, arguments)` another result."""

    def distort(call: Call, out: Any) -> Any:
        return out if after is None else after(out, (*call.tensors, *call.params.values()))

    return Distorted(operator, distort, before or (lambda given: given))


def _each_array(function: Callable[[Array], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        if type(value) is tuple and any(isinstance(v, np.ndarray | np.generic) for v in value):
            return tuple([apply(each) for each in value])
        return function(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value

    return apply


def _replace(out: Any, new: Any, operator: str) -> Any:
    """What an operator that writes must have written is copied into its targets."""
    if ops.operators[operator].writes:
        for target, value in zip(results_of(out), results_of(new), strict=True):
            target[...] = value
        return out
    return new


def relative(array: Any, by: float) -> Any:
    """Everything a little too large."""
    array = np.asarray(array)
    if array.dtype.kind in "biu":
        return array
    with np.errstate(all="ignore"):
        return (array * np.asarray(1 + by).astype(array.real.dtype)).astype(array.dtype)


def _eps(array: Any) -> float:
    return float(ml_dtypes.finfo(np.asarray(array).dtype).eps)


def coarse(array: Any, bits: int) -> Any:
    """Floats rounded to so many bits."""
    array = np.asarray(array)
    if array.dtype.kind in "biuc" or array.dtype.itemsize < 4:
        return array
    mantissa, exponent = np.frexp(array)
    with np.errstate(all="ignore"):
        return np.ldexp(np.rint(mantissa * 2**bits) / 2**bits, exponent).astype(array.dtype)


def plain_distortions(operator: str) -> Iterator[tuple[str, Callable[[], Distorted]]]:
    """Distortions that hold at every call."""
    declared = ops.operators[operator]

    def after(name: str, function: Callable[[Any], Any]) -> tuple[str, Callable[[], Distorted]]:
        change = _each_array(function)
        return name, lambda: transformed(
            operator, after=lambda out, arguments: _replace(out, change(out), operator)
        )

    def before(name: str, function: Callable[[Any], Any]) -> tuple[str, Callable[[], Distorted]]:
        change = _each_array(function)
        kept = declared.writes

        def arguments_of(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple([a if i in kept else change(a) for i, a in enumerate(arguments)])

        return name, lambda: transformed(operator, before=arguments_of)

    inexact = lambda a: np.asarray(a).dtype.kind not in "biu"
    yield after("8 units too large", lambda a: relative(a, 8 * _eps(a)) if inexact(a) else a)
    yield after("1e-3 too large", lambda a: relative(a, 1e-3))
    yield after("loses NaN", lambda a: np.where(np.isnan(a), 0, a).astype(np.asarray(a).dtype))
    yield after("loses the sign of zero", lambda a: a + np.zeros((), np.asarray(a).dtype))
    yield after("in another dtype", lambda a: _other_dtype(np.asarray(a)))
    yield after("with one more axis", lambda a: np.asarray(a)[None])
    yield after("flat", lambda a: np.asarray(a).reshape(-1))
    yield after("reversed", lambda a: np.flip(np.asarray(a)).copy())
    yield before("inputs in half precision", lambda a: _through(a, np.float16))
    yield before("inputs of 10 bits", lambda a: coarse(a, 11))
    yield before("doubles through single", lambda a: _single(a))
    yield before("integers through float64", lambda a: _integer_through(a, np.float64))
    yield before("integers through float32", lambda a: _integer_through(a, np.float32))
    yield before("inputs without NaN", lambda a: _without_nan(a))
    yield before("inputs in reverse", lambda a: np.flip(np.asarray(a)))
    yield before("first read as it lies", _as_it_lies)
    if len(declared.tensors) > 1:
        yield (
            "first two swapped",
            lambda: transformed(
                operator, before=lambda arguments: (arguments[1], arguments[0], *arguments[2:])
            ),
        )
        for i, name in enumerate(declared.tensors):
            yield (
                f"{name} is forgotten",
                lambda i=i: transformed(
                    operator,
                    before=lambda a: (*a[:i], None if a[i] is None else _zeros(a[i]), *a[i + 1 :]),
                ),
            )
    for i, name in enumerate(declared.tensors):
        if i not in declared.writes:
            yield (
                f"changes {name}",
                lambda i=i: transformed(
                    operator, after=lambda out, arguments: _changing(out, arguments[i])
                ),
            )
            yield (
                f"result is {name}",
                lambda i=i: transformed(
                    operator, after=lambda out, arguments: _aliased(out, arguments[i])
                ),
            )
    yield "returns nothing", lambda: transformed(operator, after=lambda out, arguments: None)
    yield "returns its scratch", lambda: _with_scratch(operator)
    yield "returns what it returned before", lambda: _with_cache(operator)
    yield "returns a fresh copy", lambda: transformed(operator, after=lambda o, a: _copied(o))
    for name in declared.parameters:
        for value in _values_of(operator, name):
            yield (
                f"{name} is always {value!r}",
                lambda name=name, value=value: parameter_ignored(operator, name, value),
            )


def _other_dtype(a: Array) -> Array:
    other = {"float32": "float64", "float64": "float32", "int64": "int32", "bool": "uint8"}
    return a.astype(other.get(a.dtype.name, a.dtype.name))


def _through(a: Any, dtype: Any) -> Any:
    a = np.asarray(a)
    if a.dtype.name not in ("float32", "float64"):
        return a
    with np.errstate(all="ignore"):
        return a.astype(dtype).astype(a.dtype)


def _single(a: Any) -> Any:
    a = np.asarray(a)
    through = {"float64": np.float32, "complex128": np.complex64}.get(a.dtype.name)
    with np.errstate(all="ignore"):
        return a if through is None else a.astype(through).astype(a.dtype)


def _integer_through(a: Any, dtype: Any) -> Any:
    a = np.asarray(a)
    with np.errstate(all="ignore"):
        return a.astype(dtype).astype(a.dtype) if a.dtype.kind in "iu" else a


def _without_nan(a: Any) -> Any:
    a = np.asarray(a)
    return a if a.dtype.kind in "biu" else np.where(np.isnan(a), 0, a).astype(a.dtype)


def _as_it_lies(a: Any) -> Any:
    a = np.asarray(a)
    if a.flags.c_contiguous or a.base is None or a.base.size < a.size:
        return a
    return np.asarray(a.base).reshape(-1)[: a.size].reshape(a.shape)


def _zeros(value: Any) -> Any:
    if type(value) is tuple:
        return tuple([None if each is None else _zeros(each) for each in value])
    return np.zeros_like(value)


def _changing(out: Any, argument: Any) -> Any:
    out = _copied(out)
    for each in leaves((argument,)):
        if isinstance(each, np.ndarray) and each.flags.writeable:
            spoil_last(each)
    return out


def _aliased(out: Any, argument: Any) -> Any:
    """The operand itself, holding the result, where it has the result's shape and dtype."""
    if type(out) is tuple or not isinstance(argument, np.ndarray):
        return out
    out = np.asarray(out)
    if argument.shape != out.shape or argument.dtype != out.dtype or not argument.flags.writeable:
        return out
    if not np.array_equal(argument, out, equal_nan=out.dtype.kind in "fc"):
        return out
    return argument


def _copied(out: Any) -> Any:
    if type(out) is tuple:
        return tuple([_copied(each) for each in out])
    return None if out is None else np.array(out)


def _with_scratch(operator: str) -> Distorted:
    kept: dict[Any, Array] = {}

    def one(place: int, a: Any) -> Any:
        a = np.asarray(a)
        buffer = kept.setdefault((place, a.shape, a.dtype), np.empty(a.shape, a.dtype))
        buffer[...] = a
        return buffer

    def after(out: Any, arguments: Any) -> Any:
        if ops.operators[operator].writes:
            return out
        if type(out) is tuple:
            return tuple([None if a is None else one(i, a) for i, a in enumerate(out)])
        return one(0, out)

    return transformed(operator, after=after)


def _with_cache(operator: str) -> Distorted:
    """Results are kept by shapes, dtypes and parameters."""
    kept: dict[str, Any] = {}

    def after(out: Any, arguments: Any) -> Any:
        if ops.operators[operator].writes:
            return out
        facts = [
            (each.shape, each.dtype.name) if isinstance(each, np.ndarray) else repr(each)
            for argument in arguments
            for each in (argument if type(argument) is tuple else (argument,))
        ]
        return _copied(kept.setdefault(repr(facts), _copied(out)))

    return transformed(operator, after=after)


def _values_of(operator: str, name: str) -> list[Any]:
    """Values that the kit's rows give to a parameter: if a kernel always takes one of them, a row
    with another must show it.
    """
    found: list[Any] = []
    for case in CASES:
        if case.name == operator:
            for made in case.variants.values():
                value = made.params[name]
                if type(value).__name__ != "Placeholder" and not any(
                    value is each or (type(value) is type(each) and value == each) for each in found
                ):
                    found.append(value)
    return found[:3]
