"""One training step, forward to optimizer, of models that overhead and convolution bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import plugrad as pg
from plugrad.training.models import cnn as plugrad_cnn


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


def cnn(module: Any, channels: int = 16) -> Any:
    """The digits' cnn, `plugrad.training.models.cnn`, from either library's layers."""
    nn = module.nn

    def convolution(inputs: int, outputs: int) -> list[Any]:
        layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return [layer, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *convolution(1, channels),
        *convolution(channels, 2 * channels),
        nn.MaxPool2d(2),
        *convolution(2 * channels, 4 * channels),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(16 * channels, 10),
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
    assert repr(cnn(pg)) == repr(plugrad_cnn()), "the benchmark's model is not the command's"
    versus(
        step(pg, cnn(pg), *batch(pg, 1, 8, 8)),
        step(torch, cnn(torch), *batch(torch, 1, 8, 8)),
        rounds=31,
        calls=5,
    )
