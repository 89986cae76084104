"""Recurrent layers: after each step's product, all that is done to an element in one pass over the
row. A loop each for every array that is written: one that writes several is not vectorised.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from plugrad.hooks import kernel
from plugrad_numba import scalars
from plugrad_numba.compiling import compiled, inlined
from plugrad_numba.layout import FLOATS
from plugrad_numpy.recurrent import before, spans

# Nanoseconds that an element's share of a step takes.
_COST = 8


@inlined
def _sigmoid_of_sum(out, x):
    for j in range(out.size):
        out[j] = scalars.sigmoid(out[j] + x[j])


# long short-term memory ---------------------------------------------------------------------------


@kernel
def lstm(x, h, c, weight, projection, sizes, reverse):
    if x.dtype.char not in FLOATS:
        return None
    x, h, c = np.ascontiguousarray(x), h.copy(), c.copy()
    units = c.shape[1]
    gates = np.empty(x.shape, x.dtype)
    cells = np.empty((len(x), units), x.dtype)
    out = np.empty((len(x), h.shape[1]), x.dtype)
    hidden = np.empty((max(sizes), units), x.dtype)
    for low, high in spans(sizes, reverse):
        rows = high - low
        own, result = gates[low:high], out[low:high]
        np.matmul(h[:rows], weight.T, out=own)
        into = result if projection is None else hidden[:rows]
        _lstm_step(_COST * own.size, x[low:high], own, c[:rows], cells[low:high], into)
        if projection is not None:
            np.matmul(into, projection.T, out=result)
        h[:rows] = result
    return out, cells, gates


@compiled
def _lstm_step(x, gates, c, cells, hidden):
    units = c.shape[1]
    for row in prange(c.shape[0]):
        given, own, cell, out = x[row], gates[row], cells[row], hidden[row]
        _sigmoid_of_sum(own[: 2 * units], given[: 2 * units])
        i, f, g = own[:units], own[units : 2 * units], own[2 * units : 3 * units]
        x_g, o = given[2 * units : 3 * units], own[3 * units :]
        for j in range(units):
            g[j] = scalars.tanh(g[j] + x_g[j])
        _sigmoid_of_sum(o, given[3 * units :])
        state = c[row]
        for j in range(units):
            cell[j] = f[j] * state[j] + i[j] * g[j]
        for j in range(units):
            state[j] = cell[j]
        for j in range(units):
            out[j] = o[j] * scalars.tanh(cell[j])


@kernel
def lstm_backward(g, g_cells, g_gates, cells, gates, c, weight, projection, sizes, reverse):
    if g_gates is not None or cells.dtype.char not in FLOATS:
        return None
    cells, gates = np.ascontiguousarray(cells), np.ascontiguousarray(gates)
    width = weight.shape[1]
    for_x = np.empty(gates.shape, gates.dtype)
    whole = np.zeros((len(cells), width), cells.dtype) if g is None else g.copy("C")
    for_h = np.zeros((max(sizes), width), cells.dtype)
    for_c = np.zeros(c.shape, cells.dtype)
    earlier = before(cells, c, sizes, reverse)
    for low, high in reversed(spans(sizes, reverse)):
        rows = high - low
        along, cell, own = whole[low:high], for_c[:rows], for_x[low:high]
        along += for_h[:rows]
        hidden = along if projection is None else along @ projection
        if g_cells is not None:
            cell += g_cells[low:high]
        known = gates[low:high], cells[low:high], earlier[low:high]
        _lstm_backward_step(_COST * own.size, *known, hidden, cell, own)
        np.matmul(own, weight, out=for_h[:rows])
    return for_x, for_h, for_c, whole


@compiled
def _lstm_backward_step(gates, cells, before, hidden, for_cells, for_x):
    units = cells.shape[1]
    one = cells.dtype.type(1)
    for row in prange(cells.shape[0]):
        own, cell, state = gates[row], cells[row], before[row]
        i, f = own[:units], own[units : 2 * units]
        g, o = own[2 * units : 3 * units], own[3 * units :]
        along, for_cell, out = hidden[row], for_cells[row], for_x[row]
        d_i, d_f = out[:units], out[units : 2 * units]
        d_g, d_o = out[2 * units : 3 * units], out[3 * units :]
        for j in range(units):
            d_o[j] = scalars.tanh(cell[j])
        for j in range(units):
            for_cell[j] += along[j] * o[j] * (one - d_o[j] * d_o[j])
        for j in range(units):
            d_o[j] *= along[j] * (o[j] * (one - o[j]))
        for j in range(units):
            d_i[j] = for_cell[j] * g[j] * (i[j] * (one - i[j]))
        for j in range(units):
            d_f[j] = for_cell[j] * state[j] * (f[j] * (one - f[j]))
        for j in range(units):
            d_g[j] = for_cell[j] * i[j] * (one - g[j] * g[j])
        for j in range(units):
            for_cell[j] *= f[j]


# gated recurrent units ----------------------------------------------------------------------------


@kernel
def gru(x, h, weight, bias, sizes, reverse):
    if x.dtype.char not in FLOATS:
        return None
    x, h = np.ascontiguousarray(x), h.copy("C")
    units = h.shape[1]
    gates = np.empty((len(x), 4 * units), x.dtype)
    out = np.empty((len(x), units), x.dtype)
    hidden = np.empty((max(sizes), 3 * units), x.dtype)
    shift = np.zeros(3 * units, x.dtype) if bias is None else np.ascontiguousarray(bias)
    for low, high in spans(sizes, reverse):
        state = h[: high - low]
        product = np.matmul(state, weight.T, out=hidden[: high - low])
        known = x[low:high], product, shift
        _gru_step(_COST * product.size, *known, gates[low:high], state, out[low:high])
    return out, gates


@compiled
def _gru_step(x, product, bias, gates, h, out):
    units = h.shape[1]
    for row in prange(h.shape[0]):
        given, own, state, result = x[row], gates[row], h[row], out[row]
        hidden = product[row]
        early, inner = own[: 2 * units], own[3 * units :]
        for j in range(2 * units):
            early[j] = hidden[j] + bias[j]
        _sigmoid_of_sum(early, given[: 2 * units])
        last, shift = hidden[2 * units :], bias[2 * units :]
        for j in range(units):
            inner[j] = last[j] + shift[j]
        r, z, n, x_n = own[:units], own[units:], own[2 * units :], given[2 * units :]
        for j in range(units):
            n[j] = scalars.tanh(x_n[j] + r[j] * inner[j])
        for j in range(units):
            result[j] = n[j] + z[j] * (state[j] - n[j])
        for j in range(units):
            state[j] = result[j]


@kernel
def gru_backward(g, g_gates, gates, before, weight, sizes, reverse):
    if g is None or g_gates is not None or gates.dtype.char not in FLOATS:
        return None
    gates, before, g = map(np.ascontiguousarray, (gates, before, g))
    units = before.shape[1]
    for_x = np.empty((len(gates), 3 * units), gates.dtype)
    for_hidden = np.empty_like(for_x)
    for_h = np.zeros((max(sizes), units), gates.dtype)
    for low, high in reversed(spans(sizes, reverse)):
        along, own = for_h[: high - low], for_hidden[low:high]
        known = g[low:high], gates[low:high], before[low:high]
        _gru_backward_step(_COST * own.size, *known, along, for_x[low:high], own)
        along += own @ weight
    return for_x, for_h, for_hidden


@compiled
def _gru_backward_step(g, gates, before, for_h, for_x, for_hidden):
    units = before.shape[1]
    one = before.dtype.type(1)
    for row in prange(before.shape[0]):
        own, state, coming = gates[row], before[row], g[row]
        r, z, n, inner = own[:units], own[units:], own[2 * units :], own[3 * units :]
        along, out, hidden = for_h[row], for_x[row], for_hidden[row]
        reset, update, new = out[:units], out[units : 2 * units], out[2 * units :]
        within = hidden[2 * units :]
        for j in range(units):
            along[j] += coming[j]
        for j in range(units):
            new[j] = along[j] * (one - z[j]) * (one - n[j] * n[j])
        for j in range(units):
            reset[j] = new[j] * inner[j] * (r[j] * (one - r[j]))
        for j in range(units):
            update[j] = along[j] * (state[j] - n[j]) * (z[j] * (one - z[j]))
        for j in range(2 * units):
            hidden[j] = out[j]
        for j in range(units):
            within[j] = new[j] * r[j]
        for j in range(units):
            along[j] *= z[j]
