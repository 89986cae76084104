"""Putting tensors together, and moving elements about."""

from __future__ import annotations

import numpy as np

from plugrad.ops import joining as ops
from plugrad_conformance.case import EVERY, EXACT, INEXACT, SINGLE, Case, call, each, reals
from plugrad_conformance.cases.patterns import at_ends


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


_CASES = (
    Case(
        ops.cat,
        each(
            rows=call((reals(3, 4), reals(2, 4)), dim=0),
            columns=call((reals(3, 1), reals(3, 4), reals(3, 2)), dim=1),
            single=call((reals(5),), dim=0),
            with_nothing=call((reals(2, 3), reals(2, 0)), dim=1),
            middle=call((reals(2, 3, 2), reals(2, 1, 2), reals(2, 2, 2), reals(2, 1, 2)), dim=1),
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
            line=call(reals(5), padding=((2, 3),), value=2),
            deep=call(reals(2, 1, 3, 2), padding=((0, 1), (1, 0), (-1, 0), (2, 3)), value=3),
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

CASES = (
    *_CASES,
    *map(at_ends, _CASES),
    Case(
        ops.cat,
        each(
            nothing=call((reals(0, 3), reals(0, 3)), dim=0),
            no_columns=call((reals(2, 0), reals(2, 0)), dim=1),
            alike=call((reals(3, 3), reals(3, 3), reals(3, 3)), dim=0),
            large=call((reals(131, 257), reals(128, 257)), dim=0),
            large_columns=call((reals(259, 130), reals(259, 127)), dim=1),
            many=call(tuple([reals(i, 3) for i in range(1, 20)]), dim=0),
            deep=call((reals(2, 1, 3, 2, 2), reals(2, 1, 3, 3, 2)), dim=3),
        ),
        lambda tensors, dim: np.concatenate(tensors, dim),
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.pad,
        each(
            large=call(reals(259, 257), padding=((3, 0), (1, 2)), value=0.5),
            infinite=call(reals(3, 4), padding=((1, 0), (0, 2)), value=float("-inf")),
        ),
        _pad,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
    Case(
        ops.pad,
        each(fraction=call(reals(3, 4), padding=((1, 0), (0, 2)), value=0.1)),
        _pad,
        EXACT,
        INEXACT,
        differentiable=False,
    ),
    Case(
        ops.flip,
        each(
            large=call(reals(259, 257), dims=(0, 1)),
            line=call(reals(37), dims=(0,)),
            deep=call(reals(2, 1, 3, 2, 4), dims=(1, 2, 4)),
        ),
        np.flip,
        EXACT,
        SINGLE,
        differentiable=False,
    ),
)
