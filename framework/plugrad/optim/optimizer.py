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
from typing import Any, NamedTuple

from plugrad.errors import ArgumentError, KindError
from plugrad.ops.creation import clone
from plugrad.ops.views import view_as_real
from plugrad.tape import enable_grad
from plugrad.tensor import Tensor

Group = dict[str, Any]
Closure = Callable[[], Any]


class Optimizer:
    """Base of all optimizers.

    `params` is an iterable of tensors, of (name, tensor) pairs, or of dicts with such an iterable
    under "params" and options for that group alone; `defaults` has the other groups' options.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise KindError(
                _name(self), "params", expected="an iterable of tensors or dicts", got="one tensor"
            )
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

    def state_dict(self) -> dict[str, Any]:
        """State and options, with positions in place of the parameters."""
        positions: dict[int, int] = {}
        for group in self.param_groups:
            for param in group["params"]:
                positions[id(param)] = len(positions)
        return {
            "state": {positions.get(id(key), key): state for key, state in self.state.items()},
            "param_groups": [
                {**group, "params": [positions[id(param)] for param in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; tensors are copied to their parameter's device and
        dtype.
        """
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
            state[key if param is None else param] = _copied(value, param)
        for group, loaded in zip(self.param_groups, saved, strict=True):
            loaded["params"] = group["params"]
            if "param_names" in group:
                loaded.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
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


class Batch(NamedTuple):
    """The parameters of a group that have gradients, side by side; complex ones as their real
    views.
    """

    owners: list[Tensor]
    params: tuple[Any, ...]
    grads: tuple[Any, ...]
    states: list[dict[str, Any]]


def batch_of(optimizer: Optimizer, group: Group) -> Batch | None:
    """What a group's step works on; `None` where nothing has a gradient."""
    chosen = [param for param in group["params"] if param.grad is not None]
    if not chosen:
        return None
    states = [optimizer.state[param] for param in chosen]
    return Batch(
        chosen,
        tuple([real_view(param) for param in chosen]),
        tuple([real_view(param.grad) for param in chosen]),
        states,
    )


def real_view(x: Any) -> Any:
    """A complex tensor as real numbers over the same memory; a real one as it is."""
    return view_as_real(x) if x.spec.dtype.is_complex else x


def evaluate(closure: Closure | None) -> Any:
    """The loss that a closure computes, recorded although the step is not."""
    if closure is None:
        return None
    with enable_grad():
        return closure()


def check_not_negative(optimizer: Optimizer, **options: Any) -> None:
    """Refuse negative rates."""
    for option, value in options.items():
        if not value >= 0:
            raise ArgumentError(_name(optimizer), option, expected="at least 0", got=value)


def check_not_differentiable(optimizer: Optimizer, differentiable: bool) -> None:
    """Refuse PyTorch's option of differentiating through the step."""
    if differentiable:
        raise ArgumentError(
            _name(optimizer),
            "differentiable",
            expected="False: steps write in place and are not recorded",
            got=differentiable,
        )


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
