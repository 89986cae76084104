"""Choosing by a condition."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_numba.loops import elementwise


@kernel
@elementwise
def where(condition, x, y):
    return x if condition else y
