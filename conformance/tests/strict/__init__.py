"""A backend that accepts exactly what the contract says, and nothing that NumPy would take besides.

Its arrays are a class of their own without any operation. Every call is held against the contract:
the class of each array, the type of each parameter, what the operator's rule says of shapes and
dtypes, before and after. Whatever passes the kit on it asks for nothing that a backend may lack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, final

import numpy as np

import plugrad
from plugrad import contracts, discovery, dtypes, ops
from plugrad.backends import BODIES
from plugrad.devices import Device
from plugrad.dtypes import DType
from plugrad.hooks import CONTRACT_VERSION, Manifest
from plugrad.spec import spec_of

NAME = "strict"


class BrokenContractError(AssertionError):
    """A call that the contract does not allow."""


@final
class Array:
    """An array of the strict backend: nothing can be done with it but by its backend."""

    __slots__ = ("_content",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, content: Any) -> None:
        self._content = np.asarray(content)

    def __eq__(self, other: object) -> bool:
        raise BrokenContractError("arrays of a backend were compared outside of it")

    def __bool__(self) -> bool:
        raise BrokenContractError("an array of a backend was taken for a bool")


def require(condition: bool, message: str) -> None:
    """Raise unless the contract is kept."""
    if not condition:
        raise BrokenContractError(message)


def opened(value: Any, where: str) -> Any:
    """The NumPy array inside; None and tuples as they are."""
    if value is None:
        return None
    if type(value) is tuple:
        return tuple([opened(each, where) for each in value])
    require(type(value) is Array, f"{where}: expected an array of this backend, got {type(value)}")
    return value._content


def closed(value: Any) -> Any:
    """Results as arrays of this backend."""
    if type(value) is tuple:
        return tuple([closed(each) for each in value])
    return None if value is None else Array(value)


# parameters ---------------------------------------------------------------------------------------

_PLAIN = (bool, int, float, complex, str, type(None), DType, Device)


def check_parameter(value: Any, where: str) -> None:
    """Parameters are Python's own numbers and strings, dtypes, devices, None, and plain tuples of
    those.
    """
    if type(value) is tuple:
        for each in value:
            check_parameter(each, where)
        return
    known = type(value) in _PLAIN or isinstance(value, type(ops.operators["add"]))
    require(known, f"{where}: got {value!r} of {type(value)}")


def check_axes(operator: str, x: Any, params: dict[str, Any]) -> None:
    """Axes are counted from the start, exist, and come once."""
    rank = max(x.ndim, 1)
    for name in ("dim", "dims"):
        axes = params.get(name)
        if axes is None:
            continue
        listed = axes if type(axes) is tuple else (axes,)
        require(all(type(each) is int for each in listed), f"{operator}: {name} {axes!r}")
        require(all(0 <= each < rank for each in listed), f"{operator}: {name} {axes!r}")
        require(len(set(listed)) == len(listed), f"{operator}: {name} {axes!r} has an axis twice")


# kernels ------------------------------------------------------------------------------------------


def specs_of(value: Any) -> Any:
    """What the frontend would say of arrays."""
    if value is None:
        return None
    if type(value) is tuple:
        return tuple([specs_of(each) for each in value])
    shape, dtype = reference("array_spec")(value)
    return spec_of(tuple(shape), dtype, plugrad.device(NAME))


def reference(hook: str) -> Callable[..., Any]:
    """NumPy's own implementation."""
    hooks = plugrad.backends.backend("numpy").answering(hook)
    return next(each.function for each in hooks if each.plugin_name != BODIES)


def strict_kernel(name: str) -> Callable[..., Any]:
    """NumPy's kernel behind the checks."""
    operator = ops.operators[name]
    count = len(operator.tensors)

    def kernel(*given: Any) -> Any:
        tensors = tuple(
            [opened(t, f"{name}: {n}") for t, n in zip(given, operator.tensors, strict=False)]
        )
        params = dict(zip(operator.parameters, given[count:], strict=True))
        for parameter, value in params.items():
            check_parameter(value, f"{name}: {parameter}")
        if tensors and isinstance(tensors[0], np.ndarray):
            check_axes(name, tensors[0], params)
        wanted = promised(operator, tensors, params)
        out = reference(name)(*tensors, *given[count:])
        if out is None:
            return None
        if wanted is not None and not operator.writes:
            got = [(each.shape, each.dtype) for each in flat(specs_of(out))]
            said = [(tuple(each.shape), each.dtype) for each in flat(wanted)]
            require(got == said, f"{name}: the rule says {said}, the kernel gives {got}")
        return given[operator.writes[0]] if operator.writes else closed(out)

    return named(name, kernel)


