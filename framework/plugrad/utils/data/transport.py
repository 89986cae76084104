"""How batches cross from a worker process: pickled, with everything large in shared memory.

Pickle's protocol 5 hands the memory of tensors and arrays out of its stream. `Outbox` lays stream
and memory into a segment and sends a short note of where they lie; `Inbox` makes tensors of their
own from it and says which segments may be filled again, so that after a few batches nothing is
made, mapped or freed any more. Every segment's name is known beforehand to the process that takes
it away, also when the worker is killed before it could tell.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple

from plugrad.backends import backend
from plugrad.creation import from_bytes
from plugrad.devices import META, Device
from plugrad.dtypes import DType
from plugrad.spec import Shape
from plugrad.tensor import Tensor

_ALIGNMENT = 64
_SMALLEST = 1 << 16

# Makes resource trackers known to workers, which report to them what a crash would leave behind.
start_tracking = resource_tracker.ensure_running


class Parcel(NamedTuple):
    """The note: the pickle stream itself, or its length in the segment `serial`, where the buffers
    follow. `retired` are segments that the worker does not use any more.
    """

    stream: bytes | int
    buffers: tuple[tuple[int, bool], ...]  # bytes of each, and whether a tensor copies them
    serial: int = 0
    retired: tuple[int, ...] = ()


class Outbox:
    """The worker's side. `short` is how many bytes a note itself may carry."""

    def __init__(self, prefix: str, short: int) -> None:
        self._prefix = prefix
        self._short = short
        self._serials = count(1)
        self._segments: dict[int, SharedMemory] = {}
        self._free: list[int] = []

    def pack(self, value: Any) -> Parcel:
        """Lay a value down; the segment stays as it is until `reuse` gives it back."""
        stream, buffers = _dump(value)
        noted = tuple([(raw.nbytes, copied) for raw, copied in buffers])
        if not buffers and len(stream) <= self._short:
            return Parcel(bytes(stream), noted)
        *starts, end = _places(len(stream), noted)
        serial, retired = self._segment_of(end)
        memory = self._segments[serial].buf
        assert memory is not None
        memory[: len(stream)] = stream
        for start, (raw, _) in zip(starts, buffers, strict=True):
            memory[start : start + raw.nbytes] = raw
        return Parcel(len(stream), noted, serial, retired)

    def reuse(self, serials: Iterable[int]) -> None:
        """These segments have been read."""
        self._free += serials

    def _segment_of(self, size: int) -> tuple[int, tuple[int, ...]]:
        """A segment with room, and those that had to go for it."""
        for position, serial in enumerate(self._free):
            if self._segments[serial].size >= size:
                del self._free[position]
                return serial, ()
        retired = tuple(self._free)
        self._free = []
        for serial in retired:
            self._segments.pop(serial).close()
        serial = next(self._serials)
        room = max(_SMALLEST, 1 << (size - 1).bit_length())
        self._segments[serial] = SharedMemory(f"{self._prefix}{serial}", create=True, size=room)
        return serial, retired

    def close(self) -> None:
        """Let go of all segments."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()


class Inbox:
    """The reader's side of one `Outbox`: takes names away at once, so that memory lives only as
    long as the two processes.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._segments: dict[int, SharedMemory] = {}
        self._last = 0
        self._read: list[int] = []

    def unpack(self, parcel: Parcel) -> Any:
        """The value, in memory of its own."""
        if isinstance(parcel.stream, bytes):
            return pickle.loads(parcel.stream)
        memory = self._memory_of(parcel)
        starts = _places(parcel.stream, parcel.buffers)
        views = [memory[: parcel.stream]]
        try:
            for start, (size, _) in zip(starts[:-1], parcel.buffers, strict=True):
                views.append(memory[start : start + size])
            # What is no tensor may look at the memory that it is given for as long as it lives.
            kept = [
                view if copied else bytearray(view)
                for view, (_, copied) in zip(views[1:], parcel.buffers, strict=True)
            ]
            return pickle.loads(views[0], buffers=kept)
        finally:
            for view in views:
                view.release()
            self._read.append(parcel.serial)

    def skip(self, parcel: Parcel) -> None:
        """Nobody wants the value."""
        if not isinstance(parcel.stream, bytes):
            self._memory_of(parcel)
            self._read.append(parcel.serial)

    def take_read(self) -> tuple[int, ...]:
        """The segments that have been read since the last call."""
        read, self._read = tuple(self._read), []
        return read

    def _memory_of(self, parcel: Parcel) -> memoryview:
        for serial in parcel.retired:
            self._segments.pop(serial).close()
        if parcel.serial not in self._segments:
            self._segments[parcel.serial] = self._taken(parcel.serial)
        memory = self._segments[parcel.serial].buf
        assert memory is not None
        return memory

    def _taken(self, serial: int) -> SharedMemory:
        segment = SharedMemory(f"{self._prefix}{serial}")
        segment.unlink()
        self._last = serial
        return segment

    def close(self) -> None:
        """Let go of all segments, also of those that a worker that is gone never told of."""
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        with suppress(FileNotFoundError):
            while True:
                self._taken(self._last + 1).close()


class _Pickler(pickle.Pickler):
    """Tells the buffers of tensors, which are copied as they are read, from all others."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, 5, buffer_callback=self._keep)
        self.buffers: list[tuple[memoryview, bool]] = []
        self._of_tensor: object = None

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not Tensor or obj.device.type == META:
            return NotImplemented
        data = backend(obj.device.type).service("array_to_host")(obj.native())
        buffer = self._of_tensor = pickle.PickleBuffer(data)
        wants_grad = obj.is_leaf and obj.requires_grad
        return _tensor, (buffer, obj.dtype, tuple(obj.shape), obj.device, wants_grad)

    def _keep(self, buffer: pickle.PickleBuffer) -> None:
        self.buffers.append((buffer.raw(), buffer is self._of_tensor))


def _tensor(data: Any, dtype: DType, shape: Shape, device: Device, requires_grad: bool) -> Tensor:
    made = from_bytes(memoryview(data), dtype, shape, device)
    return made.requires_grad_() if requires_grad else made


def _dump(value: Any) -> tuple[memoryview, list[tuple[memoryview, bool]]]:
    stream = io.BytesIO()
    pickler = _Pickler(stream)
    pickler.dump(value)
    return stream.getbuffer(), pickler.buffers


def _places(start: int, buffers: Iterable[tuple[int, bool]]) -> list[int]:
    """Where each buffer begins behind a stream of so many bytes, and where the last ends."""
    places: list[int] = []
    for size, _ in buffers:
        start = -(-start // _ALIGNMENT) * _ALIGNMENT
        places.append(start)
        start += size
    return [*places, start]
