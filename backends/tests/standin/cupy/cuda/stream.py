"""Streams and events. Kernels run at once; what arrives on the host arrives when somebody waits."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from types import TracebackType

from cupy.cuda import runtime

_numbers = itertools.count(0x5000)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.current: dict[int, Stream] = {}
        self.stack: list[tuple[int, Stream]] = []


_thread = _Thread()


class Stream:
    null: Stream

    def __init__(
        self,
        null: bool = False,
        non_blocking: bool = False,
        ptds: bool = False,
        priority: int | None = None,
    ) -> None:
        self.ptr = 0 if null else next(_numbers)
        self.device_id = -1 if null else runtime.getDevice()
        self.is_non_blocking = non_blocking
        self.priority = 0 if priority is None else priority
        self._pending: list[Callable[[], None]] = []
        if not null:
            _every.append(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.ptr == self.ptr

    def __hash__(self) -> int:
        return self.ptr

    def _check_device(self) -> int:
        device = runtime.getDevice()
        if self.device_id not in (-1, device):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id})"
                f" does not match with the current device ({device})"
            )
        return device

    def use(self) -> Stream:
        _thread.current[self._check_device()] = self
        return self

    def __enter__(self) -> Stream:
        device = self._check_device()
        _thread.stack.append((device, _thread.current.get(device, Stream.null)))
        _thread.current[device] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        device, before = _thread.stack.pop()
        _thread.current[device] = before

    def later(self, action: Callable[[], None]) -> None:
        """No method of CuPy's: do something when somebody waits."""
        self._pending.append(action)

    @property
    def done(self) -> bool:
        # Not yet, the first time that somebody asks.
        busy = bool(self._pending)
        self.synchronize()
        return not busy

    def synchronize(self) -> None:
        pending, self._pending = self._pending, []
        for action in pending:
            action()

    def record(self, event: Event | None = None) -> Event:
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        if event.stream is not None:
            self._pending[:0] = [event.stream.synchronize]


_every: list[Stream] = []
Stream.null = Stream(null=True)


class Event:
    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.ptr = next(_numbers)
        self.timed = not disable_timing
        self.stream: Stream | None = None
        self.at = 0.0

    def record(self, stream: Stream | None = None) -> None:
        self.stream = get_current_stream() if stream is None else stream
        self.at = time.perf_counter()

    @property
    def done(self) -> bool:
        return self.stream is None or self.stream.done

    def synchronize(self) -> None:
        if self.stream is not None:
            self.stream.synchronize()


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    if not (start_event.timed and end_event.timed):
        raise runtime.CUDARuntimeError(
            "cudaErrorInvalidResourceHandle", "invalid resource handle", 400
        )
    return 1000 * (end_event.at - start_event.at)


def get_current_stream(device_id: int = -1) -> Stream:
    device = runtime.getDevice() if device_id == -1 else device_id
    return _thread.current.get(device, Stream.null)


def work(device: int | None = None, stream: Stream | None = None) -> None:
    """No function of CuPy's: whatever a device is asked to do passes here."""
    current = runtime.getDevice()
    if device is not None and device != current:
        raise AssertionError(
            f"stand-in: memory of device {device} is used while {current} is current"
        )
    if (get_current_stream() if stream is None else stream).ptr == 0:
        raise AssertionError("stand-in: work on the legacy default stream: enter the device first")


def synchronize_device(index: int) -> None:
    """No function of CuPy's: wait for all streams of a device."""
    for stream in _every:
        if stream.device_id == index:
            stream.synchronize()
