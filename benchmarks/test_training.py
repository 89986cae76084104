"""One training step, forward to optimizer, of models that overhead and convolution bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import plugrad as pg
from plugrad.training.models import cnn


def step(module: Any, model: Any, inputs: Any, targets: Any) -> Callable[[], None]:
    optimizer = module.optim.Adam(model.parameters(), lr=1e-3)
    loss = module.nn.CrossEntropyLoss()

    def run() -> None:
        optimizer.zero_grad()
        loss(model(inputs), targets).backward()
        optimizer.step()

    return run


def mlp(module: Any) -> Any:
    nn = module.nn
    return nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def batch(module: Any, *shape: int) -> tuple[Any, Any]:
    module.manual_seed(0)
    return module.randn(64, *shape), module.randint(0, 10, (64,))


def test_mlp_step(versus: Any) -> None:
    versus(
        step(pg, mlp(pg), *batch(pg, 64)),
        step(torch, mlp(torch), *batch(torch, 64)),
        rounds=31,
        calls=20,
    )


def test_digits_cnn_step(versus: Any) -> None:
    versus(
        step(pg, cnn(pg), *batch(pg, 1, 8, 8)),
        step(torch, cnn(torch), *batch(torch, 1, 8, 8)),
        rounds=31,
        calls=5,
    )
