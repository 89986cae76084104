"""Case: how one operator is called, and what NumPy says it should give. A row of
`cases/<family>.py` is one of these.

Inputs are recipes, so that every dtype gets its own: `reals(3, 4)` draws floats for a float row,
integers for an integer row. What belongs to the operator whatever the row's dtype is, such as
positions or masks, comes from `integers` and `bools`. The reference sees the rounded inputs in
float64 or complex128, integers and bools as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import ml_dtypes
import numpy as np

from plugrad import dtypes, ops
from plugrad.dtypes import DType

Draw = np.random.Generator
Domain = Callable[[Draw, tuple[int, ...], DType], Any]

BOOL = (dtypes.bool_,)
INTEGERS = (dtypes.uint8, dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64)
FLOATS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
HALVES = (dtypes.float16, dtypes.bfloat16)
SINGLE = (dtypes.float32,)  # for what depends on size more than on dtype
COMPLEX = (dtypes.complex64, dtypes.complex128)
INTEGRAL = BOOL + INTEGERS
ORDERED = INTEGERS + FLOATS
REAL = BOOL + INTEGERS + FLOATS
INEXACT = FLOATS + COMPLEX
NUMBERS = INTEGERS + FLOATS + COMPLEX
EVERY = dtypes.ALL


def native(dtype: DType) -> np.dtype[Any]:
    """NumPy's dtype."""
    return np.dtype(ml_dtypes.bfloat16 if dtype is dtypes.bfloat16 else dtype.name)


# tolerance classes --------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a result may be from the float64 reference, in units in the last place (`eps`) of its
    dtype.

    `own` units of the element itself. `steps` units of the largest operand or result, for operators
    that round in between. `terms` units of float32, or of a wider dtype, per term of a sum: halves
    are summed in float32. With `product` a term is as large as the product of the largest elements
    of all operands.
    """

    name: str
    own: float = 0
    steps: float = 0
    terms: float = 0
    product: bool = False

    def wider(self, times: float) -> Tolerance:
        """The same class with so many times the room."""
        return Tolerance(
            f"{times:g} x {self.name}",
            self.own * times,
            self.steps * times,
            self.terms * times,
            self.product,
        )

    def stepwise(self, dtype: DType) -> Tolerance:
        """The class of a body, which rounds to the dtype after each step: more than the sums of
        kernels cost halves.
        """
        if self.name == "exact" or dtype.itemsize != 2:
            return self
        return Tolerance(
            f"stepwise {self.name}", 4 * self.own, 2 * self.steps + 8, self.terms, self.product
        )


EXACT = Tolerance("exact")
ROUNDED = Tolerance("rounded", own=1)
TRANSCENDENTAL = Tolerance("transcendental", own=4)
COMPOSED = Tolerance("composed", own=4, steps=4)
REDUCTION = Tolerance("reduction", own=2, terms=1)
CONTRACTION = Tolerance("contraction", own=2, terms=1, product=True)


# inputs -------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Array:
    """A recipe for one tensor; `dtype` is set where it does not follow the row's."""

    shape: tuple[int, ...]
    domain: Domain
    dtype: DType | None = None

    def boolean(self) -> Array:
        """The same as a mask, whatever the row's dtype."""
        return Array(self.shape, self.domain, dtypes.bool_)

    def make(self, draw: Draw, dtype: DType) -> np.ndarray[Any, Any]:
        """The array, in the dtype in which the operator gets it."""
        dtype = self.dtype or dtype
        return np.asarray(self.domain(draw, self.shape, dtype)).astype(native(dtype))


def reals(*shape: int) -> Array:
    """Numbers of both signs, of size about 2; no negative ones for uint8."""
    return Array(shape, _reals)


def nonzero(*shape: int) -> Array:
    """Like `reals`, but at least 0.4 away from 0, and True."""
    return Array(shape, _nonzero)


def positive(*shape: int) -> Array:
    """From 0.3 to 3; integers from 1 to 4; complex numbers in the right half of the plane."""
    return Array(shape, _positive)


def unit(*shape: int) -> Array:
    """Between -0.9 and 0.9; integers 0 and 1."""
    return Array(shape, _unit)


def distinct(*shape: int) -> Array:
    """Numbers from 0 up, each once, in random order."""
    count = math.prod(shape)
    return Array(shape, lambda draw, shape, dtype: draw.permutation(count).reshape(shape))


def small(*shape: int) -> Array:
    """Exponents and shifts: integers from 0 to 3, floats between 0.3 and 3."""
    return Array(shape, _small)