def promised(operator: Any, tensors: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """What the operator's rule says of a call; it raises for one that makes no sense."""
    if operator.rule is None:
        return None
    known = dict(zip(operator.tensors, [specs_of(each) for each in tensors], strict=True)) | params
    return operator.rule(*[known[name] for name in operator.rule_names])


def flat(values: Any) -> Iterator[Any]:
    """Specs, one by one."""
    for value in values if type(values) is tuple else (values,):
        if type(value) is tuple:
            yield from flat(value)
        elif value is not None:
            yield value


def named(hook: str, function: Callable[..., Any]) -> Any:
    """A kernel with the signature of its contract."""

    def kernel(*given: Any) -> Any:
        return function(*given)

    kernel.__wrapped__ = eval(f"lambda {', '.join(contracts.parameters[hook])}: None")  # type: ignore[attr-defined]
    return plugrad.kernel(kernel)


# services -----------------------------------------------------------------------------------------


def _manifest() -> Manifest:
    return Manifest(
        name=NAME,
        version="1",
        description="accepts exactly the contract",
        modules=(),
        contract=CONTRACT_VERSION,
        dtypes=dtypes.ALL,
    )


def _sizes(shape: Any, what: str) -> None:
    plain = type(shape) is tuple and all(type(each) is int and each >= 0 for each in shape)
    require(plain, f"{what}: expected a tuple of ints that are not negative, got {shape!r}")


def _from_host(data: Any, dtype: Any, shape: Any, index: Any) -> Any:
    require(type(data) is memoryview and data.contiguous, f"array_from_host: data {data!r}")
    require(type(dtype) is DType, f"array_from_host: dtype {dtype!r}")
    _sizes(shape, "array_from_host: shape")
    require(index is None, f"array_from_host: index {index!r}, the devices have no numbers")
    require(data.nbytes == dtype.itemsize * int(np.prod(shape)), "array_from_host: too few bytes")
    return Array(reference("array_from_host")(data, dtype, shape, index))


def _view(buffer: Any, dtype: Any, shape: Any, strides: Any, offset: Any) -> Any:
    content = opened(buffer, "array_view: buffer")
    require(content.ndim == 1, "array_view: the buffer is not flat")
    _sizes(shape, "array_view: shape")
    _sizes(strides, "array_view: strides")
    require(type(offset) is int and offset >= 0, f"array_view: offset {offset!r}")
    require(len(shape) == len(strides), "array_view: as many strides as sizes")
    if 0 not in shape:
        pairs = zip(shape, strides, strict=True)
        last = offset + sum((size - 1) * stride for size, stride in pairs)
        inside = (last + 1) * dtype.itemsize <= content.nbytes
        require(inside, f"array_view: element {last} lies past the buffer's end")
    return Array(reference("array_view")(content, dtype, shape, strides, offset))


def _adopt(value: Any, index: Any) -> Any:
    if type(value) is Array:
        return value
    found = reference("array_adopt")(value, index)
    return None if found is None else Array(found)


_SERVICES: dict[str, Callable[..., Any]] = {
    "plugrad_manifest": _manifest,
    "device_count": lambda: 1,
    "array_from_host": _from_host,
    "array_to_host": lambda a: reference("array_to_host")(opened(a, "array_to_host")),
    "array_flatten": lambda a: Array(reference("array_flatten")(opened(a, "array_flatten"))),
    "array_view": _view,
    "array_adopt": _adopt,
    "array_spec": lambda a: reference("array_spec")(opened(a, "array_spec")),
    "array_to_numpy": lambda a: reference("array_to_numpy")(opened(a, "array_to_numpy")),
    "synchronize": lambda index: True,
}


def offer() -> None:
    """Let the name `strict` stand for this backend in the running program."""
    hooks = {name: named(name, function) for name, function in _SERVICES.items()}
    for name, operator in ops.operators.items():
        answers = plugrad.backends.backend("numpy").answering(name) if not operator.geometry else ()
        if any(each.plugin_name != BODIES for each in answers):
            hooks[name] = strict_kernel(name)
    discovery.offer(NAME, SimpleNamespace(**hooks))
