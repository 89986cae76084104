"""Compiled kernels for the CPU, over NumPy's arrays: what Numba does better, and no more.

How a kernel is written and compiled is told in `compiling` (loops over arrays) and `loops`
(functions of each element). A kernel declines what it is not made for, such as half precision, by
returning `None`; that, and every operator without a kernel here, NumPy's kernels answer on the same
memory.
"""

from __future__ import annotations

import numba

from plugrad import dtypes
from plugrad.hooks import CONTRACT_VERSION, Manifest, kernel


@kernel
def plugrad_manifest() -> Manifest:
    """Numba: what NumPy stores, on one unnumbered device."""
    return Manifest(
        name="numba",
        version=f"numba {numba.__version__}",
        description="compiled, on the CPU",
        modules=tuple(
            f"plugrad_numba.{name}"
            for name in (
                "threads",
                "elementwise",
                "activation",
                "attention",
                "normalization",
                "loss",
                "comparison",
                "creation",
                "copying",
                "reduction",
                "optimizer",
                "indexing",
                "sampling",
                "convolution",
                "pooling",
                "recurrent",
            )
        ),
        contract=CONTRACT_VERSION,
        dtypes=dtypes.ALL,
        builds_on="numpy",
        features=("host memory",),
    )
