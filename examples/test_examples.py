"""Each example in a shortened form: a few steps, from the command line, and its picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SCRIPTS = sorted(
    path.stem for path in FOLDER.glob("*.py") if path.stem not in ("common", Path(__file__).stem)
)


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(FOLDER / f"{script}.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("script", SCRIPTS)
def test_example_trains_and_draws_its_picture(script: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws pictures")
    done = run(script, "--steps", "2", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "step 2/2: loss" in done.stdout
    picture = tmp_path / f"{script}.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_examples_say_what_is_wrong_with_an_option() -> None:
    done = run(SCRIPTS[0], "--steps", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
