"""Compiles every CUDA source of `plugrad_cupy` for GPUs that need not be there, and prints what the
assembler says of it: kernels, registers, spills.

    python backends/tests/compile_report.py [--all]

NVRTC, the compiler that CuPy uses, is preferred (`pip install nvidia-cuda-nvrtc-cu12`), nvcc will
do. sm_90 gets every module in every dtype, the other architectures every module in a few; with
`--all` all get all. What was compiled once is remembered in plugrad's cache folder. Exit status 1:
a source does not compile, or a kernel spills registers; 77: no compiler.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

if __name__ in ("__main__", "__mp_main__"):
    # The sources' text needs no CuPy and no device.
    sys.path.insert(0, str(Path(__file__).parent / "standin"))

NO_COMPILER = 77
ARCHITECTURES = ("sm_80", "sm_90", "sm_100")
_EVERYTHING_ON = "sm_90"
# One of each way to use registers: predicates, many to a pack, computed in another type, two wide.
_TELLING = ("bool", "int8", "bfloat16", "complex128")
# As `plugrad_cupy.binaries` and CuPy pass them.
_OPTIONS = ("-std=c++17", "--device-as-default-execution-space")


@dataclass(frozen=True)
class Module:
    """One text to compile: its file, what of it, the types, the text."""

    file: str
    part: str
    types: tuple[str, ...]
    text: str


@dataclass
class Report:
    """What the assembler says of one module: registers of each kernel, and what spills."""

    error: str = ""
    seconds: float = 0
    registers: dict[str, int] = field(default_factory=dict)
    spills: dict[str, str] = field(default_factory=dict)


def modules() -> Iterator[Module]:
    """Every module that the backend can make; of those that take two types, typical pairs."""
    from plugrad_cupy import activation, comparison, elementwise, numbers, reduction
    from plugrad_cupy.modules import CTYPES, text_of
    from plugrad_cupy.pointwise import Family, kind_of

    def made(file: str, types: tuple[str, ...] = (), lines: str = "", part: str = "") -> Module:
        return Module(file, part, types, text_of(file, types, lines))

    for source in (elementwise, comparison, numbers, activation):
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


Compiler = Callable[[Module, str], Report]


@cache
def compiler() -> tuple[str, Compiler] | None:
    """How a module is compiled here, if at all, and the compiler's version."""
    if (nvrtc := _nvrtc_path()) is not None:
        major, minor = ctypes.c_int(), ctypes.c_int()
        ctypes.CDLL(str(nvrtc)).nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        return f"NVRTC {major.value}.{minor.value}", _by_nvrtc
    if shutil.which("nvcc"):
        said = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True)
        return f"nvcc {said.stdout.split()[-1]}", _by_nvcc
    return None


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
    return _read(log.value.decode(), bool(failed))


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
    return _read(done.stderr, bool(done.returncode))


def _read(log: str, failed: bool) -> Report:
    if failed:
        return Report(log)
    report = Report()
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
    """One module for one architecture, unless that was done before."""
    from plugrad_cupy.binaries import cache_folder

    found = compiler()
    assert found is not None
    version, compiled_by = found
    module, architecture = job
    made_from = "\0".join([module.text, architecture, version, *_OPTIONS])
    name = hashlib.sha256(made_from.encode()).hexdigest()[:32]
    known = cache_folder() / f"{name}.report.json"
    if known.exists():
        return Report(**json.loads(known.read_text()))
    start = time.process_time()
    report = compiled_by(module, architecture)
    if not report.error:
        known.write_text(json.dumps(asdict(report)))
    report.seconds = time.process_time() - start
    return report


def jobs(everything: bool) -> list[tuple[Module, str]]:
    """What is compiled for what."""
    return [
        (module, architecture)
        for module in modules()
        for architecture in ARCHITECTURES
        if everything
        or architecture == _EVERYTHING_ON
        or not module.types
        or module.types[-1] in _TELLING
    ]


def main() -> int:
    """Compile, print, judge."""
    parser = argparse.ArgumentParser(description="Compile plugrad's CUDA sources without a GPU.")
    parser.add_argument("--all", action="store_true", help="every dtype for every architecture")
    everything = parser.parse_args().all
    found = compiler()
    if found is None:
        print("neither nvcc nor NVRTC is here: pip install nvidia-cuda-nvrtc-cu12")
        return NO_COMPILER
    if missing := _sources() - {module.file for module in modules()}:
        print(f"modules() leaves out {sorted(missing)}")
        return 1
    chosen = jobs(everything)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(compile_one, chosen, chunksize=1))
    _print_table(found[0], chosen, reports)
    bad = [each for each in zip(chosen, reports, strict=True) if each[1].error or each[1].spills]
    for (module, architecture), report in bad:
        where = f"{module.file} {module.part} {module.types} {architecture}"
        for kernel, spilled in report.spills.items():
            print(f"spills: {where}: {kernel}: {spilled}")
        if report.error:
            print(f"does not compile: {where}\n{report.error}")
    return 1 if bad else 0


def _print_table(version: str, chosen: list[tuple[Module, str]], reports: list[Report]) -> None:
    """A line for each source: the most registers that a kernel takes on each architecture."""
    heads = ["modules", "kernels", *ARCHITECTURES, "spills", "CPU s"]
    print(f"{version + ', registers on':32}" + "".join(f"{head:>9}" for head in heads))
    groups: dict[str, list[tuple[str, Report]]] = {}
    for (module, architecture), report in zip(chosen, reports, strict=True):
        for name in (f"{module.file} {module.part}", "all"):
            groups.setdefault(name, []).append((architecture, report))
    groups["all"] = groups.pop("all")
    for name, group in groups.items():
        most = [
            max([n for on, each in group if on == architecture for n in each.registers.values()])
            for architecture in ARCHITECTURES
        ]
        kernels = sum([len(each.registers) for _, each in group])
        spills = sum([len(each.spills) for _, each in group])
        seconds = sum([each.seconds for _, each in group])
        counts = [len(group), kernels, *most, spills]
        print(f"{name:32}" + "".join(f"{n:9}" for n in counts) + f"{seconds:9.1f}")


if __name__ == "__main__":
    raise SystemExit(main())
