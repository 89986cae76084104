"""Modules as functions of their parameters and buffers: what derivatives and vmap want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plugrad.errors import ArgumentError, CheckpointError, KindError
from plugrad.functions.joining import stack

State = Mapping[str, Any]


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: State | Sequence[State],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in place of those of its state dict's names; afterwards it
    has its own again.

    `args` is a tuple, or the only argument. With `tie_weights` a tensor that the module holds under
    several names is replaced under all of them; with `strict` the names must be all that there are.
    """
    given = _merged(parameter_and_buffer_dicts)
    places = _places(module)
    missing = [name for name in places if name not in given]
    if tie_weights:
        given.update(_tied(places, given))
    if strict:
        missing = [name for name in missing if name not in given]
        unexpected = [name for name in given if name not in places]
        if missing or unexpected:
            raise CheckpointError(
                "functional_call",
                f"missing keys: {', '.join(missing) or 'none'}; "
                f"unexpected keys: {', '.join(unexpected) or 'none'}",
            )
    own = [(*places[name], value) for name, value in given.items() if name in places]
    before = [holder[key] for holder, key, _ in own]
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    try:
        for holder, key, value in own:
            holder[key] = value
        return module(*arguments, **(kwargs or {}))
    finally:
        for (holder, key, _), value in zip(own, before, strict=True):
            holder[key] = value


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of modules of one kind, by name, each stacked along a new
    first axis: what vmap maps `functional_call` over.
    """
    given = list(models)
    if not given:
        raise ArgumentError("stack_module_state", "models", expected="at least one", got="none")
    first = given[0]
    for model in given:
        if type(model) is not type(first):
            raise KindError(
                *("stack_module_state", "models"),
                expected=f"all of one class, {type(first).__name__}",
                got=type(model).__name__,
            )
        if model.training != first.training:
            raise ArgumentError(
                *("stack_module_state", "models"),
                expected="all in training, or none",
                got="some of both",
            )
    params = _stacked([dict(model.named_parameters()) for model in given])
    return params, _stacked([dict(model.named_buffers()) for model in given])


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Let all batch norms below normalise by their batch alone and keep no running statistics: what
    vmap and derivatives of modules need, as they cannot write to buffers. Returns the module.
    """
    for module in root.modules():
        forget = getattr(module, "forget_running_statistics", None)
        if forget is not None:
            forget()
    return root


def _stacked(states: list[dict[str, Any]]) -> dict[str, Any]:
    stacked: dict[str, Any] = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        learning = [tensor.requires_grad for tensor in tensors]
        if any(learning) != all(learning):
            raise ArgumentError(
                "stack_module_state", name, expected="requires_grad alike in all", got=learning
            )
        leaf = stack([tensor.detach() for tensor in tensors])
        stacked[name] = leaf.requires_grad_() if all(learning) else leaf
    return stacked


def _merged(given: State | Sequence[State]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    merged: dict[str, Any] = {}
    for each in given:
        if not isinstance(each, Mapping):
            raise KindError(
                *("functional_call", "parameter_and_buffer_dicts"),
                expected="a dict, or several",
                got=type(each).__name__,
            )
        twice = merged.keys() & each.keys()
        if twice:
            raise ArgumentError(
                *("functional_call", "parameter_and_buffer_dicts"),
                expected="each name in one of the dicts",
                got=f"{', '.join(sorted(twice))} in several",
            )
        merged.update(each)
    return merged


def _places(module: Any) -> dict[str, tuple[dict[str, Any], str]]:
    """By dotted name: the dictionary of a module that holds the tensor, and the key there."""
    places: dict[str, tuple[dict[str, Any], str]] = {}
    for path, each in module.named_modules(remove_duplicate=False):
        for holder in (each._parameters, each._buffers):
            for key, value in holder.items():
                if value is not None:
                    places[f"{path}.{key}" if path else key] = (holder, key)
    return places


def _tied(places: dict[str, tuple[dict[str, Any], str]], given: State) -> dict[str, Any]:
    """For names that are not given: what is given for another name of the same tensor."""
    by_tensor = {id(holder[key]): name for name, (holder, key) in places.items() if name in given}
    found: dict[str, Any] = {}
    for name, (holder, key) in places.items():
        other = by_tensor.get(id(holder[key]))
        if name not in given and other is not None:
            found[name] = given[other]
    return found
