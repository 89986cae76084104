"""The CUDA sources compile for GPUs that are not here, and no kernel of them spills registers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from compile_report import ARCHITECTURES, NO_COMPILER, jobs, modules

_SCRIPT = Path(__file__).with_name("compile_report.py")


@pytest.mark.timeout(900)
def test_every_source_compiles_for_every_architecture_without_spills(
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = subprocess.run(
        [sys.executable, str(_SCRIPT)], capture_output=True, text=True, check=False
    )
    if done.returncode == NO_COMPILER:
        pytest.skip(done.stdout.strip())
    with capsys.disabled():
        sys.stdout.write(f"\n{done.stdout}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_part_of_every_source_is_compiled_for_every_architecture() -> None:
    compiled = {(module.file, module.part, on) for module, on in jobs(everything=False)}
    parts = {(module.file, module.part) for module in modules()}
    assert compiled == {(*part, on) for part in parts for on in ARCHITECTURES}
