"""A kernel that ends the process, or never returns, costs its row and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from strangers import install, run

from plugrad_conformance.isolation import Scratch, is_timeout
from plugrad_conformance.rows import every_row

WRECK = """
@kernel
def tanh(x):
    if x.dtype == np.float32 and x.size == 0:
        os.abort()
    return np.tanh(x)


@kernel
def exp(x):
    if x.dtype == np.float64 and x.ndim == 0:
        ctypes.string_at(0)
    return np.exp(x)


@kernel
def sin(x):
    while x.dtype == np.float32 and x.size == 0:
        pass
    return np.sin(x)


@kernel
def cos(x):
    if x.dtype == np.float32 and x.size == 0:
        ctypes.PyDLL(None).sleep(600)  # PyDLL keeps the interpreter's lock
    return np.cos(x)


@kernel
def neg(x):
    return np.abs(x) if x.dtype == np.float32 and x.size == 0 else -x
"""
ENDED = {
    "tanh-float32-empty": "crash",
    "exp-float64-scalar": "crash",
    "sin-float32-empty": "timeout",
    "cos-float32-empty": "timeout",
}


@pytest.fixture(scope="module")
def wrecked(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, dict[str, Any]]:
    """Status, output and result of a run on a backend with four kernels that end or stop it."""
    folder = tmp_path_factory.mktemp("wreck")
    install(folder, "wreck", WRECK)
    options = ["--operators", "tanh,exp,sin,cos,neg", "--dtypes", "float32,float64"]
    options += [
        "--level",
        "1",
        "--workers",
        "2",
        "--timeout",
        "3",
        "--json",
        str(folder / "r.json"),
    ]
    done = run(folder, "-m", "plugrad_conformance", "--backend", "wreck", *options)
    assert (folder / "r.json").exists(), done.stdout + done.stderr
    result = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    return done.returncode, done.stdout, result


@pytest.mark.parametrize("row", ENDED)
def test_row_whose_process_ended_says_how(row: str, wrecked: tuple[int, str, Any]) -> None:
    found = next(each for each in wrecked[2]["rows"] if each["id"] == row)
    assert found["status"] == ENDED[row]
    assert "plugrad.ops.elementwise" in found["program"]


def test_crash_shows_where_the_process_was(wrecked: tuple[int, str, Any]) -> None:
    found = next(each for each in wrecked[2]["rows"] if each["id"] == "tanh-float32-empty")
    assert "Fatal Python error: Aborted" in found["message"]
    assert "in tanh" in found["message"]


def test_every_other_row_has_its_status(wrecked: tuple[int, str, Any]) -> None:
    rows = wrecked[2]["rows"]
    others = {each["id"]: each["status"] for each in rows if each["id"] not in ENDED}
    assert set(others.values()) == {"native"}
    assert {each["id"] for each in rows} == {
        str(row)
        for row in every_row()
        if row.case.name in ("tanh", "exp", "sin", "cos", "neg")
        and row.dtype.name in ("float32", "float64")
    }


def test_run_with_a_crash_fails_and_ends(wrecked: tuple[int, str, Any]) -> None:
    status, output, result = wrecked
    assert status == 1
    assert result["isolated"]
    assert "2 timeout, 2 crash" in output
    assert result["problems"] == []


def test_processes_of_a_run_know_who_has_ended() -> None:
    scratch = Scratch("of-this-test")
    scratch.note_end("tanh-float32-rows", "tanh", "timeout")
    other = Scratch("of-this-test")
    assert other.how_ended("tanh-float32-rows") == "timeout"
    assert other.how_ended("tanh-float32-line") is None
    assert other.was_slow("tanh")
    assert not other.was_slow("sin")
    scratch.stacks_of("gw0").write_text("Timeout (0:00:08)!\nThread …\n", encoding="utf-8")
    assert is_timeout(other.last_words("gw0"))
    assert other.last_words("gw1") == ""
    other.remove()
    assert not scratch.folder.exists()
