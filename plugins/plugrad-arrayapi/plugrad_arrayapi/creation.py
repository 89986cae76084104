"""Making arrays, copying them, changing their dtype, writing into them."""

from __future__ import annotations

from plugrad.hooks import kernel
from plugrad_arrayapi.kernels import Kernels

_PYTHON = {"bool": bool, "int": int, "float": float, "complex": complex}


class Creation(Kernels):
    """Full and empty arrays, ranges, casts, copies."""

    @kernel
    def full(self, shape, value, dtype, device):
        value = _PYTHON[dtype.kind](value)
        if dtype.kind == "int":  # the standard refuses what does not fit; a cast wraps around
            range_ = 1 << 8 * dtype.itemsize
            value %= range_
            value -= range_ if dtype.is_signed and value >= range_ // 2 else 0
        return self.xp.full(shape, value, dtype=self.native[dtype])

    @kernel
    def empty(self, shape, dtype, device):
        return self.xp.empty(shape, dtype=self.native[dtype])

    @kernel
    def arange(self, start, step, count, dtype, device):
        xp = self.xp
        steps = xp.arange(count, dtype=xp.int64)
        if dtype.kind != "int":
            # In float64, so that late elements carry no accumulated rounding.
            steps, start, step = xp.astype(steps, xp.float64), float(start), float(step)
        return xp.astype(steps * step + start, self.native[dtype])

    @kernel
    def cast(self, x, dtype):
        if self.kind(x) == "complex" and not dtype.is_complex:
            x = x != 0 if dtype.kind == "bool" else self.xp.real(x)
        return self.xp.astype(x, self.native[dtype], copy=True)

    @kernel
    def clone(self, x):
        return self.copy(x)

    @kernel
    def copy_(self, x, source):
        x[...] = self.copy(source)  # the two may overlap
        return x
