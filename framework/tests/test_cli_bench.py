"""`plugrad bench`: what it measures, what it leaves, and what it refuses."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("pytest_benchmark")

from rich.console import Console
from typer.testing import CliRunner

from plugrad.cli import app
from plugrad.cli import bench as command
from plugrad.training.models import cnn
from plugrad_bench import sides
from plugrad_bench.cases import operator_cases, step_cases
from plugrad_bench.clock import Call, Effort
from plugrad_bench.command import main
from plugrad_bench.inputs import Inputs
from plugrad_bench.machine import describe_machine
from plugrad_bench.page import write_page
from plugrad_bench.results import (
    KEY,
    Comparison,
    Measurement,
    Ratio,
    geometric_mean,
    read,
)
from plugrad_bench.rows import ROWS
from plugrad_bench.sides import open_side
from plugrad_bench.sizes import heads, images, parse_size, size_label, square
from plugrad_bench.steps import STEPS
from plugrad_bench.table import print_tables

PNG = b"\x89PNG\r\n\x1a\n"

# A backend with a fault of each kind, on NumPy's storage.
BACKEND = """
import os
import signal
import numpy as np
from plugrad.dtypes import bool_, float32, int64
from plugrad.hooks import CONTRACT_VERSION, Manifest, kernel

@kernel
def plugrad_manifest():
    return Manifest(
        name="faulty", version="1", description="faulty", modules=(), contract=CONTRACT_VERSION,
        dtypes=(bool_, float32, int64), builds_on="numpy",
    )

@kernel
def mul(x, y):  # slow
    for _ in range(200):
        out = np.multiply(x, y)
    return out

@kernel
def exp(x):  # wrong
    return np.exp(x) + 1

@kernel
def tanh(x):  # what Ctrl-C sends
    os.kill(os.getpid(), signal.SIGINT)
    return np.tanh(x)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A process's, in which the faulty backend is installed."""
    (tmp_path / "plugrad_faulty.py").write_text(BACKEND, encoding="utf-8")
    info = tmp_path / "plugrad_faulty-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugrad_faulty\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[plugrad]\nfaulty = plugrad_faulty\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "PYTEST_ADDOPTS": "--nothing"}


