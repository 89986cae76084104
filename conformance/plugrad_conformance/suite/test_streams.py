"""Random numbers: every backend draws the words of Philox4x32-10, and makes the same numbers of
them. Integers and uniform numbers agree to the bit, normal ones as closely as logarithm and cosine
do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import plugrad
from plugrad import nn
from plugrad.dtypes import DType
from plugrad.nn import functional as F
from plugrad.ops import sampling
from plugrad_conformance.answers import backend_of
from plugrad_conformance.case import FLOATS, native
from plugrad_conformance.rows import to_numpy

LEVEL = 4

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_PER_BLOCK = 4

#: Seed, first word, count: whole and partial blocks, one word more than a power of two, counters
#: and keys beyond 32 bits, and more words than any kernel takes at a time.
STRETCHES = (
    (0, 0, 1),
    (42, 0, 5),
    (7, 4, 1023),
    (7, 1 << 20, 65537),
    (3, (1 << 34) - 8, 17),
    (3, (1 << 40) + 12, 4099),
    (1 << 32, 0, 9),
    ((1 << 64) - 1, 8, 131071),
    (0x9E3779B97F4A7C15, 0, 300003),
)
SEEDS = (0, 1, 42, (1 << 63) + 5)
SIZES = (1, 3, 1000, 65539)


# the reference ------------------------------------------------------------------------------------


def words(seed: int, offset: int, count: int) -> Any:
    """Words of the stream, by vectors; the kit's own tests compare them with the published ones."""
    blocks = np.arange(offset // _PER_BLOCK, -(-(offset + count) // _PER_BLOCK), dtype=np.uint64)
    a, b = blocks & _LOW, blocks >> _HALF
    c = d = np.zeros_like(blocks)
    low, high = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        left, right = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b = (right >> _HALF) ^ b ^ np.uint64(low), right & _LOW
        c, d = (left >> _HALF) ^ d ^ np.uint64(high), left & _LOW
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([a, b, c, d], axis=1).reshape(-1)[:count].astype(np.int64)


def uniform(seed: int, offset: int, count: int, dtype: DType) -> Any:
    """Uniform numbers, in the dtype."""
    if dtype is plugrad.float64:
        pairs = words(seed, offset, 2 * count)
        return ((pairs[0::2] >> 5) * 2.0**26 + (pairs[1::2] >> 6)) * 2.0**-53
    kept = {plugrad.float32: 24, plugrad.float16: 11, plugrad.bfloat16: 8}[dtype]
    return ((words(seed, offset, count) >> (32 - kept)) * 2.0**-kept).astype(native(dtype))


def normal(seed: int, offset: int, count: int, dtype: DType) -> tuple[Any, Any]:
    """Normal numbers in float64, of two uniform ones each two, and how far from them those of the
    dtype may be.

    Numbers are made in float32 or wider; an angle up to 2π is off by a few units of that, and the
    number by as much times the radius.
    """
    wide = plugrad.float64 if dtype is plugrad.float64 else plugrad.float32
    drawn = uniform(seed, offset, count + count % 2, wide).astype(np.float64)
    radius = np.sqrt(-2 * np.log(1 - drawn[0::2]))
    angle = 2 * math.pi * drawn[1::2]
    made = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:count]
    radius = np.repeat(radius, 2)[:count]
    own, before = (float(ml_dtypes.finfo(native(each)).eps) for each in (dtype, wide))
    return made, 4 * own * np.abs(made) + 8 * before * (radius + own)


def near(got: Any, want: tuple[Any, Any], what: str) -> None:
    """Raise unless each element of an array is as near to the reference as it must be."""
    made, room = (each.reshape(got.shape) for each in want)
    off = np.abs(got.astype(np.float64) - made)
    if not np.all(off <= room):
        worst = int(np.argmax(off / room))
        raise AssertionError(
            f"{what}: number {worst} is {got.flat[worst]!r}, expected {made.flat[worst]!r}; error "
            f"{off.flat[worst]:.3g}, allowed {room.flat[worst]:.3g}"
        )


def integers(seed: int, offset: int, low: int, high: int, count: int) -> Any:
    """Integers, in Python's arithmetic where 64 bits would overflow."""
    pairs = words(seed, offset, 2 * count).astype(np.uint64)
    wide = ((pairs[0::2] >> np.uint64(1)) << _HALF) | pairs[1::2]
    return (wide % np.uint64(high - low)).astype(np.int64) + low


