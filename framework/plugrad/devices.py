"""Device: the name of a backend with, where it has several devices, an index.

`numpy`, `numba`, `cuda:0`. `cpu` is an alias for the default CPU backend. `meta` holds no data:
shapes and dtypes only. Which device new tensors get: the innermost `with device(...):`, else
`set_default_device`, else the environment variable `PLUGRAD_BACKEND`, else `numpy`.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import Any, ClassVar, final

from plugrad.errors import ArgumentError

REFERENCE = "numpy"
META = "meta"
# Types whose devices are numbered and whose memory the host does not see: never what `cpu` stands
# for.
ACCELERATORS = frozenset({"cuda", META})


@final
class Device:
    """A backend's name and a device index; equal devices are one object.

    Used as a context manager it is the default device of new tensors inside the block.
    """

    __slots__ = ("index", "type")
    _known: ClassVar[dict[tuple[str, int | None], Device]] = {}

    type: str
    index: int | None

    def __new__(cls, type: str | Device, index: int | None = None) -> Device:
        if isinstance(type, Device):
            return type
        name, number = _parse(type, index)
        if name == "cpu":
            name = host_device_type()
        known = cls._known.get((name, number))
        if known is None:
            known = super().__new__(cls)
            known.type, known.index = name, number
            cls._known[name, number] = known
        return known

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Device, (self.type, self.index)

    def __enter__(self) -> Device:
        _blocks.set((*_blocks.get(), self))
        return self

    def __exit__(self, *exception: object) -> None:
        _blocks.set(_blocks.get()[:-1])


def _parse(text: str, index: int | None) -> tuple[str, int | None]:
    name, colon, number = text.partition(":")
    valid = name.isidentifier() and (not colon or (number.isdecimal() and index is None))
    if not valid or (index is not None and index < 0):
        raise ArgumentError(
            "device", "type", expected="'name' or 'name:index'", got=f"{text!r} and index {index}"
        )
    return name, int(number) if colon else index


_blocks: ContextVar[tuple[Device, ...]] = ContextVar("plugrad.device", default=())
_default: str | Device = os.environ.get("PLUGRAD_BACKEND", REFERENCE)


def get_default_device() -> Device:
    """The device that new tensors get where none is named."""
    blocks = _blocks.get()
    return blocks[-1] if blocks else _process_default()


def set_default_device(device: str | Device | None) -> None:
    """Choose the device of new tensors for the whole process; `None` brings the reference back."""
    global _default
    _default = REFERENCE if device is None else Device(device)


def _process_default() -> Device:
    global _default
    if isinstance(_default, str):
        _default = Device(REFERENCE if _default == "cpu" else _default)
    return _default


def host_device_type() -> str:
    """What `cpu` stands for: the default device's backend if that is a CPU's, or the reference."""
    chosen = get_default_device()
    return REFERENCE if chosen.type in ACCELERATORS else chosen.type
