"""Arrays of other libraries as tensors, and the way back by DLPack: memory is shared where it can
be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugrad import creation
from plugrad.creation import DeviceLike
from plugrad.dtypes import DType, get_default_dtype
from plugrad.errors import ArgumentError
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

# DLPack's numbers of devices.
_CPU, _CUDA = 1, 2


def from_file(
    filename: str,
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """The first `size` elements of a file of bytes, of the default dtype where none is named, as a
    tensor with one axis. It is a copy: a `shared` one, whose writes change the file, there is not.
    """
    if shared:
        raise ArgumentError(
            "from_file",
            "shared",
            expected="False: a tensor's memory belongs to its backend",
            got=shared,
            hint="adopt a numpy.memmap with from_numpy()",
        )
    named = dtype or get_default_dtype()
    wanted = size * named.itemsize
    with open(filename, "rb") as file:
        data = file.read(wanted)
    if len(data) < wanted:
        raise ArgumentError(
            "from_file", "size", expected=f"at most the file's {len(data)} bytes", got=wanted
        )
    made = creation.from_bytes(memoryview(data), named, (size,), device)
    return made.requires_grad_() if requires_grad else made


def from_dlpack(ext_tensor: Any, *, device: DeviceLike = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of whatever speaks DLPack; a copy where `copy` is true, or where the
    backend of its device cannot share it.
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        raise ArgumentError(
            "from_dlpack",
            "ext_tensor",
            expected="an array with a method __dlpack__",
            got=type(ext_tensor).__name__,
        )
    if isinstance(ext_tensor, Value):
        made: Any = ext_tensor
        made = made.detach()
    else:
        kind, index = ext_tensor.__dlpack_device__()
        where = {_CPU: "cpu", _CUDA: f"cuda:{index}"}.get(int(kind))
        if where is None:
            raise ArgumentError(
                "from_dlpack", "ext_tensor", expected="an array on the CPU or CUDA", got=kind
            )
        made = creation.as_tensor(ext_tensor, device=where)
    if device is not None:
        made = made.to(device)
    return made.clone() if copy else made


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule that another library's `from_dlpack` takes once."""
    return tensor.__dlpack__()


def asarray(
    obj: Any,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The data as a tensor outside the graph: with `copy=None` sharing memory where that can be,
    else always (True) or never (False, which refuses what it would have to copy) a copy.
    """
    if copy:
        made = creation.tensor(obj, dtype=dtype, device=device)
    else:
        made = creation.as_tensor(obj, dtype=dtype, device=device)
        if copy is False and not _shares(made, obj):
            raise ArgumentError(
                "asarray",
                "copy",
                expected="True or None, as these data cannot be shared",
                got=copy,
            )
        if made.requires_grad or requires_grad:
            made = made.detach()
    return made.requires_grad_() if requires_grad else made


def _shares(made: Any, data: Any) -> bool:
    if made is data:
        return True
    theirs = getattr(data, "__array_interface__", None)
    return theirs is not None and made.numpy().__array_interface__["data"] == theirs["data"]
