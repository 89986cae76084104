"""Elementwise operators where it is easy to go wrong: NaN, infinities, zeros of both signs, very
large and very small numbers, and kinks; values and gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch

from .calls import Call
from .samples import BEYOND
from .sides import torch_has
from .tables import OPERATORS, elementwise_operands

_NAN, _INF = float("nan"), float("inf")
NUMBERS = [_NAN, _INF, -_INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 6.0, 1e-30, 1e30, -1e30]

#: Elementwise though PyTorch's table does not say so.
MORE = (
    "nn.functional.relu",
    "nn.functional.relu6",
    "nn.functional.leaky_relu",
    "nn.functional.elu",
    "nn.functional.selu",
    "nn.functional.celu",
    "nn.functional.gelu",
    "nn.functional.silu",
    "nn.functional.mish",
    "nn.functional.hardtanh",
    "nn.functional.hardswish",
    "nn.functional.hardsigmoid",
    "nn.functional.softplus",
    "nn.functional.softsign",
    "nn.functional.logsigmoid",
    "nn.functional.tanhshrink",
)


@final
@dataclass(frozen=True)
class Row:
    """An operator by name, and how many tensors it takes."""

    name: str
    operands: int

    def __str__(self) -> str:
        return self.name

    def calls(self) -> Iterator[Call]:
        """All numbers, or each with each, in two dtypes."""
        for dtype in (torch.float64, torch.float32):
            x = torch.tensor(NUMBERS, dtype=dtype)
            pairs = (x,) if self.operands == 1 else torch.cartesian_prod(x, x).unbind(1)
            name = f"special-{str(dtype).removeprefix('torch.')}"
            yield Call(name, tuple([each.clone().requires_grad_() for each in pairs]))


def rows() -> list[Row]:
    """Every elementwise operator of real numbers, by its first name."""
    found: dict[str, Row] = {}
    for info in OPERATORS:
        operands = elementwise_operands(info)
        usable = torch_has(info.name) and not info.name.startswith(BEYOND)
        if operands and usable and torch.float64 in info.supported_dtypes("cpu"):
            found.setdefault(info.name, Row(info.name, operands))
    for name in MORE:
        found.setdefault(name, Row(name, 1))
    return list(found.values())
