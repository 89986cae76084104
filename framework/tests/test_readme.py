"""The README's programs run as they stand, and its second command is the one that is tested."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("program", blocks("python"), ids=["training", "backend", "operator"])
def test_a_program_of_the_readme_runs(program: str, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    command = [sys.executable, "-W", "error", file]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_second_command_is_what_the_ci_runs() -> None:
    second = blocks("sh")[1].strip()
    assert second.endswith("tox")
    ci = CHECKOUT / ".ci/run"
    assert second in ci.read_text(encoding="utf-8").splitlines()
