"""PyTorch's checkpoints (.pt, .pth), read without PyTorch and without running what is in them.

A file is a zip archive: a pickle of the structure, and the bytes of each storage as a member of its
own. The pickle may name what checkpoints of tensors need: storages, dtypes, the functions that make
tensors and parameters, and a few containers. All else is refused by its name.
"""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict
from functools import partial
from typing import IO, Any, NamedTuple
from zipfile import BadZipFile, ZipFile

from plugrad import dtypes, shapes
from plugrad.creation import from_bytes
from plugrad.devices import Device
from plugrad.dtypes import DType
from plugrad.errors import CheckpointError
from plugrad.nests import Placing
from plugrad.nn.parameter import Buffer, Parameter
from plugrad.ops.elementwise import conj, neg
from plugrad.spec import spec_of
from plugrad.tensor import Size, Tensor
from plugrad.unpickling import Builder, RefusedError, unpickle
from plugrad.value import wrap

_STORAGES: dict[str, DType] = {
    "torch.BoolStorage": dtypes.bool_,
    "torch.ByteStorage": dtypes.uint8,
    "torch.CharStorage": dtypes.int8,
    "torch.ShortStorage": dtypes.int16,
    "torch.IntStorage": dtypes.int32,
    "torch.LongStorage": dtypes.int64,
    "torch.HalfStorage": dtypes.float16,
    "torch.BFloat16Storage": dtypes.bfloat16,
    "torch.FloatStorage": dtypes.float32,
    "torch.DoubleStorage": dtypes.float64,
    "torch.ComplexFloatStorage": dtypes.complex64,
    "torch.ComplexDoubleStorage": dtypes.complex128,
}
_DAMAGE = (
    BadZipFile,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


class _Kind(NamedTuple):
    """A class of storages; without a dtype it holds bytes."""

    dtype: DType | None


class _Storage(NamedTuple):
    """A storage that a pickle refers to."""

    kind: _Kind
    key: str
    location: str
    numel: int


def read_archive(file: IO[bytes], name: str, place: Placing) -> Any:
    """The content of a checkpoint; `name` is the file's, for errors.

    Tensors that shared storage share it again. Raises CheckpointError for a file that is damaged,
    that is no checkpoint, or that asks for more than data.
    """
    try:
        with ZipFile(file) as archive:
            return _Reader(archive, name, place).read()
    except RefusedError as refusal:
        raise CheckpointError(
            name,
            f"asks for {refusal}, which is not among what a checkpoint may hold; nothing was run",
            hint="if you trust the file, load it with PyTorch, and save its state_dict() or a "
            "dict of tensors and numbers",
        ) from None
    except _DAMAGE as error:
        raise CheckpointError(
            name,
            f"is truncated or damaged: {error}",
            hint="load another copy, or save it again",
        ) from error


class _Reader:
    def __init__(self, archive: ZipFile, name: str, place: Placing) -> None:
        self._archive = archive
        self._name = name
        self._place = place
        self._made: dict[tuple[str, DType], Tensor] = {}
        names = archive.namelist()
        self._root = next((each[: -len("data.pkl")] for each in names if _is_pickle(each)), "")
        if f"{self._root}data.pkl" not in names:
            raise CheckpointError(
                name, "is a zip archive, but no checkpoint: it has no data.pkl", hint=""
            )
        if f"{self._root}constants.pkl" in names:
            raise CheckpointError(
                name,
                "is a TorchScript program, which is code",
                hint="load it with PyTorch, and save its state_dict()",
            )
        order = f"{self._root}byteorder"
        written = archive.read(order).decode() if order in names else "little"
        self._swapped = written == "big"
        self._globals: dict[str, Any] = _GLOBALS | {
            f"torch._utils.{name}": Builder(getattr(self, name))
            for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")
        }

    def read(self) -> Any:
        """The whole content."""
        data = self._archive.read(f"{self._root}data.pkl")
        return unpickle(data, self._look_up, self._storage)

    def _look_up(self, name: str) -> Any:
        try:
            return self._globals[name]
        except KeyError:
            raise RefusedError(f"the global {name!r}") from None

    def _storage(self, reference: Any) -> _Storage:
        what, kind, key, location, numel = reference
        if what != "storage" or not isinstance(kind, _Kind) or type(numel) is not int:
            raise ValueError(f"{what!r} is no storage")
        return _Storage(kind, str(key), str(location), numel)

    def _rebuild_tensor(self, storage: _Storage, offset: int, size: Any, stride: Any) -> Tensor:
        return self._tensor(storage, storage.kind.dtype, offset, size, stride)

    def _rebuild_tensor_v2(
        self,
        storage: _Storage,
        offset: int,
        size: Any,
        stride: Any,
        requires_grad: bool,
        hooks: Any,
        bits: Any = None,
    ) -> Tensor:
        made = self._tensor(storage, storage.kind.dtype, offset, size, stride)
        return _finished(made, requires_grad, bits)

    def _rebuild_tensor_v3(
        self,
        storage: _Storage,
        offset: int,
        size: Any,
        stride: Any,
        requires_grad: bool,
        hooks: Any,
        dtype: DType,
        bits: Any = None,
    ) -> Tensor:
        return _finished(self._tensor(storage, dtype, offset, size, stride), requires_grad, bits)

    def _tensor(
        self, storage: _Storage, dtype: DType | None, offset: int, size: Any, stride: Any
    ) -> Tensor:
        if not isinstance(dtype, DType):
            raise ValueError(f"{dtype!r} is no dtype")
        flat = self._elements(storage, dtype)
        shape, strides = tuple(size), tuple(stride)
        numbers = (offset, *shape, *strides)
        if len(shape) != len(strides) or any(type(n) is not int or n < 0 for n in numbers):
            raise ValueError(f"no tensor has shape {shape} and strides {strides} from {offset}")
        if shapes.extent(shape, strides, offset) > flat.numel():
            raise ValueError(
                f"a tensor of shape {shape} and strides {strides} from {offset} leaves its storage "
                f"of {flat.numel()} elements"
            )
        return wrap(None, spec_of(shape, dtype, flat.device), flat.settle(), (strides, offset))

    def _elements(self, storage: _Storage, dtype: DType) -> Tensor:
        found = self._made.get((storage.key, dtype))
        if found is None:
            data = self._archive.read(f"{self._root}data/{storage.key}")
            count, rest = divmod(len(data), dtype.itemsize)
            announced = storage.numel * (storage.kind.dtype.itemsize if storage.kind.dtype else 1)
            if rest or len(data) != announced:
                raise ValueError(
                    f"storage {storage.key} has {len(data)} bytes instead of {announced}"
                )
            if self._swapped:
                data = _byteswapped(data, dtype)
            make = partial(from_bytes, memoryview(data), dtype, (count,))
            found = self._made[storage.key, dtype] = self._place(make, storage.location)
        return found


def _is_pickle(member: str) -> bool:
    return member.count("/") == 1 and member.endswith("/data.pkl")


def _byteswapped(data: bytes, dtype: DType) -> bytes:
    letters = {1: "B", 2: "H", 4: "I", 8: "Q"}
    elements = array(letters[dtype.to_real().itemsize], data)
    elements.byteswap()
    return elements.tobytes()


def _finished(made: Tensor, requires_grad: bool, bits: Any) -> Tensor:
    if bits and bits.get("conj"):
        made = conj(made)
    if bits and bits.get("neg"):
        made = neg(made)
    return made.requires_grad_() if requires_grad else made


def _parameter(data: Tensor, requires_grad: bool, hooks: Any, state: Any = None) -> Parameter:
    return Parameter(data, requires_grad)


def _of_type(builder: Builder, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor of a class, with attributes, which are left out."""
    if not isinstance(builder, Builder):
        raise RefusedError(f"a call of {builder!r}")
    made = builder.build(*arguments)
    return Buffer(made) if kind == "torch.nn.parameter.Buffer" else made


def _encode(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError(f"bytes as {encoding}")
    return text.encode(encoding)


def _bytearray(content: Any = b"", encoding: str = "latin-1") -> bytearray:
    if isinstance(content, bytes):  # not a number, which would be a size
        return bytearray(content)
    return bytearray(_encode(content, encoding.replace("-", "")))


def _device(kind: str, index: int | None = None) -> Device:
    return Device(kind, index)


_GLOBALS: dict[str, Any] = {
    "collections.OrderedDict": Builder(OrderedDict),
    "collections.Counter": Builder(Counter),
    "_codecs.encode": Builder(_encode),
    "torch.Size": Builder(Size),
    "torch.device": Builder(_device),
    "torch._utils._rebuild_parameter": Builder(_parameter),
    "torch._utils._rebuild_parameter_with_state": Builder(_parameter),
    "torch._tensor._rebuild_from_type_v2": Builder(_of_type),
    "torch.storage.UntypedStorage": _Kind(None),
    **{name: _Kind(dtype) for name, dtype in _STORAGES.items()},
    **{f"torch.{dtype.name}": dtype for dtype in dtypes.ALL},
    # Classes that a tensor may be of.
    **{
        name: name
        for name in ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
    },
    **{
        f"{module}.{kind.__name__}": Builder(kind)
        for module in ("builtins", "__builtin__")
        for kind in (set, frozenset, complex)
    },
    "builtins.bytearray": Builder(_bytearray),
    "__builtin__.bytearray": Builder(_bytearray),
}
