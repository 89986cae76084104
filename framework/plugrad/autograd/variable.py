"""Variable: the class that PyTorch's tensors had of old."""

from __future__ import annotations

import warnings
from typing import Any

from plugrad.errors import KindError
from plugrad.tensor import Tensor


class _AnyTensor(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_AnyTensor):
    """`Variable(x)` is a tensor over the memory of x, a leaf of the graph; every tensor is an
    instance of `Variable`.

    `volatile` has no effect any more: PyTorch's `no_grad()` has taken its place.
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        if not isinstance(data, Tensor):
            raise KindError("Variable", "data", expected="a tensor", got=type(data).__name__)
        if volatile:
            warnings.warn(
                "Variable: volatile has no effect; use plugrad.no_grad() instead", stacklevel=2
            )
        return data.detach().requires_grad_(requires_grad)
