"""The commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from plugrad._version import __version__
from plugrad.cli.backends import show_backends
from plugrad.cli.bench import bench
from plugrad.cli.complaints import complaints_in_red
from plugrad.cli.conformance import run_conformance
from plugrad.cli.doctor import examine
from plugrad.cli.explain import show_explanation
from plugrad.cli.new_backend import create_backend
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


@app.command("new-backend")
def new_backend(
    name: Annotated[str, typer.Argument(help="Its name: the device, as in device='mine'.")],
    into: Annotated[Path, typer.Option(help="Folder to write the package's folder into.")] = Path(),
) -> None:
    """Write an installable backend that delegates to NumPy, to be made real kernel by kernel."""
    with complaints_in_red():
        create_backend(name, into)


@app.command("doctor")
def doctor(
    name: Annotated[str, typer.Argument(help="A backend's name, such as numpy.")],
) -> None:
    """Find out why a backend does not load, or show what it consists of and try it."""
    raise typer.Exit(examine(name))


@app.command("conformance")
def conformance(
    backend: Annotated[str | None, typer.Argument(help="The backend to test.")] = None,
    level: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=4,
            help="Ask up to this level: 0 storage and primitives, 1 all operators, 2 gradients, "
            "3 training, 4 whole programs.",
            show_default="4",
        ),
    ] = None,
    operators: Annotated[
        str | None, typer.Option(metavar="A,B", help="Ask about these operators only.")
    ] = None,
    dtypes: Annotated[
        str | None, typer.Option(metavar="A,B", help="Ask about rows of these dtypes only.")
    ] = None,
    plugin: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Switch on these plugins; ask about their operators, too."
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the result.")] = None,
    html: Annotated[Path | None, typer.Option(help="File for the page that shows it.")] = None,
    against: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Judge by this version of the contract.", show_default="the backend's"
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that ask.", show_default="one a core")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="How long a question may take.", show_default="60, training 600"
        ),
    ] = None,
    expectations: Annotated[
        Path | None, typer.Option(help="A file instead of the backend's expectations.toml.")
    ] = None,
    update_expectations: Annotated[
        bool, typer.Option("--update-expectations", help="Rewrite the expectations by this run.")
    ] = False,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="JSON",
            help="Test nothing, draw this earlier result; may be given "
            "several times, and with --html makes one page of them.",
        ),
    ] = None,
) -> None:
    """Prove a backend: every operator, dtype and variant, gradients, training, whole programs.

    Exits with 0 where it conforms, 1 where it does not, 4 where it cannot be used.
    """
    if (backend is None) == (not report):
        raise typer.BadParameter("name a backend, or results to --report")
    options: dict[str, object] = {
        "--level": level,
        "--operators": operators,
        "--dtypes": dtypes,
        "--plugin": plugin,
        "--json": json,
        "--html": html,
        "--against": against,
        "--workers": workers,
        "--timeout": timeout,
        "--expectations": expectations,
        "--update-expectations": update_expectations,
    }
    raise typer.Exit(run_conformance(backend, options, report or ()))


app.command("bench")(bench)


def main() -> None:
    """Run the command line."""
    app()
