"""Yes-or-no questions about tensors, and other facts that need no kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad.dtypes import DType
from plugrad.errors import ShapeError
from plugrad.families.operands import promoted
from plugrad.storage import Storage
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


def is_tensor(obj: Any) -> bool:
    """Whether an object is a tensor."""
    return isinstance(obj, Value)


def is_storage(obj: Any) -> bool:
    """Whether an object is a tensor's storage."""
    return isinstance(obj, Storage)


def is_floating_point(input: Tensor | Value) -> bool:
    """Whether the dtype is a real floating one."""
    return input.spec.dtype.is_floating_point


def is_complex(input: Tensor | Value) -> bool:
    """Whether the dtype is complex."""
    return input.spec.dtype.is_complex


def is_signed(input: Tensor | Value) -> bool:
    """Whether the dtype has negative numbers."""
    dtype = input.spec.dtype
    return dtype.is_signed and dtype.kind != "bool"


def is_nonzero(input: Any) -> bool:
    """Whether the only element is not zero."""
    if input.spec.numel != 1:
        raise ShapeError(
            "is_nonzero", "input", expected="a tensor with one element", got=input.spec.shape
        )
    return bool(input.item())


def is_same_size(input: Tensor | Value, other: Tensor | Value) -> bool:
    """Whether two shapes are equal."""
    return input.spec.shape == other.spec.shape


def is_conj(input: Tensor | Value) -> bool:
    """Whether conjugation is still to be done: never, it is done at once."""
    return False


def is_neg(input: Tensor | Value) -> bool:
    """Whether negation is still to be done: never, it is done at once."""
    return False


def is_inference(input: Tensor | Value) -> bool:
    """Whether the tensor can never take part in differentiation: every tensor can."""
    return False


def resolve_conj(input: Any) -> Any:
    """The tensor itself: conjugation is done at once."""
    return input


def resolve_neg(input: Any) -> Any:
    """The tensor itself: negation is done at once."""
    return input


def numel(input: Tensor | Value) -> int:
    """The number of elements."""
    return input.spec.numel


def get_device(input: Tensor | Value) -> int:
    """The index of the CUDA device, -1 on the CPU."""
    device = input.spec.device
    return (device.index or 0) if device.type == "cuda" else -1


def result_type(tensor: Any, other: Any) -> DType:
    """The dtype in which two tensors, or a tensor and a number, meet."""
    return promoted("result_type", [tensor, other])


def typename(obj: Any) -> str:
    """The name of an object's type, with its module's."""
    kind = type(obj)
    return f"{kind.__module__}.{kind.__qualname__}"
