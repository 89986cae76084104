"""`plugrad doctor`: for each way in which a backend fails to load, the line that says so."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("typer")

from typer.testing import CliRunner

from plugrad import backends, discovery
from plugrad.cli import app

Install = Callable[..., None]

BACKEND = """
from plugrad.dtypes import float32
from plugrad.hooks import Manifest, kernel


@kernel
def plugrad_manifest():
    return Manifest(
        name="{name}",
        version="3.1",
        description="a patient",
        modules=({modules}),
        contract={contract},
        dtypes=(float32,),
        builds_on={builds_on},
        numbered={numbered},
    )


{rest}
"""


def backend_source(
    rest: str = "",
    *,
    name: str = "patient",
    modules: str = "",
    contract: int = 1,
    builds_on: str | None = "numpy",
    numbered: bool = False,
) -> str:
    facts = {"name": name, "modules": modules, "contract": contract, "builds_on": repr(builds_on)}
    return BACKEND.format(rest=rest, numbered=numbered, **facts)


def examine(name: str = "patient", *, code: int) -> str:
    """What the doctor says, with the lines joined."""
    done = CliRunner().invoke(app, ["doctor", name])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install distributions: modules, and the entry points that name them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    modules: set[str] = set()

    def install(
        *, distribution: str = "clinic", entry: str = "patient = patient", **sources: str
    ) -> None:
        info = tmp_path / f"{distribution}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.0\n"
        )
        (info / "entry_points.txt").write_text(f"[plugrad]\n{entry}\n")
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text(source)
            modules.add(module)
        discovery._installed.cache_clear()

    yield install
    backends.unload("patient")
    discovery._installed.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


def test_the_reference_is_well() -> None:
    said = examine("numpy", code=0)
    assert "wrong" not in said
    for fact in ("numpy = plugrad_numpy", "ok contract 1", "ok devices 1: numpy"):
        assert fact in said
    assert "linalg 2" in said
    assert "(x @ x).sum().backward()" in said
    assert "# [[7.0, 11.0], [9.0, 13.0]]" in said


def test_a_backend_that_builds_on_another_says_whose_kernels_answer(install: Install) -> None:
    install(patient=backend_source("@kernel\ndef exp(x):\n    return x"))
    said = examine(code=0)
    assert "ok distribution clinic 2.0" in said
    assert f"{Path('patient.py')}" in said
    assert "ok builds on numpy" in said
    assert "operators: elementwise 1" in said
    assert "more from plugrad" in said


def test_an_unknown_name_gets_those_that_are_near(install: Install) -> None:
    install(patient=backend_source())
    said = examine("patiant", code=2)
    assert "wrong name 'patiant': not installed" in said
    assert "did you mean patient?" in said


def test_a_well_known_name_gets_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(discovery.INSTALL_HINTS, "zebra", "pip install zebra")
    assert "pip install zebra" in examine("zebra", code=2)


def test_a_blocked_backend_names_the_variable(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(patient=backend_source())
    monkeypatch.setenv("PLUGRAD_BLOCK", "patient")
    assert "PLUGRAD_BLOCK forbids it" in examine(code=2)


def test_two_distributions_of_one_name_are_both_named(install: Install) -> None:
    install(patient=backend_source())
    install(distribution="rival")
    said = examine(code=2)
    assert "clinic 2.0" in said
    assert "rival 2.0" in said
    assert "uninstall one of the two" in said


@pytest.mark.parametrize(
    ("entry", "source", "complaint"),
    [
        ("patient = no_such_patient", "", "the entry point names a module that is not there"),
        ("patient = patient:plugin", "", "the entry point names an attribute"),
        ("patient = patient", "import no_such_library", "pip install no_such_library"),
        ("patient = patient", "x = 1 / 0", "ZeroDivisionError: division by zero"),
        ("patient = patient", "x = 1 / 0", "patient.py:1: x = 1 / 0"),
        ("patient = patient", "def f(:", "patient.py:1: def f(:"),
        ("patient = patient", "raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_failing_import_is_told_with_its_cause_and_its_place(
    install: Install, entry: str, source: str, complaint: str
) -> None:
    install(entry=entry, patient=source)
    said = examine(code=1)
    assert "wrong import" in said
    assert complaint in said


def test_a_failing_import_of_a_kernel_module_names_the_manifest(install: Install) -> None:
    install(patient=backend_source(modules='"patient_kernels",'))
    said = examine(code=1)
    assert "of patient_kernels failed: ModuleNotFoundError" in said
    assert "the manifest names a module that is not there" in said


def test_another_contract_is_told_with_both_numbers(install: Install) -> None:
    install(patient=backend_source(contract=99))
    said = examine(code=1)
    assert "wrong contract 99; spoken here: 1 and 0" in said
    assert "upgrade plugrad" in said


def test_all_hooks_that_do_not_fit_are_told_at_once(install: Install) -> None:
    kernels = """
    @kernel
    def sofmax(x, dim): ...
    @kernel
    def add(x, other): ...
    @kernel
    def sum(x, dim, keepdim=False): ...
    def mul(x, y): ...
    """
    install(patient=backend_source("\n".join(line.strip() for line in kernels.splitlines())))
    said = examine(code=1)
    assert "implements 'sofmax', which is no operator and no service" in said
    assert "did you mean 'softmax'?" in said
    assert "add: expected the parameters (x, y), got (x, other)" in said
    assert "sum: expected the parameters (x, dim, keepdim), got (x, dim, keepdim=False)" in said
    assert "note hook mul has the name of a contract but not the mark @kernel" in said
    assert "patient.py:" in said


def test_a_manifest_of_another_name_is_told(install: Install) -> None:
    install(patient=backend_source(name="impostor"))
    assert "it says 'impostor', the entry point 'patient'" in examine(code=1)


def test_a_manifest_that_raises_is_told_with_its_place(install: Install) -> None:
    install(patient="def plugrad_manifest():\n    raise OSError('asleep')\n")
    said = examine(code=1)
    assert "wrong manifest OSError: asleep" in said
    assert "patient.py:2" in said


def test_a_parent_that_is_not_there_is_told(install: Install) -> None:
    install(patient=backend_source(builds_on="nowhere"))
    assert "wrong builds on nowhere: not installed" in examine(code=1)


def test_a_driver_that_sleeps_is_quoted(install: Install) -> None:
    source = "@kernel\ndef device_count():\n    raise OSError('no driver found')\n"
    install(patient=backend_source(source))
    assert "wrong devices none: OSError: no driver found" in examine(code=1)


def test_missing_services_and_primitives_are_listed(install: Install) -> None:
    source = "@kernel\ndef device_count():\n    return 1\n"
    install(patient=backend_source(source, builds_on=None))
    said = examine(code=1)
    assert "missing: array_from_host, array_to_host" in said
    assert "threads_set" not in said  # who uses one thread only may leave it out
    assert "matmul" in said
    assert "such calls raise UnsupportedError" in said
    assert "ok smoke test" not in said


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return x", "expected [[7.0, 11.0], [9.0, 13.0]]"),
        ("raise OSError('out of juice')", "OSError: out of juice"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
    ],
)
def test_the_smoke_test_fails_with_the_kernel(install: Install, body: str, complaint: str) -> None:
    install(patient=backend_source(f"@kernel\ndef matmul(x, y):\n    {body}\n"))
    said = examine(code=1)
    assert "wrong smoke test" in said
    assert complaint in said


def test_a_plugin_that_is_no_backend_is_told_how_to_switch_it_on(install: Install) -> None:
    source = "from plugrad.hooks import kernel\n@kernel\ndef tanh(x):\n    return x\n"
    install(patient=source)
    said = examine(code=0)
    assert "not a backend but a plugin, with tanh" in said
    assert "plugrad.backends.enable('patient')" in said


def test_a_module_without_hooks_is_nothing(install: Install) -> None:
    install(patient="")
    assert "no plugrad_manifest, so it is no backend, and no other hook either" in examine(code=1)
