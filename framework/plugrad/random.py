"""Random numbers: counter-based (Philox4x32-10), the same on every backend.

A generator is a seed and a count of words drawn. What it draws next follows from these two integers
alone, so equal seeds give equal initial weights whatever computes them.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, final

from plugrad import dtypes, shapes
from plugrad.backends import resolve_device
from plugrad.creation import DeviceLike, checked_size, sizes_of, tensor
from plugrad.devices import META
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import delivers
from plugrad.formats import MemoryFormat, preserve_format
from plugrad.functions.memory import laid_out_like
from plugrad.ops import sampling
from plugrad.ops.creation import cast, copy_
from plugrad.ops.views import view_as_complex
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

_BLOCK = 4  # words that Philox makes at a time: draws begin at a whole block


@final
class Generator:
    """A stream of random words: a seed and how far it has been read."""

    def __init__(self, device: DeviceLike = None) -> None:
        # Streams do not depend on the device; the argument is PyTorch's.
        self._seed = 0x9D5C0F2B
        self._offset = 0
        self._lock = threading.Lock()

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of a seed from its beginning."""
        with self._lock:
            self._seed = int(seed) & 0xFFFF_FFFF_FFFF_FFFF
            self._offset = 0
        return self

    def seed(self) -> int:
        """Start a stream that the operating system chooses; returns its seed."""
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed of the stream."""
        return self._seed

    def get_state(self) -> Tensor:
        """Seed and position as an int64 tensor of two elements."""
        signed = self._seed - (self._seed >> 63 << 64)
        return tensor([signed, self._offset], dtype=dtypes.int64)

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on where `get_state` was called."""
        values = new_state.tolist()
        if len(values) != 2:
            raise ArgumentError(
                "set_state", "new_state", expected="two integers, from get_state()", got=values
            )
        with self._lock:
            self._seed = values[0] & 0xFFFF_FFFF_FFFF_FFFF
            self._offset = values[1]
        return self

    def draw(self, words: int) -> tuple[int, int]:
        """Reserve so many words of the stream; returns the seed and where they begin."""
        with self._lock:
            offset = self._offset
            self._offset = offset + -(-words // _BLOCK) * _BLOCK
            return self._seed, offset


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, which everything random uses that names no other."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the operating system; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The default generator's seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's seed and position."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator to a state that `get_rng_state` gave."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None,
    enabled: bool = True,
    device_type: str | None = None,
) -> Iterator[None]:
    """After the block the default generator goes on where it was before. All devices share it, so
    that `devices` and `device_type` change nothing.
    """
    before = default_generator.get_state() if enabled else None
    try:
        yield
    finally:
        if before is not None:
            default_generator.set_state(before)


@delivers
def rand(
    size: Any = (),
    *more: int,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1); of a complex dtype, both parts."""
    made = draw_uniform(sizes_of("rand", (size, *more)), dtype, device, generator)
    return made.requires_grad_() if requires_grad else made


@delivers
def randn(
    size: Any = (),
    *more: int,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1; of a complex dtype, each part has half of it."""
    made = draw_normal(sizes_of("randn", (size, *more)), dtype, device, generator)
    return made.requires_grad_() if requires_grad else made


def rand_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
    generator: Generator | None = None,
) -> Tensor:
    """`rand` with a tensor's shape, dtype and device."""
    made = draw_uniform(input.shape, dtype or input.dtype, device or input.device, generator)
    made = laid_out_like(made, input, memory_format, "rand_like")
    return made.requires_grad_() if requires_grad else made


def randn_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
    generator: Generator | None = None,
) -> Tensor:
    """`randn` with a tensor's shape, dtype and device."""
    made = draw_normal(input.shape, dtype or input.dtype, device or input.device, generator)
    made = laid_out_like(made, input, memory_format, "randn_like")
    return made.requires_grad_() if requires_grad else made


