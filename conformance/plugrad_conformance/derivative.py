"""Derivatives two ways: by the framework, and by central differences of float64 results, both
through the public API.

A `Problem` is a row seen as a function of its floating inputs alone. Of a complex input the
gradient is dL/da + i dL/db for an element a + ib, as the framework has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np

import plugrad
from plugrad.ops import creation
from plugrad_conformance.layouts import Layout
from plugrad_conformance.rows import Arrays, Row, leaves, nested, to_numpy, to_tensor

STEP = 1e-5  # truncation and rounding of central differences are both about 1e-10 here

Array = np.ndarray[Any, Any]


@final
class Problem:
    """A row as a function: `inputs` are the arrays to differentiate by, stored as in the layout."""

    def __init__(self, row: Row, device: str, layout: Layout | None = None) -> None:
        self.row = row
        self.device = device
        self.layout = layout
        self.arrays = row.arrays()
        self._stored = nested(self._store, self.arrays)
        self._free = [
            is_inexact(array) and name not in row.case.constants
            for name, value in zip(row.case.operator.tensors, self._stored, strict=True)
            for array in leaves((value,))
        ]
        pairs = zip(leaves(self._stored), self._free, strict=True)
        self.inputs = [array for array, free in pairs if free]

    def outputs(self, inputs: list[Any], function: Callable[..., Any] | None = None) -> list[Any]:
        """The floating results for tensors in place of `inputs`, of the operator or `function`."""
        given = iter(inputs)
        free = iter(self._free)
        bases = nested(
            lambda array: next(given) if next(free) else to_tensor(array, self.device), self._stored
        )
        operator = self.row.case.operator
        # What is written must not be a leaf.
        bases = tuple(
            [creation.clone(b) if i in operator.writes else b for i, b in enumerate(bases)]
        )
        operands = self._look(bases, self.arrays)
        out = self.row.case.apply(operands, self.row.params(self.device), function)
        results = out if type(out) is tuple else (out,)
        if operator.writes:
            # All of the written memory: what the operator left alone belongs to the graph too.
            results = tuple([bases[i] for i in operator.writes])
        return [each for each in results if each.dtype.is_floating_point or each.dtype.is_complex]

    def value(self, inputs: list[Array]) -> list[Array]:
        """The same in NumPy, unrecorded."""
        with plugrad.no_grad():
            return [to_numpy(out) for out in self.outputs(self._tensors(inputs))]

    def leaves(self) -> list[Any]:
        """The inputs as tensors that want a gradient."""
        return [tensor.requires_grad_() for tensor in self._tensors(self.inputs)]

    def cotangents(self) -> list[Array]:
        """A random cotangent for each output."""
        return [random_like(out, 7 + i) for i, out in enumerate(self.value(self.inputs))]

    def gradients(
        self, cotangents: list[Array], function: Callable[..., Any] | None = None
    ) -> list[Array]:
        """The framework's gradients of the outputs' sum weighted by the cotangents; zeros for an
        absent one.
        """
        wanted = self.leaves()
        found = pull(self.outputs(wanted, function), wanted, self._tensors(cotangents))
        return [
            np.zeros(x.shape, x.dtype) if g is None else to_numpy(g)
            for g, x in zip(found, self.inputs, strict=True)
        ]

    def gradient_alone(self, position: int, cotangents: list[Array]) -> Array:
        """The framework's gradient by one input, where no other wants any."""
        tensors = self._tensors(self.inputs)
        tensors[position].requires_grad_()
        (found,) = pull(self.outputs(tensors), [tensors[position]], self._tensors(cotangents))
        x = self.inputs[position]
        return np.zeros(x.shape, x.dtype) if found is None else to_numpy(found)

    def first_order(self) -> Problem2:
        """The map from inputs and cotangents to the gradients, to be differentiated once more."""
        return Problem2(self)

    def _tensors(self, arrays: list[Array]) -> list[Any]:
        return [to_tensor(array, self.device) for array in arrays]

    def _store(self, array: Array) -> Array:
        layout = self.layout
        return layout.store(array) if layout is not None and layout.fits(array.shape) else array

    def _look(self, bases: tuple[Any, ...], arrays: Arrays) -> tuple[Any, ...]:
        layout = self.layout
        if layout is None:
            return bases
        return tuple(
            [
                base
                if base is None
                else self._look(base, array)
                if type(base) is tuple
                else layout.look(base, array.shape)
                if layout.fits(array.shape)
                else base
                for base, array in zip(bases, arrays, strict=True)
            ]
        )


