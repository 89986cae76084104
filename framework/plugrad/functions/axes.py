"""PyTorch lets a tensor without axes pass for a vector of one wherever an axis is named: there and
back.
"""

from __future__ import annotations

from typing import Any

from plugrad.ops import views


def with_axis(x: Any) -> Any:
    """A tensor without axes as a vector of one element."""
    return x if x.spec.shape else views.view(x, (1,))


def shaped(x: Any, shape: tuple[int, ...]) -> Any:
    """The same elements in this shape."""
    return x if x.spec.shape == shape else views.reshape(x, shape)


def flat(x: Any) -> Any:
    """All elements along one axis, in C order."""
    return views.reshape(x, (x.spec.numel,))
