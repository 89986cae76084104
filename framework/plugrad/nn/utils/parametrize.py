"""Parametrizations: a module's parameter, or buffer, that is computed from another each time it is
read.

The module's class becomes a subclass of its own, in which the tensor is a property; what it is
computed from is learnt in its place, under `parametrizations.<name>.original`, or `original0`,
`original1`, and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from plugrad.errors import ArgumentError, ShapeError
from plugrad.nn.container import ModuleDict, ModuleList
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

_MARK = "_before_parametrizations"


class _Cache:
    """What was computed inside `cached`, by module and name; `None` outside."""

    values: dict[tuple[int, str], Any] | None = None


@contextmanager
def cached() -> Iterator[None]:
    """In the block a parametrized tensor is computed when first read, and then kept."""
    before = _Cache.values
    if before is None:
        _Cache.values = {}
    try:
        yield
    finally:
        _Cache.values = before


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied one after the other, and what they start from."""

    is_tensor: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        parts = _undone(self, original, may_refuse=True)
        self.is_tensor = isinstance(parts, Tensor)
        if isinstance(parts, Tensor):
            _check_alike("right_inverse", original, parts, unsafe)
            if parts is not original:
                original.data = parts.detach()
            self._register_part("original", original, original)
        else:
            self.ntensors = len(parts)
            for position, part in enumerate(parts):
                self._register_part(f"original{position}", part, original)
        if not unsafe:
            with no_grad():
                _check_alike("forward", original, self(), False)

    def _register_part(self, name: str, part: Tensor, like: Tensor) -> None:
        if not isinstance(like, Parameter):
            self.register_buffer(name, part)
        elif isinstance(part, Parameter):
            self.register_parameter(name, part)
        else:
            self.register_parameter(name, Parameter(part.detach(), like.requires_grad))

    def originals(self) -> list[Any]:
        """What the first parametrization is called on."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{position}") for position in range(self.ntensors)]

    @no_grad()
    def right_inverse(self, value: Tensor) -> None:
        """Set what the parametrizations start from, so that they give a value."""
        parts = _undone(self, value)
        given = [parts] if isinstance(parts, Tensor) else list(parts)
        for own, part in zip(self.originals(), given, strict=True):
            own.data = part.detach().clone()

    def forward(self) -> Tensor:
        """The tensor."""
        value: Any = None
        for position, module in enumerate(self):
            value = module(value) if position else module(*self.originals())
        return value


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """From now on the tensor of that name is `parametrization` of what it was, or of what it is
    computed from already.

    A method `right_inverse` tells where to start, so that the value stays, and lets the tensor be
    assigned to; it may return several tensors, which the parametrization then gets. Shape and dtype
    must stay, unless `unsafe`.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        chain = _lists(module)[tensor_name]
        if not unsafe:
            with no_grad():
                value = chain()
                _check_alike("forward", value, parametrization(value), False)
        before = module.__getattribute__(tensor_name)
        chain.append(parametrization)
        chain.unsafe |= unsafe
        if hasattr(parametrization, "right_inverse"):
            chain.right_inverse(before)
    elif tensor_name in module._parameters or tensor_name in module._buffers:
        original = getattr(module, tensor_name)
        chain = ParametrizationList([parametrization], original, unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _subclass(module)
            module.parametrizations = ModuleDict()
        _lists(module)[tensor_name] = chain
        setattr(type(module), tensor_name, _property_of(tensor_name))
    else:
        raise ArgumentError(
            "register_parametrization",
            "tensor_name",
            expected=f"a parameter or buffer of {type(module).__name__}",
            got=repr(tensor_name),
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module, or one tensor of it, is parametrized."""
    lists = module._modules.get("parametrizations")
    if not isinstance(lists, ModuleDict) or not hasattr(type(module), _MARK):
        return False
    return len(lists) > 0 if tensor_name is None else tensor_name in lists


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make the tensor a plain one again: as it is, or else as what it was computed from."""
    if not is_parametrized(module, tensor_name):
        raise ArgumentError(
            "remove_parametrizations",
            "tensor_name",
            expected=f"a parametrized tensor of {type(module).__name__}",
            got=repr(tensor_name),
        )
    chain = _lists(module)[tensor_name]
    first = chain.originals()[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name).detach().clone()
        if chain.is_tensor:
            first.data = value
        else:
            first = Parameter(value, first.requires_grad) if _learns(first) else value
    elif not chain.is_tensor:
        raise ArgumentError(
            "remove_parametrizations",
            "leave_parametrized",
            expected=f"True, as {tensor_name} is computed from several tensors",
            got=False,
        )
    delattr(type(module), tensor_name)
    del _lists(module)[tensor_name]
    if _learns(first):
        module.register_parameter(tensor_name, first)
    else:
        module.register_buffer(tensor_name, first)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type_before_parametrizations(module)
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """The class that a module had before it was parametrized."""
    return getattr(type(module), _MARK, type(module))


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Parametrize a module as another is, one tensor of it or all, with the other's tensors."""
    for name in [tensor_name] if tensor_name is not None else list(_lists(from_module)):
        chain = _lists(from_module)[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for parametrization in chain:
            register_parametrization(to_module, name, parametrization, unsafe=True)
        for key, value in chain._parameters.items():
            _lists(to_module)[name]._parameters[key] = value
    return to_module


def _lists(module: Module) -> Any:
    return module._modules["parametrizations"]


def _learns(tensor: Any) -> bool:
    return isinstance(tensor, Parameter)


def _subclass(module: Module) -> None:
    base = type(module)
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), {_MARK: base})


def _property_of(name: str) -> property:
    def get(module: Module) -> Any:
        kept = _Cache.values
        if kept is None:
            return _lists(module)[name]()
        if (id(module), name) not in kept:
            kept[id(module), name] = _lists(module)[name]()
        return kept[id(module), name]

    def put(module: Module, value: Tensor) -> None:
        _lists(module)[name].right_inverse(value)

    return property(get, put)


def _undone(chain: ModuleList, value: Any, may_refuse: bool = False) -> Any:
    """What the parametrizations must start from to give a value; with `may_refuse` one whose
    inverse is not implemented starts from the value itself.
    """
    with no_grad():
        for module in reversed(list(chain)):
            if hasattr(module, "right_inverse"):
                try:
                    value = module.right_inverse(value)
                except NotImplementedError:
                    if not may_refuse:
                        raise
    return value


def _check_alike(method: str, before: Tensor, after: Any, unsafe: bool) -> None:
    if unsafe:
        return
    if after.shape != before.shape or after.dtype is not before.dtype:
        raise ShapeError(
            "register_parametrization",
            method,
            expected=f"shape {tuple(before.shape)} and dtype {before.dtype}, as it has now",
            got=f"{tuple(after.shape)} and {after.dtype}",
            hint="pass unsafe=True if this is meant",
        )
