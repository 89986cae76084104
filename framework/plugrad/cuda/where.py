"""Which device is meant, and what its backend does for it."""

from __future__ import annotations

from typing import Any

from plugrad.backends import backend, resolve_device
from plugrad.devices import Device
from plugrad.errors import DeviceError

CUDA = "cuda"

AnyDevice = Device | str | int | None


def resolve(caller: str, device: AnyDevice) -> Device:
    """The device that is meant, with its index."""
    if device is None:
        return resolve_device(CUDA)
    where = resolve_device(Device(CUDA, device) if isinstance(device, int) else device)
    if where.index is None:
        raise DeviceError(
            caller,
            "device",
            expected="a numbered device, such as 'cuda:0', or its index",
            got=where,
            hint="leave it out for the current device",
        )
    return where


def service(where: Device, name: str) -> Any:
    """A service of the device's backend; raises where it has none of that name."""
    return backend(where.type).service(name)
