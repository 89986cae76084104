"""What several test modules need: gradients held against central differences, twice over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import plugrad as pg
from plugrad import reverse

STEP = 1e-5


def gradients(
    function: Callable[..., pg.Tensor], inputs: list[pg.Tensor], cotangent: pg.Tensor
) -> list[pg.Tensor]:
    """The cotangents of all inputs, differentiable; zeros for one that has no influence."""
    found = reverse.grad(
        [function(*inputs)], inputs, [cotangent], retain_graph=True, create_graph=True
    )
    return [pg.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def differences(function: Callable[..., pg.Tensor], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The Jacobians, (elements of the result, elements of the input), by central differences."""
    found = []
    size = function(*[pg.tensor(each) for each in arrays]).numel()
    for array in arrays:
        columns = []
        for place in np.ndindex(array.shape):
            before = array[place]
            ends = []
            for shifted in (before + STEP, before - STEP):
                array[place] = shifted
                out = function(*[pg.tensor(each) for each in arrays])
                ends.append(out.detach().numpy().reshape(-1).copy())
            array[place] = before
            columns.append((ends[0] - ends[1]) / (2 * STEP))
        found.append(np.array(columns).reshape(len(columns), size).T)
    return found


def check_gradients(
    function: Callable[..., pg.Tensor], *arrays: np.ndarray, second_order: bool = True
) -> None:
    """Hold the gradient of every input, and the gradient of that, against central differences."""
    operands = [np.array(array, dtype=np.float64) for array in arrays]
    inputs = [pg.tensor(array).requires_grad_() for array in operands]
    shape = function(*inputs).shape
    weights = np.random.default_rng(0).standard_normal(tuple(shape))
    found = gradients(function, inputs, pg.tensor(weights))
    for g, jacobian, array in zip(found, differences(function, operands), operands, strict=True):
        assert g.shape == array.shape
        expected = (weights.reshape(-1) @ jacobian).reshape(array.shape)
        np.testing.assert_allclose(g.detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    if second_order:

        def first_gradients(*tensors: pg.Tensor) -> pg.Tensor:
            leaves = [x if x.requires_grad else x.requires_grad_() for x in tensors[1:]]
            each = gradients(function, leaves, tensors[0])
            total = (each[0] * (each[0] + 1)).sum()
            for g in each[1:]:
                total = total + (g * (g + 1)).sum()
            return total

        check_gradients(first_gradients, weights, *operands, second_order=False)
