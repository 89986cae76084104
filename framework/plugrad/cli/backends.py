"""`plugrad backends`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugrad.inventory import backend_states

_COLOURS = {"ready": "green", "not installed": "dim", "blocked": "yellow", "plugin": "cyan"}


def show_backends() -> None:
    """Print a table of all backends; where nobody watches, one line each."""
    console = Console()
    if not console.is_terminal:
        for state in backend_states():
            facts = [state.name, state.condition, state.version, state.distribution]
            facts += [" ".join(state.devices), state.reason]
            console.print("  ".join(filter(None, facts)), soft_wrap=True, markup=False)
        return
    table = Table("name", "state", "version", "distribution", "devices", "why", box=None)
    for state in backend_states():
        table.add_row(
            state.name,
            Text(state.condition, style=_COLOURS.get(state.condition, "red")),
            state.version,
            state.distribution,
            " ".join(state.devices),
            Text(state.reason),
        )
    console.print(table)