@delivers
def randint(
    low: int = 0,
    high: int | Sequence[int] | None = None,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from `low` (0 if left out) to `high - 1`; int64 where no dtype is named."""
    if high is None or isinstance(high, Sequence):
        low, high, size = 0, low, size if high is None else high
    if size is None:
        raise ArgumentError("randint", "size", expected="a sequence of sizes", got=None)
    shape = checked_size("randint", shapes.as_ints(size, "randint"))
    made = integers("randint", low, high, shape, dtype or dtypes.int64, device, generator)
    return made.requires_grad_() if requires_grad else made


def randint_like(
    input: Tensor,
    low: int = 0,
    high: int | None = None,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
    generator: Generator | None = None,
) -> Tensor:
    """`randint` with a tensor's shape, dtype and device."""
    if high is None:
        low, high = 0, low
    where, dtype = device or input.device, dtype or input.dtype
    if dtype.is_complex or (dtype.kind == "bool" and high > 2):
        raise DtypeError("randint_like", "dtype", expected=f"one that holds {high - 1}", got=dtype)
    made = integers("randint_like", low, high, input.shape, dtype, where, generator)
    made = laid_out_like(made, input, memory_format, "randint_like")
    return made.requires_grad_() if requires_grad else made


@delivers
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType = dtypes.int64,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers from 0 to n - 1 in random order."""
    if n < 0:
        raise RangeError("randperm", "n", expected="at least 0", got=n)
    keys: Any = integers("randperm", 0, 1 << 62, (n,), dtypes.int64, device, generator)
    made: Any = cast(keys.argsort(stable=True), dtype)
    return made.requires_grad_() if requires_grad else made


@delivers
def bernoulli(
    input: Tensor,
    p: float | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """1 with the probability that each element gives, or with the probability `p`; else 0."""
    if p is None and not input.dtype.is_floating_point:
        raise DtypeError("bernoulli", "input", expected="a float dtype", got=input.dtype)
    return _drawn_below(input, input.detach() if p is None else p, generator, "bernoulli")


@delivers
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of given means and standard deviations: tensors, or numbers and a `size`.

    No gradient flows to the two.
    """
    mean, std = _without_graph(mean), _without_graph(std)
    given: list[Any] = [each for each in (mean, std) if isinstance(each, Value)]
    check_interval("normal", "std", std, 0, None)
    if size is None:
        if not given:
            raise ArgumentError("normal", "size", expected="sizes, as no tensor is given", got=None)
        shape = shapes.broadcast_shapes("normal", *[each.shape for each in given])
        dtype, device = given[0].dtype, given[0].device
    else:
        shape = checked_size("normal", shapes.as_ints(size, "normal"))
    made = draw_normal(shape, dtype, device, generator) * std + mean
    return made.requires_grad_() if requires_grad else made


def uniform_(
    input: Tensor,
    from_: float = 0.0,
    to: float = 1.0,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Fill a tensor with uniform numbers, from `from_` on and below `to`."""
    if not from_ <= to:
        raise RangeError("uniform_", "from_", expected=f"at most to, {to}", got=from_)
    drawn = draw_uniform(input.shape, input.dtype, input.device, generator)
    return copy_(input, drawn * (to - from_) + from_)


def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with normal numbers."""
    for name, number in (("mean", mean), ("std", std)):
        if isinstance(number, Value) and number.spec.shape:
            raise ShapeError(
                *("normal_", name),
                expected="a number",
                got=number.spec.shape,
                hint="normal() takes tensors",
            )
    check_interval("normal_", "std", std, 0, None)
    return copy_(input, draw_normal(input.shape, input.dtype, input.device, generator) * std + mean)


def bernoulli_(
    input: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with ones of probability `p`, a number or a tensor that broadcasts, and
    zeros.
    """
    chance = p.detach() if isinstance(p, Value) else p
    return copy_(input, _drawn_below(input, chance, generator, "bernoulli_"))


def _without_graph(value: Any) -> Any:
    return value.detach() if isinstance(value, Value) else value  # type: ignore[attr-defined]


def _drawn_below(input: Any, p: Any, generator: Generator | None, operator: str) -> Any:
    check_interval(operator, "p", p, 0, 1)
    drawn = draw_uniform(input.shape, dtypes.float32, input.device, generator)
    return cast(drawn < p, input.dtype)


def check_interval(
    operator: str, argument: str, value: Any, low: float, high: float | None
) -> None:
    """Refuse a number, or a tensor with an element, outside of [low, high]."""
    if isinstance(value, Value):
        tensor: Any = value
        if tensor.level or tensor.device.type == META:
            return  # a transform's and a meta tensor's elements are not at hand
        inside = tensor >= low if high is None else (tensor >= low) & (tensor <= high)
        fits = bool(inside.all())
    else:
        fits = low <= value and (high is None or value <= high)
    if not fits:
        expected = f"at least {low}" if high is None else f"from {low} to {high}"
        raise RangeError(operator, argument, expected=expected, got=value)


def integers(
    operator: str,
    low: int,
    high: int,
    shape: tuple[int, ...],
    dtype: DType,
    device: DeviceLike,
    generator: Generator | None,
) -> Any:
    """Random integers from `low` to `high - 1`."""
    if high <= low:
        raise ArgumentError(operator, "high", expected=f"more than low, {low}", got=high)
    drawn = (generator or default_generator).draw(2 * shapes.numel(shape))
    return sampling.randint(*drawn, low, high, shape, dtype, resolve_device(device))


def draw_uniform(
    shape: tuple[int, ...], dtype: DType | None, device: DeviceLike, generator: Generator | None
) -> Any:
    """Uniform numbers in [0, 1), of the default dtype unless one is named."""
    dtype = dtype or dtypes.get_default_dtype()
    if dtype.is_complex:
        return view_as_complex(draw_uniform((*shape, 2), dtype.to_real(), device, generator))
    words = shapes.numel(shape) * (2 if dtype is dtypes.float64 else 1)
    drawn = (generator or default_generator).draw(words)
    return sampling.uniform(*drawn, shape, dtype, resolve_device(device))


def draw_normal(
    shape: tuple[int, ...], dtype: DType | None, device: DeviceLike, generator: Generator | None
) -> Any:
    """Normal numbers of mean 0 and variance 1, of the default dtype unless one is named."""
    dtype = dtype or dtypes.get_default_dtype()
    if dtype.is_complex:
        parts = draw_normal((*shape, 2), dtype.to_real(), device, generator)
        return view_as_complex(parts * math.sqrt(0.5))
    pairs = (shapes.numel(shape) + 1) // 2
    words = pairs * (4 if dtype is dtypes.float64 else 2)
    drawn = (generator or default_generator).draw(words)
    return sampling.normal(*drawn, shape, dtype, resolve_device(device))
