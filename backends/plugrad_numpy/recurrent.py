"""Recurrent layers: one product a step, all that does not depend on the step before done for all
steps at once.

The state of all sequences stays in one array, of which each step changes the first rows. Halves are
left to the bodies.
"""

from __future__ import annotations

import numpy as np

from plugrad.hooks import kernel
from plugrad_numpy.arrays import HALVES, quietly


def spans(sizes, reverse):
    """The rows from where to where of each step, in the order in which the steps are taken."""
    ends = np.cumsum(sizes).tolist()
    found = list(zip([0, *ends[:-1]], ends, strict=True))
    return found[::-1] if reverse else found


def before(states, first, sizes, reverse):
    """What each row's step began with: the state of the step before it, or the first one."""
    out = np.empty_like(states, order="C")
    state = first.copy()
    for low, high in spans(sizes, reverse):
        out[low:high] = state[: high - low]
        state[: high - low] = states[low:high]
    return out


def _parts(x, count):
    size = x.shape[-1] // count
    return [x[:, i * size : (i + 1) * size] for i in range(count)]


def _sigmoid_(x):
    # exp may overflow to infinity, whose reciprocal is the right 0.
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)


# long short-term memory ---------------------------------------------------------------------------


@kernel
@quietly
def lstm(x, h, c, weight, projection, sizes, reverse):
    if x.dtype in HALVES:
        return None
    units = c.shape[1]
    gates = np.empty(x.shape, x.dtype)
    cells = np.empty((len(x), units), x.dtype)
    out = np.empty((len(x), h.shape[1]), x.dtype)
    hidden = np.empty((max(sizes), units), x.dtype)
    h, c = h.copy(), c.copy()
    for low, high in spans(sizes, reverse):
        rows = high - low
        own, cell, result = gates[low:high], cells[low:high], out[low:high]
        np.matmul(h[:rows], weight.T, out=own)
        own += x[low:high]
        i, f, g, o = _parts(own, 4)
        _sigmoid_(own[:, : 2 * units])
        np.tanh(g, out=g)
        _sigmoid_(o)
        np.multiply(f, c[:rows], out=cell)
        into = hidden[:rows]
        cell += np.multiply(i, g, out=into)
        c[:rows] = cell
        np.tanh(cell, out=into)
        if projection is None:
            np.multiply(into, o, out=result)
        else:
            into *= o
            np.matmul(into, projection.T, out=result)
        h[:rows] = result
    return out, cells, gates


@kernel
@quietly
def lstm_backward(g, g_cells, g_gates, cells, gates, c, weight, projection, sizes, reverse):
    if g_gates is not None or cells.dtype in HALVES:
        return None
    i, f, a, o = _parts(gates, 4)
    t = np.tanh(cells)
    for_x = np.empty(gates.shape, gates.dtype)
    # First the slopes, for all steps at once; then, in place, what they are multiplied by.
    d_i, d_f, d_a, d_o = _parts(for_x, 4)
    np.multiply(a * i, 1 - i, out=d_i)
    np.multiply(before(cells, c, sizes, reverse) * f, 1 - f, out=d_f)
    np.multiply(i, 1 - a * a, out=d_a)
    np.multiply(t * o, 1 - o, out=d_o)
    through = o * (1 - t * t)
    width = weight.shape[1]
    whole = np.zeros((len(cells), width), cells.dtype) if g is None else g.copy()
    for_h = np.zeros((max(sizes), width), cells.dtype)
    for_c = np.zeros(c.shape, cells.dtype)
    for low, high in reversed(spans(sizes, reverse)):
        rows = high - low
        along, cell = whole[low:high], for_c[:rows]
        along += for_h[:rows]
        hidden = along if projection is None else along @ projection
        cell += hidden * through[low:high]
        if g_cells is not None:
            cell += g_cells[low:high]
        own = for_x[low:high]
        early = own[:, : 3 * c.shape[1]].reshape(rows, 3, c.shape[1])
        early *= cell[:, None]
        d_o[low:high] *= hidden
        cell *= f[low:high]
        np.matmul(own, weight, out=for_h[:rows])
    return for_x, for_h, for_c, whole


