"""Streams and events: CuPy's, under the names of `plugrad.hooks`.

Memory is kept per stream: a block that was allocated on one goes back to the same, at once. A
tensor that another stream still reads must live until that stream has been waited for.
"""

from __future__ import annotations

from typing import Any, final

import cupy

from plugrad.errors import BackendError
from plugrad.hooks import NativeEvent, NativeStream, kernel
from plugrad_cupy import devices


@final
class Stream:
    """One of CuPy's streams."""

    def __init__(self, native: Any, index: int) -> None:
        self.native = native
        self.index = index

    @property
    def handle(self) -> int:
        """The address of the `cudaStream_t`."""
        return self.native.ptr

    def query(self) -> bool:
        """Whether all that was asked is done."""
        return self.native.done

    def synchronize(self) -> None:
        """Wait until all that was asked is done."""
        self.native.synchronize()

    def wait(self, event: Any) -> None:
        """Do nothing of what is asked from now on before an event."""
        devices.enter(self.index)
        self.native.wait_event(event.native)


@final
class Event:
    """One of CuPy's events."""

    def __init__(self, native: Any, index: int) -> None:
        self.native = native
        self.index = index

    def record(self, stream: Any) -> None:
        """Put the mark after all that the stream has been asked so far."""
        if stream.index != self.index:
            raise BackendError(
                "cuda",
                f"an event of cuda:{self.index} cannot be recorded on a stream of "
                f"cuda:{stream.index}",
                hint="make the event on the stream's device",
            )
        devices.enter(self.index)
        self.native.record(stream.native)

    def query(self) -> bool:
        """Whether all before the mark is done."""
        return self.native.done

    def synchronize(self) -> None:
        """Wait until all before the mark is done."""
        self.native.synchronize()

    def elapsed_time(self, end: Any) -> float:
        """Milliseconds from this mark to a later one, by the device's clock."""
        try:
            return cupy.cuda.get_elapsed_time(self.native, end.native)
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise BackendError(
                "cuda",
                f"the time between two events is not known: {error}",
                hint="make both with enable_timing=True, record both, and wait for the second",
            ) from error


@kernel
def stream_new(index: int, priority: int) -> NativeStream:
    """A stream that does not wait for the legacy default stream."""
    devices.enter(index)
    return Stream(cupy.cuda.Stream(non_blocking=True, priority=priority), index)


@kernel
def stream_default(index: int) -> NativeStream:
    """The device's compute stream."""
    devices.enter(index)
    return Stream(devices.compute_stream(index), index)


@kernel
def stream_current(index: int) -> NativeStream:
    """CuPy's current stream, which is the compute stream unless somebody chose another."""
    return Stream(devices.current_stream(index), index)


@kernel
def stream_enter(stream: NativeStream) -> bool:
    """Make it CuPy's current stream on its device, in this thread."""
    assert isinstance(stream, Stream)
    devices.enter(stream.index)
    stream.native.use()
    return True


@kernel
def event_new(index: int, timed: bool, blocking: bool) -> NativeEvent:
    """An event of CuPy's."""
    devices.enter(index)
    return Event(cupy.cuda.Event(block=blocking, disable_timing=not timed), index)
