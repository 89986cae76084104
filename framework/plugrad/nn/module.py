"""Module: parameters, buffers and sub-modules that belong together, and the function that uses
them.

What is registered lives in three dictionaries, looked up by `__getattr__`; order is that of
assignment. A traversal visits a shared object once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from plugrad.creation import DeviceLike, empty_like
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError, KindError
from plugrad.formats import MemoryFormat
from plugrad.nn.hooks import Hooked, everywhere, registered
from plugrad.nn.parameter import Buffer, Parameter
from plugrad.nn.state import Stateful
from plugrad.tape import no_grad
from plugrad.tensor import Tensor
from plugrad.value import Value

# What is registered where; an entry may also be None, and a buffer any tensor.
_KINDS: dict[str, type[Any]] = {}


class Module(Stateful, Hooked):
    """The base of layers and models. A subclass calls `super().__init__()`, assigns its parts and
    defines `forward`.
    """

    training: bool

    def __init__(self) -> None:
        fields: dict[str, Any] = self.__dict__
        fields["training"] = True
        fields["_parameters"] = {}
        fields["_buffers"] = {}
        fields["_modules"] = {}
        fields["_non_persistent"] = set()
        fields["_watched"] = False
        fields["_forward_pre_hooks"] = {}
        fields["_forward_hooks"] = {}
        fields["_backward_pre_hooks"] = {}
        fields["_backward_hooks"] = {}
        fields["_state_hooks"] = {}

    # calling ----------------------------------------------------------------------------------

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self._watched or everywhere.watched:
            return self._call_with_hooks(arguments, options)
        return self.forward(*arguments, **options)

    # registration -----------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        kind = _kind_of(value)
        if kind is None:
            kind = next((each for each in _KINDS if name in fields.get(each, ())), None)
            if kind is None:
                object.__setattr__(self, name, value)
                return
            if value is not None and not (kind == "_buffers" and isinstance(value, Value)):
                raise self._wrong_kind(name, kind, value)
        elif kind not in fields:
            raise AttributeError(
                f"{type(self).__name__}: call super().__init__() before assigning {name!r}"
            )
        fields.pop(name, None)
        for other in _KINDS:
            if other != kind:
                fields[other].pop(name, None)
        fields[kind][name] = registered(self, kind, name, value)
        if isinstance(value, Buffer):
            _mark(fields["_non_persistent"], name, not value.persistent)

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        for kind in _KINDS:
            registered = fields.get(kind)
            if registered is not None and name in registered:
                return registered[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = set(super().__dir__())
        for kind in _KINDS:
            names.update(self.__dict__[kind])
        return sorted(names)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or the name of one that is absent."""
        self._check_name(name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise self._wrong_kind(name, "_parameters", param)
        self._parameters[name] = registered(self, "_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add state that is no parameter; only if `persistent` it goes into the state dict."""
        self._check_name(name, self._buffers)
        if tensor is not None and not isinstance(tensor, Value):
            raise self._wrong_kind(name, "_buffers", tensor)
        self._buffers[name] = registered(self, "_buffers", name, tensor)
        _mark(self._non_persistent, name, not persistent)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a sub-module under a name that need not be an identifier."""
        self._check_name(name, self._modules)
        if module is not None and not isinstance(module, Module):
            raise self._wrong_kind(name, "_modules", module)
        self._modules[name] = registered(self, "_modules", name, module)

    register_module = add_module

    def _check_name(self, name: str, registered: dict[str, Any]) -> None:
        if not name or "." in name or (name not in registered and hasattr(self, name)):
            raise ArgumentError(
                type(self).__name__,
                "name",
                expected="a name that is not empty, has no dot and is not taken",
                got=repr(name),
            )

    def _wrong_kind(self, name: str, kind: str, value: Any) -> KindError:
        wanted = "Tensor" if kind == "_buffers" else _KINDS[kind].__name__
        return KindError(
            type(self).__name__, name, expected=f"a {wanted} or None", got=type(value).__name__
        )

    # parts ------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """The module itself and all below it, with dotted names."""
        seen: set[Module] = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(seen, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """The module itself and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The sub-modules right below, by name."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The sub-modules right below."""
        for _, module in self.named_children():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with dotted names; of this module alone if not `recurse`."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, as an optimizer wants them."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with dotted names; of this module alone if not `recurse`."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named(
        self, kind: str, prefix: str, recurse: bool, once: bool
    ) -> Iterator[tuple[str, Any]]:
        modules: Iterable[tuple[str, Module]] = (
            self.named_modules(prefix=prefix, remove_duplicate=once)
            if recurse
            else [(prefix, self)]
        )
        seen: set[int] = set()
        for path, module in modules:
            for name, value in module.__dict__[kind].items():
                if value is None or id(value) in seen:
                    continue
                if once:
                    seen.add(id(value))
                yield _join(path, name), value

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path; the empty path is this one."""
        module = self
        for name in target.split(".") if target else ():
            found = module._modules.get(name)
            if found is None:
                raise AttributeError(f"{type(module).__name__} has no sub-module {name!r}")
            module = found
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path; if `strict`, only in the place of another."""
        if not isinstance(module, Module):
            raise self._wrong_kind("module", "_modules", module)
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if not name or (strict and parent._modules.get(name) is None):
            raise AttributeError(f"{type(parent).__name__} has no sub-module {name!r}")
        parent._check_name(name, parent._modules)
        parent._modules[name] = module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._get("_parameters", target, "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._get("_buffers", target, "buffer")

    def _get(self, kind: str, target: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = module.__dict__[kind].get(name)
        if found is None:
            raise AttributeError(f"{type(module).__name__} has no {what} {name!r}")
        return found

    # all parts at once ------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Call a function on every module below, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Let layers that behave differently in training do so."""
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Have gradients collected for the parameters, or no more."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the parameters' gradients, or set them to 0."""
        for parameter in self.parameters():
            if set_to_none or parameter.grad is None:
                parameter.grad = None
            else:
                parameter.grad = parameter.grad.detach().zero_()

    def to(
        self,
        *where: Any,
        device: DeviceLike = None,
        dtype: DType | None = None,
        non_blocking: bool = False,
        memory_format: MemoryFormat | None = None,
    ) -> Self:
        """Move all parts to a device, cast floating ones to a dtype, or both, as another tensor is;
        in place. Parts of 4 and 5 axes are laid out in `memory_format`; `non_blocking` changes
        nothing.
        """
        for each in where:
            if isinstance(each, Value):
                device, dtype = each.spec.device, each.spec.dtype
            elif isinstance(each, DType):
                dtype = each
            elif each is not None and not isinstance(each, bool):
                device = each
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise DtypeError("to", "dtype", expected="a floating or complex dtype", got=dtype)

        def convert(tensor: Tensor) -> Tensor:
            own = tensor.dtype.is_floating_point or tensor.dtype.is_complex
            kept = dtype if own else None
            if memory_format is None or tensor.ndim not in (4, 5):
                return tensor.to(device=device, dtype=kept)
            return tensor.to(device=device, dtype=kept, memory_format=memory_format)

        return self._convert(convert)

    def to_empty(self, *, device: DeviceLike, recurse: bool = True) -> Self:
        """To a device without copying: all elements are undefined there."""
        return self._convert(lambda tensor: empty_like(tensor, device=device), recurse)

    def cpu(self) -> Self:
        """To the default CPU backend."""
        return self.to(device="cpu")

    def cuda(self, device: int | DeviceLike = None) -> Self:
        """To a CUDA device, the first if none is named."""
        return self._convert(lambda tensor: tensor.cuda(device))

    def type(self, dst_type: DType) -> Self:
        """Cast all parts, also those that are not floating."""
        return self._convert(lambda tensor: tensor.to(dst_type))

    def half(self) -> Self:
        """Floating parts as float16."""
        return self._convert_floating(Tensor.half)

    def bfloat16(self) -> Self:
        """Floating parts as bfloat16."""
        return self._convert_floating(Tensor.bfloat16)

    def float(self) -> Self:
        """Floating parts as float32."""
        return self._convert_floating(Tensor.float)

    def double(self) -> Self:
        """Floating parts as float64."""
        return self._convert_floating(Tensor.double)

    def _convert_floating(self, convert: Callable[[Tensor], Tensor]) -> Self:
        return self._convert(lambda t: convert(t) if t.is_floating_point() else t)

    def _convert(self, convert: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace what parameters and buffers hold; a shared parameter stays shared."""
        with no_grad():
            for parameter in self.parameters(recurse):
                parameter.data = convert(parameter.data)
                if parameter.grad is not None:
                    parameter.grad = convert(parameter.grad)
            for module in self.modules() if recurse else (self,):
                for name, buffer in module._buffers.items():
                    if buffer is not None:
                        module._buffers[name] = convert(buffer)
        return self

    # printing ---------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What stands between the parentheses of this module's line."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        parts = [f"({name}): {_indent(repr(module))}" for name, module in self._modules.items()]
        if not parts and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        inner = "\n  ".join([*lines, *parts])
        return f"{self._get_name()}(\n  {inner}\n)"


_KINDS.update(_parameters=Parameter, _buffers=Buffer, _modules=Module)


def _kind_of(value: Any) -> str | None:
    for kind, its in _KINDS.items():
        if isinstance(value, its):
            return kind
    return None


def _mark(names: set[str], name: str, wanted: bool) -> None:
    if wanted:
        names.add(name)
    else:
        names.discard(name)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")
