"""What a call costs beside its arithmetic: operators on eight floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import plugrad as pg

EIGHT = [0.5, -1.0, 2.0, 0.25, 3.0, -0.5, 1.5, 1.0]


def pair(module: Any, grad: bool = False) -> tuple[Any, Any]:
    x, y = module.tensor(EIGHT), module.tensor(EIGHT[::-1])
    return (x.requires_grad_(), y.requires_grad_()) if grad else (x, y)


def test_add_against_numpy(versus: Any) -> None:
    x, y = pair(pg)
    a, b = np.array(EIGHT, np.float32), np.array(EIGHT[::-1], np.float32)
    versus(lambda: x + y, lambda: np.add(a, b), "np.add")


def test_add_against_a_hook_call_each_time(versus: Any) -> None:
    x, y = pair(pg)
    hook = pg.backends.backend("numpy").hook("add")
    a, b = x.native(), y.native()
    versus(lambda: x + y, lambda: hook(a, b), "pm.hook")


@pytest.mark.parametrize("grad", [False, True], ids=["plain", "recorded"])
def test_add(versus: Any, grad: bool) -> None:
    x, y = pair(pg, grad)
    a, b = pair(torch, grad)
    versus(lambda: x + y, lambda: a + b)


def test_multiply_by_a_number(versus: Any) -> None:
    x, _ = pair(pg)
    a, _ = pair(torch)
    versus(lambda: x * 2.5, lambda: a * 2.5)


@pytest.mark.parametrize("name", ["tanh", "exp", "sum", "relu"])
def test_unary(versus: Any, name: str) -> None:
    x, _ = pair(pg)
    a, _ = pair(torch)
    versus(getattr(x, name), getattr(a, name))


def test_reshape(versus: Any) -> None:
    x, _ = pair(pg)
    a, _ = pair(torch)
    versus(lambda: x.reshape(2, 4), lambda: a.reshape(2, 4))


def test_matmul(versus: Any) -> None:
    x, a = pg.tensor([EIGHT[:3]] * 3), torch.tensor([EIGHT[:3]] * 3)
    versus(lambda: x @ x, lambda: a @ a)


def test_forward_and_backward(versus: Any) -> None:
    x, y = pair(pg, grad=True)
    a, b = pair(torch, grad=True)
    versus(
        lambda: ((x * y + y).tanh() * y).sum().backward(),
        lambda: ((a * b + b).tanh() * b).sum().backward(),
        calls=300,
    )
