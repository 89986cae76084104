"""Parameter and Buffer: tensors that a module registers when they are assigned to it. Operators
return plain tensors. And the same before their shape is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from plugrad.creation import DeviceLike, empty
from plugrad.dtypes import DType
from plugrad.errors import AutogradError, KindError
from plugrad.op import Operator
from plugrad.spec import Spec
from plugrad.storage import Storage
from plugrad.tape import Leaf
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


# before the shape is known ------------------------------------------------------------------------


class Uninitialized(Tensor):
    """A tensor of a dtype and on a device, but without shape and elements. `materialize` makes it
    a tensor of the class that it stands for; until then operators refuse it.
    """

    __slots__ = ()

    # Dispatch knows no plan for its spec, and asks it.
    level: ClassVar[int] = 1 << 17
    becomes: ClassVar[type[Tensor]]

    def materialize(
        self, shape: Sequence[int], device: DeviceLike = None, dtype: DType | None = None
    ) -> None:
        """Become a tensor of this shape, its elements undefined."""
        made = empty(
            tuple(shape),
            device=self.spec.device if device is None else device,
            dtype=dtype or self.spec.dtype,
        )
        itself: Any = self
        itself.__class__ = self.becomes
        itself.data = made

    def interpret(self, operator: Operator, arguments: Any, params: Any) -> Any:
        """Operators need elements."""
        raise _unknown(operator.name)

    def native(self) -> Any:
        """There is no array yet."""
        raise _unknown("native")

    def settle(self) -> Storage:
        """There is no storage yet."""
        raise _unknown("storage")

    @property
    def shape(self) -> Any:
        """Not known yet: an error."""
        raise AutogradError(
            f"{type(self).__name__} has no shape yet; call materialize(), or run the module once"
        )

    @property
    def data(self) -> Any:
        """Itself."""
        return self

    @data.setter
    def data(self, value: Tensor) -> None:
        if isinstance(value, Uninitialized):
            self.spec = value.spec
            if type(self.node) is Leaf:
                self.node.spec = value.spec
        else:
            Tensor.data.__set__(self, value)  # type: ignore[attr-defined]

    def detach(self) -> Any:
        """Itself."""
        return self

    def to(self, *where: Any, **named: Any) -> Any:
        """The same for another device or dtype."""
        told = empty(0, dtype=self.spec.dtype, device=self.spec.device).to(*where, **named)
        return _uninitialized(type(self), told.spec.dtype, told.spec.device, self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        copied = self.to()
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        facts = (type(self), self.spec.dtype, self.spec.device, self.requires_grad)
        return _uninitialized, facts

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


#: PyTorch's name for it.
UninitializedTensorMixin = Uninitialized


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer is one without shape and elements yet."""
    return isinstance(param, Uninitialized)


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape is not known yet."""

    __slots__ = ()
    becomes = Parameter

    def __new__(
        cls,
        requires_grad: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> Any:
        told = empty(0, device=device, dtype=dtype).spec
        return _uninitialized(cls, told.dtype, told.device, requires_grad)


class UninitializedBuffer(Uninitialized):
    """A buffer whose shape is not known yet."""

    __slots__ = ()
    becomes = Tensor

    def __new__(
        cls,
        requires_grad: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
        persistent: bool = True,
    ) -> Any:
        told = empty(0, device=device, dtype=dtype).spec
        return _uninitialized(cls, told.dtype, told.device, requires_grad)


def _uninitialized(cls: type[Any], dtype: Any, device: Any, requires_grad: bool) -> Any:
    made = object.__new__(cls)
    made.spec = Spec((0,), dtype, device)  # known to no plan
    made.array = made.memory = made.place = made.node = made.origin = None
    return made.requires_grad_() if requires_grad else made


def _unknown(operator: str) -> KindError:
    return KindError(
        operator,
        "self",
        expected="a tensor with elements",
        got="an uninitialized parameter or buffer",
        hint="run the lazy module once on an input, which tells the shape",
    )
