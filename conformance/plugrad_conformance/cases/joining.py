"""Putting tensors together, and moving elements about."""

from __future__ import annotations

import numpy as np

from plugrad.ops import joining as ops
from plugrad_conformance.case import EVERY, EXACT, Case, call, each, reals


def _pad(x, padding, value):
    grown = tuple([(max(low, 0), max(high, 0)) for low, high in padding])
    out = np.pad(x, grown, constant_values=value)
    return out[
        tuple(
            [
                slice(max(-low, 0), size - max(-high, 0))
                for (low, high), size in zip(padding, out.shape, strict=True)
            ]
        )
    ]


CASES = (
    Case(
        ops.cat,
        each(
            rows=call((reals(3, 4), reals(2, 4)), dim=0),
            columns=call((reals(3, 1), reals(3, 4), reals(3, 2)), dim=1),
            single=call((reals(5),), dim=0),
            with_nothing=call((reals(2, 3), reals(2, 0)), dim=1),
        ),
        lambda tensors, dim: np.concatenate(tensors, dim),
        EXACT,
        EVERY,
    ),
    Case(
        ops.pad,
        each(
            rows=call(reals(3, 4), padding=((1, 0), (2, 1)), value=1),
            cut=call(reals(3, 4), padding=((-1, 2), (0, -2)), value=0),
            same=call(reals(2, 3), padding=((0, 0), (0, 0)), value=0),
            empty=call(reals(0, 3), padding=((1, 1), (0, 0)), value=1),
        ),
        _pad,
        EXACT,
        EVERY,
    ),
    Case(
        ops.flip,
        each(
            rows=call(reals(3, 4), dims=(1,)),
            both=call(reals(2, 3, 4), dims=(0, 2)),
            none=call(reals(3, 4), dims=()),
            scalar=call(reals(), dims=()),
            empty=call(reals(0, 3), dims=(0,)),
        ),
        np.flip,
        EXACT,
        EVERY,
    ),
)
