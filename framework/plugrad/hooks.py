"""What a backend or a plugin implements. A plugin is any module or object whose functions carry
`@kernel`.

Two kinds of hooks share one namespace. *Operators*: every contract in `plugrad.ops` is a hook of
that name; a kernel is a plain function with the contract's parameter names in the contract's order,
without defaults. It gets native arrays that are checked, promoted and canonical, and returns one
(or a tuple, where the contract says so); a scalar of the array library will do for a 0-d result.
Elementwise kernels broadcast. `None` means "I decline this call". *Services*, below: the few things
that a backend tells and does besides computing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, final

import pluggy

from plugrad.dtypes import DType
from plugrad.spec import Shape

PROJECT = "plugrad"
CONTRACT_VERSION = 1
ACCEPTED_CONTRACTS = (CONTRACT_VERSION, CONTRACT_VERSION - 1)

kernel = pluggy.HookimplMarker(PROJECT)
contract = pluggy.HookspecMarker(PROJECT)

#: "host memory": arrays lie where the host can address them, so that NumPy arrays are adopted and
#: shown without a copy.
Feature = Literal["host memory"]


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """Who a backend is. `name` is its entry point's name and its device type.

    `modules` are the dotted names of the modules that hold its kernels; `builds_on` names a backend
    whose storage it shares and whose kernels answer where it has none; `numbered` says that its
    devices carry an index; `contract` is the version of the operator contract that it was written
    for.

    What it can do, which the conformance kit verifies both ways: `dtypes` are those it can store;
    in those that `computes` leaves out (by default none) tensors can be made, moved and viewed, and
    kernels may decline. Which operators it answers itself is said by its kernels alone.
    """

    name: str
    version: str
    description: str
    modules: tuple[str, ...]
    contract: int
    dtypes: tuple[DType, ...]
    builds_on: str | None = None
    numbered: bool = False
    computes: tuple[DType, ...] | None = None
    features: tuple[Feature, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class DeviceProperties:
    """What a device is: its maker's name for it, the version of its instruction set (its compute
    capability), its memory in bytes, and how many processors it has.
    """

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int


@final
@dataclass(frozen=True, slots=True)
class MemoryStatistics:
    """The memory of a device, in bytes.

    `allocated` belongs to arrays, `reserved` to the backend, which keeps what arrays no longer need
    for the next; the peaks are the most of both at any time since the start or the last
    `memory_reset_peak`. `free` and `total` are the device's own figures, whoever uses it. `arrays`
    counts the blocks that are alive. `None` is what nobody counts.
    """

    allocated: int
    peak_allocated: int | None
    reserved: int
    peak_reserved: int
    free: int
    total: int
    arrays: int | None


class NativeEvent(Protocol):
    """A mark in a stream of calls."""

    def record(self, stream: Any) -> None:
        """Put the mark after all that the stream has been asked so far."""
        ...

    def query(self) -> bool:
        """Whether all before the mark is done."""
        ...

    def synchronize(self) -> None:
        """Wait until all before the mark is done."""
        ...

    def elapsed_time(self, end: Any) -> float:
        """Milliseconds from this mark to a later one; both must be timed."""
        ...


class NativeStream(Protocol):
    """Calls that a device does one after the other, beside those of other streams.

    `handle` is the number by which other libraries know the stream, `index` its device's.
    """

    @property
    def handle(self) -> int:
        """The number."""
        ...

    @property
    def index(self) -> int:
        """The device's index."""
        ...

    def query(self) -> bool:
        """Whether all that was asked is done."""
        ...

    def synchronize(self) -> None:
        """Wait until all that was asked is done."""
        ...

    def wait(self, event: Any) -> None:
        """Do nothing of what is asked from now on before an event."""
        ...


