"""A backend's expectations: what the file must say, and that none of it is silent."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from strangers import install, run

from plugrad_conformance import expectations
from plugrad_conformance.expectations import Expectation, ExpectationError, Expectations

# the file -----------------------------------------------------------------------------------------

BUG = '[[expect]]\nkind = "bug"\nrows = ["neg-float32-rows"]\nraises = "MismatchError"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / expectations.FILE
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[expect]", "Expected"),
        ("schema = 2", "schema = 1"),
        ("[[expects]]", "expects"),
        (BUG, "reason: mandatory"),
        (BUG + 'reason = " "', "reason: mandatory"),
        (BUG.replace("bug", "whim") + 'reason = "r"', "kind: expected one of unsupported"),
        (BUG.replace("raises", "# ") + 'reason = "r"', "raises: mandatory"),
        (BUG.replace('["neg-float32-rows"]', "[]") + 'reason = "r"', "rows: expected a list"),
        (BUG + 'reason = "r"\nrow = "x"', "no field row"),
        (BUG + 'reason = "r"\nfactor = 2', "a factor is for tolerances"),
        (BUG.replace("bug", "tolerance") + 'reason = "r"\nfactor = 2', "no `raises`"),
        ('[[expect]]\nkind="tolerance"\nrows=["a"]\nreason="r"\nfactor=0.5', "factor above 1"),
        (BUG + 'reason = "r"\nuntil = "0.2"', "was to last until 0.2; this is 0.2"),
        (BUG + 'reason = "r"\nuntil = "soon"', "until"),
        (BUG.replace("bug", "notyet") + 'reason = "r"\nuntil = "9"', "only a bug has an end"),
    ],
)
def test_file_that_leaves_something_open_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(ExpectationError, match=complaint):
        expectations.read(written(tmp_path, text), "0.2")


def test_no_file_expects_nothing(tmp_path: Path) -> None:
    assert expectations.read(tmp_path / expectations.FILE).entries == ()
    assert expectations.read(None).entries == ()


def test_bug_lasts_until_its_version(tmp_path: Path) -> None:
    path = written(tmp_path, BUG + 'reason = "r"\nuntil = "0.10"')
    assert len(expectations.read(path, "0.9").entries) == 1


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, "# mine\n# to keep\nschema = 1\n")
    entries = (
        Expectation(
            1, "bug", ("neg-float32-rows",), 'says "no" \\ ä', "MismatchError", "a.b", until="2"
        ),
        Expectation(
            2, "tolerance", tuple(f"exp-float32-variant{i}" for i in range(9)), "r", factor=3
        ),
    )
    expectations.write(path, entries)
    assert expectations.read(path, "1").entries == entries
    assert path.read_text(encoding="utf-8").startswith("# mine\n# to keep\n")
    assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 100


def test_entry_speaks_of_exact_ids_only() -> None:
    known = Expectations(
        [Expectation(1, "bug", ("neg-float32-rows",), "r", "MismatchError", "a.b")]
    )
    assert known.of("neg-float32-rows", "a.b")
    assert not known.of("neg-float32-rows", "a.c")
    assert not known.of("neg-float32-row", "a.b")
    assert not known.of("neg-float32", "a.b")


def test_file_lies_beside_the_backend() -> None:
    found = expectations.locate("numpy")
    assert found is not None
    assert found.parent.name == "plugrad_numpy"


# runs ---------------------------------------------------------------------------------------------

FLAWED = """
@kernel
def neg(x):
    return -x if x.dtype != np.float32 or x.shape != (3, 4) else -x + np.float32(1)


@kernel
def tanh(x):
    if x.dtype == np.float64 and x.ndim == 1:
        raise UnsupportedError("tanh", "x", expected="two axes", got=x.shape)
    return np.tanh(x)


@kernel
def exp(x):
    return np.exp(x) * x.dtype.type(1 + 1e-6) if x.dtype == np.float32 else np.exp(x)
"""
EXPECTED = """
# head
[[expect]]
kind = "bug"
rows = ["neg-float32-rows"]
raises = "AssertionError"
reason = "adds one"

[[expect]]
kind = "unsupported"
rows = ["tanh-float64-line"]
raises = "UnsupportedError"
reason = "takes matrices only"

