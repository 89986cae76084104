"""vmap against a loop: every operator, each of its tensors mapped alone and with others, along the
first axis and the last; the results, and the gradients through them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from plugrad import errors, func
from plugrad.dtypes import DType
from plugrad.ops import creation
from plugrad_conformance.case import Case
from plugrad_conformance.check import allowed_error, assert_close
from plugrad_conformance.derivative import is_inexact, pull, random_like
from plugrad_conformance.rows import (
    Arrays,
    Row,
    leaves,
    nested,
    rows,
    to_numpy,
    to_tensor,
    typical_dtype,
    widest_dtypes,
)

LEVEL = 2

EXAMPLES = 2
INEXACT = ("float", "complex")
_MOST_ELEMENTS = 1000  # of a tensor: a larger one asks the kernel, not vmap
_ROOM = 64  # a batch may be summed in another order than its examples

Dims = tuple[int | None, ...]


def dtypes_of(case: Case) -> tuple[DType, ...]:
    """The widest floating dtype, or else the typical one: batching asks for no dtype."""
    return widest_dtypes(case)[:1] or typical_dtype(case)


def mapped_rows() -> list[Row]:
    """The rows with tensors to map over: of each operator's, those that differ in shapes or
    parameters, as batching asks for nothing else; of the elementwise operators, which share one
    rule, the typical variant of each and every variant of some.
    """
    found: dict[Any, Row] = {}
    for row in rows(lambda case: case.operator.tensors and not case.unmapped, dtypes_of):
        operator, call = row.case.operator, row.call
        shapes = nested(lambda recipe: recipe.shape, call.tensors)
        typical = row.variant == next(iter(row.case.variants))
        owner = operator.family if operator.family == "elementwise" else operator.name
        small = all(math.prod(shape) <= _MOST_ELEMENTS for shape in flat_shapes(row))
        if small:
            found.setdefault((owner, shapes, repr(call.params)), row)
            if typical:
                found.setdefault(operator.name, row)
    return list({str(row): row for row in found.values()}.values())


def flat_shapes(row: Row) -> list[tuple[int, ...]]:
    return [recipe.shape for recipe in leaves(row.call.tensors)]


def refused_rows() -> list[Row]:
    return rows(lambda case: case.unmapped, dtypes_of)


def differentiable_rows() -> list[Row]:
    return [row for row in mapped_rows() if row.case.differentiable and row.dtype.kind in INEXACT]


def choices(row: Row) -> Iterator[tuple[Dims, int]]:
    """Which axis of which tensor is mapped over, and where the batch goes: each tensor alone, two
    at once, all; along the first axis and, where there is another, along the last. What asks for
    one order in memory is mapped along the first axis only.
    """
    shapes = flat_shapes(row)
    count = len(shapes)
    last = [-1 if shape and row.case.layouts else 0 for shape in shapes]
    for chosen in range(count):
        yield tuple([0 if i == chosen else None for i in range(count)]), 0
    if count > 2:
        yield (0, last[1], *(None,) * (count - 2)), 0
    yield tuple([0 if i % 2 else last[i] for i in range(count)]), -1


class Batch:
    """A row's tensors, several examples of them."""

    def __init__(self, row: Row, device: str) -> None:
        self.row = row
        self.device = device
        self.params = row.params(device)
        self.examples = [list(leaves(each)) for each in examples_of(row)]

    def call(self, values: Any) -> tuple[Any, ...]:
        """The operator on tensors in place of the row's; what is written is written to a copy."""
        given = iter(values)
        tensors = nested(lambda recipe: next(given), self.row.call.tensors)
        writes = self.row.case.operator.writes
        own = [
            nested(creation.clone, (each,))[0] if i in writes else each
            for i, each in enumerate(tensors)
        ]
        return self.row.run(tuple(own), self.params)

    def stacked(self, dims: Dims) -> list[Any]:
        """The arrays with a batch axis where one is mapped over."""
        return [
            column[0] if dim is None else np.stack(column, dim)
            for column, dim in zip(zip(*self.examples, strict=True), dims, strict=True)
        ]

    def example(self, dims: Dims, index: int) -> list[Any]:
        """The arrays of one example."""
        return [
            column[0] if dim is None else column[index]
            for column, dim in zip(zip(*self.examples, strict=True), dims, strict=True)
        ]

    def tensors(self, arrays: list[Any]) -> list[Any]:
        return [to_tensor(array, self.device) for array in arrays]

    def writes_what_is_not_mapped(self, dims: Dims) -> bool:
        """Whether values that differ would go into a tensor that is the same for all examples."""
        recipes = self.row.call.tensors
        places = iter(dims)
        by_argument = nested(lambda recipe: (next(places),), recipes)
        written = [by_argument[i] for i in self.row.case.operator.writes]
        return any([dim is None for (dim,) in pairs_of(written)])


def pairs_of(values: Any) -> Iterator[tuple[Any]]:
    for value in values:
        if value is None:
            continue
        if len(value) == 1 and type(value[0]) is not tuple:
            yield value
        else:
            yield from pairs_of(value)


def examples_of(row: Row) -> Iterator[Arrays]:
    """The row's own arrays, and others of the same recipes."""
    yield row.arrays()
    for seed in range(1, EXAMPLES):
        make = partial(_make, np.random.default_rng(seed), row.dtype)
        yield nested(make, row.call.tensors)


def _make(draw: Any, dtype: DType, recipe: Any) -> Any:
    return recipe.make(draw, dtype)


def typical_rows() -> list[Row]:
    return [row for row in differentiable_rows() if row.variant == next(iter(row.case.variants))]


