"""Modules whose initial values nobody needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from plugrad.nn.module import Module

M = TypeVar("M", bound=Module)


def skip_init(module_cls: Callable[..., M], *args: Any, **kwargs: Any) -> M:
    """A module with undefined parameters and buffers: for one whose state is loaded next.

    Its class must take a `device`, on which it ends up.
    """
    device = kwargs.pop("device", "cpu")
    return module_cls(*args, device="meta", **kwargs).to_empty(device=device)
