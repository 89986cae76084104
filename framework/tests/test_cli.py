"""The command line: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("typer")

from typer.testing import CliRunner

from plugrad import discovery
from plugrad._version import __version__
from plugrad.cli import app
from plugrad.serialize import load
from plugrad.training import Run

FAST = ["--model", "mlp", "--batch-size", "256"]


def call(*arguments: str | Path, code: int = 0) -> str:
    """The output of a command, both streams together, wrapped lines joined."""
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == code, done.output
    return done.output


def train(*arguments: str | Path, code: int = 0) -> str:
    return call("train", "digits", *arguments, code=code)


def test_training_prints_a_line_per_epoch_and_a_table_per_class(tmp_path: Path) -> None:
    said = train(*FAST, "--epochs", "2", "--out", tmp_path / "run")
    lines = said.splitlines()
    assert lines[0].startswith("mlp with 26,122 parameters on numpy: 1,438 digits to learn from")
    assert [line[:9] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert all(word in lines[1] for word in ("loss", "accuracy", "held out", "samples/s"))
    assert "precision" in said
    table = [line.split() for line in lines if line.split()[:1] in [[str(n)] for n in range(10)]]
    assert sum(int(row[3]) for row in table) == 359
    assert any(line.startswith("accuracy ") for line in lines)


def test_training_leaves_checkpoint_metrics_and_learning_curve(tmp_path: Path) -> None:
    train(*FAST, "--epochs", "1", "--out", tmp_path / "run")
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"checkpoint.safetensors", "metrics.csv"} <= left
    assert left <= {"checkpoint.safetensors", "metrics.csv", "learning-curve.png"}


def test_training_says_so_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = train(*FAST, "--epochs", "1", "--out", tmp_path)
    assert "No learning curve: it needs matplotlib (pip install 'plugrad[plot]')." in said


def test_a_finished_training_can_be_resumed_with_more_epochs(tmp_path: Path) -> None:
    train(*FAST, "--epochs", "1", "--out", tmp_path)
    said = train("--resume", "--epochs", "2", "--out", tmp_path)
    assert "Resumed after epoch 1 of 2." in said
    assert "epoch 2/2" in said
    again = train("--resume", "--out", tmp_path)
    assert "Resumed after epoch 2 of 2." in again
    assert "precision" in again


def test_the_backend_is_chosen_by_name(tmp_path: Path) -> None:
    said = train(*FAST, "--epochs", "1", "--backend", "numpy", "--out", tmp_path)
    assert "on numpy:" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--backend", "nowhere"], 2, "backend 'nowhere': not installed"),
        (["--backend", "no where"], 2, "device: type: expected 'name' or 'name:index'"),
        (["--lr", "0"], 2, "train: --lr: expected above 0, got 0.0"),
        (["--resume"], 1, "nothing to resume; train without --resume first"),
        (["--model", "tree"], 2, "Invalid value for '--model'"),
        (["--epochs", "0"], 2, "Invalid value for '--epochs'"),
    ],
)
def test_a_wrong_option_is_one_line_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    output = train(*arguments, "--out", tmp_path / "run", code=code)
    assert said in " ".join(output.replace("│", " ").split())
    assert "Traceback" not in output
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output = train(*FAST, "--out", tmp_path / "file", code=1)
    assert "cannot be made: File exists" in output


def test_a_damaged_checkpoint_is_one_line(tmp_path: Path) -> None:
    train(*FAST, "--epochs", "1", "--out", tmp_path)
    checkpoint = tmp_path / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-5])
    output = train("--resume", "--out", tmp_path, code=1)
    assert "is truncated or damaged" in output
    assert "Traceback" not in output


# Ctrl-C -------------------------------------------------------------------------------------------


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "plugrad", "train", "digits", *map(str, arguments)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, **streams, text=True, env=environment)


def weights(folder: Path) -> Any:
    state = load(Run(folder).checkpoint)
    return {name: tensor.tolist() for name, tensor in state["model"].items()}, len(state["history"])


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C cannot be sent to one process elsewhere")
def test_ctrl_c_leaves_a_checkpoint_that_resumes_to_the_same_bits(tmp_path: Path) -> None:
    # Small batches make an epoch long enough to be interrupted within.
    options = ["--model", "mlp", "--batch-size", "4", "--epochs", "3", "--seed", "7"]
    with start(*options, "--out", tmp_path / "whole") as process:
        process.communicate()
    with start(*options, "--out", tmp_path / "part") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch 1/3"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
    assert process.returncode == 130
    assert "Interrupted." in rest
    assert "Traceback" not in rest
    part = weights(tmp_path / "part")
    assert part[1] in (1, 2)
    with start("--resume", "--out", tmp_path / "part") as process:
        process.communicate()
    assert weights(tmp_path / "part") == weights(tmp_path / "whole")


def test_ctrl_c_before_the_first_checkpoint_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "begin", interrupt)
    assert "before there was anything to keep" in train("--out", tmp_path, code=130)


# the other commands -------------------------------------------------------------------------------


def test_backends_lists_what_is_there_and_what_to_type_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(discovery.INSTALL_HINTS, "zebra", "pip install zebra")
    lines = call("backends").splitlines()
    assert lines[0].startswith("numpy  ready  numpy ")
    assert f"plugrad {__version__}" in lines[0]
    assert "zebra  not installed  pip install zebra" in lines


def test_a_broken_plugin_does_not_break_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> None:
        raise RuntimeError("[red]boom")

    discovery.offer("guest", SimpleNamespace(plugrad_manifest=explode))
    try:
        said = call("backends")
    finally:
        discovery.withdraw("guest")
    assert "guest  unusable  (this program)  RuntimeError: [red]boom" in said
    assert "numpy  ready" in said


def test_explain_shows_who_answers() -> None:
    said = call("explain", "sigmoid", "--backend", "numpy")
    assert "sigmoid(x, /) on numpy" in said
    assert "1. kernel  plugrad_numpy.elementwise.sigmoid" in said
    assert "the body uses exp" in said


def test_explain_knows_no_such_operator() -> None:
    said = call("explain", "sofmax", code=2)
    assert "did you mean softmax" in said


@pytest.mark.parametrize("command", [["backends"], ["explain", "sigmoid"], ["explain", "permute"]])
def test_a_terminal_gets_tables(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    said = call(*command)
    assert "\x1b[" in said
    assert "numpy" in said


def test_a_terminal_sees_the_training_advance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    said = train("--model", "mlp", "--batch-size", "16", "--epochs", "1", "--out", tmp_path)
    assert "of 1,438 samples" in said
    assert "epoch 1/1" in said


def test_the_version_is_printed() -> None:
    assert call("--version").strip() == __version__


def test_help_names_every_command() -> None:
    said = call("--help")
    assert all(word in said for word in ("train", "backends", "explain"))
    assert "--resume" in call("train", "digits", "--help")


def test_importing_plugrad_does_not_import_the_command_line() -> None:
    program = "import plugrad, sys; print({'rich', 'typer', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
