"""Runs as a backend's author starts them: what they show, what they write, when they fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from strangers import install, run

SOUND = """
@kernel
def tanh(x):
    return np.tanh(x)
"""


def rows_of(path: Path) -> dict[str, dict[str, Any]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    return {row["id"]: row for row in document["rows"]}


# the command --------------------------------------------------------------------------------------


def test_command_proves_a_backend_from_an_empty_folder(tmp_path: Path) -> None:
    install(tmp_path, "sound", SOUND)
    options = ["--operators", "tanh,neg", "--dtypes", "float32", "--level", "2", "--workers", "1"]
    files = ["--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html")]
    empty = tmp_path / "empty"
    done = run(tmp_path, "-m", "plugrad", "conformance", "sound", *options, *files, cwd=empty)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert list(empty.iterdir()) == []
    rows = rows_of(tmp_path / "r.json")
    assert {row["status"] for row in rows.values() if row["operator"] == "tanh"} == {"native"}
    assert {row["status"] for row in rows.values() if row["operator"] == "neg"} == {"inherited"}
    assert rows["tanh-float32-rows"]["by"] == "plugrad_sound.kernels"
    assert rows["tanh-float32-rows"]["achieved"] <= rows["tanh-float32-rows"]["allowed"]
    assert "all that was asked is right" in done.stdout
    assert "<title>plugrad conformance: sound</title>" in (tmp_path / "r.html").read_text("utf-8")


def test_command_ends_with_the_reason_of_a_backend_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "plugrad_bomb").mkdir()
    install(tmp_path / "more", "bomb")
    for file in (tmp_path / "more").iterdir():
        if file.suffix == ".dist-info":
            file.rename(tmp_path / file.name)
    (tmp_path / "plugrad_bomb" / "__init__.py").write_text("import os\nos.abort()\n")
    done = run(tmp_path, "-m", "plugrad_conformance", "--backend", "bomb")
    assert done.returncode == 4
    assert "loading it ended the process" in done.stderr
    done = run(tmp_path, "-m", "plugrad_conformance", "--backend", "abacus")
    assert done.returncode == 4
    assert "not installed" in done.stderr


def test_command_refuses_what_does_not_exist(tmp_path: Path) -> None:
    common = ("-m", "plugrad_conformance", "--backend", "numpy")
    for options, complaint in (
        (("--operators", "sofmax"), "did you mean softmax"),
        (("--level", "9"), "invalid choice"),
        (("--against", "0"), "expected 1 to"),
    ):
        done = run(tmp_path, *common, *options)
        assert done.returncode == 2, done.stdout + done.stderr
        assert complaint in done.stderr


def test_results_of_several_runs_make_one_page(tmp_path: Path) -> None:
    install(tmp_path, "sound", SOUND)
    common = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark", "--level", "1"]
    common += ["--pyargs", "plugrad_conformance", "--operators", "tanh", "--dtypes", "float32"]
    for name in ("numpy", "sound"):
        path = str(tmp_path / f"{name}.json")
        done = run(tmp_path, *common, "--backend", name, "--conformance-json", path)
        assert done.returncode == 0, done.stdout
        assert "not isolated" in done.stdout
    paths = [str(tmp_path / f"{name}.json") for name in ("numpy", "sound")]
    page = tmp_path / "page.html"
    options = ["--report", *paths, "--html", str(page)]
    done = run(tmp_path, "-m", "plugrad_conformance", *options)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert text.count('data-family="elementwise"') == 2
    done = run(tmp_path, "-m", "plugrad_conformance", "--report", str(page))
    assert done.returncode == 2
    assert "no result of the conformance kit" in done.stderr


def test_every_field_of_the_result_is_in_the_readme(claims: Any) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    document = claims[1]
    fields = {*document, *document["backend"], *document["contract"], *document["score"]}
    fields |= {*document["selection"]}
    fields |= {name for entry in (*document["rows"], *document["checks"]) for name in entry}
    assert {name for name in fields if f"`{name}`" not in text} == set()


# the denominator ----------------------------------------------------------------------------------

THIEF = """
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "tanh-float32-line" not in item.nodeid]
"""


def test_rows_that_vanish_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "thief.py").write_text(THIEF, encoding="utf-8")
    options = ["-p", "thief", "-p", "no:cacheprovider", "-p", "no:benchmark", "--level", "1"]
    options += ["--operators", "tanh", "--conformance-json", str(tmp_path / "r.json")]
    done = run(tmp_path, "-m", "pytest", "--pyargs", "plugrad_conformance", *options)
    assert done.returncode == 1
    assert "1 of" in done.stdout
    assert "rows were never asked: tanh-float32-line" in done.stdout
    assert rows_of(tmp_path / "r.json")["tanh-float32-line"]["status"] == "fail"


# the manifest -------------------------------------------------------------------------------------

CLAIMS = """
@kernel
def tanh(x):
    if x.dtype == np.float16:
        raise UnsupportedError("tanh", "x", expected="another dtype", got=x.dtype)
    return np.tanh(x)


@kernel
def exp(x):
    return np.exp(x)


@kernel
def neg(x):
    if x.dtype == np.float32:
        raise UnsupportedError("neg", "x", expected="another dtype", got=x.dtype)
    return -x


@kernel
def floor(x):
    np.floor(x)
"""
MANIFEST = (
    "dtypes=tuple(d for d in dtypes.ALL if not d.is_complex), "
    "computes=tuple(d for d in dtypes.ALL if not d.is_complex and d is not dtypes.float16), "
    "features=()"
)


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """Output and result of a run on a backend that stores no complex numbers, and does not claim to
    compute in halves.
    """
    folder = tmp_path_factory.mktemp("claims")
    install(folder, "claims", CLAIMS, manifest=MANIFEST)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:benchmark", "--level", "1"]
    options += ["--backend", "claims", "--operators", "tanh,exp,neg,floor"]
    path = folder / "r.json"
    options += ["--conformance-json", str(path)]
    done = run(folder, "-m", "pytest", "--pyargs", "plugrad_conformance", *options)
    assert done.returncode == 1, done.stderr
    return done.stdout, json.loads(path.read_text(encoding="utf-8"))


def status(result: Any, row: str) -> str:
    return next(each["status"] for each in result["rows"] if each["id"] == row)


def test_dtype_that_is_not_stored_must_be_refused(claims: Any) -> None:
    assert status(claims[1], "tanh-complex64-rows") == "unsupported"


def test_dtype_that_is_not_claimed_may_be_refused(claims: Any) -> None:
    assert status(claims[1], "tanh-float16-rows") == "unsupported"


def test_dtype_that_is_claimed_may_not_be_refused(claims: Any) -> None:
    assert status(claims[1], "neg-float32-rows") == "fail"
    assert status(claims[1], "neg-float64-rows") == "native"


def test_what_works_without_a_claim_is_said(claims: Any) -> None:
    assert status(claims[1], "exp-float16-rows") in ("native", "fail")
    notes = "\n".join(claims[1]["notes"])
    assert "under-claimed: the manifest does not claim to compute in float16" in notes


def test_kernel_that_always_declines_is_a_failure(claims: Any) -> None:
    wrong = [check["id"] for check in claims[1]["checks"] if check["status"] == "fail"]
    assert wrong == ["contract.kernel_answers_some_row[floor]"]
    assert status(claims[1], "floor-float32-rows") == "inherited"
