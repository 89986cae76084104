"""Runs the conformance kit on the CUDA backend where there is no GPU: over the stand-in for CuPy,
with the CUDA C sources compiled for the CPU by g++.

    python backends/tests/conformance_standin.py [options of `python -m plugrad_conformance`]

Without options: every operator and its gradients (levels 0 to 2) in the dtypes of `DTYPES`; with
`--level 2` alone, in all of them. What comes out says that the backend's Python, and each kernel's
arithmetic, are right. It says nothing of a GPU: every line is marked, and no result is written to a
file. Exit status 0 without g++: what a machine lacks is no fault of the backend.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

STANDIN = Path(__file__).parent / "standin"
BANNER = "stand-in for cupy: NOT CUDA, NumPy on the CPU"
# One of each way of computing: in itself, in float32, wrapping around.
DTYPES = "float32,bfloat16,int64"
_WRITES = ("--json", "--html", "--report", "--update-expectations")


def environment() -> dict[str, str]:
    """The environment of a process whose `cupy` is the stand-in.

    Each call waits for the device, so that a position outside of its axis is an error of the call,
    as the kit asks; without it the error comes when the host next waits.
    """
    path = [str(STANDIN), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "CUDA_LAUNCH_BLOCKING": "1"}


def main(arguments: Sequence[str]) -> int:
    """Run the kit; returns its exit status."""
    if any(argument.split("=")[0] in _WRITES for argument in arguments):
        print(f"{BANNER}: a result of it is not kept", file=sys.stderr)
        return 2
    if shutil.which("g++") is None:
        print(f"{BANNER}: skipped, there is no g++ to compile with")
        return 0
    print(BANNER, flush=True)
    options = arguments or ["--level", "2", "--dtypes", DTYPES]
    command = [sys.executable, "-m", "plugrad_conformance", "--backend", "cuda", *options]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as kit:
        for line in kit.stdout or ():
            print(f"stand-in | {line}", end="", flush=True)
    print(f"{BANNER}: nothing above was computed by a GPU", flush=True)
    return kit.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