def bench(folder: Path, environment: dict[str, str], *options: str, code: int = 0) -> str:
    """What the command says, both streams together, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "plugrad", "bench", "--quick", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def test_bench_leaves_figures_a_table_and_a_picture(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    options = ["--backends", "numpy,faulty", "--reference", "numpy", "--operators", "add,sum,mul"]
    said = bench(tmp_path, environment, *options)
    lines = [line.split() for line in said.splitlines()]
    assert ["operator", "size", "numpy", "faulty"] in lines
    assert sum(line[:1] in (["add"], ["mul"]) for line in lines) == 2
    assert "sum, first axis" in said
    assert "training step" not in said

    found = json.loads((tmp_path / "plugrad-bench.json").read_text(encoding="utf-8"))
    assert len(found["benchmarks"]) == (2 + 3) * 2 * 2
    one = next(each for each in found["benchmarks"] if each["name"].endswith("[add @ 8 - faulty]"))
    assert one["group"] == "add @ 8"
    assert one["stats"]["iterations"] > 1
    assert len(one["stats"]["data"]) == one["stats"]["rounds"] >= 5

    run = read(tmp_path / "plugrad-bench.json")
    assert (run.reference, run.challengers, run.threads) == ("numpy", ["faulty"], 1)
    slow = run.at("mul", 4096, "faulty")
    assert slow is not None
    assert slow.ratio is not None
    assert slow.ratio.low <= slow.ratio.median <= slow.ratio.high
    assert slow.ratio.median > 10
    assert run.at("mul", 4096, "numpy") is not None

    pytest.importorskip("matplotlib")
    assert (tmp_path / "plugrad-bench.png").read_bytes().startswith(PNG)


def test_a_case_that_a_backend_cannot_do_says_why(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    options = ["--backends", "faulty", "--reference", "numpy", "--sizes", "8"]
    said = bench(tmp_path, environment, *options, "--operators", "add,cast,exp", code=1)
    whole = " ".join(said.split())
    assert "declined: " in whole
    assert "failed: DisagreementError" in whole
    found = read(tmp_path / "plugrad-bench.json")
    declined, failed, measured = (
        found.at(label, 8, "faulty") for label in ("cast, to float64", "exp", "add")
    )
    assert declined is not None
    assert declined.problem.startswith("declined: ")
    assert "float64" in declined.problem
    assert failed is not None
    assert failed.problem == "failed: DisagreementError: the result is not the reference's"
    assert measured is not None
    assert measured.problem == ""


def test_a_side_is_timed_alone_where_the_reference_declines(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    options = ["--backends", "numpy", "--reference", "faulty", "--sizes", "8"]
    said = bench(tmp_path, environment, *options, "--operators", "cast")
    assert "No picture: there is nothing to compare with faulty." in said
    found = read(tmp_path / "plugrad-bench.json").at("cast, to float64", 8, "numpy")
    assert found is not None
    assert found.seconds is not None
    assert found.ratio is None


def test_figures_are_kept_where_everything_is_declined(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    options = ["--backends", "faulty", "--reference", "faulty", "--sizes", "8"]
    said = bench(tmp_path, environment, *options, "--operators", "cast")
    assert "No picture: there is nothing to compare with faulty." in said
    kept = read(tmp_path / "plugrad-bench.json").measurements
    assert [each.problem.partition(":")[0] for each in kept] == ["declined"] * 2


@pytest.mark.skipif(os.name == "nt", reason="no such signal there")
def test_ctrl_c_leaves_what_was_measured(tmp_path: Path, environment: dict[str, str]) -> None:
    options = ["--backends", "faulty", "--reference", "numpy", "--sizes", "8"]
    said = bench(tmp_path, environment, *options, "--operators", "add,tanh,relu", code=130)
    assert "Interrupted; plugrad-bench.json holds what was measured." in said
    run = read(tmp_path / "plugrad-bench.json")
    assert run.interrupted
    measured = [(each.label, each.side) for each in run.measurements]
    assert measured == [("add", "numpy"), ("add", "faulty"), ("tanh", "numpy")]
    assert "not measured" in said


def test_the_command_outlives_ctrl_c_until_the_benchmarks_have_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Process:
        waits = 0

        def __init__(self, arguments: list[str]) -> None:
            pass

        def __enter__(self) -> Process:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def wait(self) -> int:
            self.waits += 1
            if self.waits < 3:
                raise KeyboardInterrupt
            return 130

    monkeypatch.setattr(command.subprocess, "Popen", Process)
    assert CliRunner().invoke(app, ["bench"]).exit_code == 130


# What it refuses, with 2 for a wrong option.


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--backends", "abacus"], "backend 'abacus': not installed; there are numpy"),
        (["--backends", "no pe"], "device: type: expected 'name' or 'name:index'"),
        (["--backends", ","], "--backends: expected names with commas between"),
        (["--operators", "add,nope"], "--operators: there is no benchmark of nope; there are add"),
        (["--sizes", "huge"], "--sizes: expected at least 2 elements, as in 8, 4K or 4M, or small"),
        (["--sizes", "1"], "got '1'"),
        (["--threads", "0"], "--threads: expected at least 1, got 0"),
        (["--json", "nowhere/a.json"], "--json: there is no folder 'nowhere'"),
        (["--picture", "nowhere/a.png"], "--picture: there is no folder 'nowhere'"),
        (["--page", "nowhere/a.md"], "--page: there is no folder 'nowhere'"),
        (["--report", "nothing.json"], "nothing.json: cannot be read"),
        (["--report", __file__], "not a result of plugrad bench"),
    ],
)
def test_wrong_options_are_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(options) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_pytorch_that_is_not_installed_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sides, "find_spec", lambda name: None)
    assert main(["--backends", "numpy,torch"]) == 2
    assert "torch: PyTorch is not installed; pip install torch" in capsys.readouterr().err


def test_a_backend_that_cannot_be_used_ends_with_another_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PLUGRAD_BLOCK", "forbidden")
    assert main(["--backends", "forbidden"]) == 4
    assert "PLUGRAD_BLOCK forbids it" in capsys.readouterr().err


def test_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "numpy" else object())
    done = CliRunner().invoke(app, ["bench"])
    assert done.exit_code == 2
    assert "plugrad bench needs numpy; pip install 'plugrad[bench]'" in done.output


def test_the_command_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run(arguments: list[str]) -> int:
        seen.append(arguments)
        return 1

    monkeypatch.setattr(command, "_run", run)
    given = ["--backends=numpy", "--sizes=8,4K", "--threads=2", "--quick", "--no-steps"]
    assert CliRunner().invoke(app, ["bench", *given]).exit_code == 1
    assert seen[0][:3] == [sys.executable, "-m", "plugrad_bench"]
    assert set(given) <= set(seen[0])


# Figures.


def comparison(*measurements: Measurement) -> Comparison:
    sides = {"torch": "torch 2", "numpy": "plugrad 1", "mine": "mine 3"}
    return Comparison("torch", sides, 1, False, "1", measurements=list(measurements))


def synthetic() -> Comparison:
    """`numpy` takes twice as long in one case and half as long in another; `mine` declines one."""
    return comparison(
        Measurement("add", "elementwise", 8, "torch", 1e-6, 2e-6),
        Measurement("add", "elementwise", 8, "numpy", 2e-6, 0.25, Ratio.of([2, 2, 2], [1, 1, 1])),
        Measurement("add", "elementwise", 8, "mine", problem="declined: not today"),
        Measurement("add", "elementwise", 4096, "torch", 1e-3, 1e-3),
        Measurement("add", "elementwise", 4096, "numpy", 5e-4, 5e-4, Ratio.of([1, 1], [2, 2])),
        Measurement("add", "elementwise", 4096, "mine", 4e-3, 4e-3, Ratio(4, 3, 5)),
    )


def test_a_ratio_is_the_median_over_rounds_with_its_quartiles() -> None:
    # The machine slows down by half in the last two rounds: both sides do.
    mine, reference = [2.0, 2.2, 1.8, 4.0, 4.4], [1.0, 1.0, 1.0, 2.0, 2.0]
    assert Ratio.of(mine, reference) == Ratio(2.0, 2.0, 2.2)
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)


def shown(run: Comparison, width: int = 200) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        print_tables(console, run)
    return captured.get()


def test_the_table_shows_times_ratios_problems_first_calls_and_means() -> None:
    lines = [line.split() for line in shown(synthetic()).splitlines()]
    first = ["add", "8", "1.00", "µs", "2.00", "µs", "2.00×", "(2.00×", "to", "2.00×)"]
    assert [*first, "declined:", "not", "today"] in lines
    second = ["4K", "1.00", "ms", "500", "µs", "0.50×", "(0.50×", "to", "0.50×)"]
    assert [*second, "4.00", "ms", "4.00×", "(3.00×", "to", "5.00×)"] in lines
    assert ["add", "1.00", "µs", "250", "ms", "-"] in lines
    assert ["numpy", "2.00×", "0.50×", "1.00×", "1", "of", "2", "0", "0"] in lines
    assert ["mine", "-", "4.00×", "4.00×", "0", "of", "1", "1", "0"] in lines


def test_the_table_leaves_quartiles_out_where_it_has_no_room() -> None:
    said = shown(synthetic(), width=90)
    assert "2.00×" in said
    assert "to" not in said.split()
    assert max(map(len, said.splitlines())) <= 90


def test_an_earlier_result_can_be_shown_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "a.json", tmp_path / "a.png"
    file.write_text(json.dumps({KEY: synthetic().as_dict()}), encoding="utf-8")
    assert read(file) == synthetic()
    page = tmp_path / "a.md"
    assert main(["--report", str(file), "--picture", str(picture), "--page", str(page)]) == 0
    assert "declined: not today" in capsys.readouterr().out
    assert picture.read_bytes().startswith(PNG)
    assert "](a.png)" in page.read_text(encoding="utf-8")


def test_without_matplotlib_the_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    file = tmp_path / "a.json"
    file.write_text(json.dumps({KEY: synthetic().as_dict()}), encoding="utf-8")
    assert main(["--report", str(file)]) == 0
    assert "No picture: it needs matplotlib (pip install 'plugrad[bench]')." in (
        capsys.readouterr().out
    )


# What is measured.


@pytest.mark.parametrize(
    ("text", "size", "label"),
    [("8", 8, "8"), ("4K", 4096, "4K"), ("4m", 4 * 1024**2, "4M"), ("large", 4 * 1024**2, "4M")],
)
def test_sizes_are_numbers_or_names(text: str, size: int, label: str) -> None:
    assert parse_size(text) == size
    assert size_label(size) == label


@pytest.mark.parametrize("power", range(2, 25))
def test_shapes_hold_as_many_elements_as_asked_for(power: int) -> None:
    for shape in (square, images, heads):
        assert math.prod(shape(2**power)) == 2**power
        assert 2**power <= math.prod(shape(2**power + 1)) <= 2**power + 1


@pytest.mark.parametrize("case", operator_cases(None, [8, 64]), ids=lambda case: case.name)
def test_every_row_runs(case: Any) -> None:
    function, operands = case.prepare(open_side("numpy", threads=1))
    found = function(*operands)
    for each in found if isinstance(found, tuple) else (found,):
        assert each.numel() > 0
        assert each.double().isfinite().all()


@pytest.mark.parametrize("case", step_cases(), ids=lambda case: case.name)
def test_a_training_step_lowers_the_loss(case: Any) -> None:
    step, operands = case.prepare(open_side("numpy", threads=1))
    losses = [step(*operands).item() for _ in range(4)]
    assert losses[-1] < losses[0]


def test_both_sides_get_the_same_operands() -> None:
    side = open_side("numpy", threads=1)
    one, other = Inputs(side), Inputs(side)
    assert one.normal(3).tolist() == other.normal(3).tolist()
    assert one.below(9, 3).tolist() == other.below(9, 3).tolist()


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in operator_cases(None, [8]) + step_cases()]
    assert len(set(names)) == len(names) == sum(map(len, ROWS.values())) + len(STEPS)


def test_the_digits_cnn_is_that_of_the_training_command() -> None:
    [step] = [step for step in STEPS if step.label.startswith("digits")]
    assert repr(step.model(open_side("numpy", threads=1).xp)) == repr(cnn())


def test_the_page_says_everything_and_first_where_a_side_is_slower(tmp_path: Path) -> None:
    picture, page = tmp_path / "pictures" / "bench.png", tmp_path / "bench.md"
    write_page(synthetic(), page, picture)
    said = page.read_text(encoding="utf-8")
    assert "![Ratios by operator, size and side](pictures/bench.png)" in said
    assert (
        "| add | 8 | 1.00 µs | 2.00 µs, **2.00×** (2.00× to 2.00×) | declined: not today |" in said
    )
    assert "| numpy | 2.00× | 0.50× | 1.00× | 1 of 2 | 0 | 0 |" in said
    assert said.endswith("## Where mine is slower\n\n- 4.00× add of 4K elements\n")


def test_a_page_of_what_is_nowhere_slower_says_so(tmp_path: Path) -> None:
    run = comparison(
        Measurement("add", "elementwise", 8, "numpy", 1e-6, 1e-6, Ratio(0.5, 0.5, 0.5))
    )
    write_page(run, tmp_path / "bench.md")
    said = (tmp_path / "bench.md").read_text(encoding="utf-8")
    assert "## Where numpy is slower\n\nNowhere." in said
    assert "![" not in said


def test_the_machine_is_described_with_what_computes() -> None:
    said = describe_machine()
    assert f"Python {platform.python_version()}" in said
    assert f"numpy {np.__version__}" in said


# The clock.


def test_a_round_ends_when_the_device_is_done() -> None:
    now, asked = [0.0], [0.0]

    def compute() -> None:
        asked[0] += 3.0  # the call returns at once

    def clock() -> float:  # waits
        now[0] += asked[0]
        asked[0] = 0.0
        return now[0]

    call = Call(compute, clock=clock)
    assert call.once()[0] == 3.0
    assert call.round(5) == 3.0
    assert call.calls_in(30.0) == (10, 3.0)


def test_a_device_with_a_queue_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[Any] = []
    backend = sides.backend("numpy")
    resolve = backend.resolve

    def resolve_with_queue(name: str) -> Any:
        return waited.append if name == "synchronize" else resolve(name)

    monkeypatch.setattr(sides, "backend", lambda name: QueueBackend(resolve_with_queue))
    side = open_side("numpy", threads=1)
    assert waited == []
    side.clock()
    assert waited == [None]


class QueueBackend:
    """As much of a backend as a side asks for."""

    distribution = ""

    def __init__(self, resolve: Any) -> None:
        self.resolve = resolve


def test_slow_calls_get_fewer_rounds_but_five() -> None:
    effort = Effort(rounds=41, seconds=0.005, budget=2.0)
    assert effort.rounds_of(0.01) == 41
    assert effort.rounds_of(0.1) == 20
    assert effort.rounds_of(3.0) == 5
