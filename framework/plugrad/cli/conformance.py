"""`plugrad conformance`: hands its options to the kit, which is a package of its own and needs more
than plugrad does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from plugrad.cli.complaints import MISUSED, complain

_NEEDED = {
    "plugrad_conformance": "the kit itself",
    "pytest": "pytest",
    "xdist": "pytest-xdist",
    "pytest_timeout": "pytest-timeout",
    "numpy": "numpy",
    "ml_dtypes": "ml_dtypes",
}


def run_conformance(
    backend: str | None, options: dict[str, object], report: Sequence[Path] = ()
) -> int:
    """Run the kit on a backend, or let it draw the results of earlier runs; returns its status."""
    missing = [title for module, title in _NEEDED.items() if find_spec(module) is None]
    if missing:
        complain(
            f"the conformance kit is not installed: {', '.join(missing)} missing; "
            "pip install 'plugrad[conformance]'"
        )
        return MISUSED
    arguments: list[str] = []
    if report:
        arguments += ["--report", *map(str, report)]
    if backend is not None:
        arguments += ["--backend", backend]
    for name, value in options.items():
        if value is True:
            arguments.append(name)
        elif value is not None and value is not False:
            arguments += [name, str(value)]
    return subprocess.call([sys.executable, "-m", "plugrad_conformance", *arguments])
