"""Nests of containers, numbers and tensors as safetensors files.

The tensors are plain safetensors tensors, named by their place (`model.0.weight`), so that other
tools read them; how they nest stands as JSON in the file's metadata. A file holds no code.
"""

from __future__ import annotations

import ctypes
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from plugrad import dtypes
from plugrad.backends import backend
from plugrad.creation import DeviceLike, from_bytes
from plugrad.devices import META
from plugrad.dtypes import DType
from plugrad.errors import CheckpointError, KindError
from plugrad.tensor import Tensor

#: Makes a tensor of a file from a function that makes it on a device, and the device that the file
#: names.
Placing = Callable[[Callable[[DeviceLike], Tensor], str], Tensor]

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
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_TAR, _TAR_PLACE = b"ustar", 257


class NestWriter:
    """A nest, looked through, and ready to be written. Raises KindError for what cannot be."""

    def __init__(self, nest: Any) -> None:
        self._data: dict[str, memoryview] = {}
        self._specs: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._entries: dict[int, Any] = {}
        # Keeps the tensors alive: an address could otherwise come again.
        self._tensors: list[Tensor] = []
        structure = self._encode(nest, ())
        described = {
            "version": _FORMAT,
            "crc32": _checksum(self._data),
            "structure": structure,
        }
        self._metadata = {_METADATA: json.dumps(described)}

    def _encode(self, value: Any, place: tuple[str, ...]) -> Any:
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
                [self._encode(key, (*place, "key")), self._encode(each, (*place, str(key)))]
                for key, each in value.items()
            ]
            return {"dict": items}
        if isinstance(value, (list, tuple)):
            items = [self._encode(each, (*place, str(i))) for i, each in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        if isinstance(value, complex):
            parts = (value.real, value.imag)
            return {"complex": [self._encode(part, place) for part in parts]}
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

    def to_file(self, file: Path) -> None:
        """Write the file."""
        from safetensors import serialize_file

        buffers = {name: _address(data) for name, data in self._data.items()}
        serialize_file(self._described(buffers), str(file), self._metadata)

    def to_bytes(self) -> bytes:
        """The file's content."""
        from safetensors import serialize

        buffers = {name: _address(data) for name, data in self._data.items()}
        return serialize(self._described(buffers), self._metadata)

    def _described(self, buffers: dict[str, Any]) -> dict[str, Any]:
        from safetensors import TensorSpec

        return {
            name: TensorSpec(
                dtype=_SPEC_NAMES[self._specs[name][0]],
                shape=self._specs[name][1],
                data_ptr=ctypes.addressof(buffer),
                data_len=self._data[name].nbytes,
            )
            for name, buffer in buffers.items()
        }


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


class NestReader:
    """The content of a file called `name`; `place` decides where its tensors go."""

    def __init__(self, name: str, content: bytes, place: Placing) -> None:
        from safetensors import SafetensorError, deserialize

        self._name = name
        self._place = place
        self._made: dict[str, Tensor] = {}
        if content.startswith(_PICKLES) or content.startswith(_TAR, _TAR_PLACE):
            raise self.refuse(
                "is a bare pickle or a tar archive, such as PyTorch wrote before 1.6; of its "
                "formats only the zip archive is read",
                hint="load it with PyTorch, and save it again",
            )
        try:
            self._entries: dict[str, Any] = dict(deserialize(content))
        except SafetensorError as error:
            raise self.refuse(_diagnosis(content, str(error))) from error
        size = int.from_bytes(content[:_HEADER_LENGTH], "little")
        header = json.loads(content[_HEADER_LENGTH : _HEADER_LENGTH + size])
        self._metadata: dict[str, str] = header.get("__metadata__") or {}

    def read(self) -> Any:
        """The nest, or of a foreign file a dict of its tensors."""
        described = self._metadata.get(_METADATA)
        if described is None:
            return {name: self._tensor(name) for name in self._entries}
        try:
            return self._decode_file(json.loads(described))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise self.refuse("its description of the content is damaged") from error

    def refuse(
        self, problem: str, hint: str = "load another copy, or train again"
    ) -> CheckpointError:
        """The error that names this file."""
        return CheckpointError(self._name, problem, hint=hint)

    def _decode_file(self, described: dict[str, Any]) -> Any:
        """The whole content, from what the metadata say of it."""
        if described["version"] != _FORMAT:
            raise self.refuse(
                f"is of format {described['version']}, read here is {_FORMAT}",
                hint="upgrade plugrad",
            )
        if described["crc32"] != _checksum(
            {n: entry["data"] for n, entry in self._entries.items()}
        ):
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
            made = self._made[name] = self._tensor(name, dtype)
            if node.get("requires_grad"):
                made.requires_grad_()
        return made

    def _tensor(self, name: str, dtype: DType | None = None) -> Tensor:
        """A tensor of the file; `dtype` is the complex one whose parts a last axis of 2 holds."""
        entry = self._entries[name]
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
        return self._place(partial(from_bytes, memoryview(entry["data"]), dtype, shape), "cpu")


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
