"""Faster mathematics for the NumPy backend: another `erf` in single precision, and an operator that
plugrad does not have, `squareplus`.

    import plugrad
    from plugrad_fastmath import squareplus

    plugrad.backends.enable("fastmath", backend="numpy")

The operator is there, on every backend, from the import on; the kernels answer from `enable` on.
"""

from plugrad_fastmath.operators import squareplus as squareplus

__version__ = "0.1.0"