# gated recurrent units ----------------------------------------------------------------------------


@kernel
@quietly
def gru(x, h, weight, bias, sizes, reverse):
    if x.dtype in HALVES:
        return None
    units = h.shape[1]
    gates = np.empty((len(x), 4 * units), x.dtype)
    out = np.empty((len(x), units), x.dtype)
    hidden = np.empty((max(sizes), 3 * units), x.dtype)
    h = h.copy()
    for low, high in spans(sizes, reverse):
        rows = high - low
        own, given, state, result = gates[low:high], x[low:high], h[:rows], out[low:high]
        product = np.matmul(state, weight.T, out=hidden[:rows])
        if bias is not None:
            product += bias
        early, inner = product[:, : 2 * units], product[:, 2 * units :]
        own[:, 3 * units :] = inner
        np.add(early, given[:, : 2 * units], out=own[:, : 2 * units])
        _sigmoid_(own[:, : 2 * units])
        r, z, n, _ = _parts(own, 4)
        np.multiply(r, inner, out=n)
        n += given[:, 2 * units :]
        np.tanh(n, out=n)
        np.subtract(state, n, out=result)
        result *= z
        result += n
        state[...] = result
    return out, gates


@kernel
@quietly
def gru_backward(g, g_gates, gates, before, weight, sizes, reverse):
    if g is None or g_gates is not None or gates.dtype in HALVES:
        return None
    units = before.shape[1]
    r, z, n, inner = _parts(gates, 4)
    # First the slopes, for all steps at once; then, in place, what they are multiplied by.
    for_hidden = np.empty((len(gates), 3 * units), gates.dtype)
    for_x = np.empty_like(for_hidden)
    reset, update, within = _parts(for_hidden, 3)
    new = for_x[:, 2 * units :]
    np.multiply(1 - z, 1 - n * n, out=new)
    np.multiply(new, r, out=within)
    np.multiply(new * inner, r * (1 - r), out=reset)
    np.multiply(before - n, z * (1 - z), out=update)
    for_h = np.zeros((max(sizes), units), gates.dtype)
    for low, high in reversed(spans(sizes, reverse)):
        rows = high - low
        along = for_h[:rows]
        along += g[low:high]
        own = for_hidden[low:high]
        slopes = own.reshape(rows, 3, units)
        slopes *= along[:, None]
        new[low:high] *= along
        along *= z[low:high]
        along += own @ weight
    for_x[:, : 2 * units] = for_hidden[:, : 2 * units]
    return for_x, for_h, for_hidden


# plain recurrence ---------------------------------------------------------------------------------


@kernel
@quietly
def rnn(x, h, weight, sizes, reverse, nonlinearity):
    if x.dtype in HALVES:
        return None
    out = np.empty(x.shape, x.dtype)
    h = h.copy()
    for low, high in spans(sizes, reverse):
        own, state = out[low:high], h[: high - low]
        np.matmul(state, weight.T, out=own)
        own += x[low:high]
        if nonlinearity == "relu":
            np.maximum(own, 0, out=own)
        else:
            np.tanh(own, out=own)
        state[...] = own
    return out


@kernel
@quietly
def rnn_backward(g, y, weight, sizes, reverse, nonlinearity):
    if y.dtype in HALVES:
        return None
    for_x = (y > 0).astype(y.dtype) if nonlinearity == "relu" else 1 - y * y
    for_h = np.zeros((max(sizes), y.shape[1]), y.dtype)
    for low, high in reversed(spans(sizes, reverse)):
        own, along = for_x[low:high], for_h[: high - low]
        along += g[low:high]
        own *= along
        np.matmul(own, weight, out=along)
    return for_x, for_h
