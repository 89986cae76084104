"""Which operators this run is about; None: all. And which plugins stand before the backend's
kernels. Set before the suite is collected, so that a run about one operator collects what concerns
it and starts in a moment.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

operators: frozenset[str] | None = None
plugins: tuple[str, ...] = ()


def narrow(operator_names: str | None, plugin_names: str | None) -> None:
    """Take in the options, names with commas between."""
    global operators, plugins
    if operator_names is not None:
        operators = frozenset(_names(operator_names))
    if plugin_names is not None:
        plugins = tuple(_names(plugin_names))


def peek(arguments: Sequence[str]) -> tuple[None, str | None]:
    """The plugins among a command's arguments; which operators it asks about its workers hear."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--plugin")
    return None, parser.parse_known_args(arguments)[0].plugin


def admits(name: str) -> bool:
    """Whether the run is about an operator."""
    return operators is None or name in operators


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