@final
class Problem2:
    """The first derivative as a function of the inputs and the cotangents."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.inputs = [*problem.inputs, *problem.cotangents()]

    def gradients(self, values: list[Array], create_graph: bool) -> tuple[list[Any], list[Any]]:
        """The variables as tensors, and the gradients that exist as functions of them."""
        problem = self._problem
        variables = [to_tensor(v, problem.device).requires_grad_() for v in values]
        count = len(problem.inputs)
        inputs, cotangents = variables[:count], variables[count:]
        found = pull(problem.outputs(inputs), inputs, cotangents, create_graph=create_graph)
        return variables, [g for g in found if g is not None]

    def value(self, values: list[Array]) -> list[Array]:
        """The gradients in NumPy."""
        return [to_numpy(g) for g in self.gradients(values, create_graph=False)[1]]


def pull(
    outputs: list[Any], inputs: list[Any], cotangents: list[Any], create_graph: bool = False
) -> list[Any]:
    """Gradients of the outputs that were recorded, None where there is none."""
    pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
    if not pairs:
        return [None] * len(inputs)
    kept, given = zip(*pairs, strict=True)
    return list(
        plugrad.autograd.grad(kept, inputs, given, create_graph=create_graph, allow_unused=True)
    )


def numerical_gradients(
    function: Callable[[list[Array]], list[Array]], inputs: list[Array], cotangents: list[Array]
) -> list[Array]:
    """Central differences of the outputs' sum weighted by the cotangents, for every element of
    every input.
    """
    found = []
    for position, x in enumerate(inputs):
        gradient = np.zeros(x.shape, x.dtype)
        for place in np.ndindex(*x.shape):
            for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
                change = np.zeros(x.shape, x.dtype)
                change[place] = STEP * unit
                slope = _slope(function, inputs, position, change, cotangents) / STEP
                gradient[place] += slope * unit
        found.append(gradient)
    return found


def directional(
    function: Callable[[list[Array]], list[Array]],
    inputs: list[Array],
    position: int,
    direction: Array,
    cotangents: list[Array],
) -> float:
    """The slope of the weighted sum when one input moves in a direction."""
    return _slope(function, inputs, position, direction * STEP, cotangents) / STEP


def _slope(
    function: Callable[[list[Array]], list[Array]],
    inputs: list[Array],
    position: int,
    change: Array,
    cotangents: list[Array],
) -> float:
    x = inputs[position]
    ahead = function([*inputs[:position], x + change, *inputs[position + 1 :]])
    behind = function([*inputs[:position], x - change, *inputs[position + 1 :]])
    return 0.5 * sum(inner(c, a - b) for a, b, c in zip(ahead, behind, cotangents, strict=True))


def inner(x: Any, y: Any) -> float:
    """The real inner product; complex numbers count as pairs."""
    return float(np.sum((np.conj(x) * y).real))


def random_like(array: Array, seed: int) -> Array:
    """Normal numbers of an array's shape and dtype."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=array.shape)
    return np.asarray(x + 1j * draw.normal(size=array.shape) if array.dtype.kind == "c" else x)


def is_inexact(array: Array) -> bool:
    """Whether an array holds floats or complex numbers."""
    return array.dtype.kind not in "biu"
