"""`plugrad explain`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from plugrad.explain import explain

_COLOURS = {"wrapper": "magenta", "kernel": "green", "body": "cyan"}


def show_explanation(operator: str, device: str | None) -> None:
    """Print who answers an operator."""
    found = explain(operator, device)
    console = Console()
    if not console.is_terminal:
        console.print(repr(found), soft_wrap=True, markup=False, highlight=False)
        return
    console.print(Text(found.contract, style="bold"), f"on {found.device}, {found.family}")
    if found.family == "view":
        console.print("metadata alone: no kernel is called")
        return
    table = Table("", "part", "function", "plugin", "distribution", box=None)
    for number, answer in enumerate(found.answers, 1):
        part = Text(answer.role, style=_COLOURS[answer.role])
        table.add_row(f"{number}.", part, answer.function, answer.plugin, answer.distribution)
    console.print(table)
    if found.uses:
        console.print("The body uses", ", ".join(found.uses), highlight=False)
