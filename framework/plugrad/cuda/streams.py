"""Streams of calls, and events in them."""

from __future__ import annotations

from types import TracebackType
from typing import Any, final

from plugrad.cuda.devices import device as device_block
from plugrad.cuda.where import CUDA, AnyDevice, resolve, service
from plugrad.devices import Device
from plugrad.errors import BackendError
from plugrad.hooks import NativeEvent, NativeStream


@final
class Event:
    """A mark in a stream. With `enable_timing` the time between two can be asked; waiting for a
    `blocking` one leaves the processor to others.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self._timed = enable_timing
        self._blocking = blocking
        # Made on the device of the first stream that it is recorded on, as PyTorch does.
        self._native: NativeEvent | None = None

    def record(self, stream: Stream | None = None) -> None:
        """Put the mark after all that a stream, by default the current one, was asked so far."""
        stream = current_stream() if stream is None else stream
        native = self._native
        if native is None:
            make = service(stream.device, "event_new")
            native = self._native = make(stream.device.index, self._timed, self._blocking)
        assert native is not None
        native.record(stream.native)

    def wait(self, stream: Stream | None = None) -> None:
        """Let a stream, by default the current one, do nothing further before the mark."""
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        """Whether all before the mark is done."""
        return self._native is None or self._native.query()

    def synchronize(self) -> None:
        """Wait until all before the mark is done."""
        if self._native is not None:
            self._native.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this mark to a later one; both must have `enable_timing`."""
        start, end = self._native, end_event._native
        if start is None or end is None or not (self._timed and end_event._timed):
            raise BackendError(
                CUDA,
                "the time between two events is not known",
                hint="make both with enable_timing=True and record both",
            )
        return start.elapsed_time(end)


@final
class Stream:
    """Calls that a device does one after the other, beside those of other streams.

    Of two streams the one whose `priority` is the lower number goes first. As a context manager it
    is the current stream in the block. A tensor that is used on two streams must live until both
    have been waited for: its memory is given to the next one without asking the other.
    """

    def __init__(self, device: AnyDevice = None, priority: int = 0) -> None:
        where = resolve("Stream", device)
        self._set(where, service(where, "stream_new")(where.index, priority))

    def _set(self, where: Device, native: NativeStream) -> None:
        self.device = where
        self.native = native
        self._entered: list[StreamContext] = []

    @classmethod
    def _of(cls, where: Device, native: NativeStream) -> Stream:
        made = cls.__new__(cls)
        made._set(where, native)
        return made

    @property
    def cuda_stream(self) -> int:
        """The address of the `cudaStream_t`, for other libraries."""
        return self.native.handle

    def wait_event(self, event: Event) -> None:
        """Do nothing further before an event."""
        if event._native is not None:
            self.native.wait(event._native)

    def wait_stream(self, stream: Stream) -> None:
        """Do nothing further before what another stream was asked so far is done."""
        self.wait_event(stream.record_event())

    def record_event(self, event: Event | None = None) -> Event:
        """Record an event, by default a new one; returns it."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def query(self) -> bool:
        """Whether all that was asked is done."""
        return self.native.query()

    def synchronize(self) -> None:
        """Wait until all that was asked is done."""
        self.native.synchronize()

    def __enter__(self) -> Stream:
        context = StreamContext(self)
        context.__enter__()
        self._entered.append(context)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._entered.pop().__exit__(*exception)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stream)
            and self.device is other.device
            and self.native.handle == other.native.handle
        )

    def __hash__(self) -> int:
        return hash((self.device, self.native.handle))

    def __repr__(self) -> str:
        return f"<plugrad.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"


@final
class StreamContext:
    """In the block, this thread's calls on the stream's device run on the stream, and `"cuda"`
    means that device; `None` changes nothing.
    """

    def __init__(self, stream: Stream | None) -> None:
        self._stream = stream
        self._before: list[tuple[Stream, device_block]] = []

    def __enter__(self) -> None:
        chosen = self._stream
        if chosen is not None:
            inside = device_block(chosen.device)
            inside.__enter__()
            self._before.append((current_stream(chosen.device), inside))
            set_stream(chosen)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            before, inside = self._before.pop()
            set_stream(before)
            inside.__exit__(kind, error, trace)


def stream(stream: Stream | None) -> StreamContext:
    """`with stream(s):`, the block in which `s` is the current stream."""
    return StreamContext(stream)


def set_stream(stream: Stream) -> None:
    """Run this thread's calls on the stream's device on it from now on."""
    service(stream.device, "stream_enter")(stream.native)


def current_stream(device: AnyDevice = None) -> Stream:
    """The stream that this thread's calls on the device run on."""
    where = resolve("current_stream", device)
    return Stream._of(where, service(where, "stream_current")(where.index))


def default_stream(device: AnyDevice = None) -> Stream:
    """The stream that calls on the device run on unless another was entered."""
    where = resolve("default_stream", device)
    return Stream._of(where, service(where, "stream_default")(where.index))
