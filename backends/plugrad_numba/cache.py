"""Machine code is kept between processes in the user's cache folder, which may be deleted."""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, final

import llvmlite
import numba
import numpy as np
from numba.core import caching, serialize
from numba.core.compiler import CompileResult

import plugrad_numpy


@final
class DiskCache(caching._Cache):
    """One file per kernel and signature, in a folder per version of everything that shapes the
    code.

    Numba's own cache notices changes of the file that a function is in, but not of those that it
    takes inlined functions from, lies beside the source, and mixes up two signatures that two
    processes save at the same time.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._source = function.__code__.co_filename
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        for file in cache_folder().glob(f"{self._name}-*"):
            file.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        if not self._enabled:
            return None
        target_context.refresh()
        try:
            stored = pickle.loads(self._file(sig, target_context.codegen()).read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError):
            return None  # never saved, or cut off by a full disk: compiled again
        return CompileResult._rebuild(target_context, *stored)

    def save_overload(self, sig: Any, data: Any) -> None:
        if not self._enabled or data.library.has_dynamic_globals:
            return
        file = self._file(sig, data.codegen)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as new:
                new.write(serialize.dumps(data._reduce()))
            os.replace(new.name, file)  # another process sees the old file or the new one whole
        except OSError:
            self.disable()  # a home that cannot be written to: compiled in every process

    def _file(self, sig: Any, codegen: Any) -> Path:
        key = repr((sig, codegen.magic_tuple(), _digest_of(self._source)))
        return cache_folder() / f"{self._name}-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


@cache
def cache_folder() -> Path:
    """Where machine code is kept: `PLUGRAD_CACHE`, or the platform's folder for such things, and in
    it a folder per version of Python, Numba, LLVM, NumPy and this package. It may be deleted.
    """
    versions = (
        f"py{sys.version_info[0]}.{sys.version_info[1]}",
        f"numba{numba.__version__}",
        f"llvmlite{llvmlite.__version__}",
        f"numpy{np.__version__}",
        platform.machine(),
        _digest_of_package(),
    )
    return _user_cache() / "numba" / "-".join(versions)


def _user_cache() -> Path:
    if chosen := os.environ.get("PLUGRAD_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local"
        return Path(local) / "plugrad" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/plugrad"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "plugrad"


@cache
def _digest_of_package() -> str:
    # Kernels take constants from the NumPy backend.
    folders = [Path(each).parent for each in (__file__, plugrad_numpy.__file__)]
    sources = [source for folder in folders for source in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join([source.read_bytes() for source in sources])).hexdigest()[:10]


@cache
def _digest_of(source: str) -> str:
    try:
        return hashlib.sha256(Path(source).read_bytes()).hexdigest()[:10]
    except OSError:
        return ""  # typed in at a prompt: the name alone tells kernels apart