@final
class Services:
    """The hooks of a backend beside its kernels; a backend that builds on another inherits what it
    leaves out.
    """

    @contract(firstresult=True)
    def plugrad_manifest(self) -> Manifest:
        """Who the backend is: cheap, and without touching a device."""
        raise NotImplementedError

    @contract(firstresult=True)
    def device_count(self) -> int:
        """How many devices can be used now; raises with the driver's reason when that is none."""
        raise NotImplementedError

    @contract(firstresult=True)
    def array_from_host(
        self, data: memoryview, dtype: DType, shape: Shape, index: int | None
    ) -> Any:
        """A new array, on the device of that index, from C-contiguous little-endian bytes."""
        raise NotImplementedError

    @contract(firstresult=True)
    def array_to_host(self, array: Any) -> memoryview:
        """The elements as C-contiguous little-endian bytes, valid as long as the view lives."""
        raise NotImplementedError

    @contract(firstresult=True)
    def array_flatten(self, array: Any) -> Any:
        """The elements in C order as a one-dimensional array, sharing memory if they lie so
        already.
        """
        raise NotImplementedError

    @contract(firstresult=True)
    def array_view(
        self, buffer: Any, dtype: DType, shape: Shape, strides: Shape, offset: int
    ) -> Any:
        """An array over a flat buffer without a copy; strides (never negative) and offset count
        elements of `dtype`.

        That is the buffer's own dtype, or its real half for a complex buffer, or the other way
        round.
        """
        raise NotImplementedError

    @contract(firstresult=True)
    def array_adopt(self, value: Any, index: int | None) -> Any:
        """A foreign object (the library's own array, a NumPy array, a buffer) as an array, shared
        where possible.

        Declines what is not an array. The caller reads shape and dtype from `array_spec`.
        """
        raise NotImplementedError

    @contract(firstresult=True)
    def array_spec(self, array: Any) -> tuple[Shape, DType]:
        """Shape and dtype of an array of the library."""
        raise NotImplementedError

    @contract(firstresult=True)
    def array_index(self, array: Any) -> int:
        """The index of the device that holds an array; only numbered backends are asked."""
        raise NotImplementedError

    @contract(firstresult=True)
    def array_to_numpy(self, array: Any) -> Any:
        """The elements as a `numpy.ndarray`, sharing memory where that is possible."""
        raise NotImplementedError

    @contract(firstresult=True)
    def synchronize(self, index: int | None) -> bool:
        """Wait until the device has done all that was asked of it; returns True."""
        raise NotImplementedError

    # How many threads of the host a call may use; a backend that uses one only leaves these out.

    @contract(firstresult=True)
    def threads_set(self, count: int) -> bool:
        """Use at most so many threads for a call, in kernels and in the libraries that they call;
        returns True.
        """
        raise NotImplementedError

    @contract(firstresult=True)
    def threads_count(self) -> int:
        """How many threads a call may use now."""
        raise NotImplementedError

    # What devices with memory and a clock of their own tell; a backend without may leave it out.

    @contract(firstresult=True)
    def device_name(self, index: int) -> str:
        """What the maker calls the device."""
        raise NotImplementedError

    @contract(firstresult=True)
    def device_properties(self, index: int) -> DeviceProperties:
        """What the device is."""
        raise NotImplementedError

    @contract(firstresult=True)
    def device_choose(self, index: int | None) -> int:
        """Let the backend's name without an index mean this device from now on, in this thread;
        returns what it meant before. `None` only asks.
        """
        raise NotImplementedError

    @contract(firstresult=True)
    def memory_statistics(self, index: int | None) -> MemoryStatistics:
        """How the device's memory is used now."""
        raise NotImplementedError

    @contract(firstresult=True)
    def memory_reset_peak(self, index: int | None) -> bool:
        """Count the peaks from now on; returns True."""
        raise NotImplementedError

    @contract(firstresult=True)
    def memory_release(self, index: int | None) -> bool:
        """Give memory that no array needs back to the device; returns True."""
        raise NotImplementedError

    @contract(firstresult=True)
    def stream_new(self, index: int, priority: int) -> NativeStream:
        """Another stream of the device; of two, the one whose number is lower goes first."""
        raise NotImplementedError

    @contract(firstresult=True)
    def stream_default(self, index: int) -> NativeStream:
        """The stream that calls on the device run on unless another was entered."""
        raise NotImplementedError

    @contract(firstresult=True)
    def stream_current(self, index: int) -> NativeStream:
        """The stream that this thread's calls on the device run on."""
        raise NotImplementedError

    @contract(firstresult=True)
    def stream_enter(self, stream: NativeStream) -> bool:
        """Run this thread's calls on the stream's device on it from now on; returns True."""
        raise NotImplementedError

    @contract(firstresult=True)
    def event_new(self, index: int, timed: bool, blocking: bool) -> NativeEvent:
        """An event of the device. Waiting for a `blocking` one leaves the processor to others."""
        raise NotImplementedError
