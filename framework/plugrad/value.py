"""Value: the data of a tensor without its methods, which floor 5 adds in `Tensor`.

A kernel's result is *fresh*: its native array is known and nothing else. Its elements lie in C
order by definition, but in whatever order the kernel left them by fact, until somebody looks:
`settle` then gives it a flat buffer. A view is the other way round: storage and layout are known,
the native array is made when a kernel first wants it.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar, final

from plugrad.backends import backend, watchers
from plugrad.contracts import Kernel
from plugrad.devices import META, Device
from plugrad.shapes import contiguous_strides
from plugrad.spec import Shape, Spec
from plugrad.storage import Storage

Layout = tuple[Shape, int]

# Held while a fresh value gets its storage: threads that look at it at once must get the same one.
# A service may itself make tensors, so the holder may enter again.
_fixing = threading.RLock()


@final
class NoData:
    """The native array and the buffer of tensors on the meta device."""

    def __repr__(self) -> str:
        return "no data"


NO_DATA = NoData()


class Value:
    """What dispatch knows of a tensor.

    `array` is the backend's array or `None`, `memory` the storage or `None`, `place` strides and
    offset or `None`: what is missing is made from the rest. `node` is the place in the autograd
    graph: `None`, a `Leaf`, or the node of the operator that made it. `origin` says of which tensor
    it is a view, and through which operators.
    """

    __slots__ = ("__dict__", "__weakref__", "array", "memory", "node", "origin", "place", "spec")

    # Above 0 for a value that a transform has wrapped: the transform then interprets its operators.
    level: ClassVar[int] = 0

    spec: Spec
    array: Any
    memory: Storage | None
    place: Layout | None
    node: Any
    origin: Any

    def native(self) -> Any:
        """The backend's array."""
        array = self.array
        if array is None:
            array = self.array = self._view_buffer()
        return array

    def _view_buffer(self) -> Any:
        assert self.memory is not None
        assert self.place is not None
        spec = self.spec
        strides, offset = self.place
        view = _services["array_view", spec.device]
        return view(self.memory.buffer, spec.dtype, spec.shape, strides, offset)

    def settle(self) -> Storage:
        """The storage, with its buffer; from now on the elements' order in memory is a fact."""
        if self.place is not None and self.memory is not None:
            return self.memory
        with _fixing:
            storage = self.memory
            if storage is None:
                storage = self.memory = Storage()
            if self.place is None:
                spec = self.spec
                if storage.buffer is None:
                    storage.buffer = _services["array_flatten", spec.device](self.array)
                # In this order: another thread that finds no array finds the place.
                self.place = (contiguous_strides(spec.shape), 0)
                self.array = None
            return storage

    @property
    def layout(self) -> Layout:
        """Strides and offset, in elements."""
        if self.place is None:
            return contiguous_strides(self.spec.shape), 0
        return self.place

    @property
    def version(self) -> int:
        """How often the storage was written in place."""
        return 0 if self.memory is None else self.memory.version

    def alias(self) -> Any:
        """The same memory without a place in the graph."""
        memory = self.memory
        if memory is None:
            with _fixing:
                memory = self.memory
                if memory is None:
                    memory = self.memory = Storage()
        return wrap(self.array, self.spec, memory, self.place)


class _Services(dict[tuple[str, Device], Kernel]):
    """The services of the devices' backends, looked up once each."""

    def __missing__(self, key: tuple[str, Device]) -> Kernel:
        name, device = key
        meta = device.type == META
        found = self[key] = _without_data if meta else backend(device.type).service(name)
        return found


_services = _Services()
watchers.append(_services.clear)


def _without_data(*facts: Any) -> NoData:
    return NO_DATA


@final
class results:
    """Which class operators return; floor 5 sets it."""

    tensor: type[Value] = Value


_new = object.__new__


def wrap(
    native: Any, spec: Spec, memory: Storage | None = None, place: Layout | None = None
) -> Any:
    """A tensor outside the graph: around a kernel's result, or (with `None` for the native array)
    one that looks at a storage through a layout.
    """
    value = _new(results.tensor)
    value.spec = spec
    value.array = native
    value.memory = memory
    value.place = place
    value.node = None
    value.origin = None
    return value
