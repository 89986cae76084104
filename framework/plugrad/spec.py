"""Spec: all that is known of a tensor without its data. Equal specs are (nearly always) one object.

Operators find what they decided for a call by a dictionary keyed with specs, so hashing a spec must
cost nothing: it hashes by identity. The table of known specs is emptied when it grows too large;
after that an old and a new spec may be equal in value and differ in identity, which costs a
decision made twice and nothing else.
"""

from __future__ import annotations

from math import prod
from typing import Final, final

from plugrad.devices import Device
from plugrad.dtypes import DType

Shape = tuple[int, ...]

_LIMIT: Final = 1 << 14
_known: dict[tuple[Shape, DType, Device], Spec] = {}


@final
class Spec:
    """Shape, dtype and device; make one with `spec_of`."""

    __slots__ = ("device", "dtype", "numel", "shape")

    def __init__(self, shape: Shape, dtype: DType, device: Device) -> None:
        self.shape = shape
        self.dtype = dtype
        self.device = device
        self.numel = prod(shape)

    def __repr__(self) -> str:
        return f"Spec({self.shape}, {self.dtype}, {self.device})"


def spec_of(shape: Shape, dtype: DType, device: Device) -> Spec:
    """The spec of these three facts."""
    key = (shape, dtype, device)
    spec = _known.get(key)
    if spec is None:
        if len(_known) >= _LIMIT:
            _known.clear()
        spec = _known[key] = Spec(shape, dtype, device)
    return spec
