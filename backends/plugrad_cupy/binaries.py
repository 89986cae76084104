"""CUDA C to machine code, kept on disk for the next process.

`cupy.RawModule` would do both, but compiles everything with -ftz=true: float32 numbers below
1.2e-38, which IEEE arithmetic has, would count as 0. So the compiler is called as CuPy calls it,
without that, and `RawModule` loads what it made.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, cast

import cupy
from cupy.cuda import compiler, nvrtc

# No fast mathematics, nor anything else that changes results.
OPTIONS = ("-std=c++17",)


@cache
def loaded(code: str, architecture: str) -> Any:
    """The module of a source for devices of that compute capability; the current one is one."""
    return cupy.RawModule(path=str(_compiled(code, architecture)))


def _compiled(code: str, architecture: str) -> Path:
    # CuPy's types leave open whether its NVRTC is a module.
    version = repr(cast(Any, nvrtc).getVersion())
    made_from = "\0".join([code, architecture, *OPTIONS, version])
    name = hashlib.sha256(made_from.encode()).hexdigest()[:32]
    target = cache_folder() / f"{name}.cubin"
    if not target.exists():
        binary, _ = compiler.compile_using_nvrtc(code, OPTIONS, filename=f"{name}.cu")
        # Under a name of its own until it is whole: other processes may compile the same.
        handle, scratch = tempfile.mkstemp(dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(binary)
        os.replace(scratch, target)
    return target


@cache
def cache_folder() -> Path:
    """`PLUGRAD_CACHE`, or the user's folder for such things; one for this process where that cannot
    be written. It may be deleted.
    """
    base = os.environ.get("PLUGRAD_CACHE") or os.environ.get("XDG_CACHE_HOME")
    chosen = Path(base) if base else Path.home() / ".cache"
    folder = (chosen if os.environ.get("PLUGRAD_CACHE") else chosen / "plugrad") / "cupy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="plugrad-cupy-"))
