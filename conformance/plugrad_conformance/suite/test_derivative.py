"""Derivatives against central differences in float64: first order for every variant and memory
order, and second order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from plugrad_conformance.case import Case
from plugrad_conformance.cases import CASES
from plugrad_conformance.check import assert_close, fail
from plugrad_conformance.derivative import (
    Problem,
    directional,
    inner,
    numerical_gradients,
    pull,
    random_like,
)
from plugrad_conformance.layouts import LAYOUTS, Layout
from plugrad_conformance.rows import Row, leaves, rows, to_numpy, to_tensor, widest_dtypes

LEVEL = 2

_MOST_ELEMENTS = 250  # beyond, one random direction stands for all elements
_ROOM = 2e-6  # of central differences, relative to the largest element of the gradient


def is_differentiable(case: Case) -> bool:
    return case.differentiable


def smooth_rows() -> list[Row]:
    """The rows whose gradient has a gradient, and elements to see it at."""
    found = rows(lambda case: case.differentiable and case.twice, widest_dtypes)
    return [row for row in found if all(0 not in each.shape for each in leaves(row.call.tensors))]


def laid_out() -> list[Any]:
    """The typical variant of each case in every memory order that its tensors can have."""
    found = rows(lambda case: case.differentiable and case.layouts, widest_dtypes)
    return [
        pytest.param(row, layout, id=f"{row}-{layout.name}")
        for row in found
        if row.variant == next(iter(row.case.variants))
        for layout in LAYOUTS
        if any(layout.fits(recipe.shape) for recipe in leaves(row.call.tensors))
        and not (layout.name == "expanded" and not row.case.may_expand)
    ]


@pytest.mark.parametrize("row", rows(is_differentiable, widest_dtypes), ids=str)
def test_gradient_is_the_slope(row: Row, device: str) -> None:
    check_gradients(Problem(row, device))


@pytest.mark.parametrize(("row", "layout"), laid_out())
def test_gradient_is_the_slope_in_any_memory_order(row: Row, layout: Layout, device: str) -> None:
    check_gradients(Problem(row, device, layout))


def rows_of_several() -> list[Row]:
    """Those with more than one input that may want a gradient: kernels may leave the others out."""
    found = rows(is_differentiable, widest_dtypes)
    return [row for row in found if sum(each.dtype is None for each in row.recipes) > 1]


@pytest.mark.parametrize("row", rows_of_several(), ids=str)
def test_gradient_by_one_input_alone_is_its_part_of_all(row: Row, device: str) -> None:
    problem = Problem(row, device)
    cotangents = problem.cotangents()
    for position, want in enumerate(problem.gradients(cotangents)):
        got = problem.gradient_alone(position, cotangents)
        room = np.full(want.shape, 1e-11 * max(1.0, float(np.max(np.abs(want), initial=0))))
        what = f"gradient of input {position} alone"
        assert_close(got, want, row, device, what=what, room=room, cotangents=cotangents)


def check_gradients(problem: Problem) -> None:
    """Compare every element of every gradient with a central difference."""
    row, cotangents = problem.row, problem.cotangents()
    found = problem.gradients(cotangents)
    if sum(array.size for array in problem.inputs) > _MOST_ELEMENTS:
        check_one_direction(problem, found, cotangents)
        return
    slopes = numerical_gradients(problem.value, problem.inputs, cotangents)
    for position, (got, want) in enumerate(zip(found, slopes, strict=True)):
        room = np.full(want.shape, _ROOM * max(1.0, float(np.max(np.abs(want), initial=0))))
        assert_close(
            got,
            want,
            row,
            problem.device,
            what=f"gradient of input {position}",
            arrays=problem.arrays,
            layout=problem.layout,
            room=room,
            cotangents=cotangents,
        )


def check_one_direction(problem: Problem, found: list[Any], cotangents: list[Any]) -> None:
    """Compare the slope of each input along one random direction."""
    for position, (gradient, x) in enumerate(zip(found, problem.inputs, strict=True)):
        direction = random_like(x, 11)
        slope = directional(problem.value, problem.inputs, position, direction, cotangents)
        compare_slopes(problem, f"gradient of input {position}", inner(gradient, direction), slope)


def compare_slopes(problem: Problem, what: str, got: float, want: float) -> None:
    """Raise unless two slopes agree."""
    both_nan = got != got and want != want
    if not (both_nan or abs(got - want) <= 20 * _ROOM * max(1.0, abs(want))):
        fail(
            f"{what}, along one direction: {got:.12g}, expected {want:.12g}",
            problem.row,
            problem.device,
            want,
            arrays=problem.arrays,
            layout=problem.layout,
            cotangents=problem.cotangents(),
        )


@pytest.mark.parametrize("row", smooth_rows(), ids=str)
def test_gradient_of_the_gradient_is_its_slope(row: Row, device: str) -> None:
    problem = Problem(row, device)
    first = problem.first_order()
    variables, gradients = first.gradients(first.inputs, create_graph=True)
    weights = [random_like(to_numpy(g), 23 + i) for i, g in enumerate(gradients)]
    second = pull(gradients, variables, [to_tensor(w, device) for w in weights])
    for position, (found, x) in enumerate(zip(second, first.inputs, strict=True)):
        direction = random_like(x, 31)
        slope = directional(first.value, first.inputs, position, direction, weights)
        got = 0.0 if found is None else inner(to_numpy(found), direction)
        compare_slopes(problem, f"second derivative by variable {position}", got, slope)


def has_no_derivative(case: Case) -> bool:
    # What is written in place stays in the graph, through the operator that writes.
    return not case.operator.writes and not any(
        other.differentiable for other in CASES if other.operator is case.operator
    )


@pytest.mark.parametrize("row", rows(has_no_derivative, widest_dtypes), ids=str)
def test_result_without_derivative_leaves_the_graph(row: Row, device: str) -> None:
    problem = Problem(row, device)
    assert not any(out.requires_grad for out in problem.outputs(problem.leaves()))