class Stream:
    """Where a generator must be: what it has given is rounded up to whole blocks."""

    def __init__(self, seed: int, offset: int = 0) -> None:
        self.seed = seed
        self.offset = offset

    def take(self, count: int) -> tuple[int, int]:
        """The seed, and where the next so many words begin."""
        offset = self.offset
        self.offset += -(-count // _PER_BLOCK) * _PER_BLOCK
        return self.seed, offset


def same_bits(got: Any, want: Any, what: str) -> None:
    """Raise unless a tensor has the array's dtype, shape and bits."""
    found = to_numpy(got)
    assert (found.shape, found.dtype) == (want.shape, want.dtype), what
    wrong = np.flatnonzero(found.reshape(-1) != want.reshape(-1))
    if len(wrong):
        place = int(wrong[0])
        raise AssertionError(
            f"{what} on {got.device}: {len(wrong)} of {want.size} numbers differ, the first in "
            f"place {place}: {found.reshape(-1)[place]!r}, expected {want.reshape(-1)[place]!r}"
        )


def need(device: str, *dtypes: DType) -> None:
    """Skip where the backend does not store one of the dtypes."""
    stored = backend_of(device).manifest.dtypes
    for dtype in (*dtypes, plugrad.int64):
        if dtype not in stored:
            pytest.skip(f"{device} does not store {dtype}")


# operators ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stretch", STRETCHES, ids=lambda each: f"seed {each[0]} at {each[1]}")
def test_words_are_those_of_philox(stretch: tuple[int, int, int], device: str) -> None:
    need(device)
    got = sampling.philox(*stretch, plugrad.device(device))
    same_bits(got, words(*stretch), f"words {stretch}")


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("size", SIZES)
def test_uniform_numbers_agree_to_the_bit(size: int, dtype: DType, device: str) -> None:
    need(device, dtype, plugrad.float32)
    for seed in SEEDS:
        generator = plugrad.Generator().manual_seed(seed)
        got = plugrad.rand(size, generator=generator, dtype=dtype, device=device)
        same_bits(got, uniform(seed, 0, size, dtype), f"rand({size}), seed {seed}")


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("size", SIZES)
def test_normal_numbers_agree_as_logarithm_and_cosine_do(
    size: int, dtype: DType, device: str
) -> None:
    need(device, dtype, plugrad.float32)
    for seed in SEEDS:
        generator = plugrad.Generator().manual_seed(seed)
        got = to_numpy(plugrad.randn(size, generator=generator, dtype=dtype, device=device))
        near(got, normal(seed, 0, size, dtype), f"randn({size}), seed {seed}")


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (0, 10, plugrad.int64),
        (-7, 300, plugrad.int32),
        (-100, 27, plugrad.int8),
        (0, 256, plugrad.uint8),
        (-(1 << 40), (1 << 45) + 3, plugrad.int64),
        (0, (1 << 62) + 12345, plugrad.int64),
    ],
    ids=lambda each: str(each).removeprefix("plugrad."),
)
def test_integers_agree(low: int, high: int, dtype: DType, device: str) -> None:
    need(device, dtype)
    for seed in SEEDS:
        for size in SIZES:
            generator = plugrad.Generator().manual_seed(seed)
            given: dict[str, Any] = {"generator": generator, "dtype": dtype, "device": device}
            got = plugrad.randint(low, high, (size,), **given)
            want = integers(seed, 0, low, high, size).astype(native(dtype))
            same_bits(got, want, f"randint({low}, {high}), seed {seed}")


# streams ------------------------------------------------------------------------------------------


def test_calls_in_a_row_read_one_stream(device: str) -> None:
    need(device, plugrad.float32, plugrad.float64)
    generator, stream = plugrad.Generator().manual_seed(99), Stream(99)
    given: dict[str, Any] = {"generator": generator, "device": device}
    for size in (1, 7, 4, 1025):
        same_bits(
            plugrad.rand(size, **given),
            uniform(*stream.take(size), size, plugrad.float32),
            f"rand({size})",
        )
        same_bits(
            plugrad.rand(size, dtype=plugrad.float64, **given),
            uniform(*stream.take(2 * size), size, plugrad.float64),
            f"rand({size}) in float64",
        )
        same_bits(
            plugrad.randint(-3, 9, (size,), **given),
            integers(*stream.take(2 * size), -3, 9, size),
            f"randint({size})",
        )
        same_bits(
            plugrad.randperm(size, **given),
            np.argsort(integers(*stream.take(2 * size), 0, 1 << 62, size), kind="stable"),
            f"randperm({size})",
        )
        chance = plugrad.full((size,), 0.3, device=device)
        drawn = uniform(*stream.take(size), size, plugrad.float32)
        same_bits(
            plugrad.bernoulli(chance, generator=generator),
            (drawn < np.float32(0.3)).astype(np.float32),
            f"bernoulli({size})",
        )
        plugrad.randn(size, **given)
        stream.take(size + size % 2)


