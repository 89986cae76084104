"""Losses, fused: cross entropy without the log-probabilities of all classes in memory.

A class that is not there is met by the device, long after the call: see `positions.py`.
"""

from __future__ import annotations

from typing import Any

from plugrad.hooks import kernel
from plugrad_cupy import modules, positions
from plugrad_cupy.arrays import index_of, new
from plugrad_cupy.lines import split, teams
from plugrad_cupy.modules import CTYPES
from plugrad_cupy.normalization import address, wide
from plugrad_cupy.positions import Axis
from plugrad_cupy.strided import contiguous

_CROSS_ENTROPY = "8P5qPq"
_FINISH = "3P2q"
_BLOCK = (256, 1, 1)


@kernel
def cross_entropy(x, target, weight, ignore_index, reduction):
    if not x.size:
        return None
    lines = _Lines("cross_entropy", x, target, weight, ignore_index)
    if reduction == "none":
        out = new(target.shape, x.dtype, x)
        lines.launch("cross_entropy", out=out)
    else:
        out = new((), x.dtype, x)
        losses, factors = (new((lines.count,), wide(x.dtype), x) for _ in range(2))
        lines.launch("cross_entropy", losses=losses, factors=factors)
        lines.finish(out, losses, factors, reduction == "mean")
    positions.check_now(index_of(x))
    return out


@kernel
def cross_entropy_backward(g, x, target, weight, ignore_index, reduction):
    if not x.size:
        return None
    lines = _Lines("cross_entropy_backward", x, target, weight, ignore_index)
    total = None
    if reduction == "mean":
        factors, total = (new((n,), wide(x.dtype), x) for n in (lines.count, 1))
        lines.launch("cross_entropy_factors", factors=factors)
        lines.finish(total, None, factors, False)
    out = new(x.shape, x.dtype, x)
    one_g = reduction != "none"
    lines.launch("cross_entropy_backward", out=out, g=contiguous(g), total=total, one_g=one_g)
    return out


class _Lines:
    """The lines of scores, with their targets: what the kernels share."""

    def __init__(self, operator: str, x: Any, target: Any, weight: Any, ignore_index: int) -> None:
        self._x, self._target = contiguous(x), contiguous(target)
        self._weight = None if weight is None else contiguous(weight)
        axis = 0 if x.ndim == 1 else 1
        outer, self._classes, self._inner = split(x.shape, axis)
        self.count = outer * self._inner
        notes = positions.watch(operator, (Axis("target", axis, x.shape, False),))
        self._ignored, self._notes = ignore_index, notes

    def launch(
        self,
        name: str,
        *,
        out: Any = None,
        losses: Any = None,
        factors: Any = None,
        g: Any = None,
        total: Any = None,
        one_g: bool = False,
    ) -> None:
        """Run a kernel of lines."""
        arrays = out, losses, factors, self._x, self._target, self._weight, g, total
        grid, block = teams(self.count, self._classes, self._inner == 1)
        if name == "cross_entropy_factors":
            grid, block = (-(-self.count // _BLOCK[0]), 1, 1), _BLOCK
        run = modules.kernel("loss.cu", name, (CTYPES[self._x.dtype],), _CROSS_ENTROPY)
        sizes = self.count, self._classes, self._inner, self._ignored
        run(grid, block, *[address(each) for each in arrays], *sizes, one_g, *self._notes)

    def finish(self, out: Any, losses: Any, factors: Any, mean: bool) -> None:
        """Sum the losses, or without them the factors."""
        run = modules.kernel("loss.cu", "cross_entropy_finish", (CTYPES[self._x.dtype],), _FINISH)
        pointers = address(out), address(losses), address(factors)
        run((1, 1, 1), _BLOCK, *pointers, self.count, mean)
