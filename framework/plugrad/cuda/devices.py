"""Devices: how many there are, which is meant, and waiting for them."""

from __future__ import annotations

from types import TracebackType
from typing import Any, final

from plugrad.backends import backend, loaded, resolve_device
from plugrad.cuda.where import CUDA, AnyDevice, resolve, service
from plugrad.devices import Device
from plugrad.errors import BackendError
from plugrad.hooks import DeviceProperties


def is_available() -> bool:
    """Whether a CUDA device can be used; never raises."""
    return device_count() > 0


def device_count() -> int:
    """How many CUDA devices can be used: 0 where the backend, the driver or the device is missing.

    `plugrad.backends.resolve_device("cuda")` says why.
    """
    try:
        return backend(CUDA).service("device_count")()
    except BackendError:
        return 0


def current_device() -> int:
    """The index of the device that `"cuda"` means in this thread."""
    index = resolve_device(CUDA).index
    assert index is not None
    return index


def set_device(device: AnyDevice) -> None:
    """Let `"cuda"` mean this device from now on, in this thread."""
    where = resolve("set_device", device)
    service(where, "device_choose")(where.index)


@final
class device:
    """In the block `"cuda"` means this device; `None`, and an index below 0, change nothing."""

    def __init__(self, device: AnyDevice) -> None:
        unchanged = device is None or (isinstance(device, int) and device < 0)
        self._where = None if unchanged else resolve("device", device)
        self._before: list[int] = []

    def __enter__(self) -> None:
        where = self._where
        if where is not None:
            self._before.append(service(where, "device_choose")(where.index))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._where is not None:
            service(self._where, "device_choose")(self._before.pop())


def device_of(obj: Any) -> device:
    """In the block `"cuda"` means the device of a tensor, if that is on one."""
    where: Device = obj.device
    return device(where if where.type == CUDA else None)


def get_device_name(device: AnyDevice = None) -> str:
    """What the maker calls the device."""
    where = resolve("get_device_name", device)
    return service(where, "device_name")(where.index)


def get_device_properties(device: AnyDevice = None) -> DeviceProperties:
    """What the device is: `name`, `major` and `minor`, `total_memory` in bytes,
    `multi_processor_count`.
    """
    where = resolve("get_device_properties", device)
    return service(where, "device_properties")(where.index)


def get_device_capability(device: AnyDevice = None) -> tuple[int, int]:
    """The version of the device's instruction set: (8, 0) of an A100."""
    found = get_device_properties(device)
    return found.major, found.minor


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether bfloat16 can be used: on every device, on those before 8.0 by way of float32, which
    `including_emulation` counts.
    """
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def init() -> None:
    """Load the CUDA backend, which the first use of a device does as well; raises where there is no
    device.
    """
    resolve_device(CUDA)


def is_initialized() -> bool:
    """Whether the CUDA backend is loaded."""
    return any([each.name == CUDA for each in loaded()])


def synchronize(device: AnyDevice = None) -> None:
    """Wait until all that the device was asked, on all its streams, is done."""
    where = resolve("synchronize", device)
    service(where, "synchronize")(where.index)
