"""Attention, fused: the matrix of scores is never in memory."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from plugrad.hooks import kernel
from plugrad_cupy import modules
from plugrad_cupy.arrays import new
from plugrad_cupy.layouts import collapse
from plugrad_cupy.modules import CTYPES
from plugrad_cupy.normalization import address, wide
from plugrad_cupy.strided import broadcast_steps

_AXES, _LINES, _COLUMNS, _INPUTS = 4, 32, 128, 7  # as in sources/attention.cu
_ATTENTION = f"13P5q{_AXES}q{_INPUTS * _AXES}q{2 * _INPUTS}qd2i"


@kernel
def attention(query, key, value, mask, kept, causal, scale):
    call = _Call.of((query, key, value, mask, kept, None, None), causal, scale)
    if call is None:
        return None
    L, _, _, V = call.sizes
    out = new((*call.lead, L, V), query.dtype, query)
    call.launch("attention", L, V, out)
    return out


@kernel
def attention_backward(g, query, key, value, mask, kept, y, causal, scale):
    call = _Call.of((query, key, value, mask, kept, g, y), causal, scale)
    if call is None:
        return None
    L, S, E, V = call.sizes
    shapes = (L, E), (S, E), (S, V)
    outs = tuple([new((*call.lead, *shape), query.dtype, query) for shape in shapes])
    rows = [new((*call.lead, L), wide(query.dtype), query) for _ in range(2)]
    call.launch("attention_backward_queries", L, E, None, *outs, *rows)
    call.launch("attention_backward_keys", S, max(E, V), None, *outs, *rows)
    return outs


class _Call:
    """What the kernels on the same inputs share: the struct Attention."""

    def __init__(
        self, inputs: tuple[Any, ...], lead: tuple[int, ...], axes: Any, causal: bool, scale: float
    ) -> None:
        query, key, value, mask, *_ = self._inputs = inputs
        self.lead = lead
        self.sizes = query.shape[-2], key.shape[-2], query.shape[-1], value.shape[-1]
        spare = _AXES - len(axes)
        # Sizes and strides are walked from the last axis on: the spare ones stand for one element.
        self._layout = (
            *[size for size, *_ in axes],
            *[1] * spare,
            *[step for _, *each in axes for step in each],
            *[0] * (_INPUTS * spare),
            *[step for x in inputs for step in _steps(x, 0)[-2:]],
        )
        truth = mask is not None and mask.dtype == np.bool_
        self._options = scale, causal, truth

    @classmethod
    def of(cls, inputs: tuple[Any, ...], causal: bool, scale: float) -> _Call | None:
        """`None` for more axes than the kernels walk."""
        lead = np.broadcast_shapes(*[x.shape[:-2] for x in inputs if x is not None])
        axes = collapse(lead, *[_steps(x, len(lead))[:-2] for x in inputs])
        return None if len(axes) > _AXES else cls(inputs, lead, axes, causal, scale)

    def launch(self, name: str, lines: int, columns: int, *outs: Any) -> None:
        """Run a kernel whose blocks have some of these lines and columns each."""
        tiles, heads = -(-lines // _LINES), prod(self.lead)
        if not tiles * heads * columns:
            return
        dtype = self._inputs[0].dtype
        run = modules.kernel("attention.cu", name, (CTYPES[dtype],), _ATTENTION)
        outs = (*outs, *[None] * (6 - len(outs)))
        run(
            (heads * tiles, 1, -(-columns // _COLUMNS)),
            (256, 1, 1),
            *[address(x) for x in (*outs, *self._inputs)],
            *(*self.sizes, tiles, *self._layout, *self._options),
        )


def _steps(x: Any, lead: int) -> tuple[int, ...]:
    """Strides in elements, for so many axes of batches and heads and the last two, 0 where the
    array is broadcast.
    """
    return (0,) * (lead + 2) if x is None else broadcast_steps(x, lead + 2)
