"""Lets the tests here import what stands beside them, the stand-in for CuPy too: no GPU is used."""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).parent

sys.path.insert(0, str(_HERE))
if "cupy" not in sys.modules:
    sys.path.insert(0, str(_HERE / "standin"))
