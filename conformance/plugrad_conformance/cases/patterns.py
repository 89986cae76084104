"""Variants that operators of one kind share: shapes, broadcasting, nothing, one number, and for
one dtype the sizes at which kernels change their ways.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from plugrad import dtypes as known
from plugrad.dtypes import DType
from plugrad_conformance.case import Call, Case, Tolerance, call, each, reals, stepped, wide

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


def at_ends(case: Case) -> Case:
    """A case again, with numbers from end to end of their dtype's range instead of small ones.

    Derivatives by differences make no sense of such numbers.
    """
    name, made = next(iter(case.variants.items()))
    domains = (reals().domain, stepped().domain)

    def widened(recipe: Any) -> Any:
        if type(recipe) is tuple:
            return tuple([widened(each) for each in recipe])
        return wide(*recipe.shape) if recipe is not None and recipe.domain in domains else recipe

    variants = {f"{name}_wide": Call(tuple(map(widened, made.tensors)), made.params)}
    return replace(case, variants=variants, special=False, differentiable=False, layouts=False)


def at_scale(case: Case) -> tuple[Case, Case]:
    """An elementwise case again, in one dtype: more elements than the thresholds at which kernels
    start threads or cut blocks, an odd number of them and a power of two, and many axes, some of
    size 1. The second of the two cases has only one order in memory.
    """
    first = next(iter(case.variants.values()))

    def shaped(shape: tuple[int, ...], *others: tuple[int, ...]) -> Call:
        count = len(first.tensors)
        shapes = [shape, *others, *[(others or (shape,))[-1]] * count][:count]
        pairs = zip(first.tensors, shapes, strict=True)
        return Call(tuple([replace(recipe, shape=size) for recipe, size in pairs]), first.params)

    ordered = each(grid=shaped((7, 37, 1, 257)), deep=shaped((1, 2, 3, 2, 2, 1)))
    others = each(huge=shaped((70001,)), aligned=shaped((32, 64, 32)))
    if len(first.tensors) > 1:
        others |= each(one_last=shaped((3, 5), (1, 1)))
        if not case.operator.writes:
            others |= each(one_first=shaped((1, 1), (3, 5)), row_first=shaped((1, 5), (4, 5)))
        ordered["deep"] = shaped((2, 3, 2, 2, 5), (3, 1, 2, 1))
        others |= each(
            huge_stretched=shaped((259, 257), (257,)),
            huge_column=shaped((259, 257), (259, 1)),
            huge_number=shaped((70001,), ()),
        )
        if not case.operator.writes:
            others["huge_number_first"] = shaped((), (70001,))
    single = known.float32 if known.float32 in case.dtypes else known.int32
    narrow = replace(case, dtypes=(single,), special=False, differentiable=False)
    return replace(narrow, variants=ordered), replace(narrow, variants=others, layouts=False)


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
        # many results, each of few elements: a compiled backend takes another path there
        short=call(x(160, 5), dim=(1,), keepdim=False),
        rest=call(x(3, 0), dim=(0,), keepdim=False),
        thin=call(x(3, 1, 4), dim=(1,), keepdim=False),
    )
    if empty:
        variants["nothing"] = call(x(0, 3), dim=(0,), keepdim=True)
    return Case(function, variants, reference, tolerance, dtypes, **more)


def over_long_axes(case: Case, x: Recipe = reals) -> Case:
    """A reduction again, in one dtype: long axes before, behind and between others, many axes."""
    variants = each(
        tall=call(x(1031, 7), dim=(0,), keepdim=False),
        wide=call(x(7, 1031), dim=(1,), keepdim=False),
        grid=call(x(259, 257), dim=(0,), keepdim=True),
        grid_rows=call(x(259, 257), dim=(1,), keepdim=False),
        grid_all=call(x(259, 257), dim=(0, 1), keepdim=False),
        long_middle=call(x(3, 1031, 5), dim=(1,), keepdim=False),
        huge=call(x(70001), dim=(0,), keepdim=False),
        narrow=call(x(30001, 3), dim=(1,), keepdim=False),
        deep=call(x(2, 3, 1, 4, 2), dim=(1, 3), keepdim=True),
        deep_first=call(x(3, 2, 2, 5), dim=(0,), keepdim=False),
        deep_last=call(x(3, 2, 2, 5), dim=(2, 3), keepdim=False),
        column=call(x(5, 1), dim=(1,), keepdim=False),
        row=call(x(1, 5), dim=(0,), keepdim=False),
        aligned=call(x(64, 1024), dim=(1,), keepdim=False),
        aligned_columns=call(x(1024, 64), dim=(0,), keepdim=False),
        square=call(x(5, 5), dim=(0,), keepdim=False),
        cube=call(x(3, 3, 3), dim=(1,), keepdim=False),
        cube_pair=call(x(3, 3, 3), dim=(0, 2), keepdim=False),
    )
    # Every choice of axes, one of which has the size 1.
    for count in range(1, 5):
        for dim in combinations(range(4), count):
            name = "axes_" + "_".join(map(str, dim))
            variants[name] = call(x(3, 1, 4, 2), dim=dim, keepdim=False)
    variants |= along_each_axis(lambda shape, dim: call(x(*shape), dim=(dim,), keepdim=False))
    single = (known.float32,)
    return replace(case, variants=variants, dtypes=single, special=False, differentiable=False)


def along_each_axis(made: Callable[..., Call]) -> dict[str, Call]:
    """A call along each axis of small tensors that have an axis of size 1 at some place; `made`
    gives it from the shape and the axis.
    """
    return {
        f"one_at_{place}_along_{dim}": made(tuple(np.insert((2, 3), place, 1).tolist()), dim)
        for place in range(3)
        for dim in range(3)
    }