@pytest.mark.parametrize("row", mapped_rows(), ids=str)
def test_vmap_gives_what_a_loop_gives(row: Row, device: str) -> None:
    batch = Batch(row, device)
    for dims, out_dim in choices(row):
        mapped = func.vmap(lambda *values: batch.call(values), dims, out_dim)
        tensors = batch.tensors(batch.stacked(dims))
        if batch.writes_what_is_not_mapped(dims):
            with pytest.raises(errors.InPlaceError):
                mapped(*tensors)
            continue
        results = mapped(*tensors)
        loop = [batch.call(batch.tensors(batch.example(dims, index))) for index in range(EXAMPLES)]
        for position, (got, parts) in enumerate(zip(results, zip(*loop, strict=True), strict=True)):
            want = np.stack([to_numpy(part) for part in parts], out_dim)
            compare(row, device, f"result {position} of vmap, in_dims {dims}", got, want)


def compare(row: Row, device: str, what: str, got: Any, want: Any) -> None:
    room = _ROOM * allowed_error(want, want.dtype, row.arrays(), row.case.tolerance)
    if want.dtype.kind not in "biu":
        room = room + 1e-12
    assert_close(to_numpy(got), want, row, device, what=what, room=room)


@pytest.mark.parametrize("row", differentiable_rows(), ids=str)
def test_gradients_through_vmap_are_those_of_a_loop(row: Row, device: str) -> None:
    batch = Batch(row, device)
    for dims, out_dim in choices(row):
        if batch.writes_what_is_not_mapped(dims):
            continue
        free = free_places(row)
        tensors = batch.tensors(batch.stacked(dims))
        wanted = [tensors[i].requires_grad_() for i in free]
        outputs = func.vmap(lambda *values: batch.call(values), dims, out_dim)(*tensors)
        floating = [each for each in outputs if each.dtype.kind in INEXACT]
        cotangents = [random_like(to_numpy(each), 7 + i) for i, each in enumerate(floating)]
        found = pull(floating, wanted, batch.tensors(cotangents))
        want = looped(batch, dims, out_dim, cotangents)
        for place, got, slope in zip(free, found, want, strict=True):
            if got is None:
                got = tensors[place] * 0
            what = f"gradient of tensor {place} through vmap, in_dims {dims}"
            compare(row, device, what, got, slope)


def free_places(row: Row) -> list[int]:
    """Which of the tensors, in one row, have a gradient."""
    names = [
        name
        for name, value in zip(row.case.operator.tensors, row.arrays(), strict=True)
        for _ in leaves((value,))
    ]
    arrays = list(leaves(row.arrays()))
    return [
        i
        for i, (name, array) in enumerate(zip(names, arrays, strict=True))
        if is_inexact(array) and name not in row.case.constants
    ]


def looped(batch: Batch, dims: Dims, out_dim: int, cotangents: list[Any]) -> list[Any]:
    """The gradients, one example after the other: stacked where one is mapped over, else summed."""
    free = free_places(batch.row)
    columns: list[list[Any]] = []
    for index in range(EXAMPLES):
        arrays = batch.example(dims, index)
        tensors = batch.tensors(arrays)
        wanted = [tensors[i].requires_grad_() for i in free]
        outputs = [each for each in batch.call(tensors) if each.dtype.kind in INEXACT]
        parts = [np.take(each, index, out_dim) for each in cotangents]
        found = pull(outputs, wanted, batch.tensors(parts))
        columns.append(
            [
                np.zeros(arrays[i].shape, arrays[i].dtype) if g is None else to_numpy(g)
                for i, g in zip(free, found, strict=True)
            ]
        )
    return [
        np.sum(parts, 0, dtype=parts[0].dtype) if dim is None else np.stack(parts, dim)
        for dim, parts in zip([dims[i] for i in free], zip(*columns, strict=True), strict=True)
    ]


@pytest.mark.parametrize("row", typical_rows(), ids=str)
def test_gradients_inside_vmap_are_those_of_each_example(row: Row, device: str) -> None:
    batch = Batch(row, device)
    *_, (dims, _) = choices(row)  # all of them mapped
    free = free_places(row)
    tensors = batch.tensors(batch.stacked(dims))
    examples = [batch.call(batch.tensors(each)) for each in batch.examples]
    cotangents = [
        np.stack([random_like(to_numpy(part), 7 + i) for part in parts])
        for i, parts in enumerate(zip(*examples, strict=True))
        if parts[0].dtype.kind in INEXACT
    ]

    def gradients(values: list[Any], given: list[Any]) -> Any:
        def outputs(*inputs: Any) -> Any:
            known = list(values)
            for place, each in zip(free, inputs, strict=True):
                known[place] = each
            return tuple([each for each in batch.call(known) if each.dtype.kind in INEXACT])

        return func.vjp(outputs, *[values[place] for place in free])[1](*given)

    found = func.vmap(gradients, (list(dims), 0), tuple([dims[i] for i in free]))(
        tensors, batch.tensors(cotangents)
    )
    want = looped(batch, dims, 0, cotangents)
    for place, got, slope in zip(free, found, want, strict=True):
        compare(row, device, f"gradient of tensor {place} inside vmap", got, slope)


@pytest.mark.parametrize("row", refused_rows(), ids=str)
def test_operator_that_cannot_be_mapped_says_so(row: Row, device: str) -> None:
    batch = Batch(row, device)
    for dims, out_dim in choices(row):
        with pytest.raises(errors.UnsupportedError):
            func.vmap(lambda *values: batch.call(values), dims, out_dim)(
                *batch.tensors(batch.stacked(dims))
            )
