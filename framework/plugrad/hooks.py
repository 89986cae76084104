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
from typing import Any, final

import pluggy

from plugrad.dtypes import DType
from plugrad.spec import Shape

PROJECT = "plugrad"
CONTRACT_VERSION = 1
ACCEPTED_CONTRACTS = (CONTRACT_VERSION, CONTRACT_VERSION - 1)

kernel = pluggy.HookimplMarker(PROJECT)
contract = pluggy.HookspecMarker(PROJECT)


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """Who a backend is. `name` is its entry point's name and its device type.

    `modules` are the dotted names of the modules that hold its kernels; `builds_on` names a backend
    whose storage it shares and whose kernels answer where it has none; `numbered` says that its
    devices carry an index; `contract` is the version of the operator contract that it was written
    for; `dtypes` are those it can store.
    """

    name: str
    version: str
    description: str
    modules: tuple[str, ...]
    contract: int
    dtypes: tuple[DType, ...]
    builds_on: str | None = None
    numbered: bool = False


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
