"""Python numbers as 0-d tensors of a given dtype and device; the same number is made once."""

from __future__ import annotations

from typing import Any

from plugrad import dtypes
from plugrad.backends import backend, watchers
from plugrad.devices import META, Device
from plugrad.dtypes import DType
from plugrad.encoding import encode
from plugrad.spec import spec_of
from plugrad.value import NO_DATA, wrap

_LIMIT = 1 << 10
_known: dict[Any, Any] = {}
watchers.append(_known.clear)


def constant(value: bool | int | float | complex, dtype: DType, device: Device) -> Any:
    """A tensor of shape () that nobody may write to. Integers wrap around, as a cast does."""
    # 0.0 and -0.0 are equal as keys, and so are complex numbers with such parts.
    exact = value if value and not isinstance(value, complex) else repr(value)
    key = (exact, type(value), dtype, device)
    found = _known.get(key)
    if found is None:
        if len(_known) >= _LIMIT:
            _known.clear()
        found = _known[key] = wrap(_native(value, dtype, device), spec_of((), dtype, device))
    return found


def _native(value: Any, dtype: DType, device: Device) -> Any:
    if device.type == META:
        return NO_DATA
    if dtype.kind == "int":
        limits = dtypes.iinfo(dtype)
        value = (int(value) - limits.min) % (1 << limits.bits) + limits.min
    bytes_ = memoryview(encode([value], dtype))
    return backend(device.type).service("array_from_host")(bytes_, dtype, (), device.index)
