"""Backends as strangers write them: installed distributions in a folder of their own, for programs
that are started with that folder on their path.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

_PACKAGE = """
from plugrad import dtypes
from plugrad.hooks import CONTRACT_VERSION, Manifest, kernel


@kernel
def plugrad_manifest():
    facts = dict(
        name={name!r},
        version="{name} 0.2",
        description="a stranger's",
        modules=("plugrad_{name}.kernels",),
        contract=CONTRACT_VERSION,
        dtypes=dtypes.ALL,
        builds_on="numpy",
        features=("host memory",),
    )
    facts.update(dict({manifest}))
    return Manifest(**facts)
"""
_KERNELS = """
import ctypes, os
import numpy as np
from plugrad.errors import UnsupportedError
from plugrad.hooks import kernel

np.seterr(all="ignore")  # as a library without warnings would have it
"""


def install(
    folder: Path, name: str, kernels: str = "", *, manifest: str = "", expectations: str = ""
) -> None:
    """Install a backend that builds on NumPy's, with kernels of its own and changes to its
    manifest.
    """
    package = folder / f"plugrad_{name}"
    package.mkdir(parents=True)
    source = _PACKAGE.format(name=name, manifest=manifest)
    (package / "__init__.py").write_text(source, encoding="utf-8")
    (package / "kernels.py").write_text(_KERNELS + dedent(kernels), encoding="utf-8")
    if expectations:
        (package / "expectations.toml").write_text(dedent(expectations), encoding="utf-8")
    facts = folder / f"plugrad_{name}-0.2.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: plugrad-{name}\nVersion: 0.2\n", encoding="utf-8"
    )
    (facts / "entry_points.txt").write_text(
        f"[plugrad]\n{name} = plugrad_{name}\n", encoding="utf-8"
    )


def run(folder: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python with what is installed in a folder, from an empty one."""
    empty = cwd or folder / "empty"
    empty.mkdir(exist_ok=True, parents=True)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "150"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=empty, env=environment, capture_output=True, text=True
    )
