"""Parameter and Buffer: tensors that a module registers when they are assigned to it. Operators
return plain tensors.
"""

from __future__ import annotations

from typing import Any

from plugrad.creation import empty
from plugrad.tensor import Tensor


def _adopt(cls: type[Any], data: Tensor | None) -> Any:
    """A new object of the class that looks at the same memory."""
    source = (empty(0) if data is None else data).detach()
    made = object.__new__(cls)
    for slot in ("spec", "array", "memory", "place"):
        setattr(made, slot, getattr(source, slot))
    made.node = made.origin = None
    return made


class Parameter(Tensor):
    """What training changes: a leaf that requires grad unless told otherwise, sharing memory with
    `data`.
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Any:
        made = _adopt(cls, data)
        return made.requires_grad_() if requires_grad else made

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copied = Parameter(super().__deepcopy__(memo), self.requires_grad)
        if self.grad is not None:
            copied.grad = self.grad.detach().clone()
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return Parameter, (self.detach(), self.requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """State that training does not change by gradients; `persistent` says whether it goes into the
    state dict.
    """

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        made = _adopt(cls, data)
        made.persistent = persistent
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        copied = _buffer(super().__deepcopy__(memo), self.persistent)
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return _buffer, (self.detach(), self.persistent)


def _buffer(data: Tensor, persistent: bool) -> Buffer:
    return Buffer(data, persistent=persistent)