def wide(*shape: int) -> Array:
    """Numbers of every size: integers from end to end of their range, those of 64 bits mostly
    beyond 2^53; floats of both signs from 1e-4 to 1e4; complex numbers like those of `reals`.
    """
    return Array(shape, _wide)


def close(*shape: int) -> Array:
    """-1, 0 and 1 (0 and 1 where there is no sign), so that many are equal."""
    return Array(shape, _close)


def stepped(*shape: int) -> Array:
    """Multiples of 1/2 between -2 and 2, and integers there: several of a kind, and zeros."""
    return Array(shape, _stepped)


def gapped(*shape: int) -> Array:
    """Like `reals`, but among floats every third or so is NaN or infinite."""
    return Array(shape, _gapped)


def shifted(*shape: int) -> Array:
    """Numbers close together and far from 0, about 100: differences of their squares cancel."""
    return Array(shape, lambda draw, shape, dtype: _reals(draw, shape, dtype) + 100)


def near_one(*shape: int) -> Array:
    """Numbers of both signs whose product over many neither vanishes nor overflows."""
    return Array(
        shape,
        lambda draw, shape, dtype: draw.choice([-1, 1], shape) * draw.uniform(0.99, 1.01, shape),
    )


def rare(*shape: int) -> Array:
    """Zeros, and in every second row or so one other number, imaginary where there are such."""
    return Array(
        shape,
        lambda draw, shape, dtype: _ones(draw.uniform(0, 1, shape) < 0.5 / shape[-1], dtype),
    )


def common(*shape: int) -> Array:
    """Ones, or imaginary units, and in every second row or so one zero."""
    return Array(
        shape,
        lambda draw, shape, dtype: _ones(draw.uniform(0, 1, shape) >= 0.5 / shape[-1], dtype),
    )


def tenths(*shape: int) -> Array:
    """From -3 to 3 in steps of 0.1, which no binary float holds."""
    return Array(shape, lambda draw, shape, dtype: draw.integers(-30, 31, shape) / 10)


