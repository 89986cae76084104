"""Devices: an index that is current or not."""

from __future__ import annotations

from types import TracebackType

from cupy.cuda import runtime


def get_device_id() -> int:
    return runtime.getDevice()


def get_cublas_handle() -> int:
    return 1000 + runtime.getDevice()


class Device:
    def __init__(self, device: int | None = None) -> None:
        self.id = runtime.getDevice() if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def use(self) -> None:
        runtime.setDevice(self.id)

    def __enter__(self) -> Device:
        self._before.append(runtime.getDevice())
        self.use()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        runtime.setDevice(self._before.pop())

    @property
    def mem_info(self) -> tuple[int, int]:
        with Device(self.id):
            return runtime.memGetInfo()

    @property
    def compute_capability(self) -> str:
        return "80"

    def synchronize(self) -> None:
        with Device(self.id):
            runtime.deviceSynchronize()
