"""`plugrad new-backend`: what it writes is whole, tidy, and a backend from the first minute."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("typer")

from typer.testing import CliRunner

import plugrad as pg
from plugrad import backends, discovery, ops
from plugrad.cli import app
from plugrad.contracts import operators as contracts
from plugrad.hooks import CONTRACT_VERSION, Services

NAME = "fresh_one"
PACKAGE = f"plugrad_{NAME}"
PRIMITIVES = [name for name in contracts if ops.operators[name].body is None]


def call(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new backend's folder; nobody changes it."""
    folder = tmp_path_factory.mktemp("into")
    call("new-backend", NAME, "--into", folder)
    return folder / "plugrad-fresh-one"


@pytest.fixture
def installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The backend on the path, with the entry point that its pyproject states."""
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    lines = [f"{k} = {v}" for k, v in metadata["entry-points"]["plugrad"].items()]
    info = project / f"{PACKAGE}-0.1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {metadata['name']}\nVersion: 0\n")
    (info / "entry_points.txt").write_text("\n".join(["[plugrad]", *lines]))
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.setenv("PYTHONPATH", str(project), prepend=os.pathsep)
    discovery._installed.cache_clear()
    yield project
    backends.unload(NAME)
    discovery._installed.cache_clear()
    for module in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[module]


def functions_of(project: Path) -> dict[str, ast.FunctionDef]:
    """Every function that the package defines, by name; none is defined twice."""
    found: dict[str, ast.FunctionDef] = {}
    for file in sorted((project / PACKAGE).glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                assert node.name not in found
                found[node.name] = node
    return found


def test_every_primitive_has_a_kernel_with_the_contract_s_signature_and_words(
    project: Path,
) -> None:
    written = functions_of(project)
    assert len(PRIMITIVES) > 80
    for name in PRIMITIVES:
        operator = ops.operators[name]
        node = written[name]
        assert [each.arg for each in node.args.args] == [*operator.tensors, *operator.parameters]
        assert ast.get_docstring(node) == operator.doc
        assert [ast.unparse(each) for each in node.decorator_list] == ["kernel"]


def test_a_kernel_s_body_is_one_line_that_delegates(project: Path) -> None:
    written = functions_of(project)
    for name in PRIMITIVES:
        docstring, statement = written[name].body
        assert isinstance(docstring, ast.Expr)
        assert isinstance(statement, ast.Return)
        parameters = ", ".join(each.arg for each in written[name].args.args)
        assert ast.unparse(statement) == f"return reference.{name}({parameters})"


def test_services_that_the_reference_has_are_there(project: Path) -> None:
    written = functions_of(project)
    reference = backends.backend("numpy")
    named = [name for name, each in vars(Services).items() if inspect.isfunction(each)]
    assert {name for name in named if reference.resolve(name)} == set(named) & set(written)


def test_operators_with_a_body_are_listed_where_their_kernels_would_stand(project: Path) -> None:
    for family, contract in (
        ("activation", "softmax(x, dim)"),
        ("linalg", "linear(x, weight, bias)"),
        ("optimizer", "sgd_step(params, grads, momenta, lr,"),
    ):
        assert contract in (project / PACKAGE / f"{family}.py").read_text()


def test_kernels_that_hide_python_s_own_functions_are_named(project: Path) -> None:
    text = (project / PACKAGE / "reduction.py").read_text()
    assert (
        "In this file `sum`, `any` and `all` are kernels; Python's own are in `builtins`." in text
    )


def test_the_contract_is_stated_as_a_number(project: Path) -> None:
    # Were it `CONTRACT_VERSION`, an old backend would claim whatever plugrad speaks today.
    assert f"contract={CONTRACT_VERSION}," in (project / PACKAGE / "__init__.py").read_text()


def test_it_computes_and_trains_at_once(installed: Path) -> None:
    x = pg.tensor([[1.0, 2.0], [3.0, 4.0]], device=NAME, requires_grad=True)
    model = pg.nn.Sequential(pg.nn.Linear(2, 3), pg.nn.LayerNorm(3), pg.nn.Softmax(1)).to(NAME)
    optimizer = pg.optim.Adam(model.parameters())
    before = model[0].weight.tolist()
    pg.nn.functional.cross_entropy(model(x), pg.tensor([0, 2], device=NAME)).backward()
    optimizer.step()
    assert x.grad is not None
    assert x.grad.device == pg.device(NAME)
    assert model[0].weight.tolist() != before
    assert backends.backend(NAME).origins[f"{PACKAGE}.linalg"] == "plugrad-fresh-one 0"


def test_the_doctor_finds_nothing_wrong(installed: Path) -> None:
    said = call("doctor", NAME)
    assert "wrong" not in said
    assert f"{len(PRIMITIVES)} of {len(contracts)} operators" in said


def test_the_kit_passes_and_fails_with_the_kernel(installed: Path, tmp_path: Path) -> None:
    command = [*(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs")]
    command += ["plugrad_conformance", "--backend", NAME, "-k", "test_values_are and float32-rows"]
    command += ["-p", "no:xdist"]
    pytest.importorskip("plugrad_conformance")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    file = installed / PACKAGE / "elementwise.py"
    whole = file.read_text()
    try:
        file.write_text(whole.replace("reference.tanh(x)", "reference.tanh(x) * 1.001"))
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    finally:
        file.write_text(whole)
    assert done.returncode == 1
    assert "tanh-float32-rows" in done.stdout


@pytest.mark.parametrize("question", [["check"], ["format", "--check"]])
def test_the_code_is_tidy_by_its_own_rules(project: Path, question: list[str]) -> None:
    pytest.importorskip("ruff")
    command = [sys.executable, "-m", "ruff", *question, "--no-cache", "--isolated"]
    command += ["--config", str(project / "pyproject.toml")]
    command.remove("--isolated")
    done = subprocess.run([*command, "."], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_mark_of_the_template_is_left(project: Path) -> None:
    files = [each for each in project.rglob("*") if each.is_file() and each.suffix != ".pyc"]
    assert {each.name for each in files} >= {"pyproject.toml", "tox.ini", "README.md", "py.typed"}
    for file in files:
        assert "$" not in file.read_text(), file


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("two-words", "expected an identifier"),
        ("Mine", "expected an identifier"),
        ("9lives", "expected an identifier"),
        ("mine_", "expected an identifier"),
        ("größe", "expected an identifier"),
        ("../up", "expected an identifier"),
        ("meta", "other than cpu and meta"),
        ("cpu", "other than cpu and meta"),
        ("numpy", "not taken, got the backend or plugin 'numpy'"),
        ("cuda", "not taken, got the backend or plugin 'cuda'"),
        ("conformance", "not taken, got the package plugrad_conformance"),
    ],
)
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    assert complaint in call("new-backend", name, "--into", tmp_path, code=2)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "plugrad-mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("precious")
    said = call("new-backend", "mine", "--into", tmp_path, code=2)
    assert "expected one whose folder does not exist yet" in said
    assert [each.name for each in folder.iterdir()] == ["notes.txt"]


def test_the_folder_to_write_into_must_exist(tmp_path: Path) -> None:
    said = call("new-backend", "mine", "--into", tmp_path / "nowhere", code=2)
    assert "expected an existing folder" in said
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def full_disk(self: Path, *arguments: str, **named: str) -> int:
        if self.name == "linalg.py":
            raise OSError(28, "No space left on device")
        return write(self, *arguments, **named)

    monkeypatch.setattr(Path, "write_text", full_disk)
    done = CliRunner().invoke(app, ["new-backend", "mine", "--into", str(tmp_path)])
    assert isinstance(done.exception, OSError)
    assert list(tmp_path.iterdir()) == []
