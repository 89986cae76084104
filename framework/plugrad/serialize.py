"""Checkpoints: any nest of dicts, lists, tuples, strings and numbers with tensors in it, as one
safetensors file.

The tensors are plain safetensors tensors, named by their place (`model.0.weight`), so that other
tools read them; how they nest stands as JSON in the file's metadata. A file holds no code. It is
written beside its place and then moved there, so that a crash, a full disk or Ctrl-C leaves the old
file or the new one, never half of one.
"""

from __future__ import annotations

import ctypes
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plugrad import dtypes
from plugrad.backends import backend
from plugrad.creation import DeviceLike, from_bytes
from plugrad.devices import META
from plugrad.dtypes import DType
from plugrad.errors import CheckpointError, KindError
from plugrad.tensor import Tensor

PathLike = str | os.PathLike[str]

_FORMAT = 1
_METADATA = "plugrad"
_HEADER_LENGTH = 8
# safetensors' names; it has no complex128, which is kept as pairs of float64.
_CODES: dict[DType, str] = {
    dtypes.bool_: "BOOL",
    dtypes.uint8: "U8",
    dtypes.int8: "I8",
    dtypes.int16: "I16",
    dtypes.int32: "I32",
    dtypes.int64: "I64",
    dtypes.float16: "F16",
    dtypes.bfloat16: "BF16",
    dtypes.float32: "F32",
    dtypes.float64: "F64",
    dtypes.complex64: "C64",
}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
# How files of PyTorch's own format begin: a zip archive, or a bare pickle.
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def save(obj: Any, path: PathLike) -> None:
    """Write a nest of containers, numbers, strings and tensors to a file, replacing one that is
    there.

    Tensors that share storage are written apart; one tensor in several places is written once.
    Raises KindError for an object of another kind, CheckpointError where the file cannot be
    written.
    """
    writer = _Writer()
    structure = writer.encode(obj, ())
    described = {"version": _FORMAT, "crc32": writer.checksum(), "structure": structure}
    replace_file(Path(os.path.realpath(path)), lambda new: writer.write(new, json.dumps(described)))


def load(path: PathLike, map_location: DeviceLike = None, *, weights_only: bool = True) -> Any:
    """What `save` wrote, its tensors on the default device or on `map_location`.

    A safetensors file from elsewhere gives a dict of tensors. `weights_only` is PyTorch's: a file
    holds no code here, whatever it says. Raises CheckpointError for a file that is missing,
    truncated, damaged or of another format.
    """
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CheckpointError(str(file), f"cannot be read: {error.strerror}") from error
    reader = _Reader(file, content, map_location)
    described = reader.metadata.get(_METADATA)
    if described is None:
        return {name: reader.tensor(name) for name in reader.entries}
    try:
        return reader.decode_file(json.loads(described))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise reader.refuse("its description of the content is damaged") from error


