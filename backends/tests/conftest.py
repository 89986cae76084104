"""Here `cupy` is the stand-in: NumPy on the CPU, and no GPU code is run."""

from __future__ import annotations

import sys
from pathlib import Path

STANDIN = str(Path(__file__).parent / "standin")

if "cupy" not in sys.modules:
    sys.path.insert(0, STANDIN)
