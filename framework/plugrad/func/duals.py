"""DualTensor: what a function sees that is differentiated forwards."""

from __future__ import annotations

from typing import Any, final

from plugrad.errors import AutogradError, DtypeError, ShapeError
from plugrad.forward import Dual, dual, tangent_of
from plugrad.tensor import Tensor
from plugrad.value import Value


@final
class DualTensor(Dual, Tensor):
    """A tensor with a tangent."""

    __slots__ = ()

    def detach(self) -> Tensor:
        """The same memory outside every graph; it does not move."""
        return self.primal.detach()

    @property
    def data(self) -> Tensor:
        """The same memory outside every graph; it does not move."""
        return self.primal.data

    def new_empty(self, *size: Any, **options: Any) -> Tensor:
        """An uninitialised tensor, into which what moves may be written."""
        return self._allocate("new_empty", size, options)

    def new_zeros(self, *size: Any, **options: Any) -> Tensor:
        """Zeros, into which what moves may be written."""
        return self._allocate("new_zeros", size, options)

    def new_ones(self, *size: Any, **options: Any) -> Tensor:
        """Ones, into which what moves may be written."""
        return self._allocate("new_ones", size, options)

    def new_full(self, *arguments: Any, **options: Any) -> Tensor:
        """One number throughout; what moves may be written into it."""
        return self._allocate("new_full", arguments, options)

    def _allocate(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Tensor:
        wanted = options.pop("requires_grad", False)
        frame = self.frame
        made = frame.outside(lambda: getattr(self.primal, method)(*arguments, **options))
        if frame.open and made.spec.dtype.kind in ("float", "complex"):
            made = dual(made, None, frame)
        return made.requires_grad_() if wanted else made

    def numpy(self, *, force: bool = False) -> Any:
        """The primal's elements, if `force` says that the tangent may be lost."""
        if not force and self.frame.open and tangent_of(self) is not None:
            raise AutogradError("numpy: the tensor has a tangent; use tensor.detach().numpy()")
        return self.primal.numpy(force=force)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.primal.__reduce__()

    def __repr__(self) -> str:
        tangent = tangent_of(self) if self.frame.open else None
        shown = repr(self.primal)
        return shown if tangent is None else f"{shown[:-1]}, tangent={tangent!r})"


Dual.kind = DualTensor


def check_tangent(operator: str, primal: Any, tangent: Any) -> None:
    """Refuse what cannot be a tangent."""
    for name, each in (("tensor", primal), ("tangent", tangent)):
        kind = each.spec.dtype if isinstance(each, Value) else type(each).__name__
        if not isinstance(each, Value) or each.spec.dtype.kind not in ("float", "complex"):
            raise DtypeError(operator, name, expected="a floating or complex tensor", got=kind)
    if tangent.spec.shape != primal.spec.shape:
        raise ShapeError(
            operator, "tangent", expected=f"{primal.spec.shape}", got=tangent.spec.shape
        )
    if tangent.spec.dtype is not primal.spec.dtype:
        raise DtypeError(
            operator,
            "tangent",
            expected=f"{primal.spec.dtype}, as the tensor has",
            got=tangent.spec.dtype,
            hint=f"cast it with .to({primal.spec.dtype!r})",
        )
