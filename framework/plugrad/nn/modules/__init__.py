"""The layers under a path that programs for PyTorch sometimes name: `nn.modules.Linear`."""

from typing import Any

from plugrad import nn
from plugrad.nn.modules import module as module


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(nn, name)
