"""Variants that operators of one kind share: shapes, broadcasting, nothing, one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from plugrad.dtypes import DType
from plugrad_conformance.case import Case, Tolerance, call, each, reals

Recipe = Callable[..., Any]


def unary(
    function: Any,
    reference: Callable[..., Any],
    tolerance: Tolerance,
    dtypes: Sequence[DType],
    x: Recipe = reals,
    *,
    special: bool = True,
    **more: Any,
) -> Case:
    """A function of each element."""
    variants = each(
        rows=call(x(3, 4)),
        line=call(x(37)),
        large=call(x(129, 130)),
        scalar=call(x()),
        empty=call(x(0, 3)),
    )
    return Case(function, variants, reference, tolerance, dtypes, special=special, **more)


def binary(
    function: Any,
    reference: Callable[..., Any],
    tolerance: Tolerance,
    dtypes: Sequence[DType],
    x: Recipe = reals,
    y: Recipe = reals,
    *,
    special: bool = True,
    **more: Any,
) -> Case:
    """A function of two elements at the same place, after broadcasting."""
    variants = each(
        rows=call(x(3, 4), y(3, 4)),
        line=call(x(37), y(37)),
        outer=call(x(3, 1), y(1, 4)),
        stretched=call(x(2, 3, 4), y(3, 1)),
        number=call(x(), y(3, 4)),
        scalars=call(x(), y()),
        empty=call(x(0, 3), y(1, 3)),
    )
    return Case(function, variants, reference, tolerance, dtypes, special=special, **more)


def ternary(
    function: Any,
    reference: Callable[..., Any],
    tolerance: Tolerance,
    dtypes: Sequence[DType],
    x: Recipe = reals,
    y: Recipe = reals,
    z: Recipe = reals,
    **more: Any,
) -> Case:
    """A function of three elements at the same place, after broadcasting."""
    variants = each(
        rows=call(x(3, 4), y(3, 4), z(3, 4)),
        mixed=call(x(2, 3, 4), y(4), z(3, 1)),
        numbers=call(x(3, 4), y(), z()),
        scalars=call(x(), y(), z()),
        empty=call(x(0, 3), y(3), z()),
    )
    return Case(function, variants, reference, tolerance, dtypes, **more)


def in_place(
    function: Any,
    reference: Callable[..., Any],
    tolerance: Tolerance,
    dtypes: Sequence[DType],
    count: int = 1,
    *,
    x: Recipe = reals,
    y: Recipe = reals,
    **more: Any,
) -> Case:
    """A function whose result replaces the first of `count` operands, to which the others
    broadcast.
    """
    others = [y] * (count - 1)
    variants = each(
        rows=call(x(3, 4), *[other(3, 4) for other in others]),
        scalar=call(x(), *[other() for other in others]),
        empty=call(x(0, 3), *[other(3) for other in others]),
    )
    if others:
        variants["stretched"] = call(x(2, 3, 4), *[other(3, 1) for other in others])
    return Case(function, variants, reference, tolerance, dtypes, **more)


def over_axes(
    function: Any,
    reference: Callable[..., Any],
    tolerance: Tolerance,
    dtypes: Sequence[DType],
    *,
    empty: bool = True,
    x: Recipe = reals,
    long: int = 515,
    **more: Any,
) -> Case:
    """A reduction along axes; `empty` says whether one over no elements has a meaning."""
    variants = each(
        rows=call(x(3, 4), dim=(1,), keepdim=False),
        columns=call(x(3, 4), dim=(0,), keepdim=True),
        all=call(x(3, 4), dim=(0, 1), keepdim=False),
        ends=call(x(2, 3, 4), dim=(0, 2), keepdim=False),
        middle=call(x(2, 3, 4), dim=(1,), keepdim=True),
        scalar=call(x(), dim=(), keepdim=False),
        single=call(x(1), dim=(0,), keepdim=False),
        long=call(x(long), dim=(0,), keepdim=False),
        rest=call(x(3, 0), dim=(0,), keepdim=False),
    )
    if empty:
        variants["nothing"] = call(x(0, 3), dim=(0,), keepdim=True)
    return Case(function, variants, reference, tolerance, dtypes, **more)
