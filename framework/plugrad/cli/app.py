"""The commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from plugrad._version import __version__
from plugrad.cli.backends import show_backends
from plugrad.cli.complaints import complaints_in_red
from plugrad.cli.explain import show_explanation
from plugrad.cli.train import train_digits
from plugrad.training import Settings

ModelName = Literal["cnn", "mlp", "transformer"]

_DEFAULTS = Settings()

app = typer.Typer(
    name="plugrad",
    help="Deep learning with PyTorch's vocabulary over interchangeable backends.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train = typer.Typer(help="Train a model on data that ship with plugrad.", no_args_is_help=True)
app.add_typer(train, name="train")


@app.callback(invoke_without_command=True)
def version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@train.command("digits")
def digits(
    backend: Annotated[
        str | None, typer.Option(help="Device to compute on; the default device if left out.")
    ] = None,
    model: Annotated[
        ModelName | None, typer.Option(help="Which model.", show_default=_DEFAULTS.model)
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes through the data.", show_default=str(_DEFAULTS.epochs)),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images per step.", show_default=str(_DEFAULTS.batch_size)),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="First learning rate.", show_default=str(_DEFAULTS.lr))
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Decides weights, order and held-out images.",
            show_default=str(_DEFAULTS.seed),
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for checkpoint, metrics and learning curve.")
    ] = Path("digits-run"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out.")
    ] = False,
) -> None:
    """Train on 1,797 handwritten digits of 8x8 pixels, a fifth of them held out.

    Ctrl-C ends a training after its last complete epoch; --resume then goes on as if nothing had
    been.
    """
    options = {
        "model": model,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
    }
    chosen = {name: value for name, value in options.items() if value is not None}
    with complaints_in_red():
        train_digits(chosen, backend, out, resume=resume)


@app.command("backends")
def backends() -> None:
    """List the backends: which are installed, their devices, and why one cannot be used."""
    show_backends()


@app.command("explain")
def explain(
    operator: Annotated[str, typer.Argument(help="An operator's name, such as softmax.")],
    backend: Annotated[
        str | None, typer.Option(help="Device to explain it on; the default device if left out.")
    ] = None,
) -> None:
    """Show which plugins answer an operator, in their order, and what its body uses."""
    with complaints_in_red():
        show_explanation(operator, backend)


def main() -> None:
    """Run the command line."""
    app()
