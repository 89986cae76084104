"""Compiles every CUDA source of `plugrad_cupy` for GPUs that need not be there, and prints what the
assembler says of it: kernels, registers, spills.

    python backends/tests/compile_report.py

NVRTC, the compiler that CuPy uses, is preferred (`pip install nvidia-cuda-nvrtc-cu12`), nvcc will
do. sm_90 gets every module in every dtype, the other architectures every module in its costliest
dtypes. Exit status 1: a source does not compile, or a kernel spills registers; 77: no compiler.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

if __name__ in ("__main__", "__mp_main__"):
    # The sources' text needs no CuPy and no device.
    sys.path.insert(0, str(Path(__file__).parent / "standin"))

NO_COMPILER = 77
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
_EVERYTHING_ON = "sm_90"
# As `plugrad_cupy.binaries` and CuPy pass them.
_OPTIONS = ("-std=c++17", "--device-as-default-execution-space")
_COSTLY = ("bfloat16",)


@dataclass(frozen=True)
class Module:
    """One text to compile: its file, what of it, the types, the text."""

    file: str
    part: str
    types: tuple[str, ...]
    text: str


@dataclass
class Report:
    """What the assembler says of one module."""

    architecture: str
    module: Module
    error: str = ""
    seconds: float = 0
    registers: dict[str, int] = field(default_factory=dict)
    spills: dict[str, str] = field(default_factory=dict)


def modules() -> Iterator[Module]:
    """Every module that the backend can make; of those that take two types, typical pairs."""
    from plugrad_cupy import activation, comparison, elementwise, reduction
    from plugrad_cupy.modules import CTYPES, text_of
    from plugrad_cupy.pointwise import Family, kind_of

    def made(file: str, types: tuple[str, ...] = (), lines: str = "", part: str = "") -> Module:
        return Module(file, part, types, text_of(file, types, lines))

    for source in (elementwise, comparison, activation):
        for name, family in vars(source).items():
            if isinstance(family, Family):
                for dtype, ctype in CTYPES.items():
                    if family.is_for(dtype):
                        yield made("elementwise.cu", (ctype,), family.lines(dtype), name)
    for dtype, ctype in CTYPES.items():
        kind = kind_of(dtype)
        yield made("reduction.cu", (ctype,), reduction.lines(dtype))
        files = {
            "bool": ("products",),
            "int": ("products", "pooling", "words"),
            "float": (
                *("softmax", "normalization", "loss", "attention", "sampling", "optimizer"),
                *("scan", "pooling", "averaging", "columns", "gathering"),
            ),
            "complex": ("scan", "columns", "gathering"),
        }[kind]
        for file in files:
            yield made(f"{file}.cu", (ctype,))
        yield made("casting.cu", (ctype, "float16"))
        yield made("casting.cu", ("complex64", ctype))
        yield made("counting.cu", ("double", ctype))
    yield made("counting.cu", ("int64", "int64"))
    yield made("scan.cu", ("int64",))
    yield made("gathering.cu", ("int64",))
    for ctype in ("uint8", "int16", "int32", "int64", "complex128"):
        yield made("strided.cu", (ctype,))
        for count in (1, 2, 3):
            yield made("indexing.cu", (ctype,), f"INDEXING({count})\n", str(count))
    yield made("ordering.cu")


def _sources() -> set[str]:
    from plugrad_cupy.modules import SOURCES

    return {path.name for path in SOURCES.glob("*.cu")}


def compiler() -> Callable[[Module, str], Report] | None:
    """How a module is compiled here, if at all."""
    if _nvrtc_path() is not None:
        return _by_nvrtc
    return _by_nvcc if shutil.which("nvcc") else None


def _nvrtc_path() -> Path | None:
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(folder).glob("**/libnvrtc.so.*"))
        if found:
            return found[-1]
    return None


def _by_nvrtc(module: Module, architecture: str) -> Report:
    library = ctypes.CDLL(str(_nvrtc_path()))
    program = ctypes.c_void_p()
    library.nvrtcCreateProgram(
        ctypes.byref(program), module.text.encode(), module.file.encode(), 0, None, None
    )
    options = [f"-arch={architecture}", "--ptxas-options=-v", *_OPTIONS]
    failed = library.nvrtcCompileProgram(
        program, len(options), (ctypes.c_char_p * len(options))(*map(str.encode, options))
    )
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return _read(module, architecture, log.value.decode(), bool(failed))


def _by_nvcc(module: Module, architecture: str) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / module.file
        source.write_text(module.text)
        options = [f"-arch={architecture}", "-std=c++17", "-Xptxas=-v", "-cubin"]
        done = subprocess.run(
            ["nvcc", *options, str(source), "-o", os.devnull],
            capture_output=True,
            text=True,
            check=False,
        )
    return _read(module, architecture, done.stderr, bool(done.returncode))


def _read(module: Module, architecture: str, log: str, failed: bool) -> Report:
    report = Report(architecture, module)
    if failed:
        report.error = log
        return report
    kernel = function = ""
    for line in log.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            kernel = found[1]
        elif found := re.search(r"Function properties for (\w+)", line):
            function = found[1]
        elif found := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            if found[1] != "0" or found[2] != "0":
                report.spills[function] = f"{found[1]} bytes out, {found[2]} in"
        elif found := re.search(r"Used (\d+) registers", line):
            report.registers[kernel] = int(found[1])
    return report


def compile_one(job: tuple[Module, str]) -> Report:
    """One module for one architecture."""
    by = compiler()
    assert by is not None
    start = time.process_time()
    report = by(*job)
    report.seconds = time.process_time() - start
    return report


def jobs() -> list[tuple[Module, str]]:
    """What is compiled for what."""
    everything = list(modules())
    chosen: list[tuple[Module, str]] = []
    for architecture in ARCHITECTURES:
        for module in everything:
            costly = module.types[0] in _COSTLY if module.types else True
            alone = [m for m in everything if (m.file, m.part) == (module.file, module.part)]
            if architecture == _EVERYTHING_ON or costly or module is alone[0]:
                chosen.append((module, architecture))
    return chosen


def main() -> int:
    """Compile, print, judge."""
    if compiler() is None:
        print("neither nvcc nor NVRTC is here: pip install nvidia-cuda-nvrtc-cu12")
        return NO_COMPILER
    if missing := _sources() - {module.file for module in modules()}:
        print(f"modules() leaves out {sorted(missing)}")
        return 1
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(compile_one, jobs(), chunksize=1))
    heads = ("modules", 8), ("kernels", 9), ("registers", 11), ("spills", 8), ("CPU s", 8)
    columns = "".join(f"{head:>{width}}" for head, width in heads)
    print(f"{'source':34}{'architecture':14}{columns}")
    groups: dict[tuple[str, str], list[Report]] = {}
    for report in reports:
        name = f"{report.module.file} {report.module.part}".strip()
        groups.setdefault((name, report.architecture), []).append(report)
    for (name, architecture), group in sorted(groups.items()):
        used = [n for each in group for n in each.registers.values()]
        spills = sum(len(each.spills) for each in group)
        most = max(used, default=0)
        seconds = sum(each.seconds for each in group)
        counts = f"{len(group):8}{len(used):9}{most:11}{spills:8}{seconds:8.1f}"
        print(f"{name:34}{architecture:14}{counts}")
    bad = [each for each in reports if each.error or each.spills]
    for each in bad:
        where = f"{each.module.file} {each.module.part} {each.module.types} {each.architecture}"
        for kernel, spilled in each.spills.items():
            print(f"spills: {where}: {kernel}: {spilled}")
        if each.error:
            print(f"does not compile: {where}\n{each.error}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
