"""Random numbers. `philox` defines the words; everything else is arithmetic on them, hence equal on
every backend.

Reference: Salmon, Moraes, Dror, Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import math

from plugrad import dtypes, shapes
from plugrad.errors import DtypeError
from plugrad.families import composite, primitive
from plugrad.ops.creation import cast, full
from plugrad.ops.elementwise import cos, log, remainder, sin, sqrt
from plugrad.ops.joining import cat
from plugrad.ops.views import reshape, slice_dim
from plugrad.spec import spec_of


@primitive(lambda count, device: spec_of((count,), dtypes.int64, device))
def philox(seed, offset, count, device):
    """Words `offset` to `offset + count - 1` of the stream of Philox4x32-10 with key `seed`, each
    from 0 to 2**32 - 1.

    Word i is lane i % 4 of the block whose counter is i // 4 (low word first, upper 64 bits zero);
    the key is the seed's low and high word. `offset` is a multiple of 4.
    """


def _random_spec(name):
    def rule(shape, dtype, device):
        if not dtype.is_floating_point:
            raise DtypeError(name, "dtype", expected="a floating dtype", got=dtype)
        return spec_of(shape, dtype, device)

    return rule


@composite(_random_spec("uniform"))
def uniform(seed, offset, shape, dtype, device):
    """Uniform numbers in [0, 1), multiples of 2**-24, or of 2**-53 for float64, which takes two
    words each.
    """
    count = shapes.numel(shape)
    if dtype is dtypes.float64:
        words = philox(seed, offset, 2 * count, device)
        high = cast(slice_dim(words, 0, 0, 2 * count, 2) >> 5, dtype)
        low = cast(slice_dim(words, 0, 1, 2 * count, 2) >> 6, dtype)
        return reshape((high * 2.0**26 + low) * 2.0**-53, shape)
    words = cast(philox(seed, offset, count, device) >> 8, dtypes.float32) * 2.0**-24
    if dtype is not dtypes.float32:
        # Rounding to half could reach 1: cut to the bits that the dtype has.
        bits = 2.0 ** (11 if dtype is dtypes.float16 else 8)
        words = cast((words * bits).floor() / bits, dtype)
    return reshape(words, shape)


@composite(_random_spec("normal"))
def normal(seed, offset, shape, dtype, device):
    """Normal numbers of mean 0 and variance 1: of two uniform numbers u and v, a radius `sqrt(-2
    log(1 - u))` times the cosine of `2 pi v`, and times its sine.

    G. E. P. Box, M. E. Muller, A note on the generation of random normal deviates, Annals of
    Mathematical Statistics 29 (1958).
    """
    count = shapes.numel(shape)
    pairs = (count + 1) // 2
    wide = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
    drawn = uniform(seed, offset, (pairs, 2), wide, device)
    radius = sqrt(log(1 - slice_dim(drawn, 1, 0, 1, 1)) * -2)  # 1 - u is never 0
    angle = slice_dim(drawn, 1, 1, 2, 1) * (2 * math.pi)
    both = reshape(cat((radius * cos(angle), radius * sin(angle)), 1), (2 * pairs,))
    return cast(reshape(slice_dim(both, 0, 0, count, 1), shape), dtype)


@composite(lambda shape, dtype, device: spec_of(shape, dtype, device))
def randint(seed, offset, low, high, shape, dtype, device):
    """Integers from `low` to `high - 1`: 64 random bits modulo the width, whose bias is below width
    / 2**63.
    """
    count = shapes.numel(shape)
    words = philox(seed, offset, 2 * count, device)
    wide = ((slice_dim(words, 0, 0, 2 * count, 2) >> 1) << 32) | slice_dim(
        words, 0, 1, 2 * count, 2
    )
    return reshape(cast(remainder(wide, high - low) + low, dtype), shape)


@composite(_random_spec("keep_mask"))
def keep_mask(seed, offset, p, shape, dtype, device):
    """1 / (1 - p) with probability 1 - p, else 0: what dropout multiplies by."""
    if p == 1:
        return full(shape, 0, dtype, device)
    kept = uniform(seed, offset, shape, dtypes.float32, device) >= p
    return cast(kept, dtype) * (1 / (1 - p))
