"""The operators' contracts as the gate sees them, and the check that a plugin fits them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pluggy

from plugrad.errors import PluginError
from plugrad.hooks import PROJECT, Services, contract

Kernel = Callable[..., Any]

# Operator or service name -> its parameter names in order.
parameters: dict[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(function).parameters)[1:]
    for name, function in vars(Services).items()
    if hasattr(function, f"{PROJECT}_spec")
}
operators: dict[str, Kernel] = {}

_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
_ANY_HOOK: pluggy.PluginManager = pluggy.PluginManager(PROJECT)


def names_of(function: Kernel) -> tuple[str, ...]:
    """The parameters' names of a plain function; reading them off its code takes a fiftieth of
    `inspect`'s time.
    """
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


def declare(function: Kernel) -> tuple[str, ...]:
    """Take an operator's contract in; returns its parameter names."""
    name = function.__name__
    code = function.__code__
    plain = not (code.co_kwonlyargcount or code.co_flags & _VARIADIC or function.__defaults__)
    if not plain:
        # pluggy never fills such a parameter of an implementation: a silent wrong answer.
        raise PluginError(
            name,
            f"the contract {inspect.signature(function)} has a default, or a parameter that is "
            "keyword-only or variadic",
            hint="write plain parameters: tensors before the slash, the others after it",
        )
    if name in parameters:
        raise PluginError(name, "an operator of this name exists already")
    parameters[name] = names_of(function)
    operators[name] = contract(firstresult=True)(function)
    return parameters[name]


def implementations(plugin: object) -> Iterator[tuple[str, Kernel, dict[str, Any]]]:
    """The hooks that a plugin implements: hook name, function, pluggy's options."""
    for attribute in dir(plugin):
        options: Any = _ANY_HOOK.parse_hookimpl_opts(plugin, attribute)
        if options is not None:
            yield options.get("specname") or attribute, getattr(plugin, attribute), options


def check_plugin(backend: str, name: str, plugin: object) -> int:
    """Refuse a plugin with a hook that nobody calls, or a signature that is not the contract's.

    Returns how many hooks it implements. Wrappers may name fewer parameters, the rest may not.
    """
    count = 0
    for hook, function, options in implementations(plugin):
        expected = parameters.get(hook)
        if expected is None:
            near = difflib.get_close_matches(hook, parameters, n=1)
            raise PluginError(
                backend,
                f"plugin {name!r} implements {hook!r}, which is no operator and no service",
                hint=f"did you mean {near[0]!r}?" if near else "remove its @kernel mark",
            )
        _check_signature(backend, name, hook, function, expected, options)
        count += 1
    return count


def _check_signature(
    backend: str,
    name: str,
    hook: str,
    function: Kernel,
    expected: tuple[str, ...],
    options: dict[str, Any],
) -> None:
    found = inspect.signature(function).parameters
    wraps = options["wrapper"] or options["hookwrapper"]
    named = tuple(found)
    plain = all(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in found.values()
    )
    if plain and (named == expected or (wraps and set(named) <= set(expected))):
        return
    raise PluginError(
        backend,
        f"plugin {name!r}, {hook}: expected the parameters ({', '.join(expected)}), "
        f"got ({', '.join(map(str, found.values()))})",
        hint="a kernel has the contract's parameters, in its order, without defaults",
    )