def nonzero_tenths(*shape: int) -> Array:
    """0.1, 0.2 or 0.3 of either sign."""

    def draw_tenths(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
        return draw.integers(1, 4, shape) * draw.choice([-1, 1], shape) / 10

    return Array(shape, draw_tenths)


def rising(*shape: int) -> Array:
    """0, 1/8, 2/8, and so on: the last is the largest."""
    return Array(shape, lambda draw, shape, dtype: np.arange(math.prod(shape)).reshape(shape) / 8)


def falling(*shape: int) -> Array:
    """0, -1/8, -2/8, and so on: the last is the least."""
    return Array(shape, lambda draw, shape, dtype: -np.arange(math.prod(shape)).reshape(shape) / 8)


def far(*shape: int) -> Array:
    """Complex numbers whose squares overflow their dtype."""

    def draw_far(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
        size = 1e30 if dtype.itemsize == 8 else 1e250
        return size * _nonzero(draw, shape, dtype)

    return Array(shape, draw_far)


def borders(count: int) -> Array:
    """Where rounding to a narrower dtype is decided: halfway between two of its numbers and beside,
    at its end, below its normal numbers; and NaN of unusual bits.
    """
    return Array((count,), _borders)


def holed(*shape: int) -> Array:
    """Minus infinity in most places, one infinity and one NaN, numbers elsewhere: floats only."""

    def draw_holes(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
        x = np.where(draw.uniform(0, 1, shape) < 0.7, -np.inf, draw.normal(0, 2, shape))
        x.flat[x.size // 3], x.flat[x.size // 2] = np.nan, np.inf
        return x

    return Array(shape, draw_holes)


def steep(*shape: int) -> Array:
    """Numbers between -300 and 300, the exponentials of which overflow single precision."""
    return Array(shape, lambda draw, shape, dtype: draw.uniform(-300, 300, shape))


def integers(low: int, high: int, *shape: int) -> Array:
    """int64 from `low` to `high - 1`, whatever the row's dtype: positions."""
    return Array(shape, lambda draw, shape, dtype: draw.integers(low, high, shape), dtypes.int64)


def permutation(size: int) -> Array:
    """The int64 numbers below `size` in random order."""
    return Array((size,), lambda draw, shape, dtype: draw.permutation(size), dtypes.int64)


def some_of(size: int, count: int, shift: int = 0) -> Array:
    """`count` of the int64 numbers from `shift` up to `size + shift - 1`, each at most once, in
    random order.
    """
    return Array(
        (count,),
        lambda draw, shape, dtype: draw.permutation(size)[:count] + shift,
        dtypes.int64,
    )


def bools(*shape: int) -> Array:
    """Masks, whatever the row's dtype."""
    return Array(shape, lambda draw, shape, dtype: draw.integers(0, 2, shape) == 1, dtypes.bool_)


def _reals(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    if dtype.kind == "bool":
        return draw.integers(0, 2, shape) == 1
    if dtype.kind == "int":
        return draw.integers(-5 if dtype.is_signed else 0, 6, shape)
    x = draw.normal(0, 2, shape)
    return x + 1j * draw.normal(0, 2, shape) if dtype.is_complex else x


def _nonzero(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    x: Any = np.asarray(_reals(draw, shape, dtype))
    if dtype.kind in ("bool", "int"):
        return np.where(x == 0, 1, x)
    return x + np.where(x.real < 0, -0.4, 0.4)


def _positive(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    if dtype.kind in ("bool", "int"):
        return draw.integers(1, 5, shape)
    x = draw.uniform(0.3, 3, shape)
    return x + 1j * draw.normal(0, 1, shape) if dtype.is_complex else x


def _wide(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    if dtype.kind == "bool":
        return draw.integers(0, 2, shape) == 1
    if dtype.kind == "int":
        ends = np.iinfo(native(dtype))
        x = draw.integers(ends.min, ends.max, shape, native(dtype), endpoint=True)
        # Some lie so close together that a float takes them for one.
        near = (ends.max // 2 + draw.integers(0, 10, shape)).astype(native(dtype))
        x = np.where(draw.uniform(0, 1, shape) < 0.4, near, x)
        if x.size > 2:
            x.flat[x.size // 2], x.flat[-1] = ends.min, ends.max
        return x
    if dtype.is_complex:
        return _reals(draw, shape, dtype)
    return 10 ** draw.uniform(-4, 4, shape) * draw.choice([-1, 1], shape)


def _close(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    return draw.integers(-1 if dtype.is_signed and dtype.kind != "bool" else 0, 2, shape)


def _stepped(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    if dtype.kind == "bool":
        return draw.integers(0, 2, shape) == 1
    if dtype.kind == "int":
        return draw.integers(-2 if dtype.is_signed else 0, 3, shape)
    x = draw.integers(-4, 5, shape) / 2
    return x + 1j * draw.integers(-1, 2, shape) if dtype.is_complex else x


def _gapped(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    x: Any = np.asarray(_reals(draw, shape, dtype))
    if dtype.kind in ("bool", "int"):
        return x
    gaps = draw.choice([np.nan, np.inf, -np.inf], shape)
    missing = draw.uniform(0, 1, shape) < 0.4
    if not dtype.is_complex:
        return np.where(missing, gaps, x)
    # Of a complex number either part alone may be missing.
    first = draw.uniform(0, 1, shape) < 0.5
    x.real = np.where(missing & first, gaps, x.real)
    x.imag = np.where(missing & ~first, gaps, x.imag)
    return x


def _ones(mask: Any, dtype: DType) -> Any:
    return mask * 1j if dtype.is_complex else mask


def _borders(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    if dtype.kind == "int":
        near = np.array([(1 << bits) + odd for bits in (8, 11, 24, 53) for odd in (-1, 1, 3)])
        near = np.concatenate([near, -near, [65519, 65520]])
        limits = np.iinfo(native(dtype))
        return np.resize(near[(near >= limits.min) & (near <= limits.max)], shape)
    found: list[float] = []
    for narrow in FLOATS:
        if narrow.itemsize < dtype.itemsize:
            limits = ml_dtypes.finfo(native(narrow))
            eps, least = float(limits.eps), float(limits.smallest_subnormal)
            top = float(limits.max) * (1 + eps / 4)
            halves = [1 + eps / 2, 1 + 1.5 * eps, 2 - eps / 2, 3 + 3 * eps, top]
            halves += [least / 2, 1.5 * least, 2.5 * least, float(limits.smallest_normal) + least]
            # Far enough beside for those that round to single precision first.
            found += [each * near for each in halves for near in (1, 1 - 2**-20, 1 + 2**-20)]
    x = np.array(found).astype(native(dtype))
    bits = np.array([0x7FC00001, 0x7FFFFFFF, 0xFFFFFFFF], np.uint32)
    if dtype.name == "float32":
        x = np.concatenate([x, bits.view(np.float32)])
    return np.resize(np.concatenate([x, -x]), shape)


def _small(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    return draw.integers(0, 4, shape) if dtype.kind == "int" else draw.uniform(0.3, 3, shape)


def _unit(draw: Draw, shape: tuple[int, ...], dtype: DType) -> Any:
    if dtype.kind in ("bool", "int"):
        return draw.integers(0, 2, shape)
    x = draw.uniform(-0.9, 0.9, shape)
    return x + 1j * draw.uniform(-0.9, 0.9, shape) if dtype.is_complex else x


# calls and cases ----------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Placeholder:
    """A parameter that the row decides."""

    name: str


DTYPE = Placeholder("dtype")
DEVICE = Placeholder("device")


@final
@dataclass(frozen=True, slots=True)
class Call:
    """One way to call an operator: recipes (or None, or a tuple of recipes) for its tensors, and
    its parameters.
    """

    tensors: tuple[Any, ...]
    params: dict[str, Any]


def call(*tensors: Any, **params: Any) -> Call:
    """A call written as the contract is: tensors, then parameters by name."""
    return Call(tensors, params)


def each(**variants: Call) -> dict[str, Call]:
    """The variants of a case by name; the first is the typical one."""
    return variants


@final
@dataclass(frozen=True)
class Case:
    """One operator: its variants and the truth about them.

    `reference` takes the arrays and the parameters and returns an array (or a tuple of them), for
    an operator that writes what the written tensors then hold; `None` where only the spec of the
    result is promised. `dtypes` are those that the operator accepts: it must refuse all others with
    a DtypeError, but for those in `also`, of which nothing is said. `as_float`: integers are
    computed as the default float dtype. `result` gives the result's dtype from the row's and the
    parameters, where it is neither the row's nor NumPy's own. `differentiable` and `twice` say how
    often the derivative is checked, `special` whether NaN and infinities are tried, `signed_zero`
    whether a result of 0 has a sign to compare, `layouts` whether tensors in other memory orders
    may be given, and `expands` whether with equal elements throughout, `opaque` that the body is no
    composition of operators, so that it has no derivative of its own to compare with. By the
    tensors in `constants` the operator is not differentiated. `unmapped` says why vmap must refuse
    the operator, which it else has to map like a loop. `reads` is applied to the first tensor where
    the operator reads a part of it that stands for the whole, `seen` to the results where only
    something about them is promised: the reference gives that.
    """

    function: Any
    variants: dict[str, Call]
    reference: Callable[..., Any] | None
    tolerance: Tolerance = EXACT
    dtypes: Sequence[DType] = FLOATS
    as_float: bool = False
    differentiable: bool = True
    twice: bool = True
    special: bool = False
    signed_zero: bool = True
    layouts: bool = True
    expands: bool = True
    opaque: bool = False
    constants: Sequence[str] = ()
    unmapped: str = ""
    reads: Callable[[Any], Any] | None = None
    seen: Callable[..., Any] | None = None
    also: Sequence[DType] = ()
    result: Callable[[DType, tuple[Any, ...]], DType] | None = None
    operator: Any = field(init=False)

    def __post_init__(self) -> None:
        operator = self.function.operator
        object.__setattr__(self, "operator", operator)
        for name, made in self.variants.items():
            if (
                len(made.tensors) != len(operator.tensors)
                or tuple(made.params) != operator.parameters
            ):
                raise TypeError(
                    f"case {operator.name}, variant {name}: expected the tensors "
                    f"{operator.tensors} "
                    f"and the parameters {operator.parameters}, got {len(made.tensors)} tensors "
                    f"and {tuple(made.params)}"
                )

    @property
    def may_expand(self) -> bool:
        """Whether a tensor may overlap itself: one that is written may not."""
        return self.expands and not self.operator.writes

    @property
    def name(self) -> str:
        """The operator's name."""
        return self.operator.name

    def apply(
        self,
        tensors: Sequence[Any],
        params: Sequence[Any],
        function: Callable[..., Any] | None = None,
    ) -> Any:
        """What is promised of a call of the operator, or of another function in its place."""
        if self.reads is not None and tensors[0].dtype.kind in ("float", "complex"):
            tensors = (self.reads(tensors[0]), *tensors[1:])
        out = (function or self.function)(*tensors, *params)
        if self.seen is None:
            return out
        return self.seen(*out) if type(out) is tuple else self.seen(out)


def family_of(operator: Any) -> str:
    """The module of `plugrad.ops` that declares the operator, or the package that a plugin's comes
    from.
    """
    module: str = operator.function.__module__
    family = module.removeprefix(ops.__name__ + ".")
    return module.partition(".")[0] if family == module else family
