"""The kit's questions as plain calls: its own test functions, over its own rows, asked of whatever
answers under a device's name at the moment.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, final

import pytest

from plugrad.op import Operator
from plugrad_conformance import suite
from plugrad_conformance.rows import Row

# In this order: what catches most comes first.
FIRST = ("test_forward", "test_special_values", "test_contract", "test_spec", "test_derivative")


@final
@dataclass(frozen=True, slots=True)
class Question:
    """One call of one test function; `operator` is the operator that it is about, if it is about
    one.
    """

    function: Callable[..., Any]
    arguments: dict[str, Any]
    operator: str | None

    @property
    def module(self) -> str:
        """The module of the suite that asks it."""
        return self.function.__module__.rpartition(".")[2]

    def __str__(self) -> str:
        given = ", ".join(str(getattr(v, "name", v)) for v in self.arguments.values())
        return f"{self.module}.{self.function.__name__}[{given}]"

    def ask(self, device: str) -> str | None:
        """What is wrong, in one line; None where the answer is right or the question was skipped.

        A warning is an error, as in the kit's runs.
        """
        names = self.function.__code__.co_varnames[: self.function.__code__.co_argcount]
        fixtures = {"device": device, "record_property": _ignore}
        given = {name: fixtures[name] for name in names if name in fixtures}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.function(**self.arguments, **given)
        except pytest.skip.Exception:
            return None
        except (Exception, pytest.fail.Exception) as error:
            text = str(error).strip() or type(error).__name__
            return f"{type(error).__name__}: {text.splitlines()[min(1, text.count(chr(10)))]}"
        return None


def _ignore(name: str, value: object) -> None:
    """Stands for pytest's `record_property`."""


def modules(level: int = 2) -> list[ModuleType]:
    """The suite's modules of questions up to a level, those that catch most before the others."""
    names = [each.name for each in pkgutil.iter_modules(suite.__path__)]
    tests = [name for name in names if name.startswith("test_")]
    tests.sort(key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    found = [importlib.import_module(f"{suite.__name__}.{name}") for name in tests]
    return [module for module in found if level >= module.LEVEL]


def questions(module: ModuleType) -> Iterator[Question]:
    """What a module asks, as pytest would collect it."""
    for name, function in vars(module).items():
        if not name.startswith("test_") or function.__module__ != module.__name__:
            continue
        marks = [mark for mark in getattr(function, "pytestmark", ()) if mark.name == "parametrize"]
        for chosen in itertools.product(*[_values(mark) for mark in marks]):
            arguments = dict(itertools.chain.from_iterable(chosen))
            yield Question(function, arguments, _operator_of(arguments.values()))


def _values(mark: Any) -> list[list[tuple[str, Any]]]:
    names, values = mark.args[:2]
    names = [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
    found: list[list[tuple[str, Any]]] = []
    for value in values:
        row: Sequence[Any] = value.values if hasattr(value, "marks") else value
        if len(names) == 1 and not hasattr(value, "marks"):
            row = (value,)
        found.append(list(zip(names, row, strict=True)))
    return found


def _operator_of(values: Any) -> str | None:
    for value in values:
        if isinstance(value, Row):
            return value.case.name
        if isinstance(value, Operator):
            return value.name
    return None