class _Writer:
    def __init__(self) -> None:
        self._data: dict[str, memoryview] = {}
        self._specs: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._entries: dict[int, Any] = {}
        # Keeps the tensors alive: an address could otherwise come again.
        self._tensors: list[Tensor] = []

    def encode(self, value: Any, place: tuple[str, ...]) -> Any:
        """JSON for a value. Lists are lists; everything else that JSON lacks is a dict with its
        kind as only key.
        """
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else {"float": str(value)}
        if isinstance(value, Tensor):
            return self._encode_tensor(value, place)
        if isinstance(value, dict):
            items = [
                [self.encode(key, (*place, "key")), self.encode(each, (*place, str(key)))]
                for key, each in value.items()
            ]
            return {"dict": items}
        if isinstance(value, (list, tuple)):
            items = [self.encode(each, (*place, str(i))) for i, each in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        if isinstance(value, complex):
            parts = (value.real, value.imag)
            return {"complex": [self.encode(part, place) for part in parts]}
        if isinstance(value, DType):
            return {"dtype": value.name}
        raise KindError(
            "save",
            ".".join(place) or "obj",
            expected="a tensor, number, string or None, or a dict, list or tuple of them",
            got=type(value).__name__,
            hint="save its state_dict()" if hasattr(value, "state_dict") else "",
        )

    def _encode_tensor(self, tensor: Tensor, place: tuple[str, ...]) -> Any:
        known = self._entries.get(id(tensor))
        if known is not None:
            return known
        if tensor.device.type == META:
            raise KindError("save", ".".join(place), expected="a tensor with data", got="meta")
        name = wanted = ".".join(place) or "tensor"
        number = 1
        while name in self._data or name == "__metadata__":
            number += 1
            name = f"{wanted}#{number}"
        entry: dict[str, Any] = {"tensor": name}
        shape, code = tuple(tensor.shape), _CODES.get(tensor.dtype)
        if code is None:
            entry["dtype"] = tensor.dtype.name
            shape, code = (*shape, 2), "F64"
        if tensor.requires_grad and tensor.is_leaf:
            entry["requires_grad"] = True
        self._data[name] = backend(tensor.device.type).service("array_to_host")(tensor.native())
        self._specs[name] = (code, shape)
        self._entries[id(tensor)] = entry
        self._tensors.append(tensor)
        return entry

    def checksum(self) -> int:
        """CRC-32 of all elements, in the order of the tensors' names."""
        return _checksum(self._data)

    def write(self, file: Path, described: str) -> None:
        """Write the file, not yet where it belongs."""
        from safetensors import TensorSpec, serialize_file

        buffers = {name: _address(data) for name, data in self._data.items()}
        specs = {
            name: TensorSpec(
                dtype=_SPEC_NAMES[self._specs[name][0]],
                shape=self._specs[name][1],
                data_ptr=ctypes.addressof(buffer),
                data_len=self._data[name].nbytes,
            )
            for name, buffer in buffers.items()
        }
        serialize_file(specs, str(file), {_METADATA: described})


_SPEC_NAMES = {code: "bool" if code == "BOOL" else dtype.name for code, dtype in _DTYPES.items()}


def _checksum(data: dict[str, Any]) -> int:
    crc = 0
    for name in sorted(data):
        crc = zlib.crc32(data[name], crc)
    return crc


def _address(data: memoryview) -> Any:
    """The bytes as a ctypes array, in place where they may be written to; kept alive by it."""
    size = data.nbytes
    if not size:
        return (ctypes.c_char * 1)()  # a null pointer would be no address
    kind = ctypes.c_char * size
    return kind.from_buffer_copy(data) if data.readonly else kind.from_buffer(data)


def replace_file(file: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a new file beside `file`, and move it there once it is safely on the disk.

    Raises CheckpointError where the system refuses; the old file is then as it was.
    """
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        # safetensors makes files that only their owner may read: ours get the mode of any new file.
        new.touch()
        mode = new.stat().st_mode
        write(new)
        new.chmod(mode)
        with open(new, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(new, file)
    except BaseException as error:
        new.unlink(missing_ok=True)
        # safetensors reports the system's refusals under a class of its own.
        if isinstance(error, OSError) or type(error).__name__ == "SafetensorError":
            raise CheckpointError(
                str(file),
                f"cannot be written: {error}",
                hint="nothing was changed; choose a folder with room that you may write to",
            ) from error
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and its entries need no flushing
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Reader:
    def __init__(self, file: Path, content: bytes, device: DeviceLike) -> None:
        from safetensors import SafetensorError, deserialize

        self._file = file
        self._device = device
        self._made: dict[str, Tensor] = {}
        if content.startswith(_PICKLES):
            raise self.refuse(
                "is a file of PyTorch's own format, which may hold code",
                hint="write it with safetensors.torch.save_file() instead",
            )
        try:
            self.entries: dict[str, Any] = dict(deserialize(content))
        except SafetensorError as error:
            raise self.refuse(_diagnosis(content, str(error))) from error
        size = int.from_bytes(content[:_HEADER_LENGTH], "little")
        header = json.loads(content[_HEADER_LENGTH : _HEADER_LENGTH + size])
        self.metadata: dict[str, str] = header.get("__metadata__") or {}

    def refuse(
        self, problem: str, hint: str = "load another copy, or train again"
    ) -> CheckpointError:
        """The error that names this file."""
        return CheckpointError(str(self._file), problem, hint=hint)

    def decode_file(self, described: dict[str, Any]) -> Any:
        """The whole content, from what the metadata say of it."""
        if described["version"] != _FORMAT:
            raise self.refuse(
                f"is of format {described['version']}, read here is {_FORMAT}",
                hint="upgrade plugrad",
            )
        if described["crc32"] != _checksum({n: entry["data"] for n, entry in self.entries.items()}):
            raise self.refuse("is damaged: its checksum does not fit its content")
        return self._decode(described["structure"])

    def _decode(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._decode(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "tensor" in node:
            return self._decode_tensor(node)
        ((kind, value),) = node.items()
        if kind == "dict":
            return {self._decode(key): self._decode(each) for key, each in value}
        if kind == "tuple":
            return tuple([self._decode(each) for each in value])
        if kind == "float":
            return float(value)
        if kind == "complex":
            return complex(*[self._decode(part) for part in value])
        if kind == "dtype":
            return dtypes.BY_NAME[value]
        raise ValueError(f"unknown kind {kind!r}")

    def _decode_tensor(self, node: dict[str, Any]) -> Tensor:
        name = node["tensor"]
        made = self._made.get(name)
        if made is None:
            dtype = dtypes.BY_NAME[node["dtype"]] if "dtype" in node else None
            made = self._made[name] = self.tensor(name, dtype)
            if node.get("requires_grad"):
                made.requires_grad_()
        return made

    def tensor(self, name: str, dtype: DType | None = None) -> Tensor:
        """A tensor of the file; `dtype` is the complex one whose parts a last axis of 2 holds."""
        entry = self.entries[name]
        shape = tuple(entry["shape"])
        if dtype is not None:
            shape = shape[:-1]
        else:
            dtype = _DTYPES.get(entry["dtype"])
        if dtype is None:
            raise self.refuse(
                f"tensor {name!r} is of dtype {entry['dtype']}, which plugrad does not have",
                hint="cast it with the tool that wrote it",
            )
        return from_bytes(memoryview(entry["data"]), dtype, shape, self._device)


def _diagnosis(content: bytes, reason: str) -> str:
    if not content:
        return "is empty"
    size = int.from_bytes(content[:_HEADER_LENGTH], "little")
    begins = content[_HEADER_LENGTH : _HEADER_LENGTH + 1] in (b"{", b"")
    if len(content) < _HEADER_LENGTH + size and begins and size < 1 << 27:
        return f"is truncated: it ends within its header ({reason})"
    if not begins:
        return f"is no safetensors file ({reason})"
    return f"is truncated or damaged ({reason})"
