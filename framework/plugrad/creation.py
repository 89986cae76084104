"""Tensors from numbers, arrays and sizes: the calls that have no tensor argument."""

from __future__ import annotations

import builtins
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plugrad import dtypes, shapes
from plugrad.backends import backend, resolve_device
from plugrad.devices import META, Device
from plugrad.dtypes import DType
from plugrad.encoding import encode
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.families import as_operand, delivers
from plugrad.formats import MemoryFormat, contiguous_format, preserve_format
from plugrad.functions import views
from plugrad.functions.memory import laid_out, laid_out_like
from plugrad.ops import creation as ops
from plugrad.ops.views import inverse_permutation
from plugrad.spec import spec_of
from plugrad.value import NO_DATA, Value, wrap

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

DeviceLike = Device | str | None

_NUMBERS = frozenset({bool, int, float, complex})


def tensor(
    data: Any,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """A new tensor with a copy of numbers, nested sequences of them, an array, or a tensor."""
    if isinstance(data, Value):
        made = ops.clone(data).detach()
    else:
        made = _adopt(data, device)
        if made is None:
            return _with_grad(_from_numbers(data, dtype, device), requires_grad)
        made = ops.clone(made)
    return _with_grad(_moved(made, dtype, device), requires_grad)


def as_tensor(data: Any, dtype: DType | None = None, device: DeviceLike = None) -> Tensor:
    """The data as a tensor: a tensor as it is, an array shared where its memory can be, else a
    copy.
    """
    if isinstance(data, Value):
        return _moved(data, dtype, device)
    made = _adopt(data, device)
    if made is None:
        return _from_numbers(data, dtype, device)
    return _moved(made, dtype, device)


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor that shares memory with a NumPy array, on the default CPU backend."""
    made = _adopt(ndarray, "cpu")
    if made is None:
        raise DtypeError(
            "from_numpy", "ndarray", expected="a numpy.ndarray of numbers or bools", got=ndarray
        )
    return made


def frombuffer(
    buffer: Any,
    *,
    dtype: DType,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A one-dimensional tensor with a copy of a buffer's bytes, read as little-endian elements."""
    data = memoryview(buffer).cast("B")[offset:]
    if count >= 0:
        data = data[: count * dtype.itemsize]
    size, rest = divmod(len(data), dtype.itemsize)
    if rest or (count >= 0 and size != count):
        raise ArgumentError(
            "frombuffer",
            "buffer",
            expected=f"whole elements of {dtype.itemsize} bytes",
            got=f"{len(data)} bytes from offset {offset}",
        )
    return _with_grad(from_bytes(data, dtype, (size,), None), requires_grad)


def from_bytes(
    data: memoryview, dtype: DType, shape: tuple[int, ...], device: DeviceLike
) -> Tensor:
    """A tensor from its elements' little-endian bytes in C order."""
    where = resolve_device(device)
    if where.type == META:
        return wrap(NO_DATA, spec_of(shape, dtype, where))
    owner = backend(where.type)
    owner.check_stores("tensor", dtype)
    native = owner.service("array_from_host")(data, dtype, shape, where.index)
    return wrap(native, spec_of(shape, dtype, where))


@delivers
def zeros(
    size: Any = (),
    *more: int,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Every element 0."""
    return full(
        sizes_of("zeros", (size, *more)),
        0.0,
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
    )


@delivers
def ones(
    size: Any = (),
    *more: int,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Every element 1."""
    return full(
        sizes_of("ones", (size, *more)),
        1.0,
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
    )


@delivers
def empty(
    size: Any = (),
    *more: int,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat = contiguous_format,
) -> Tensor:
    """Elements that are whatever was in memory."""
    made = ops.empty(
        sizes_of("empty", (size, *more)),
        dtype or dtypes.get_default_dtype(),
        resolve_device(device),
    )
    return _with_grad(laid_out(made, memory_format, "empty"), requires_grad)


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """An uninitialised tensor whose neighbours along each axis lie so many elements apart."""
    shape = checked_size("empty_strided", shapes.as_ints(size, "empty_strided"))
    strides = shapes.as_ints(stride, "empty_strided", "stride")
    if len(strides) != len(shape) or any(step < 0 for step in strides):
        raise ArgumentError(
            "empty_strided", "stride", expected=f"{len(shape)} numbers, none below 0", got=stride
        )
    room = shapes.extent(shape, strides)
    made = views.as_strided(empty(room, dtype=dtype, device=device), shape, strides, 0).detach()
    return _with_grad(made, requires_grad)


def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """An uninitialised tensor without gaps, whose axes lie in memory in the order named, the
    slowest first.
    """
    order = shapes.as_ints(physical_layout, "empty_permuted", "physical_layout")
    shape = checked_size("empty_permuted", shapes.as_ints(size, "empty_permuted"))
    if {*order} != {*builtins.range(len(shape))} or len(order) != len(shape):
        raise ArgumentError(
            "empty_permuted", "physical_layout", expected="each axis once", got=physical_layout
        )
    made = empty([shape[axis] for axis in order], dtype=dtype, device=device)
    made = views.permute(made, inverse_permutation(order)).detach()
    return _with_grad(made, requires_grad)


@delivers
def full(
    size: Sequence[int],
    fill_value: bool | int | float | complex,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """Every element `fill_value`; its kind of number decides the dtype where none is named."""
    shape = checked_size("full", shapes.as_ints(size, "full"))
    if isinstance(fill_value, Value):
        fill_value = fill_value.item()  # type: ignore[attr-defined]
    made = ops.full(
        shape, fill_value, dtype or dtypes.of_scalar(fill_value), resolve_device(device)
    )
    return _with_grad(made, requires_grad)


def scalar_tensor(
    s: bool | int | float | complex,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """A number as a tensor without axes, of the default dtype where none is named."""
    named = dtype or dtypes.get_default_dtype()
    return full((), s, dtype=named, device=device, requires_grad=requires_grad)


def zeros_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
) -> Tensor:
    """Zeros of a tensor's shape, dtype and device."""
    return full_like(
        *(input, 0),
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
        memory_format=memory_format,
    )


def ones_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
) -> Tensor:
    """Ones of a tensor's shape, dtype and device."""
    return full_like(
        *(input, 1),
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
        memory_format=memory_format,
    )


def empty_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
) -> Tensor:
    """An uninitialised tensor of another's shape, dtype and device."""
    where = input.device if device is None else resolve_device(device)
    made = ops.empty(input.shape, dtype or input.dtype, where)
    return _with_grad(laid_out_like(made, input, memory_format, "empty_like"), requires_grad)


def full_like(
    input: Tensor,
    fill_value: bool | int | float | complex,
    *,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
    memory_format: MemoryFormat | None = preserve_format,
) -> Tensor:
    """One number throughout, in a tensor's shape, dtype and device."""
    where = input.device if device is None else resolve_device(device)
    made = ops.full(input.shape, fill_value, dtype or input.dtype, where)
    return _with_grad(laid_out_like(made, input, memory_format, "full_like"), requires_grad)


@delivers
def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`start`, `start + step`, … below `end`; int64 where all three are integers."""
    if end is None:
        start, end = 0, start
    count, dtype = _steps("arange", start, end, step, dtype)
    return _with_grad(ops.arange(start, step, count, dtype, resolve_device(device)), requires_grad)


@delivers
def range(
    start: float,
    end: float,
    step: float = 1,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`start`, `start + step`, … up to `end`, which is included, of the default dtype where none is
    named. PyTorch's older `arange`.
    """
    _steps("range", start, end, step, dtype)
    count = math.floor((end - start) / step) + 1
    named = dtype or dtypes.get_default_dtype()
    return _with_grad(ops.arange(start, step, count, named, resolve_device(device)), requires_grad)


def _steps(
    operator: str, start: float, end: float, step: float, dtype: DType | None
) -> tuple[int, DType]:
    if step == 0 or not (end - start) * step >= 0:
        raise ArgumentError(
            operator,
            "step",
            expected=f"a step other than 0 that leads from {start} to {end}",
            got=step,
        )
    if dtype is None:
        whole = all(isinstance(number, int) for number in (start, end, step))
        dtype = dtypes.int64 if whole else dtypes.get_default_dtype()
    return math.ceil((end - start) / step), dtype


@delivers
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers in equal distances from `start` to `end`, both included. The two are real or
    complex numbers, or tensors without axes.
    """
    first, last = _number("linspace", "start", start), _number("linspace", "end", end)
    if not isinstance(steps, int) or steps < 0:
        raise ArgumentError("linspace", "steps", expected="at least 0", got=steps)
    where = resolve_device(device)
    complex_ = isinstance(first, complex) or isinstance(last, complex)
    if dtype is None:
        dtype = dtypes.get_default_dtype()
        dtype = dtype.to_complex() if complex_ else dtype
    if dtype.is_complex:
        ends, part = (complex(first), complex(last)), dtype.to_real()
        real = _line(ends[0].real, ends[1].real, steps, part, where)
        imag = _line(ends[0].imag, ends[1].imag, steps, part, where)
        made = as_operand(real, dtype, None) + as_operand(imag, dtype, None) * 1j
        return _with_grad(made, requires_grad)
    if complex_:
        raise DtypeError("linspace", "dtype", expected="a complex dtype", got=dtype)
    return _with_grad(_line(first, last, steps, dtype, where), requires_grad)


def _number(operator: str, argument: str, value: Any) -> Any:
    if not isinstance(value, Value):
        return value
    if value.spec.shape:
        raise ShapeError(operator, argument, expected="a number", got=value.spec.shape)
    return value.item()  # type: ignore[attr-defined]


def _line(start: Any, end: Any, steps: int, dtype: DType, device: Device) -> Any:
    distance = (end - start) / (steps - 1) if steps > 1 else 0.0
    made = ops.arange(start, distance, steps, dtype, device)
    if steps > 1:
        made[-1] = end  # start + (steps - 1) * distance may round past it
    return made


@delivers
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """`base` to the powers that `linspace` gives."""
    named = dtype or dtypes.get_default_dtype()
    wide = dtypes.complex128 if named.is_complex else dtypes.float64
    powers = linspace(start, end, steps, dtype=wide, device=device)
    made = as_operand(base, wide, powers.device) ** powers
    return _with_grad(as_operand(made, named, None), requires_grad)


@delivers
def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    device: DeviceLike = None,
    requires_grad: bool = False,
) -> Tensor:
    """1 on the diagonal, 0 elsewhere."""
    made = zeros(n, n if m is None else m, dtype=dtype, device=device)
    made.diagonal().fill_(1)
    return _with_grad(made, requires_grad)


def sizes_of(operator: str, sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """The sizes of a new tensor, given one by one or as one sequence."""
    return checked_size(operator, views.sizes_of(operator, sizes))


def checked_size(operator: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without negative sizes."""
    if any(size < 0 for size in shape):
        raise ShapeError(operator, "size", expected="sizes of at least 0", got=shape)
    return shape


def _with_grad(made: Any, requires_grad: bool) -> Any:
    return made.requires_grad_() if requires_grad else made


def _moved(made: Any, dtype: DType | None, device: DeviceLike) -> Any:
    if device is None and dtype is None:
        return made
    return made.to(dtype=dtype, device=device)


def _adopt(data: Any, device: DeviceLike) -> Any:
    """An array of some library as a tensor, or `None` if it is none."""
    if type(data) in _NUMBERS or isinstance(data, (list, tuple, str)):
        return None  # NumPy's float64 is a float, but no plain one
    where = resolve_device(device)
    if where.type == META:
        return None
    owner = backend(where.type)
    native = owner.service("array_adopt")(data, where.index)
    if native is None:
        return None
    shape, dtype = owner.service("array_spec")(native)
    owner.check_stores("tensor", dtype)
    return wrap(native, spec_of(tuple(shape), dtype, where))


def _from_numbers(data: Any, dtype: DType | None, device: DeviceLike) -> Any:
    shape = _shape_of(data)
    numbers: list[Any] = []
    _flatten(data, shape, 0, numbers)
    if dtype is None:
        dtype = _common_dtype(numbers)
    where = resolve_device(device)
    return from_bytes(memoryview(encode(numbers, dtype)), dtype, shape, where)


def _shape_of(data: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while not isinstance(data, (bool, int, float, complex)):
        if isinstance(data, Value):
            shape += data.spec.shape
            break
        if isinstance(data, (str, Mapping)) or not hasattr(data, "__getitem__"):
            if hasattr(data, "item"):
                break
            raise DtypeError(
                "tensor", "data", expected="numbers, or sequences of them", got=type(data).__name__
            )
        shape.append(len(data))
        if not len(data):
            break
        data = data[0]
    return tuple(shape)


def _flatten(data: Any, shape: tuple[int, ...], depth: int, into: list[Any]) -> None:
    if depth == len(shape):
        number = data.item() if hasattr(data, "item") else data
        if not isinstance(number, (bool, int, float, complex)):
            raise ShapeError("tensor", "data", expected=f"shape {shape} throughout", got=number)
        into.append(number)
        return
    if isinstance(data, (bool, int, float, complex)) or len(data) != shape[depth]:
        got = data if isinstance(data, (bool, int, float, complex)) else f"{len(data)} elements"
        raise ShapeError(
            "tensor", f"data at depth {depth}", expected=f"{shape[depth]} elements", got=got
        )
    if depth == len(shape) - 1 and _NUMBERS.issuperset(map(type, data)):
        into += data
        return
    for each in data:
        _flatten(each, shape, depth + 1, into)


def _common_dtype(numbers: list[Any]) -> DType:
    kinds = {type(number) for number in numbers} or {float}
    return dtypes.promote((), (), kinds)
