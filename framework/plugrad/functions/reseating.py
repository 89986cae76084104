"""Tensors that take another shape or other memory themselves: `resize_`, `set_`. None of it is
recorded, and a tensor that requires grad refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from plugrad import shapes
from plugrad.errors import ArgumentError, AutogradError, DtypeError, KindError, ShapeError
from plugrad.formats import MemoryFormat, contiguous_format, target_strides
from plugrad.functions.views import sizes_of
from plugrad.ops.creation import copy_, empty
from plugrad.spec import Spec, spec_of
from plugrad.storage import Storage
from plugrad.tape import node_of
from plugrad.value import Layout, Value, wrap

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


#: The bytes of storages that a tensor was resized over: its shape no longer tells them.
rooms: WeakKeyDictionary[Storage, int] = WeakKeyDictionary()


def resize_(
    input: Tensor, size: Any = (), *more: int, memory_format: MemoryFormat = contiguous_format
) -> Tensor:
    """Take another shape over the same storage, from the same first element on. If the storage is
    too small the tensor gets a larger one, with the old elements at its beginning and undefined
    ones behind; views of the old one keep that.
    """
    _refuse_graph("resize_", input)
    shape = sizes_of("resize_", (size, *more))
    if any([each < 0 for each in shape]):
        raise ShapeError("resize_", "size", expected="sizes of at least 0", got=shape)
    if shape == input.spec.shape and memory_format is contiguous_format:
        return input
    strides = target_strides(memory_format, shape, None, "resize_")
    storage, offset = input.settle(), input.layout[1]
    room, wanted = input.storage_size(), shapes.extent(shape, strides, offset)
    if wanted > room:
        spec = input.spec
        larger: Any = empty((wanted,), spec.dtype, spec.device)
        old = wrap(None, spec_of((room,), spec.dtype, spec.device), storage, ((1,), 0))
        copy_(larger[:room], old)
        storage = larger.settle()
    spec = spec_of(shape, input.spec.dtype, input.spec.device)
    rooms[storage] = max(room, wanted) * spec.dtype.itemsize
    return _seat(input, spec, storage, (strides, offset))


def resize_as_(
    input: Tensor, the_template: Tensor, *, memory_format: MemoryFormat = contiguous_format
) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(input, the_template.spec.shape, memory_format=memory_format)


def set_(
    input: Tensor,
    source: Any = None,
    storage_offset: int = 0,
    size: Sequence[int] | None = None,
    stride: Sequence[int] | None = None,
) -> Tensor:
    """Look at the memory of `source`, a tensor of the same dtype and device or a storage: as that
    tensor does, or from element `storage_offset` on with a `size` and a `stride`. Without a source,
    at nothing.
    """
    _refuse_graph("set_", input)
    spec = input.spec
    if source is None:
        source = empty((0,), spec.dtype, spec.device)
    if isinstance(source, Storage):
        if size is None:
            raise ArgumentError("set_", "size", expected="sizes, with a storage", got=None)
        storage, place = source, None
    elif isinstance(source, Value):
        found = source.spec
        if found.dtype is not spec.dtype or found.device is not spec.device:
            raise DtypeError(
                "set_",
                "source",
                expected=f"{spec.dtype} on {spec.device}, as the tensor has",
                got=f"{found.dtype} on {found.device}",
            )
        storage, place = source.settle(), source.layout
        if size is None:
            return _seat(input, found, storage, place)
    else:
        raise KindError("set_", "source", expected="a tensor", got=type(source).__name__)
    shape = sizes_of("set_", tuple(size))
    strides = shapes.contiguous_strides(shape) if stride is None else tuple(stride)
    if isinstance(source, Value):
        room = source.storage_size()  # type: ignore[attr-defined]
        wanted = shapes.extent(shape, strides, storage_offset)
        if wanted > room or storage_offset < 0 or len(strides) != len(shape):
            raise ShapeError(
                "set_",
                "size",
                expected=f"a shape and strides within a storage of {room} elements",
                got=f"{shape} with strides {strides} from element {storage_offset}",
            )
    seen = spec_of(shape, spec.dtype, spec.device)
    return _seat(input, seen, storage, (strides, storage_offset))


def as_subclass(input: Tensor, cls: type[Any]) -> Any:
    """The same tensor, in memory and in the graph, as an object of another class of tensors."""
    if not (isinstance(cls, type) and issubclass(cls, Value)):
        raise KindError("as_subclass", "cls", expected="a class of tensors", got=repr(cls))
    made = object.__new__(cls)
    made.memory, made.place = input.settle(), input.layout
    made.spec, made.array = input.spec, None
    made.node, made.origin = node_of(input), input.origin
    return made


def _refuse_graph(operator: str, tensor: Tensor) -> None:
    if node_of(tensor) is not None:
        raise AutogradError(
            f"{operator}: the tensor requires grad, and this is not recorded; detach() first"
        )


def _seat(tensor: Tensor, spec: Spec, storage: Storage, place: Layout) -> Tensor:
    storage.version += 1  # who saved the tensor as it was is told
    tensor.spec, tensor.array, tensor.memory, tensor.place = spec, None, storage, place
    tensor.origin = None
    return tensor
