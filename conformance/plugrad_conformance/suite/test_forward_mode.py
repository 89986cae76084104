"""Forward mode: tangents against central differences and against the gradients, of which they are
the transpose; and the derivative of a gradient forwards against that backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from plugrad import func
from plugrad_conformance.case import Case
from plugrad_conformance.check import assert_close, fail
from plugrad_conformance.derivative import STEP, Array, Problem, inner, pull, random_like
from plugrad_conformance.layouts import LAYOUTS, Layout
from plugrad_conformance.rows import Row, leaves, rows, to_numpy, to_tensor, widest_dtypes

LEVEL = 2

_ROOM = 2e-6  # of central differences, relative to the largest element
_EXACT = 1e-10  # of two ways to the same number, relative to the sizes of the factors


def is_differentiable(case: Case) -> bool:
    return case.differentiable


def smooth_rows() -> list[Row]:
    """The rows whose gradient has a gradient, and elements to see it at."""
    found = rows(lambda case: case.differentiable and case.twice, widest_dtypes)
    return [row for row in found if all(0 not in each.shape for each in leaves(row.call.tensors))]


def typical_rows(where: Callable[[Case], Any]) -> list[Row]:
    """The first variant of each differentiable case."""
    found = rows(lambda case: case.differentiable and where(case), widest_dtypes)
    return [row for row in found if row.variant == next(iter(row.case.variants))]


def views() -> list[Any]:
    """The typical variant of each view in every memory order that its tensor can have."""
    return [
        pytest.param(row, layout, id=f"{row}-{layout.name}")
        for row in typical_rows(lambda case: case.operator.geometry and case.layouts)
        for layout in LAYOUTS
        if all(layout.fits(recipe.shape) for recipe in leaves(row.call.tensors))
    ]


def moved(problem: Problem, directions: list[Array]) -> tuple[list[Array], list[Array]]:
    """The results, and how they move when the inputs do."""
    values, tangents = func.jvp(
        lambda *values: tuple(problem.outputs(list(values))),
        tensors(problem, problem.inputs),
        tensors(problem, directions),
    )
    return [to_numpy(each) for each in values], [to_numpy(each) for each in tangents]


def tensors(problem: Problem, arrays: list[Array]) -> tuple[Any, ...]:
    return tuple([to_tensor(array, problem.device) for array in arrays])


def directions_of(problem: Problem, seed: int = 41) -> list[Array]:
    return [random_like(x, seed + i) for i, x in enumerate(problem.inputs)]


@pytest.mark.parametrize("row", rows(is_differentiable, widest_dtypes), ids=str)
def test_tangent_is_the_slope_and_the_transpose_of_the_gradient(row: Row, device: str) -> None:
    check_tangents(Problem(row, device))


@pytest.mark.parametrize(("row", "layout"), views())
def test_tangent_of_a_view_is_the_slope_in_any_memory_order(
    row: Row, layout: Layout, device: str
) -> None:
    check_tangents(Problem(row, device, layout))


def check_tangents(problem: Problem) -> None:
    """Compare tangents with central differences, and with the gradients."""
    directions, cotangents = directions_of(problem), problem.cotangents()
    values, tangents = moved(problem, directions)
    plain = problem.value(problem.inputs)
    ahead = problem.value([x + STEP * v for x, v in zip(problem.inputs, directions, strict=True)])
    behind = problem.value([x - STEP * v for x, v in zip(problem.inputs, directions, strict=True)])
    for position, (value, tangent) in enumerate(zip(values, tangents, strict=True)):
        compare(problem, f"result {position} in forward mode", value, plain[position], _EXACT)
        with np.errstate(invalid="ignore"):
            want = (ahead[position] - behind[position]) / (2 * STEP)
        # From one infinity to another there is no slope.
        want = np.where(np.isinf(plain[position]), tangent, want)
        compare(problem, f"tangent of result {position}", tangent, want, _ROOM)
    gradients = problem.gradients(cotangents)
    forwards = sum(inner(c, t) for c, t in zip(cotangents, tangents, strict=True))
    backwards = sum(inner(g, v) for g, v in zip(gradients, directions, strict=True))
    size = sum(np.sum(abs(c * t)) for c, t in zip(cotangents, tangents, strict=True))
    if not abs(forwards - backwards) <= _EXACT * max(1.0, size) and forwards == forwards:
        fail(
            f"<w, J v> = {forwards:.12g} forwards, but <Jᵀ w, v> = {backwards:.12g} backwards",
            problem.row,
            problem.device,
            backwards,
            arrays=problem.arrays,
            layout=problem.layout,
            cotangents=cotangents,
        )


def compare(problem: Problem, what: str, got: Array, want: Array, room: float) -> None:
    """Raise unless two arrays agree, relative to the largest element."""
    finite = np.abs(want, where=np.isfinite(want), out=np.zeros(want.shape))
    allowed = np.full(want.shape, room * max(1.0, float(np.max(finite, initial=0))))
    assert_close(
        got,
        want,
        problem.row,
        problem.device,
        what=what,
        arrays=problem.arrays,
        layout=problem.layout,
        room=allowed,
    )


@pytest.mark.parametrize("row", smooth_rows(), ids=str)
def test_gradient_moves_forwards_as_it_does_backwards(row: Row, device: str) -> None:
    problem = Problem(row, device)
    first = problem.first_order()
    directions = [random_like(x, 31) for x in first.inputs]
    variables, gradients = first.gradients(first.inputs, create_graph=True)
    weights = [random_like(to_numpy(g), 23 + i) for i, g in enumerate(gradients)]
    second = pull(gradients, variables, [to_tensor(w, device) for w in weights])
    backwards = sum(
        inner(to_numpy(g), v) for g, v in zip(second, directions, strict=True) if g is not None
    )
    count = len(problem.inputs)

    def gradient(*values: Any) -> Any:
        inputs, cotangents = values[:count], list(values[count:])
        followed = [each.alias().requires_grad_() for each in inputs]
        found = pull(problem.outputs(followed), followed, cotangents, create_graph=True)
        return tuple([g for g in found if g is not None])

    _, slopes = func.jvp(
        gradient,
        tuple([to_tensor(each, device) for each in first.inputs]),
        tuple([to_tensor(each, device) for each in directions]),
    )
    moves = [to_numpy(each) for each in slopes]
    forwards = sum(inner(w, t) for w, t in zip(weights, moves, strict=True))
    size = sum(np.sum(abs(w * t)) for w, t in zip(weights, moves, strict=True))
    if abs(forwards - backwards) > _EXACT * max(1.0, size):
        fail(
            f"the gradient's slope is {forwards:.12g} forwards, {backwards:.12g} backwards",
            row,
            device,
            backwards,
            arrays=problem.arrays,
        )


@pytest.mark.parametrize("row", typical_rows(lambda case: not case.unmapped), ids=str)
def test_many_directions_at_once_move_as_one_after_the_other(row: Row, device: str) -> None:
    problem = Problem(row, device)
    choices = [directions_of(problem, seed) for seed in (51, 61)]
    stacked = [to_tensor(np.stack(pair), device) for pair in zip(*choices, strict=True)]
    inputs = tensors(problem, problem.inputs)

    def outputs(*values: Any) -> Any:
        return tuple(problem.outputs(list(values)))

    def move(*directions: Any) -> Any:
        return func.jvp(outputs, inputs, directions)[1]

    together = func.vmap(move)(*stacked)
    alone = [moved(problem, directions)[1] for directions in choices]
    for position, got in enumerate(together):
        want = np.stack([tangents[position] for tangents in alone])
        compare(problem, f"tangents of result {position}", to_numpy(got), want, _EXACT)
