"""What optimizers share: groups of parameters with options of their own, state per parameter, and
saving both.

An optimizer of one's own subclasses `Optimizer`, gives its options' defaults to `__init__` and
defines `step`, which reads `self.param_groups` and keeps what it must remember of a parameter in
`self.state[parameter]`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import wraps
from typing import Any, final

from plugrad import creation, dtypes
from plugrad.errors import ArgumentError, KindError
from plugrad.ops.creation import clone
from plugrad.tensor import RemovableHandle, Tensor

Group = dict[str, Any]
Closure = Callable[[], Any]
Hook = Callable[..., Any]
Hooks = dict[Any, Hook]
ParamsT = Iterable[Tensor] | Iterable[Group] | Iterable[tuple[str, Tensor]]


@final
class _Required:
    """The default of an option that every group must name."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

# Of all optimizers.
_before_steps: Hooks = {}
_after_steps: Hooks = {}


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` before every step of every optimizer; it may return
    other arguments of the step, as a pair.
    """
    return RemovableHandle(_before_steps, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(optimizer, args, kwargs)` after every step of every optimizer."""
    return RemovableHandle(_after_steps, hook)


class Optimizer:
    """Base of all optimizers.

    `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts with such an iterable
    under "params" and options for that group alone; `defaults` has the other groups' options,
    `required` where every group must name its own.
    """

    # What `state` holds as a number and a state dict, like PyTorch's, as a tensor without axes.
    counted: tuple[str, ...] = ()
    # Whether a step was taken: a schedule that goes on before warns.
    has_stepped = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            cls.step = _with_hooks(cls.step)

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise KindError(
                _name(self), "params", expected="an iterable of tensors or dicts", got="one tensor"
            )
        self._no_hooks()
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ArgumentError(_name(self), "params", expected="at least one tensor", got="none")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Optimize more parameters, under "params"; options that the group does not name are the
        defaults.
        """
        if not isinstance(param_group, dict):
            raise KindError(
                "add_param_group", "param_group", expected="a dict", got=type(param_group).__name__
            )
        param_group = dict(param_group)
        given = param_group["params"]
        if isinstance(given, set):
            raise KindError(
                "add_param_group",
                "params",
                expected="an ordered collection",
                got="a set, whose order changes between runs",
            )
        members = [given] if isinstance(given, Tensor) else list(given)
        names = [member[0] for member in members if isinstance(member, tuple)]
        params = [member[1] if isinstance(member, tuple) else member for member in members]
        if names and len(names) != len(params):
            raise ArgumentError(
                "add_param_group",
                "params",
                expected="names for all tensors or for none",
                got=f"{len(names)} names for {len(params)} tensors",
            )
        self._check_params(params)
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        if any(("param_names" in group) != bool(names) for group in self.param_groups):
            raise ArgumentError(
                "add_param_group",
                "param_group",
                expected=f"tensors {'without' if names else 'with'} names, as in the other groups",
                got=f"tensors {'with' if names else 'without'} names",
            )
        for option, default in self.defaults.items():
            if default is required and option not in param_group:
                raise ArgumentError(
                    _name(self), option, expected="a value in every group", got="none"
                )
            param_group.setdefault(option, default)
        self.param_groups.append(param_group)

    def _check_params(self, params: list[Any]) -> None:
        known = {id(param) for group in self.param_groups for param in group["params"]}
        for position, param in enumerate(params):
            argument = f"params[{position}]"
            if not isinstance(param, Tensor):
                raise KindError(
                    _name(self), argument, expected="a tensor", got=type(param).__name__
                )
            if not param.is_leaf:
                raise ArgumentError(
                    _name(self),
                    argument,
                    expected="a leaf of the graph",
                    got=f"the result of {param.grad_fn.name() if param.grad_fn else 'a view'}",
                    hint="detach() it and require its gradient",
                )
            if id(param) in known:
                raise ArgumentError(
                    _name(self),
                    argument,
                    expected="a tensor that is not optimized yet",
                    got="one that is in this or another group already",
                )
            known.add(id(param))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set those that exist to 0."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach().zero_()

    def step(self, closure: Closure | None = None) -> Any:
        """Change the parameters by their gradients.

        `closure` computes the loss and its gradients anew; its result is returned.
        """
        raise NotImplementedError(f"{_name(self)} does not define step()")

    # state ------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """State and options, with positions in place of the parameters."""
        for hook in list(self._before_saving.values()):
            hook(self)
        positions: dict[int, int] = {}
        for group in self.param_groups:
            for param in group["params"]:
                positions[id(param)] = len(positions)
        saved: dict[str, Any] = {
            "state": {
                positions.get(id(key), key): self._as_saved(state)
                for key, state in self.state.items()
                if state
            },
            "param_groups": [
                {
                    **{name: value for name, value in group.items() if name != "params"},
                    "params": [positions[id(param)] for param in group["params"]],
                }
                for group in self.param_groups
            ],
        }
        for hook in list(self._after_saving.values()):
            replaced = hook(self, saved)
            saved = saved if replaced is None else replaced
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; tensors are copied to their parameter's device and
        dtype.
        """
        state_dict = dict(state_dict)
        for hook in list(self._before_loading.values()):
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        saved = [dict(group) for group in state_dict["param_groups"]]
        sizes = [len(group["params"]) for group in saved]
        own = [len(group["params"]) for group in self.param_groups]
        if sizes != own:
            raise ArgumentError(
                "load_state_dict",
                "param_groups",
                expected=f"groups of {own} parameters, as this optimizer has",
                got=f"groups of {sizes}",
            )
        params: dict[Any, Tensor] = {}
        for group, loaded in zip(self.param_groups, saved, strict=True):
            params.update(zip(loaded["params"], group["params"], strict=True))
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            param = params.get(key)
            state[key if param is None else param] = self._as_kept(_copied(value, param))
        for group, loaded in zip(self.param_groups, saved, strict=True):
            loaded["params"] = group["params"]
            if "param_names" in group:
                loaded.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in list(self._after_loading.values()):
            hook(self)

    def _as_saved(self, state: Any) -> Any:
        counts = {name: state[name] for name in self.counted if name in state}
        wide = dtypes.get_default_dtype() is dtypes.float64
        dtype = dtypes.float64 if wide else dtypes.float32
        return state | {
            name: creation.tensor(float(count), dtype=dtype) for name, count in counts.items()
        }

    def _as_kept(self, state: Any) -> Any:
        counts = {
            name: state[name].item() for name in self.counted if isinstance(state.get(name), Tensor)
        }
        return state | counts

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if "_before_step" not in self.__dict__:
            self._no_hooks()  # unpickled: hooks stay behind
        for group in self.param_groups:
            for option, default in self.defaults.items():
                group.setdefault(option, default)

    def __repr__(self) -> str:
        lines = [_name(self) + " ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [
                f"    {option}: {group[option]}" for option in sorted(group) if option != "params"
            ]
        return "\n".join([*lines, ")"])

    # hooks ------------------------------------------------------------------------------------

    def _no_hooks(self) -> None:
        self._before_step: Hooks = {}
        self._after_step: Hooks = {}
        self._before_saving: Hooks = {}
        self._after_saving: Hooks = {}
        self._before_loading: Hooks = {}
        self._after_loading: Hooks = {}

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return other arguments of
        the step, as a pair.
        """
        return RemovableHandle(self._before_step, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return RemovableHandle(self._after_step, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict()` reads the state; `prepend`: before the other
        hooks.
        """
        return _registered(self._before_saving, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before `state_dict()` returns; it may return another
        dict.
        """
        return _registered(self._after_saving, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before a state is loaded, on a shallow copy; it may
        return another dict.
        """
        return _registered(self._before_loading, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after a state was loaded."""
        return _registered(self._after_loading, hook, prepend)


def _registered(hooks: Hooks, hook: Hook, prepend: bool) -> RemovableHandle:
    later = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    handle = RemovableHandle(hooks, hook)
    hooks.update(later)
    return handle


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if type(self).step is not hooked:  # called by the step of a subclass, which has run them
            return step(self, *args, **kwargs)
        for hook in [*_before_steps.values(), *self._before_step.values()]:
            replaced = hook(self, args, kwargs)
            if replaced is not None:
                if not (isinstance(replaced, tuple) and len(replaced) == 2):
                    raise KindError(
                        _name(self),
                        "step_pre_hook",
                        expected="None or (args, kwargs) from a hook",
                        got=type(replaced).__name__,
                    )
                args, kwargs = replaced
        result = step(self, *args, **kwargs)
        self.has_stepped = True
        for hook in [*self._after_step.values(), *_after_steps.values()]:
            hook(self, args, kwargs)
        return result

    return hooked


def _copied(value: Any, param: Tensor | None) -> Any:
    if isinstance(value, Tensor):
        if param is None or value.ndim != param.ndim:
            return clone(value.detach())
        same_kind = value.dtype.kind == param.dtype.kind
        return value.detach().to(
            device=param.device, dtype=param.dtype if same_kind else value.dtype, copy=True
        )
    if isinstance(value, dict):
        return {key: _copied(each, param) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_copied(each, param) for each in value])
    return deepcopy(value)


def _name(optimizer: Optimizer) -> str:
    return type(optimizer).__name__
