"""PyTorch's first constructors, which programs still call: `Tensor(2, 3)`, `LongTensor([1, 2])`.

Each name is also a type that `isinstance` knows and that `Tensor.type` takes.
"""

from __future__ import annotations

from typing import Any

from plugrad import creation, dtypes
from plugrad.creation import DeviceLike
from plugrad.devices import set_default_device
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError
from plugrad.shapes import Size
from plugrad.value import Value


def construct(data: tuple[Any, ...], dtype: DType, device: DeviceLike) -> Any:
    """Sizes give an uninitialised tensor, a sequence, an array or a tensor one with these elements,
    nothing one without any.
    """
    if len(data) == 1 and not isinstance(data[0], int | Size):
        return creation.tensor(data[0], dtype=dtype, device=device)
    return creation.empty(*data or (0,), dtype=dtype, device=device)


class OldType(type):
    """The type of `FloatTensor` and its like: one dtype, on the CPU or on CUDA."""

    dtype: DType
    on_cuda: bool

    def __call__(cls, *data: Any) -> Any:
        """A tensor of this dtype, from sizes or from elements."""
        return construct(data, cls.dtype, "cuda" if cls.on_cuda else None)

    def __instancecheck__(cls, instance: Any) -> bool:
        return (
            isinstance(instance, Value)
            and instance.spec.dtype is cls.dtype
            and (instance.spec.device.type == "cuda") == cls.on_cuda
        )

    def __repr__(cls) -> str:
        return f"plugrad.{'cuda.' if cls.on_cuda else ''}{cls.__name__}"


_NAMES = {
    "FloatTensor": dtypes.float32,
    "DoubleTensor": dtypes.float64,
    "HalfTensor": dtypes.float16,
    "BFloat16Tensor": dtypes.bfloat16,
    "LongTensor": dtypes.int64,
    "IntTensor": dtypes.int32,
    "ShortTensor": dtypes.int16,
    "CharTensor": dtypes.int8,
    "ByteTensor": dtypes.uint8,
    "BoolTensor": dtypes.bool_,
    "ComplexFloatTensor": dtypes.complex64,
    "ComplexDoubleTensor": dtypes.complex128,
}
_BY_DTYPE = {dtype: name for name, dtype in _NAMES.items()}


def _old_type(name: str, on_cuda: bool = False) -> OldType:
    dtype, place = _NAMES[name], " on CUDA" if on_cuda else ""
    words = f"Tensors of {dtype.name}{place}: made from sizes, uninitialised, or from elements."
    return OldType(name, (), {"__doc__": words, "dtype": dtype, "on_cuda": on_cuda})


FloatTensor = _old_type("FloatTensor")
DoubleTensor = _old_type("DoubleTensor")
HalfTensor = _old_type("HalfTensor")
BFloat16Tensor = _old_type("BFloat16Tensor")
LongTensor = _old_type("LongTensor")
IntTensor = _old_type("IntTensor")
ShortTensor = _old_type("ShortTensor")
CharTensor = _old_type("CharTensor")
ByteTensor = _old_type("ByteTensor")
BoolTensor = _old_type("BoolTensor")

CUDA = {name: _old_type(name, True) for name in _NAMES if not name.startswith("Complex")}


def name_of(tensor: Any) -> str:
    """The old type's name of a tensor: `plugrad.FloatTensor`."""
    place = "cuda." if tensor.spec.device.type == "cuda" else ""
    return f"plugrad.{place}{_BY_DTYPE[tensor.spec.dtype]}"


def target_of(wanted: Any) -> tuple[DType, DeviceLike]:
    """The dtype and device (`None`: any) that an old type, its name or a dtype stands for."""
    if isinstance(wanted, DType):
        return wanted, None
    if isinstance(wanted, OldType):
        return wanted.dtype, "cuda" if wanted.on_cuda else "cpu"
    place, _, name = str(wanted).rpartition(".")
    if name not in _NAMES:
        raise ArgumentError(
            "type", "dtype", expected=f"a dtype, or one of {', '.join(_NAMES)}", got=wanted
        )
    return _NAMES[name], "cuda" if place.endswith("cuda") else "cpu"


def set_default_tensor_type(t: OldType | str) -> None:
    """The dtype, and for a type of `plugrad.cuda` the device, of new tensors."""
    dtype, device = target_of(t)
    dtypes.set_default_dtype(dtype)
    set_default_device(None if device == "cpu" else device)