[[expect]]
kind = "tolerance"
rows = ["exp-float32-rows", "exp-float32-line", "exp-float32-large", "exp-float32-scalar"]
factor = 4.0
reason = "an approximation"
"""
OPTIONS = ("--operators", "neg,tanh,exp", "--dtypes", "float32,float64")


def ask(folder: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    """Exit status, output and result of a run without workers."""
    path = folder / "r.json"
    common = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    common += ["--pyargs", "plugrad_conformance", "--backend", "flawed"]
    done = run(folder, *common, *OPTIONS, *options, "--conformance-json", str(path))
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return done.returncode, done.stdout + done.stderr, result


def status(result: dict[str, Any], row: str) -> str:
    return next(each["status"] for each in result["rows"] if each["id"] == row)


def other_shapes_of(row: str) -> str:
    return f'\n[[expect]]\nkind = "bug"\nrows = ["{row}"]\nraises = "MismatchError"\nreason = "r"\n'


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, dict[str, Any], Path]:
    """A run after `--update-expectations` has added what the file above leaves out."""
    folder = tmp_path_factory.mktemp("flawed")
    stale = other_shapes_of("neg-float64-rows") + other_shapes_of("neg-float16-rows")
    install(folder, "flawed", FLAWED, expectations=EXPECTED + stale)
    ask(folder, "--update-expectations")
    return *ask(folder), folder / "plugrad_flawed" / "expectations.toml"


def test_expected_failures_do_not_fail_the_run(mended: Any) -> None:
    code, output, result, _ = mended
    assert code == 0, output
    assert status(result, "neg-float32-rows") == "expected failure"
    assert status(result, "tanh-float64-line") == "unsupported"
    assert status(result, "exp-float32-rows") == "native"
    assert result["score"]["conforms"]


def test_expected_failure_or_wider_tolerance_is_not_strict(mended: Any) -> None:
    assert not mended[2]["score"]["strict"]
    assert mended[2]["expectations"]["tolerance"] == 1


def test_update_drops_what_passes_and_adds_what_fails(mended: Any) -> None:
    text = mended[3].read_text(encoding="utf-8")
    document = tomllib.loads(text)
    rows = [row for entry in document["expect"] for row in entry["rows"]]
    assert "neg-float64-rows" not in rows
    assert "neg-float16-rows" in rows, "a row that was not asked keeps its entry"
    added = [e for e in document["expect"] if e["reason"].startswith(expectations.UNEXPLAINED)]
    assert all(entry["raises"] and entry["question"] for entry in added)
    kept = [entry["reason"] for entry in document["expect"] if entry not in added]
    assert kept == ["adds one", "takes matrices only", "an approximation", "r"]


def test_what_nobody_expected_fails_the_run(tmp_path: Path) -> None:
    stale = (
        other_shapes_of("neg-float64-rows")
        + other_shapes_of("neg-float32-row")
        + other_shapes_of("errors.misuse_raises_the_typed_error_of_old[x]")
    )
    install(tmp_path, "flawed", FLAWED, expectations=EXPECTED + stale)
    code, output, result = ask(tmp_path)
    assert code == 1
    assert status(result, "neg-float64-rows") == "unexpected pass"
    problems = "\n".join(result["problems"])
    assert "nothing is called 'neg-float32-row'" in problems
    assert "nothing is called 'errors.misuse_raises_the_typed_error_of_old[x]'" in problems
    assert "unexpected pass" in output


def test_another_exception_than_the_expected_one_is_a_failure(tmp_path: Path) -> None:
    wrong = EXPECTED.replace('"UnsupportedError"', '"DtypeError"')
    install(tmp_path, "flawed", FLAWED, expectations=wrong)
    _, _, result = ask(tmp_path, "-k", "tanh")
    assert status(result, "tanh-float64-line") == "fail"
    assert any("a part only" in note for note in result["notes"])


def test_expired_expectation_ends_the_run_with_its_place(tmp_path: Path) -> None:
    expired = EXPECTED.replace('reason = "adds one"', 'reason = "adds one"\nuntil = "0.2"')
    install(tmp_path, "flawed", FLAWED, expectations=expired)
    code, output, _ = ask(tmp_path)
    assert code == 4
    assert "was to last until 0.2; this is 0.2" in output
