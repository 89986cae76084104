"""Putting a wrong kernel before NumPy's, and asking the kit's questions until one catches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

import plugrad
from plugrad import contracts
from plugrad.backends import BODIES
from saboteurs.questions import Question, modules, questions

Kernel = Callable[..., Any]
DEVICE = "numpy"


@contextmanager
def sabotaged(kernels: Mapping[str, Kernel]) -> Iterator[None]:
    """The NumPy backend with these kernels and services, by hook name, in place of its own: where
    one declines, none of NumPy's answers.
    """
    backend = plugrad.backends.backend(DEVICE)
    hooks = [(own_hook(name), kernel) for name, kernel in kernels.items()]
    missing = {name: kernel for name, kernel in kernels.items() if own_hook(name) is None}
    replaced = [(hook, hook.function) for hook, _ in hooks if hook is not None]
    for hook, kernel in hooks:
        if hook is not None:
            hook.function = kernel
    if missing:
        plugin = SimpleNamespace(**{name: plugrad.kernel(each) for name, each in missing.items()})
        plugrad.backends.register(plugin, name="saboteur", backend=DEVICE)
    backend.forget()
    try:
        yield
    finally:
        for hook, function in replaced:
            hook.function = function
        if missing:
            plugrad.backends.unregister("saboteur")
        backend.forget()


def own_hook(name: str) -> Any:
    """NumPy's own implementation of a hook, as pluggy keeps it, if it has one."""
    hooks = plugrad.backends.backend(DEVICE).answering(name)
    return next((each for each in hooks if each.plugin_name not in ("saboteur", BODIES)), None)


def sound(name: str) -> Kernel:
    """What answers a hook of NumPy's when nobody interferes: its kernel, else the body."""
    hooks = plugrad.backends.backend(DEVICE).answering(name)
    kernels = [each.function for each in hooks if each.plugin_name != "saboteur"]
    if not kernels:
        return with_contract(name, _written_by(_FILLS.get(name) or sound(name.removesuffix("_"))))

    def answer(*arguments: Any) -> Any:
        for kernel in kernels:
            result = kernel(*arguments)
            if result is not None:
                return result
        return None

    return with_contract(name, answer)


def with_contract(hook: str, function: Kernel) -> Kernel:
    """The function, with the signature that the contract of a hook asks for."""

    def kernel(*arguments: Any) -> Any:
        return function(*arguments)

    # pluggy reads the names of parameters from what a function says that it wraps.
    named = eval(f"lambda {', '.join(contracts.parameters[hook])}: None")
    kernel.__wrapped__ = named  # type: ignore[attr-defined]
    return kernel


# What operators write that have neither a kernel nor a twin that returns it.
_FILLS: dict[str, Kernel] = {"fill_": lambda x, value: value, "zero_": lambda x: 0}


def _written_by(kernel: Kernel) -> Kernel:
    def answer(x: Any, *rest: Any) -> Any:
        np.copyto(x, kernel(x, *rest), casting="unsafe")
        return x

    return answer


@cache
def asked_of(operator: str | None, level: int) -> tuple[Question, ...]:
    """The questions about one operator up to a level; those about none in particular up to the
    second, as those beyond train whole models.
    """
    return tuple([each for each in _every_question(level) if each.operator == operator])


@cache
def _every_question(level: int) -> tuple[Question, ...]:
    return tuple([each for module in modules(level) for each in questions(module)])


def first_to_catch(operators: Iterable[str], level: int = 2) -> tuple[Question, str] | None:
    """The first question about these operators, or about none in particular, that is not answered
    right, and what it says.
    """
    about = [question for operator in operators for question in asked_of(operator, level)]
    for question in (*about, *asked_of(None, 2)):
        complaint = question.ask(DEVICE)
        if complaint is not None:
            return question, complaint
    return None
