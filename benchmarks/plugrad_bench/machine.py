"""What a run is made on, in words."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from cpuinfo import get_cpu_info

# Distributions whose versions shape the figures.
_DISTRIBUTIONS = ("numpy", "numba", "torch", "cupy-cuda12x", "cupy-cuda13x")


def describe_machine() -> str:
    """The processor and how many of it, the system, Python, and the libraries that compute."""
    brand = get_cpu_info().get("brand_raw") or platform.processor() or platform.machine()
    system = f"{platform.system()} on {platform.machine()}"
    found = [f"{os.cpu_count()} x {brand}", system, f"Python {platform.python_version()}"]
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
