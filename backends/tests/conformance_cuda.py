"""Runs the conformance kit, whole, and the benchmarks on the CUDA backend where there is a device;
where there is none, says why.

    python backends/tests/conformance_cuda.py [folder for the results]

Exit status 0 without a device: what a machine lacks is no fault of the backend. Elsewhere that of
the kit, or of the benchmarks. The stand-in for CuPy is no device: 2. CUDA's libraries, a gigabyte,
are installed where there is a device and they are missing.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugrad.inventory import BackendState, backend_state
from plugrad_conformance import results

RESULTS = Path(__file__).parents[2] / "conformance" / "results"
STANDIN, MISUSED = "stand-in", 2


def main(arguments: Sequence[str]) -> int:
    """Run both; returns the exit status."""
    state = backend_state("cuda")
    if state.condition != "ready":
        print(f"no CUDA device: {state.reason}")
        return 0
    if STANDIN in state.version:
        print("no CUDA device: cupy is the stand-in, whose results are not kept", file=sys.stderr)
        return MISUSED
    _bring_libraries()
    folder = Path(arguments[0]) if arguments else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "cuda.json"
    kit = _python("plugrad_conformance", "--backend", "cuda", "--json", str(written))
    if written.exists():
        result = results.read(written)
        result.about["cuda"] = _where_it_ran(state)
        result.write(written)
    speed = ["--backends", "numpy,cuda", "--quick", "--json", str(folder / "cuda-bench.json")]
    speed += ["--picture", str(folder / "cuda-bench.png")]
    return kit or _python("plugrad_bench", *speed)


def _bring_libraries() -> None:
    try:
        importlib.import_module("cupy_backends.cuda.libs.cublas")
    except ImportError:
        wheel = importlib.metadata.packages_distributions()["cupy"][0]
        subprocess.run([sys.executable, "-m", "pip", "install", f"{wheel}[ctk]"], check=True)


def _python(module: str, *options: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *options], check=False).returncode


def _where_it_ran(state: BackendState) -> dict[str, Any]:
    """The device, the driver and the libraries, by name and version."""
    import cupy

    runtime: Any = cupy.cuda.runtime
    found = runtime.getDeviceProperties(0)
    wheels = [each.metadata["Name"] for each in importlib.metadata.distributions()]
    return {
        "devices": list(state.devices),
        "device": found["name"].decode(),
        "compute_capability": f"{found['major']}.{found['minor']}",
        "memory": found["totalGlobalMem"],
        "driver": runtime.driverGetVersion(),
        "runtime": runtime.runtimeGetVersion(),
        "libraries": {
            name: importlib.metadata.version(name)
            for name in sorted({each for each in wheels if each.startswith(("nvidia-", "cupy"))})
        },
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
