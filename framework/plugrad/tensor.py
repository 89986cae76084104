"""Tensor: metadata, gradient and methods. A method is an operator or a function that takes the
tensor first.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from plugrad import creation, dtypes, printing, reverse, shapes
from plugrad.backends import backend, resolve_device
from plugrad.constants import constant
from plugrad.creation import DeviceLike
from plugrad.devices import META, Device
from plugrad.dtypes import DType
from plugrad.encoding import decode
from plugrad.errors import ArgumentError, AutogradError, DtypeError, ShapeError
from plugrad.formats import MemoryFormat, preserve_format
from plugrad.functions import linalg, views
from plugrad.functions.memory import converted
from plugrad.functions.reseating import rooms
from plugrad.kinds import Kinds
from plugrad.legacy import construct
from plugrad.methods import Methods
from plugrad.ops import comparison
from plugrad.ops import creation as memory
from plugrad.ops import reduction as reduce
from plugrad.ops.transfer import to_device
from plugrad.shapes import Size
from plugrad.spec import Shape
from plugrad.storage import Storage
from plugrad.tape import Leaf, Node, Output, RemovableHandle, node_of
from plugrad.value import Value, results, wrap


class Tensor(Kinds, Methods):
    """Elements of one dtype on one device, with as many axes as `shape` has sizes."""

    __slots__ = ()
    # NumPy leaves mixed expressions to this class.
    __array_priority__ = 1000

    def __new__(cls, *data: Any, device: DeviceLike = None) -> Any:
        """PyTorch's old constructor: sizes give an uninitialised tensor, a sequence one of the
        default dtype, a tensor the same memory outside the graph.
        """
        if len(data) == 1 and isinstance(data[0], Tensor):
            return data[0].detach()
        return construct(data, dtypes.get_default_dtype(), device)

    # metadata ---------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The sizes of the axes."""
        return Size(self.spec.shape)

    @property
    def dtype(self) -> DType:
        """The elements' type."""
        return self.spec.dtype

    @property
    def device(self) -> Device:
        """Where the elements are."""
        return self.spec.device

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.spec.shape)

    @property
    def T(self) -> Tensor:  # noqa: N802 - the name users know
        """The axes in reverse order."""
        return views.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self) -> Tensor:  # noqa: N802 - the name users know
        """The last two axes exchanged."""
        return views.transpose(self, -2, -1)

    @property
    def mH(self) -> Tensor:  # noqa: N802 - the name users know
        """The last two axes exchanged, of the conjugates."""
        return linalg.adjoint(self)

    @property
    def H(self) -> Tensor:  # noqa: N802 - the name users know
        """A matrix with its axes exchanged, of the conjugates."""
        if self.ndim not in (0, 2):
            raise ShapeError("H", "self", expected="a matrix", got=self.spec.shape)
        return linalg.adjoint(self) if self.ndim else self.conj()

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        if dim is None:
            return self.shape
        return self.spec.shape[shapes.normalize_dim(dim, len(self.spec.shape), "size")]

    def dim(self) -> int:
        """The number of axes."""
        return len(self.spec.shape)

    def element_size(self) -> int:
        """Bytes per element."""
        return self.spec.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.spec.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.spec.numel * self.spec.dtype.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """How many elements of the storage lie between neighbours along each axis, or along one."""
        strides = self.layout[0]
        return strides if dim is None else strides[shapes.normalize_dim(dim, self.ndim, "stride")]

    def storage_offset(self) -> int:
        """At which element of the storage the tensor begins."""
        return self.layout[1]

    def storage_size(self) -> int:
        """How many elements, of this tensor's dtype, the storage holds."""
        root = self if self.origin is None else self.origin.base
        bytes_ = root.spec.numel * root.spec.dtype.itemsize
        if root.place is not None:
            strides, offset = root.place
            extent = shapes.extent(root.spec.shape, strides, offset)
            bytes_ = max(bytes_, extent * root.spec.dtype.itemsize)
        if root.memory is not None:
            bytes_ = rooms.get(root.memory, bytes_)
        return bytes_ // self.spec.dtype.itemsize

    def untyped_storage(self) -> Storage:
        """The storage, which views share."""
        return self.settle()

    def data_ptr(self) -> int:
        """A number that tells where the first element is: equal for tensors that begin at the same
        place.
        """
        return id(self.settle().buffer) + self.layout[1] * self.spec.dtype.itemsize

    const_data_ptr = data_ptr

    # autograd ---------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether operators on this tensor are recorded."""
        return node_of(self) is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Have gradients collected in `.grad`, or no more; only a leaf can be switched off."""
        node = node_of(self)
        if not requires_grad:
            if type(node) is Leaf:
                self.node = None
                self.__dict__["_grad"] = node.grad
            elif node is not None:
                raise AutogradError(
                    "requires_grad_: only leaves can stop requiring grad; "
                    "use detach() to leave the graph"
                )
        elif node is None:
            if not (self.spec.dtype.is_floating_point or self.spec.dtype.is_complex):
                raise DtypeError(
                    "requires_grad_",
                    "self",
                    expected="a floating or complex dtype",
                    got=self.spec.dtype,
                    hint="only such tensors have gradients; cast it first",
                )
            leaf = self.node = Leaf(self.spec)
            leaf.grad = self.__dict__.pop("_grad", None)
            self.origin = None  # writes to a leaf are refused: its base has nothing to learn
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operator made this tensor."""
        node = node_of(self)
        return node is None or type(node) is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operator that made this tensor."""
        node = node_of(self)
        if type(node) is Output:
            return node.parents[0]
        return None if type(node) is Leaf else node

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` this tensor is."""
        node = node_of(self)
        return node.index if type(node) is Output else 0

    @property
    def grad(self) -> Tensor | None:
        """The gradient collected so far; for a tensor that is no leaf, if `retain_grad()` was
        called.
        """
        if type(self.node) is Leaf:
            return self.node.grad
        return self.__dict__.get("_grad")

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and value.spec.shape != self.spec.shape:
            raise ShapeError("grad", "value", expected=str(self.spec.shape), got=value.spec.shape)
        if type(self.node) is Leaf:
            self.node.grad = value
        else:
            self.__dict__["_grad"] = value

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph; the version counter does not see writes through it."""
        storage = self.settle()
        return wrap(None, self.spec, Storage(storage.buffer), self.layout)

    @data.setter
    def data(self, value: Tensor) -> None:
        value.settle()
        self.spec, self.array = value.spec, None
        self.memory, self.place = value.memory, value.place
        if type(self.node) is Leaf:
            self.node.spec = value.spec

    def detach(self) -> Tensor:
        """The same memory outside the graph."""
        return wrap(None, self.spec, self.settle(), self.layout)

    def detach_(self) -> Tensor:
        """Leave the graph."""
        self.node = self.origin = None
        return self

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Add this tensor's gradients to the `.grad` of the leaves, or of `inputs` only."""
        if gradient is None:
            gradient = ones_for(self, "backward")
        reverse.backward(
            [self],
            [gradient],
            retain_graph=create_graph if retain_graph is None else retain_graph,
            create_graph=create_graph,
            inputs=inputs,
        )

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call `hook` with this tensor's gradient whenever it is computed; what it returns replaces
        it.
        """
        node = node_of(self)
        if node is None:
            raise AutogradError("register_hook: the tensor does not require grad")
        if node.hooks is None:
            node.hooks = {}
        return RemovableHandle(node.hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call `hook` with this leaf whenever its `.grad` has been added to."""
        node = self.node
        if type(node) is not Leaf:
            raise AutogradError(
                "register_post_accumulate_grad_hook: only leaves that require grad accumulate one"
            )
        if node.post_hooks is None:
            node.post_hooks = {}
        owner = weakref.ref(self)  # the leaf's node must not keep the tensor

        def call() -> None:
            tensor = owner()
            if tensor is not None:
                hook(tensor)

        return RemovableHandle(node.post_hooks, call)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad()` was called on a tensor that is no leaf."""
        return "_retains_grad" in self.__dict__

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is no leaf in `.grad`."""
        if self.is_leaf or self.retains_grad:
            return
        self.__dict__["_retains_grad"] = True
        owner = weakref.ref(self)

        def keep(g: Tensor) -> None:
            tensor = owner()
            if tensor is not None:
                before = tensor.__dict__.get("_grad")
                tensor.__dict__["_grad"] = g if before is None else before + g

        self.register_hook(keep)

    # to Python and elsewhere ------------------------------------------------------------------

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers; of a tensor without axes the number."""
        flat = self._numbers()
        for size in reversed(self.spec.shape[1:]):
            count = len(flat) // size if size else shapes.numel(self.spec.shape[:-1])
            flat = [flat[i * size : (i + 1) * size] for i in range(count)]
        return flat if self.spec.shape else flat[0]

    def item(self) -> Any:
        """The only element as a Python number."""
        if self.spec.numel != 1:
            raise ShapeError(
                "item", "self", expected="a tensor with one element", got=self.spec.shape
            )
        return self._numbers()[0]

    def _numbers(self) -> list[Any]:
        if self.spec.device.type == META:
            raise ArgumentError("item", "self", expected="a tensor with data", got="a meta tensor")
        to_host = backend(self.spec.device.type).service("array_to_host")
        return decode(to_host(self.native()), self.spec.dtype)

    def numpy(self, *, force: bool = False) -> Any:
        """The elements as a `numpy.ndarray` that shares memory where it can."""
        if self.requires_grad and not force:
            raise AutogradError("numpy: the tensor requires grad; use tensor.detach().numpy()")
        self.settle()
        return backend(self.spec.device.type).service("array_to_numpy")(self.native())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        return self._exported().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._exported().__dlpack_device__()

    def _exported(self) -> Any:
        """The backend's array, for other libraries to share."""
        if self.requires_grad:
            raise AutogradError("__dlpack__: the tensor requires grad; use tensor.detach()")
        self.settle()
        return self.native()

    def to(self, *where: Any, **named: Any) -> Tensor:
        """This tensor with another dtype, on another device, or both as another tensor; itself if
        nothing changes.
        """
        device, dtype, copy, memory_format = _target(where, named)
        result: Tensor = self
        if device is not None and device is not self.spec.device:
            result = to_device(result, device)
        if dtype is not None and dtype is not result.spec.dtype:
            result = memory.cast(result, dtype)
        if result is self and not copy and memory_format is None:
            return self
        return converted(result, self, memory_format, copy, "to")

    def cpu(self, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """On the default CPU backend."""
        return self.to(device="cpu", memory_format=memory_format)

    def cuda(
        self,
        device: int | DeviceLike = None,
        non_blocking: bool = False,
        memory_format: MemoryFormat = preserve_format,
    ) -> Tensor:
        """On a CUDA device, the first if none is named; `non_blocking` changes nothing."""
        named = Device("cuda", device) if isinstance(device, int) else device or "cuda"
        return self.to(device=named, memory_format=memory_format)

    # Python's protocols -----------------------------------------------------------------------

    def __len__(self) -> Any:
        if not self.spec.shape:
            raise ShapeError("len", "self", expected="a tensor with axes", got="one without")
        return self.spec.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.spec.shape:
            raise ShapeError("iter", "self", expected="a tensor with axes", got="one without")
        return iter(views.unbind(self))

    def __bool__(self) -> Any:
        return bool(self.item())

    def __int__(self) -> Any:
        return int(self.item())

    def __index__(self) -> Any:
        if self.spec.dtype.kind not in ("int", "bool"):
            raise DtypeError("index", "self", expected="an integer dtype", got=self.spec.dtype)
        return int(self.item())

    def __float__(self) -> Any:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if form and not self.spec.shape else str(self)

    def __contains__(self, element: Any) -> Any:
        return bool(reduce.any(comparison.eq(self, element)).item())

    def __repr__(self) -> str:
        return printing.format_tensor(self)

    def __hash__(self) -> Any:
        return id(self)

    def __eq__(self, other: Any) -> Any:
        return False if other is None else comparison.eq(self, other)

    def __ne__(self, other: Any) -> Any:
        return True if other is None else comparison.ne(self, other)

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        if not self.is_leaf:
            raise AutogradError(
                "deepcopy: only leaves can be copied with their place in the graph; detach() first"
            )
        copied = memory.clone(self.detach())
        if type(self.node) is Leaf:
            copied.requires_grad_()
        if self.grad is not None:
            copied.grad = memory.clone(self.grad.detach())
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        meta = self.device.type == META
        to_host = None if meta else backend(self.device.type).service("array_to_host")
        data = bytes(to_host(self.native())) if to_host else b""
        fields = (
            data,
            self.dtype,
            self.spec.shape,
            self.device,
            self.is_leaf and self.requires_grad,
        )
        return _from_pickle, fields

    # new tensors of this one's kind -----------------------------------------------------------

    def new_tensor(self, data: Any, **options: Any) -> Tensor:
        """A tensor from numbers, of this one's dtype and device."""
        return creation.tensor(data, **{"dtype": self.dtype, "device": self.device, **options})

    def new_zeros(self, *size: Any, **options: Any) -> Tensor:
        """Zeros of this tensor's dtype and device."""
        return creation.zeros(*size, **{"dtype": self.dtype, "device": self.device, **options})

    def new_ones(self, *size: Any, **options: Any) -> Tensor:
        """Ones of this tensor's dtype and device."""
        return creation.ones(*size, **{"dtype": self.dtype, "device": self.device, **options})

    def new_empty(self, *size: Any, **options: Any) -> Tensor:
        """An uninitialised tensor of this one's dtype and device."""
        return creation.empty(*size, **{"dtype": self.dtype, "device": self.device, **options})

    def new_empty_strided(
        self, size: Sequence[int], stride: Sequence[int], **options: Any
    ) -> Tensor:
        """An uninitialised tensor of this one's dtype and device, with these strides."""
        options = {"dtype": self.dtype, "device": self.device, **options}
        return creation.empty_strided(size, stride, **options)

    def new_full(self, size: Sequence[Any], fill_value: Any, **options: Any) -> Tensor:
        """One number throughout, in this tensor's dtype and device."""
        options = {"dtype": self.dtype, "device": self.device, **options}
        return creation.full(size, fill_value, **options)


def ones_for(output: Tensor, operator: str) -> Tensor:
    """The cotangent 1 of a tensor with a single element."""
    if output.spec.numel != 1:
        raise AutogradError(
            f"{operator}: a gradient can be implied only for a tensor with one element, "
            f"got shape {output.spec.shape}; pass gradient="
        )
    spec = output.spec
    if not spec.shape:
        return constant(1, spec.dtype, spec.device)
    return memory.full(spec.shape, 1, spec.dtype, spec.device)


def _target(where: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    device, dtype = named.get("device"), named.get("dtype")
    memory_format = named.get("memory_format")
    # Of PyTorch's two bools the first is non_blocking, which changes nothing here.
    flags = [each for each in where if isinstance(each, bool)]
    copy = named.get("copy", len(flags) > 1 and flags[1])
    for each in where:
        if isinstance(each, Value):
            device, dtype = each.spec.device, each.spec.dtype
        elif isinstance(each, DType):
            dtype = each
        elif each is not None and not isinstance(each, bool):
            device = each
    where_to = None if device is None else resolve_device(device)
    return where_to, dtype, copy, memory_format


def _from_pickle(
    data: bytes, dtype: DType, shape: Shape, device: Device, requires_grad: bool
) -> Tensor:
    made = creation.from_bytes(memoryview(data), dtype, shape, device)
    return made.requires_grad_() if requires_grad else made


results.tensor = Tensor
