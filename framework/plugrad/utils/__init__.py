"""What stands around models: data, checkpoints of the forward pass. Loaded when first named."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugrad.utils import checkpoint as checkpoint
    from plugrad.utils import data as data

_LAZY = ("checkpoint", "data")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return import_module(f"plugrad.utils.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]
