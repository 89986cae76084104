"""Containers: modules and parameters in lists and dictionaries, all of them registered."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypeVar, overload

from plugrad.errors import KindError, RangeError
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tensor import Tensor

T = TypeVar("T")


class Sequential(Module):
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
            for position, module in enumerate(modules):
                self.add_module(str(position), module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)
        return input

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before a position."""
        _renumber(self, _inserted(list(self), index, module))
        return self

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))
        return self._modules[_name_at(self, index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, _name_at(self, index), module)

    def __delitem__(self, index: int | slice) -> None:
        _delete(self, index)


class ModuleList(Module):
    """A list of modules; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Add a module before a position."""
        _renumber(self, _inserted(list(self), index, module))

    def pop(self, index: int = -1) -> Module:
        """Take a module out."""
        module = self[index]
        del self[index]
        return module

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(each is module for each in self)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[_name_at(self, index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, _name_at(self, index), module)

    def __delitem__(self, index: int | slice) -> None:
        _delete(self, index)


class ModuleDict(Module):
    """A dictionary of modules; it computes nothing itself."""

    def __init__(
        self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None
    ) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules."""
        for name, module in _pairs(modules):
            self[name] = module

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out."""
        return self._modules.pop(key)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Names and modules."""
        return self._modules.items()

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]


class ParameterList(Module):
    """A list of parameters; a tensor that is put in becomes one."""

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def append(self, value: Tensor) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _as_parameter(value))
        return self

    def extend(self, values: Iterable[Tensor]) -> Self:
        """Add parameters at the end."""
        for value in values:
            self.append(value)
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return list(self)[index]

    def __setitem__(self, index: int, value: Tensor) -> None:
        name = list(self._parameters)[index]
        self._parameters[name] = _as_parameter(value)

    def extra_repr(self) -> str:
        return "\n".join(
            [f"({name}): {_describe(each)}" for name, each in self._parameters.items()]
        )


class ParameterDict(Module):
    """A dictionary of parameters; a tensor that is put in becomes one."""

    def __init__(
        self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] | None = None
    ) -> None:
        super().__init__()
        self.update(parameters or {})

    def update(self, parameters: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> None:
        """Add or replace parameters."""
        for name, value in _pairs(parameters):
            self[name] = value

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Parameter]:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Parameter]]:
        """Names and parameters."""
        return self._parameters.items()

    def pop(self, key: str) -> Parameter:
        """Take a parameter out."""
        return self._parameters.pop(key)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def __getitem__(self, key: str) -> Any:
        return self._parameters[key]

    def __setitem__(self, key: str, value: Tensor) -> None:
        self.register_parameter(key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def extra_repr(self) -> str:
        return "\n".join(
            [f"({name}): {_describe(each)}" for name, each in self._parameters.items()]
        )


def _name_at(container: Any, index: int) -> str:
    names = list(container._modules)
    if not -len(names) <= index < len(names):
        raise RangeError(
            type(container).__name__, "index", expected=f"a position among {len(names)}", got=index
        )
    return names[index]


def _inserted(modules: list[Any], index: int, module: Module) -> list[Any]:
    if not -len(modules) <= index <= len(modules):
        raise RangeError("insert", "index", expected=f"a position among {len(modules)}", got=index)
    modules.insert(index, module)
    return modules


def _renumber(container: Any, modules: Iterable[Module]) -> None:
    chosen = list(modules)
    container._modules.clear()
    for position, module in enumerate(chosen):
        container.add_module(str(position), module)


def _delete(container: Any, index: int | slice) -> None:
    names = list(container._modules)
    chosen = names[index] if isinstance(index, slice) else [_name_at(container, index)]
    numbered = names == [str(position) for position in range(len(names))]
    for name in chosen:
        del container._modules[name]
    if numbered:
        _renumber(container, list(container._modules.values()))


def _pairs(items: Mapping[str, T] | Iterable[tuple[str, T]]) -> Iterable[tuple[str, T]]:
    pairs: Any = items.items() if isinstance(items, Mapping) else items
    return pairs


def _as_parameter(value: Tensor) -> Parameter:
    if not isinstance(value, Tensor):
        raise KindError("ParameterList", "value", expected="a Tensor", got=type(value).__name__)
    return value if isinstance(value, Parameter) else Parameter(value)


def _describe(parameter: Parameter) -> str:
    size = "x".join(str(size) for size in parameter.shape)
    return f"Parameter containing: [{parameter.dtype} of size {size}]"
