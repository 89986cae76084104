"""Containers: modules and parameters in lists and dictionaries, all of them registered.

A list's members are registered under their positions. A slice of a container is a container of the
same members.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from plugrad.errors import ArgumentError, KindError, RangeError
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tensor import Tensor

T = TypeVar("T")


class _Container(Module, Generic[T]):
    """What all containers share. `_kind` is Module's dictionary that holds the members."""

    _kind: ClassVar[str] = "_modules"

    @property
    def _members(self) -> dict[str, Any]:
        return self.__dict__[self._kind]

    def _register(self, name: str, value: Any) -> None:
        if self._kind == "_parameters":
            self.register_parameter(name, _as_parameter(type(self).__name__, value))
        else:
            self.add_module(name, value)

    def clear(self) -> None:
        """Take all members out."""
        self._members.clear()

    def __len__(self) -> int:
        return len(self._members)

    def extra_repr(self) -> str:
        if self._kind == "_modules":
            return ""
        return "\n".join([f"({name}): {_describe(each)}" for name, each in self._members.items()])


class _List(_Container[T]):
    def append(self, module: T) -> Self:
        """Add a member at the end."""
        self._register(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[T]) -> Self:
        """Add members at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: T) -> Any:
        """Add a member before a position."""
        count = len(self)
        if not -count <= index <= count:
            raise RangeError("insert", "index", expected=f"a position among {count}", got=index)
        members = list(self)
        members.insert(index, module)
        self._renumber(members)

    def pop(self, index: int = -1) -> T:
        """Take a member out."""
        member = self[index]
        del self[index]
        return member

    def __iter__(self) -> Iterator[T]:
        return iter(self._members.values())

    def __contains__(self, member: object) -> bool:
        return any(each is member for each in self)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            kind: Any = type(self)
            return kind(list(self)[index])
        return self._members[self._name_at(index)]

    def __setitem__(self, index: int, member: T) -> None:
        self._register(self._name_at(index), member)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._members)
        chosen = names[index] if isinstance(index, slice) else [self._name_at(index)]
        numbered = names == [str(position) for position in range(len(names))]
        for name in chosen:
            del self._members[name]
        if numbered:
            self._renumber(self)

    def __iadd__(self, other: Iterable[T]) -> Self:
        return self.extend(other)

    def _renumber(self, members: Iterable[T]) -> None:
        chosen = list(members)
        self._members.clear()
        self.extend(chosen)

    def _name_at(self, index: int) -> str:
        names = list(self._members)
        index = operator.index(index)
        if not -len(names) <= index < len(names):
            raise RangeError(
                *(type(self).__name__, "index"),
                expected=f"a position among {len(names)}",
                got=index,
            )
        return names[index]


class Sequential(_List[Module]):
    """Modules called one after the other, each on what the one before returned."""

    @overload
    def __init__(self, *modules: Module) -> None: ...
    @overload
    def __init__(self, modules: OrderedDict[str, Module] | dict[str, Module], /) -> None: ...
    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self.extend(modules)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before a position."""
        super().insert(index, module)
        return self

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._members.items())[index]))
        return super().__getitem__(index)

    def __add__(self, other: Iterable[Module]) -> Sequential:
        return Sequential(*self, *other)

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*_repeated(self, times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(_repeated(self, times)[len(self) :])


class ModuleList(_List[Module]):
    """A list of modules; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ParameterList(_List[Parameter]):
    """A list of parameters; a tensor that is put in becomes one."""

    _kind = "_parameters"

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        given: Any = values
        self.extend(given or ())


class _Dict(_Container[T]):
    def update(self, modules: Mapping[str, Any] | Iterable[tuple[str, Any]] | _Dict[Any]) -> None:
        """Add or replace members."""
        pairs: Any = modules.items() if isinstance(modules, Mapping | _Dict) else modules
        for name, value in pairs:
            self[name] = value

    def pop(self, key: str) -> T:
        """Take a member out."""
        return self._members.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._members.keys()

    def values(self) -> Iterable[T]:
        """The members."""
        return self._members.values()

    def items(self) -> Iterable[tuple[str, T]]:
        """Names and members."""
        return self._members.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __contains__(self, key: object) -> bool:
        return key in self._members

    def __getitem__(self, key: str) -> Any:
        return self._members[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._register(key, value)

    def __delitem__(self, key: str) -> None:
        del self._members[key]


class ModuleDict(_Dict[Module]):
    """A dictionary of modules; it computes nothing itself."""

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        self.update(modules or {})


class ParameterDict(_Dict[Parameter]):
    """A dictionary of parameters; a tensor that is put in becomes one."""

    _kind = "_parameters"

    def __init__(
        self,
        parameters: Mapping[str, Tensor]
        | Iterable[tuple[str, Tensor]]
        | ParameterDict
        | None = None,
    ) -> None:
        super().__init__()
        self.update(parameters or {})

    def get(self, key: str, default: Any = None) -> Any:
        """A parameter, or the default where there is none of that name."""
        return self._members.get(key, default)

    def setdefault(self, key: str, default: Tensor | None = None) -> Any:
        """A parameter, added if there is none of that name."""
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Parameter]:
        """Take the last parameter out, with its name."""
        return self._members.popitem()

    def fromkeys(self, keys: Iterable[str], default: Tensor | None = None) -> ParameterDict:
        """A dictionary with these names and one parameter for all."""
        given: Any = dict.fromkeys(keys, default)
        return ParameterDict(given)

    def copy(self) -> ParameterDict:
        """Another dictionary of the same parameters."""
        return ParameterDict(self._members)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._members))

    def __or__(self, other: Mapping[str, Tensor] | ParameterDict) -> ParameterDict:
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other: Mapping[str, Tensor] | ParameterDict) -> ParameterDict:
        return ParameterDict(other) | self

    def __ior__(self, other: Mapping[str, Tensor] | ParameterDict) -> Self:
        self.update(other)
        return self


def _repeated(modules: Iterable[Module], times: int) -> list[Module]:
    if not isinstance(times, int):
        raise KindError("Sequential", "times", expected="an int", got=type(times).__name__)
    if times < 1:
        raise ArgumentError("Sequential", "times", expected="at least 1", got=times)
    return list(modules) * times


def _as_parameter(name: str, value: Any) -> Parameter | None:
    if value is None or isinstance(value, Parameter):
        return value
    if not isinstance(value, Tensor):
        raise KindError(name, "value", expected="a Tensor", got=type(value).__name__)
    return Parameter(value)


def _describe(parameter: Parameter | None) -> str:
    if parameter is None:
        return "None"
    size = "x".join(str(size) for size in parameter.shape)
    return f"Parameter containing: [{parameter.dtype} of size {size}]"
