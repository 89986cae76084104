"""What a tensor says of its kind: where it lies, how it is stored, its dtype under PyTorch's many
names; and the tensor in another kind.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plugrad import dtypes, legacy
from plugrad.backends import resolve_device
from plugrad.errors import ArgumentError, AutogradError, KindError, ShapeError
from plugrad.formats import MemoryFormat, has_format, preserve_format
from plugrad.functions import questions, views
from plugrad.ops import creation, elementwise
from plugrad.value import Value

if TYPE_CHECKING:
    from plugrad.tensor import Tensor


class Kinds(Value):
    """Tensor's questions and casts."""

    __slots__ = ()

    if TYPE_CHECKING:
        to: Callable[..., Tensor]

    is_floating_point = questions.is_floating_point
    is_complex = questions.is_complex
    is_signed = questions.is_signed
    is_nonzero = questions.is_nonzero
    is_same_size = questions.is_same_size
    is_conj = questions.is_conj
    is_neg = questions.is_neg
    is_inference = questions.is_inference
    resolve_conj = questions.resolve_conj
    resolve_neg = questions.resolve_neg
    numel = nelement = questions.numel
    get_device = questions.get_device

    # where and how ----------------------------------------------------------------------------

    @property
    def is_cuda(self) -> Any:
        """Whether the elements are on a CUDA device."""
        return self.spec.device.type == "cuda"

    @property
    def is_cpu(self) -> Any:
        """Whether the elements are in the host's memory."""
        return self.spec.device.type not in ("cuda", "meta")

    @property
    def is_meta(self) -> Any:
        """Whether there are no elements, only their shape and dtype."""
        return self.spec.device.type == "meta"

    is_sparse = is_sparse_csr = is_quantized = is_mkldnn = is_nested = property(
        lambda self: False, doc="Never: tensors are dense, of plain numbers."
    )
    is_mps = is_xpu = is_xla = is_ipu = is_mtia = is_vulkan = is_maia = property(
        lambda self: False, doc="Never: such a device has no backend here."
    )

    def ndimension(self) -> Any:
        """The number of axes."""
        return len(self.spec.shape)

    def dim_order(self, *, ambiguity_check: Any = False) -> tuple[Any, ...]:
        """The axes from the one with the largest stride to the one with the smallest.

        With `ambiguity_check` a tensor is refused whose strides allow other orders too; with a
        list of memory formats only if it does not fit just one of them.
        """
        shape, strides = self.spec.shape, self.layout[0]
        order = tuple(sorted(range(len(strides)), key=lambda dim: -strides[dim]))
        if not isinstance(ambiguity_check, builtins.bool | list):
            raise KindError(
                "dim_order",
                "ambiguity_check",
                expected="a bool or a list of memory formats",
                got=ambiguity_check,
            )
        unclear = ambiguity_check is not False and (1 in shape or len({*strides}) < len(strides))
        if unclear and isinstance(ambiguity_check, list):
            unclear = sum([has_format(each, shape, strides) for each in ambiguity_check]) != 1
        if unclear:
            raise ArgumentError(
                "dim_order",
                "ambiguity_check",
                expected="a tensor whose strides tell the order of its axes",
                got=f"shape {shape} with strides {strides}",
            )
        return order

    def reshape_as(self, other: Tensor) -> Tensor:
        """`reshape` to the shape of another tensor."""
        return views.reshape(self, other.spec.shape)  # type: ignore[arg-type]

    @property
    def mH(self) -> Tensor:  # noqa: N802 - the name users know
        """The last two axes exchanged, and the complex conjugate."""
        return elementwise.conj(views.transpose(self, -2, -1))  # type: ignore[arg-type]

    @property
    def H(self) -> Tensor:  # noqa: N802 - the name users know
        """A matrix transposed, and its complex conjugate."""
        if len(self.spec.shape) not in (0, 2):
            raise ShapeError("H", "self", expected="a matrix", got=self.spec.shape, hint="use mH")
        return elementwise.conj(views.t(self))  # type: ignore[arg-type]

    def adjoint(self) -> Tensor:
        """The last two axes exchanged, and the complex conjugate."""
        return self.mH

    def is_pinned(self, device: Any = None) -> Any:
        """Whether the memory is page-locked: never."""
        return False

    def pin_memory(self, device: Any = None) -> Tensor:
        """Itself: the CUDA backend sends everything to its device by way of page-locked memory.
        Raises where there is no CUDA device.
        """
        resolve_device("cuda")
        return self  # type: ignore[return-value]

    def is_shared(self) -> Any:
        """Whether other processes see the memory: never; workers are sent copies."""
        return False

    def is_set_to(self, tensor: Tensor) -> Any:
        """Whether another tensor is the same look at the same memory."""
        same = self.settle() is tensor.settle() and self.layout == tensor.layout
        return same and self.spec.shape == tensor.spec.shape

    # other dtypes -----------------------------------------------------------------------------

    def type(self, dtype: Any = None, non_blocking: Any = False) -> Any:
        """The tensor in another dtype, given as one or as PyTorch's `FloatTensor` and the like;
        without one, the name of that old type.
        """
        if dtype is None:
            return legacy.name_of(self)
        wanted, device = legacy.target_of(dtype)
        if device == "cpu" and self.is_cpu:
            device = None
        return self.to(device=device, dtype=wanted)

    def type_as(self, other: Tensor) -> Tensor:
        """In another tensor's dtype, on its device."""
        return self.to(device=other.spec.device, dtype=other.spec.dtype)

    def bool(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As bool: whether nonzero."""
        return self.to(dtypes.bool_, memory_format=memory_format)

    def byte(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As uint8."""
        return self.to(dtypes.uint8, memory_format=memory_format)

    def char(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As int8."""
        return self.to(dtypes.int8, memory_format=memory_format)

    def short(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As int16."""
        return self.to(dtypes.int16, memory_format=memory_format)

    def int(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As int32."""
        return self.to(dtypes.int32, memory_format=memory_format)

    def long(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As int64."""
        return self.to(dtypes.int64, memory_format=memory_format)

    def half(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As float16."""
        return self.to(dtypes.float16, memory_format=memory_format)

    def bfloat16(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As bfloat16."""
        return self.to(dtypes.bfloat16, memory_format=memory_format)

    def float(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As float32."""
        return self.to(dtypes.float32, memory_format=memory_format)

    def double(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As float64."""
        return self.to(dtypes.float64, memory_format=memory_format)

    def cfloat(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As complex64."""
        return self.to(dtypes.complex64, memory_format=memory_format)

    def cdouble(self, *, memory_format: MemoryFormat = preserve_format) -> Tensor:
        """As complex128."""
        return self.to(dtypes.complex128, memory_format=memory_format)

    # element by element in Python, and new tensors --------------------------------------------

    def apply_(self, callable: Callable[[Any], Any]) -> Tensor:
        """Replace each element by what a Python function makes of it: slow, and not recorded."""
        return self.map_(self, lambda own, other: callable(own))

    def map_(self, other: Any, callable: Callable[[Any, Any], Any]) -> Tensor:
        """Replace each element by what a Python function makes of it and of the other tensor's:
        slow, and not recorded.
        """
        this: Any = self
        if this.requires_grad:
            raise AutogradError("map_: what a Python function does is not recorded; detach() first")
        others = other.expand(self.spec.shape).reshape(-1).tolist()
        pairs = zip(this.reshape(-1).tolist(), others, strict=True)
        made = this.new_tensor([callable(*pair) for pair in pairs])
        return creation.copy_(self, views.reshape(made, self.spec.shape))

    def new(self, *data: Any) -> Tensor:
        """PyTorch's old constructor in this tensor's dtype, on its device: from sizes or from
        elements.
        """
        return legacy.construct(data, self.spec.dtype, self.spec.device)
