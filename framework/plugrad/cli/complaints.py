"""Errors of the framework as one red line: they say all that a user needs, a traceback adds
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from plugrad.errors import ArgumentError, PlugradError, UnknownBackendError

FAILED = 1
MISUSED = 2


def complain(text: str) -> None:
    """Print what is wrong."""
    Console(stderr=True).print(Text(text, style="bold red"), soft_wrap=True)


@contextmanager
def complaints_in_red() -> Iterator[None]:
    """Exit with 2 for a wrong option, with 1 for any other of plugrad's errors."""
    try:
        yield
    except PlugradError as error:
        complain(" ".join(str(error).split()))
        misused = isinstance(error, (ArgumentError, UnknownBackendError))
        raise typer.Exit(MISUSED if misused else FAILED) from None
