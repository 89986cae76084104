"""What a result says of the run itself: who was tested, where, and under which settings."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest

import plugrad
from plugrad.hooks import CONTRACT_VERSION
from plugrad_conformance.asking import backend_name, device_of
from plugrad_conformance.expectations import KINDS, UNEXPLAINED, Expectations
from plugrad_conformance.selection import Selection

# Variables that change what is computed, or how.
_FLAGS = ("PLUGRAD_", "OMP_", "OPENBLAS_", "MKL_", "NUMBA_", "CUPY_", "CUDA_", "NVIDIA_TF32")


def about(
    config: pytest.Config,
    selection: Selection,
    expectations: Expectations,
    *,
    narrowed: str,
    questions: int,
    began: float,
) -> dict[str, Any]:
    """The facts of a run that began at a time in seconds; `narrowed` are options of pytest's own
    that left questions out.
    """
    option = config.option
    return {
        "backend": _backend(backend_name(config)),
        "device": device_of(config),
        "contract": {
            "host": CONTRACT_VERSION,
            "backend": plugrad.backends.backend(backend_name(config)).manifest.contract,
            "judged": selection.contract,
        },
        "level": selection.level,
        "selection": {
            "operators": _sorted(selection.operators),
            "dtypes": _sorted(selection.dtypes and {dtype.name for dtype in selection.dtypes}),
            "narrowed": narrowed,
        },
        "expectations": _expectations(expectations),
        "versions": {
            "plugrad": plugrad.__version__,
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "pytest": version("pytest"),
        },
        "machine": {"system": platform.platform(), "processor": platform.machine()},
        "flags": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_FLAGS)},
        "isolated": bool(getattr(option, "tx", None)),
        "workers": getattr(option, "numprocesses", None) or 0,
        "questions": questions,
        "date": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - began, 1),
    }


def _backend(name: str) -> dict[str, Any]:
    backend = plugrad.backends.backend(name)
    manifest = backend.manifest
    computes = manifest.dtypes if manifest.computes is None else manifest.computes
    return {
        "name": manifest.name,
        "version": manifest.version,
        "distribution": backend.distribution,
        "description": manifest.description,
        "builds_on": manifest.builds_on,
        "stores": [dtype.name for dtype in manifest.dtypes],
        "computes": [dtype.name for dtype in computes],
        "features": list(manifest.features),
        "plugins": {k: v for k, v in backend.origins.items() if v != backend.distribution},
    }


def _expectations(known: Expectations) -> dict[str, Any]:
    kinds = Counter(entry.kind for entry in known.entries)
    there = known.path is not None and known.path.exists()
    return {
        "file": known.path.name if known.path is not None and there else None,
        "failures": kinds["notyet"] + kinds["bug"],
        **{kind: kinds[kind] for kind in KINDS},
        "unexplained": sum(entry.reason.startswith(UNEXPLAINED) for entry in known.entries),
    }


def _sorted(names: Any) -> list[str] | None:
    return None if names is None else sorted(names)
