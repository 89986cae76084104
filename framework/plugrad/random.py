"""Random numbers: counter-based (Philox4x32-10), the same on every backend.

A generator is a seed and a count of words drawn. What it draws next follows from these two integers
alone, so equal seeds give equal initial weights whatever computes them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from plugrad import dtypes, shapes
from plugrad.backends import resolve_device
from plugrad.creation import DeviceLike, checked_size, sizes_of, tensor
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError
from plugrad.ops import sampling
from plugrad.ops.creation import cast, copy_

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


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    made = _uniform(sizes_of("rand", size), dtype, device, generator)
    return made.requires_grad_() if requires_grad else made


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1."""
    made = _normal(sizes_of("randn", size), dtype, device, generator)
    return made.requires_grad_() if requires_grad else made


def rand_like(
    input: Tensor, *, dtype: DType | None = None, generator: Generator | None = None
) -> Tensor:
    """`rand` with a tensor's shape, dtype and device."""
    return _uniform(input.shape, dtype or input.dtype, input.device, generator)


def randn_like(
    input: Tensor, *, dtype: DType | None = None, generator: Generator | None = None
) -> Tensor:
    """`randn` with a tensor's shape, dtype and device."""
    return _normal(input.shape, dtype or input.dtype, input.device, generator)


def randint(
    low: int,
    high: int | Sequence[int],
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType = dtypes.int64,
    device: DeviceLike = None,
) -> Tensor:
    """Integers from `low` (0 if left out) to `high - 1`."""
    if size is None:
        if isinstance(high, int):
            raise ArgumentError("randint", "size", expected="a sequence of sizes", got=None)
        low, high, size = 0, low, high
    assert isinstance(high, int)
    if high <= low:
        raise ArgumentError("randint", "high", expected=f"more than low, {low}", got=high)
    shape = checked_size("randint", shapes.as_ints(size, "randint"))
    drawn = (generator or default_generator).draw(2 * shapes.numel(shape))
    return sampling.randint(*drawn, low, high, shape, dtype, resolve_device(device))


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DType = dtypes.int64,
    device: DeviceLike = None,
) -> Tensor:
    """The integers from 0 to n - 1 in random order."""
    keys = randint(0, 1 << 62, (n,), generator=generator, device=device)
    return cast(keys.argsort(stable=True), dtype)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element gives, else 0."""
    drawn = _uniform(input.shape, dtypes.float32, input.device, generator)
    return cast(drawn < input.detach(), input.dtype)


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
) -> Tensor:
    """Normal numbers of given means and standard deviations, tensors or numbers."""
    if size is None:
        shape = shapes.broadcast_shapes(
            "normal", *[each.shape for each in (mean, std) if hasattr(each, "shape")]
        )
        model = mean if hasattr(mean, "shape") else std
        dtype, device = model.dtype, model.device
    else:
        shape = checked_size("normal", shapes.as_ints(size, "normal"))
    return _normal(shape, dtype, device, generator) * std + mean


def uniform_(
    input: Tensor, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with uniform numbers in [low, high)."""
    drawn = _uniform(input.shape, input.dtype, input.device, generator)
    return copy_(input, drawn * (high - low) + low)


def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fill a tensor with normal numbers."""
    return copy_(input, _normal(input.shape, input.dtype, input.device, generator) * std + mean)


def bernoulli_(input: Tensor, p: float = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fill a tensor with ones of probability p, and zeros."""
    drawn = _uniform(input.shape, dtypes.float32, input.device, generator)
    return copy_(input, cast(drawn < p, input.dtype))


def _uniform(
    shape: tuple[int, ...], dtype: DType | None, device: DeviceLike, generator: Generator | None
) -> Any:
    dtype = dtype or dtypes.get_default_dtype()
    words = shapes.numel(shape) * (2 if dtype is dtypes.float64 else 1)
    drawn = (generator or default_generator).draw(words)
    return sampling.uniform(*drawn, shape, dtype, resolve_device(device))


def _normal(
    shape: tuple[int, ...], dtype: DType | None, device: DeviceLike, generator: Generator | None
) -> Any:
    dtype = dtype or dtypes.get_default_dtype()
    words = shapes.numel(shape) * (4 if dtype is dtypes.float64 else 2)
    drawn = (generator or default_generator).draw(words)
    return sampling.normal(*drawn, shape, dtype, resolve_device(device))
