"""Saboteur: one way to be wrong, by hand. A table of them is a module whose functions are wrong
kernels, each named and described by what it does wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from saboteurs.sabotage import Kernel, sound, with_contract

Make = Callable[[Kernel], Kernel]


@final
@dataclass(frozen=True, slots=True)
class Saboteur:
    """`hook` is the operator or service that is wrong, `make` gives its wrong kernel from the sound
    one. `asks` are the operators whose questions are asked, up to a level.
    """

    kind: str
    name: str
    breaks: str
    hook: str
    make: Make
    asks: tuple[str, ...]
    level: int

    def __str__(self) -> str:
        return f"{self.hook}: {self.breaks}"

    def kernels(self) -> dict[str, Kernel]:
        """The plugin's functions."""
        return {self.hook: self.make(sound(self.hook))}


TABLE: list[Saboteur] = []


def sabotage(
    kind: str, hook: str, *, asks: tuple[str, ...] | None = None, level: int = 2
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a wrong kernel into the table. Its first parameter is the sound one, the others are the
    contract's.
    """

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        def make(right: Kernel) -> Kernel:
            def kernel(*arguments: Any) -> Any:
                return function(right, *arguments)

            return with_contract(hook, kernel)

        about = inspect.getdoc(function) or function.__name__.replace("_", " ")
        wanted = (hook,) if asks is None else asks
        TABLE.append(
            Saboteur(kind, function.__name__, about.splitlines()[0], hook, make, wanted, level)
        )
        return function

    return enter
