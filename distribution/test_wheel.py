"""What people install: built from the checkout, put into fresh environments, used outside of it.

Each environment gets its packages from the index that pip is set up for.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
VERSION = runpy.run_path(str(CHECKOUT / "framework/plugrad/_version.py"))["__version__"]
PACKAGES = {
    package.name: package
    for root in ("framework", "backends", "conformance", "benchmarks")
    for package in (CHECKOUT / root).glob("plugrad*")
    if (package / "__init__.py").exists()
}
BIN = "Scripts" if os.name == "nt" else "bin"


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout's paths; its output, or a failure that shows it."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def fresh_environment(folder: Path, *requirement: str | Path) -> Path:
    """A new virtual environment with that requirement; the folder of its programs."""
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / BIN
    call(programs / "python", "-m", "pip", "install", "--quiet", *requirement, cwd=folder)
    return programs


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel; the wheel is built from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    call(sys.executable, "-m", "build", "--outdir", folder, CHECKOUT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def sdist_names(built: Path) -> set[str]:
    with tarfile.open(built / f"plugrad-{VERSION}.tar.gz") as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return built / f"plugrad-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def shipped(package: Path) -> set[str]:
    """Every file that belongs to an import package, relative to the folder that holds it."""
    return {
        file.relative_to(package.parent).as_posix()
        for file in package.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_the_wheel_holds_every_file_of_every_import_package(wheel_names: set[str]) -> None:
    assert {"plugrad", "plugrad_numpy", "plugrad_conformance"} <= set(PACKAGES)
    expected = set().union(*map(shipped, PACKAGES.values()))
    assert expected - wheel_names == set()
    assert {f"{name}/py.typed" for name in PACKAGES} <= wheel_names
    assert {"plugrad/datasets/digits.bin.xz", "plugrad/datasets/digits.LICENSE.txt"} <= wheel_names


def test_the_wheel_puts_nothing_generic_into_site_packages(wheel_names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_names}
    assert tops == {*PACKAGES, f"plugrad-{VERSION}.dist-info"}
    assert f"plugrad-{VERSION}.dist-info/licenses/LICENSE" in wheel_names


def test_the_sdist_holds_what_its_tests_need(sdist_names: set[str]) -> None:
    needed = {
        *("pyproject.toml", "tox.ini", ".ci/run", "README.md", "LICENSE"),
        *("framework/tests/test_floors.py", "distribution/test_wheel.py"),
    }
    assert needed - sdist_names == set()
    assert "framework/plugrad/datasets/digits.bin.xz" in sdist_names


def test_the_installed_wheel_trains_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    programs = fresh_environment(tmp_path, wheel)
    call(programs / "python", "-m", "pip", "check", cwd=tmp_path)
    where = "import plugrad; print(plugrad.__version__, plugrad.__file__)"
    version, _, file = call(programs / "python", "-c", where, cwd=tmp_path).strip().partition(" ")
    assert version == VERSION
    assert Path(file).is_relative_to(tmp_path / "venv")
    said = call(
        programs / "plugrad", "train", "digits", "--epochs", "1", "--out", "run", cwd=tmp_path
    )
    assert "accuracy" in said
    assert any((tmp_path / "run").iterdir())


def test_an_editable_install_imports_the_checkout(tmp_path: Path) -> None:
    programs = fresh_environment(tmp_path, "--editable", CHECKOUT)
    for name, package in PACKAGES.items():
        # Found, not imported: the kit needs pytest, which a plain install does not bring.
        find = f"import importlib.util as u; print(u.find_spec({name!r}).origin)"
        file = call(programs / "python", "-c", find, cwd=tmp_path).strip()
        assert Path(file) == package / "__init__.py"
    assert "numpy" in call(programs / "plugrad", "backends", cwd=tmp_path)
