"""What a run is made on, in words."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

# Distributions whose versions shape the figures.
_DISTRIBUTIONS = ("numpy", "numba", "torch", "cupy-cuda12x", "cupy-cuda13x")


def describe_machine() -> str:
    """The processor and how many of it, the system, Python, and the libraries that compute."""
    known = pytest_benchmark_generate_machine_info()
    system = f"{known['system']} on {known['machine']}"
    brand = known["cpu"].get("brand_raw", known["machine"])
    found = [f"{os.cpu_count()} x {brand}", system, f"Python {known['python_version']}"]
    for name in _DISTRIBUTIONS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