def test_generator_goes_on_where_its_state_was_taken(device: str) -> None:
    need(device, plugrad.float32)
    generator = plugrad.Generator().manual_seed(-5)
    plugrad.rand(11, generator=generator, device=device)
    state = generator.get_state()
    assert state.tolist() == [-5, 12]
    first = plugrad.rand(301, generator=generator, device=device)
    other = plugrad.Generator().set_state(state)
    again = plugrad.rand(301, generator=other, device=device)
    want = uniform(-5 & 0xFFFFFFFFFFFFFFFF, 12, 301, plugrad.float32)
    same_bits(first, want, "the first time")
    same_bits(again, want, "from the state")


def test_the_default_generator_is_seeded_and_restored(device: str) -> None:
    need(device, plugrad.float32)
    before = plugrad.get_rng_state()
    try:
        plugrad.manual_seed(1234)
        same_bits(
            plugrad.rand(5, 5, device=device),
            uniform(1234, 0, 25, plugrad.float32).reshape(5, 5),
            "after manual_seed",
        )
        kept = plugrad.get_rng_state()
        once = to_numpy(plugrad.rand(6, device=device))
        plugrad.set_rng_state(kept)
        same_bits(plugrad.rand(6, device=device), once, "after set_rng_state")
    finally:
        plugrad.set_rng_state(before)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.75])
def test_dropout_drops_where_the_stream_says(p: float, device: str) -> None:
    need(device, plugrad.float32)
    before = plugrad.get_rng_state()
    try:
        plugrad.manual_seed(77)
        x = plugrad.full((33, 65), 2.0, device=device).requires_grad_()
        out = F.dropout(x, p)
        (gradient,) = plugrad.autograd.grad(out.sum(), [x])
    finally:
        plugrad.set_rng_state(before)
    kept = uniform(77, 0, 33 * 65, plugrad.float32).reshape(33, 65) >= np.float32(p)
    scale = np.float32(1 / (1 - p))
    same_bits(out.detach(), kept * (2 * scale), "dropout")
    same_bits(gradient, kept * scale, "its gradient")


# initial weights ----------------------------------------------------------------------------------

#: Layers whose weights are drawn uniformly, hence equal to the bit everywhere.
UNIFORM: dict[str, Callable[[], nn.Module]] = {
    "Linear": lambda: nn.Linear(37, 11),
    "Bilinear": lambda: nn.Bilinear(5, 7, 3),
    "Conv1d": lambda: nn.Conv1d(3, 5, 4),
    "Conv2d": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 6, 3),
    "MultiheadAttention": lambda: nn.MultiheadAttention(12, 3),
}


def weights(build: Callable[[], nn.Module], device: str) -> dict[str, Any]:
    """The initial weights of a layer, from seed 5, as arrays."""
    before = plugrad.get_rng_state()
    try:
        plugrad.manual_seed(5)
        with plugrad.device(device):
            return {name: to_numpy(value) for name, value in build().state_dict().items()}
    finally:
        plugrad.set_rng_state(before)


@pytest.mark.parametrize("layer", UNIFORM)
def test_initial_weights_are_those_of_the_reference_backend(layer: str, device: str) -> None:
    need(device, plugrad.float32)
    found, want = weights(UNIFORM[layer], device), weights(UNIFORM[layer], "numpy")
    assert list(found) == list(want)
    for name, array in want.items():
        np.testing.assert_array_equal(found[name], array, err_msg=f"{layer}.{name}", strict=True)


def test_initial_weights_follow_from_the_stream(device: str) -> None:
    need(device, plugrad.float32)
    found, stream = weights(UNIFORM["Linear"], device), Stream(5)
    bound = 1 / math.sqrt(37)
    for name, shape in (("weight", (11, 37)), ("bias", (11,))):
        drawn = uniform(*stream.take(math.prod(shape)), math.prod(shape), plugrad.float32)
        want = drawn.reshape(shape) * np.float32(2 * bound) + np.float32(-bound)
        np.testing.assert_array_equal(found[name], want, err_msg=name, strict=True)


def test_normal_initial_weights_agree_as_logarithm_and_cosine_do(device: str) -> None:
    need(device, plugrad.float32)
    found = weights(lambda: nn.Embedding(200, 7), device)["weight"]
    near(found, normal(5, 0, 1400, plugrad.float32), "Embedding.weight")
