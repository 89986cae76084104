"""Max pooling that always returns the positions of the maxima too: PyTorch's `*_with_indices`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from plugrad.functions import pooling
from plugrad.nn.functional.pooling import fractional_max_pool2d, fractional_max_pool3d


def _with_indices(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    form = signature(function)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        given = form.bind(*args, **options)
        given.arguments["return_indices"] = True
        return function(*given.args, **given.kwargs)

    call.__name__ = call.__qualname__ = f"{function.__name__}_with_indices"
    call.__module__ = __name__
    call.__doc__ = f"`{function.__name__}`, always with the positions."
    return call


max_pool1d_with_indices = _with_indices(pooling.max_pool1d)
max_pool2d_with_indices = _with_indices(pooling.max_pool2d)
max_pool3d_with_indices = _with_indices(pooling.max_pool3d)
adaptive_max_pool1d_with_indices = _with_indices(pooling.adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = _with_indices(pooling.adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = _with_indices(pooling.adaptive_max_pool3d)
fractional_max_pool2d_with_indices = _with_indices(fractional_max_pool2d)
fractional_max_pool3d_with_indices = _with_indices(fractional_max_pool3d)
