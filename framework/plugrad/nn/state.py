"""What a module saves and loads: parameters, persistent buffers, extra state, by dotted name.

`state_dict` collects and `load_state_dict` distributes module by module, so that a class may change
its own part (`_save_to_state_dict`, `_load_from_state_dict`) and hooks may change any. Loading
looks at everything before it writes anything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

from plugrad.errors import CheckpointError, KindError
from plugrad.nn.parameter import Parameter, Uninitialized
from plugrad.tape import no_grad
from plugrad.tensor import RemovableHandle, Tensor
from plugrad.value import Value

_EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find in the state, and what it found without use for it."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Stateful:
    """The base of `Module`: state dicts and their hooks."""

    #: Written into the state dict's `_metadata`, so that a later class can tell an earlier state.
    _version: ClassVar[int] = 1

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent: set[str]
    # The hooks by the name of their kind; a kind without hooks has no entry.
    _state_hooks: dict[str, dict[Any, Any]]

    def _hooks(self, kind: str) -> list[Callable[..., Any]]:
        return list(self._state_hooks.get(kind, {}).values())

    def _add_hook(self, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
        return RemovableHandle(self._state_hooks.setdefault(kind, {}), hook)

    # saving -----------------------------------------------------------------------------------

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by dotted name, sharing memory; outside the graph if
        not `keep_vars`.

        The dict is an OrderedDict whose `_metadata` holds each module's version, or `destination`,
        to which the entries are added.
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()  # type: ignore[attr-defined]
        local = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local  # type: ignore[attr-defined]
        for hook in self._hooks("before saving"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._hooks("after saving"):
            changed = hook(self, destination, prefix, local)
            if changed is not None:
                destination = changed
        assert destination is not None
        return destination

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Add what this module has itself, without its sub-modules."""
        for name, value in self._entries():
            destination[prefix + name] = value if keep_vars else value.detach()
        if _overrides(self, "get_extra_state"):
            destination[prefix + _EXTRA] = self.get_extra_state()

    def _entries(self) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent:
                yield name, buffer

    def get_extra_state(self) -> Any:
        """For a subclass that has more state than tensors: what goes into the state dict under
        `_extra_state`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """For a subclass that defines `get_extra_state`: take back what it gave."""
        raise NotImplementedError(f"{type(self).__name__} does not define set_extra_state()")

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's state is collected."""
        return self._add_hook("before saving", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` when the state of the module and
        all below it is in the dict, which it may change.
        """
        return self._add_hook("after saving", hook)

    _register_state_dict_hook = register_state_dict_post_hook

    # loading ----------------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy a state into parameters and buffers, or with `assign` take its tensors themselves.

        All names that are missing or unexpected (if `strict`) and all shapes that differ are listed
        in one `CheckpointError`, before anything is written; only where a hook registered by
        `register_load_state_dict_post_hook` may still accept them, names are looked at last.
        """
        if not isinstance(state_dict, Mapping):
            raise KindError(
                "load_state_dict", "state_dict", expected="a dict", got=type(state_dict).__name__
            )
        keys = IncompatibleKeys([], [])
        problems: list[str] = []
        writes: list[Callable[[], None]] = []
        modules: list[Stateful] = []
        metadata = getattr(state_dict, "_metadata", {})

        def visit(module: Stateful, state: dict[str, Any], prefix: str) -> None:
            local = {**metadata.get(prefix[:-1], {}), "writes": writes}
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(state, prefix, local, True, *keys, problems)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    visit(child, {k: v for k, v in state.items() if k.startswith(below)}, below)
            modules.append(module)

        visit(self, dict(state_dict), "")
        hooks = [(module, hook) for module in modules for hook in module._hooks("after loading")]
        self._refuse(problems, keys, strict and not hooks)
        with no_grad():
            for write in writes:
                write()
        for module, hook in hooks:
            hook(module, keys)
        self._refuse([], keys, strict)
        return keys

    def _refuse(self, problems: list[str], keys: IncompatibleKeys, strict: bool) -> None:
        listed: list[str] = []
        if strict and keys.missing_keys:
            listed.append(f"missing keys: {', '.join(keys.missing_keys)}")
        if strict and keys.unexpected_keys:
            listed.append(f"unexpected keys: {', '.join(keys.unexpected_keys)}")
        if listed or problems:
            raise CheckpointError(
                "state_dict",
                f"it does not fit {type(self).__name__}: " + "; ".join([*listed, *problems]),
                hint="strict=False accepts missing and unexpected keys" if listed else "",
            )

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Look what this module finds in `state_dict` under `prefix`, without its sub-modules.

        What is to be written is put off until all modules have looked: `local_metadata` has a list
        for it.
        """
        arguments = (local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        for hook in self._hooks("before loading"):
            hook(state_dict, prefix, *arguments)
        assign = local_metadata.get("assign_to_params_buffers", False)
        wanted: dict[str, Callable[[Any], None]] = {}
        for name, value in self._entries():
            given = state_dict.get(prefix + name)
            problem = _misfit(value, given) if prefix + name in state_dict else ""
            if problem:
                error_msgs.append(f"{prefix}{name}: {problem}")
            wanted[name] = partial(self._write, name, value, assign) if not problem else _ignore
        if _overrides(self, "set_extra_state"):
            wanted[_EXTRA] = self.set_extra_state
        writes = local_metadata.get("writes")
        for name, write in wanted.items():
            if prefix + name in state_dict:
                put_off = partial(write, state_dict[prefix + name])
                put_off() if writes is None else writes.append(put_off)
            elif strict:
                missing_keys.append(prefix + name)
        for key in state_dict if strict else ():
            first, dot, _ = key[len(prefix) :].partition(".")
            if key.startswith(prefix) and first not in (self._modules if dot else wanted):
                unexpected_keys.append(key)

    def _write(self, name: str, value: Any, assign: bool, given: Any) -> None:
        if not assign:
            if isinstance(value, Uninitialized):
                if isinstance(given, Uninitialized):
                    return
                value.materialize(given.shape)
            with no_grad():
                value.copy_(given)
        elif isinstance(value, Parameter):
            adopted = isinstance(given, Parameter)
            self._parameters[name] = given if adopted else Parameter(given, value.requires_grad)
        else:
            self._buffers[name] = given

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before the module looks at a state, which the hook may change.
        """
        return self._add_hook("before loading", partial(hook, self))

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        return self._add_hook("before loading", partial(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after loading; it may take keys out of the
        lists.
        """
        return self._add_hook("after loading", hook)


def _overrides(module: Stateful, method: str) -> bool:
    return getattr(type(module), method) is not getattr(Stateful, method)


def _ignore(given: Any) -> None:
    pass


def _misfit(value: Any, given: Any) -> str:
    """Why a tensor cannot take the other's place."""
    if not isinstance(given, Value):
        return f"expected a tensor, got {type(given).__name__}"
    if isinstance(given, Uninitialized) and not isinstance(value, Uninitialized):
        return f"expected a tensor with elements, got {given}"
    if given.spec.shape != value.spec.shape and not isinstance(value, Uninitialized):
        return f"expected shape {value.spec.shape}, got {given.spec.shape}"
    return ""
