"""NVRTC and `cupy.RawModule` over g++: the same text, compiled for the CPU."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any, final

_HEADER = Path(__file__).with_name("shim.h")
# -fwrapv: CUDA's integers wrap around; no contraction, so that results do not depend on the CPU.
_FLAGS = (
    *("-std=c++17", "-Og", "-fwrapv", "-ffp-contract=off", "-fno-strict-aliasing"),
    *("-shared", "-fPIC", "-x", "c++"),
)
# What a kernel of the shim takes: its arguments, and six sizes: those of the grid and of a block.
_ENTRY = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint))

# Functions by their address, which is what a launch names them by.
functions: dict[int, Any] = {}


def version() -> tuple[int, int]:
    """What the version of NVRTC is otherwise: another one compiles to something else."""
    return 0, zlib.crc32("\0".join([_HEADER.read_text(), *_FLAGS]).encode())


def compiled(code: str) -> bytes:
    """The shared object of a source; raises with the compiler's message."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.so"
        done = subprocess.run(
            ["g++", *_FLAGS, "-", "-o", str(made)],
            input=f'#include "{_HEADER}"\n{code}',
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"g++ refused a CUDA source:\n{done.stderr}")
        return made.read_bytes()


@final
class _Function:
    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


@final
class _Kernel:
    def __init__(self, ptr: int) -> None:
        self.kernel = _Function(ptr)


@final
class RawModule:
    """What `compiled` made, loaded when a function of it is first asked for."""

    def __init__(self, *, path: str) -> None:
        self.file_path = path

    @cached_property
    def _library(self) -> ctypes.PyDLL:
        return ctypes.PyDLL(self.file_path)

    def get_function(self, name: str) -> _Kernel:
        """The kernel of that name."""
        entry = _ENTRY((name, self._library))
        address = ctypes.cast(entry, ctypes.c_void_p).value
        assert address is not None
        functions[address] = entry
        return _Kernel(address)
