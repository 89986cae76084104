"""Recurrent layers: sequences of one length and of several, in both directions."""

from __future__ import annotations

import numpy as np

from plugrad.ops import recurrent as ops
from plugrad_conformance.case import COMPOSED, FLOATS, Case, call, each, reals, unit

EVEN, FALLING = (2, 2, 2), (3, 2, 2, 1)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _spans(sizes, reverse):
    ends = np.cumsum(sizes)
    found = list(zip(ends - sizes, ends, strict=True))
    return found[::-1] if reverse else found


def _lstm(x, h, c, weight, projection, sizes, reverse):
    out, cells, gates = np.zeros((len(x), h.shape[1])), np.zeros((len(x), c.shape[1])), x * 0
    h, c = h.copy(), c.copy()
    for low, high in _spans(sizes, reverse):
        rows = high - low
        i, f, g, o = np.split(x[low:high] + h[:rows] @ weight.T, 4, 1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c[:rows] = cells[low:high] = f * c[:rows] + i * g
        new = o * np.tanh(c[:rows])
        h[:rows] = out[low:high] = new if projection is None else new @ projection.T
        gates[low:high] = np.concatenate([i, f, g, o], 1)
    return out, cells, gates


def _before(states, first, sizes, reverse):
    out, state = states * 0, first.copy()
    for low, high in _spans(sizes, reverse):
        out[low:high] = state[: high - low]
        state[: high - low] = states[low:high]
    return out


def _plus(x, g, low, high):
    return x if g is None else x + g[low:high]


def _lstm_backward(g, g_cells, g_gates, cells, gates, c, weight, projection, sizes, reverse):
    before, for_x = _before(cells, c, sizes, reverse), gates * 0
    for_h, for_c = np.zeros((len(c), weight.shape[1])), np.zeros_like(c)
    whole = np.zeros((len(cells), weight.shape[1]))
    for low, high in reversed(_spans(sizes, reverse)):
        rows = high - low
        i, f, a, o = np.split(gates[low:high], 4, 1)
        t = np.tanh(cells[low:high])
        whole[low:high] = _plus(for_h[:rows], g, low, high)
        hidden = whole[low:high] if projection is None else whole[low:high] @ projection
        cell = _plus(for_c[:rows], g_cells, low, high) + hidden * o * (1 - t**2)
        along = np.concatenate([cell * a, cell * before[low:high], cell * i, hidden * t], 1)
        d_i, d_f, d_a, d_o = np.split(_plus(along, g_gates, low, high), 4, 1)
        parts = d_i * i * (1 - i), d_f * f * (1 - f), d_a * (1 - a**2), d_o * o * (1 - o)
        for_x[low:high] = np.concatenate(parts, 1)
        for_h[:rows], for_c[:rows] = for_x[low:high] @ weight, cell * f
    return for_x, for_h, for_c, whole


def _gru(x, h, weight, bias, sizes, reverse):
    out, gates = np.zeros((len(x), h.shape[1])), np.zeros((len(x), 4 * h.shape[1]))
    h = h.copy()
    for low, high in _spans(sizes, reverse):
        state = h[: high - low]
        hidden = state @ weight.T + (0 if bias is None else bias)
        (x_r, x_z, x_n), (h_r, h_z, inner) = np.split(x[low:high], 3, 1), np.split(hidden, 3, 1)
        r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * inner)
        state[...] = out[low:high] = (1 - z) * n + z * state
        gates[low:high] = np.concatenate([r, z, n, inner], 1)
    return out, gates


def _gru_backward(g, g_gates, gates, before, weight, sizes, reverse):
    units = before.shape[1]
    for_x = np.zeros((len(gates), 3 * units))
    for_hidden, for_h = np.zeros_like(for_x), np.zeros((sizes[0], units))
    for low, high in reversed(_spans(sizes, reverse)):
        r, z, n, inner = np.split(gates[low:high], 4, 1)
        along = _plus(for_h[: high - low], g, low, high)
        parts = 0 * along, along * (before[low:high] - n), along * (1 - z), 0 * along
        parts = np.split(_plus(np.concatenate(parts, 1), g_gates, low, high), 4, 1)
        new = parts[2] * (1 - n**2)
        reset, update = (parts[0] + new * inner) * r * (1 - r), parts[1] * z * (1 - z)
        for_x[low:high] = np.concatenate([reset, update, new], 1)
        for_hidden[low:high] = np.concatenate([reset, update, parts[3] + new * r], 1)
        for_h[: high - low] = along * z + for_hidden[low:high] @ weight
    return for_x, for_h, for_hidden


def _rnn(x, h, weight, sizes, reverse, nonlinearity):
    out, h = x * 0, h.copy()
    for low, high in _spans(sizes, reverse):
        before = x[low:high] + h[: high - low] @ weight.T
        new = np.maximum(before, 0) if nonlinearity == "relu" else np.tanh(before)
        h[: high - low] = out[low:high] = new
    return out


def _rnn_backward(g, y, weight, sizes, reverse, nonlinearity):
    for_x, for_h = y * 0, np.zeros((sizes[0], y.shape[1]))
    for low, high in reversed(_spans(sizes, reverse)):
        out = y[low:high]
        slope = out > 0 if nonlinearity == "relu" else 1 - out**2
        for_x[low:high] = (g[low:high] + for_h[: high - low]) * slope
        for_h[: high - low] = for_x[low:high] @ weight
    return for_x, for_h


def _lstm_call(sizes, reverse, units=3, width=None):
    rows, size = sum(sizes), width or units
    return call(
        *(reals(rows, 4 * units), unit(sizes[0], size), unit(sizes[0], units)),
        *(unit(4 * units, size), unit(size, units) if width else None),
        sizes=sizes,
        reverse=reverse,
    )


def _lstm_backward_call(sizes, reverse, cells=True, gates=True, units=3, width=None):
    rows, size = sum(sizes), width or units
    return call(
        *(reals(rows, size), reals(rows, units) if cells else None),
        reals(rows, 4 * units) if gates else None,
        *(reals(rows, units), unit(rows, 4 * units), unit(sizes[0], units)),
        *(unit(4 * units, size), unit(size, units) if width else None),
        sizes=sizes,
        reverse=reverse,
    )


def _gru_call(sizes, reverse, bias=True, units=3):
    return call(
        *(reals(sum(sizes), 3 * units), unit(sizes[0], units), unit(3 * units, units)),
        reals(3 * units) if bias else None,
        sizes=sizes,
        reverse=reverse,
    )


def _gru_backward_call(sizes, reverse, gates=True, units=3):
    rows = sum(sizes)
    return call(
        *(reals(rows, units), reals(rows, 4 * units) if gates else None),
        *(unit(rows, 4 * units), unit(rows, units), unit(3 * units, units)),
        sizes=sizes,
        reverse=reverse,
    )


def _rnn_call(sizes, reverse, nonlinearity, backward=False):
    rows = sum(sizes)
    state = unit(rows, 3) if backward else unit(sizes[0], 3)
    return call(
        *(reals(rows, 3), state, unit(3, 3)),
        sizes=sizes,
        reverse=reverse,
        nonlinearity=nonlinearity,
    )


# Each step rounds what the next one starts with.
_STEPS = COMPOSED.wider(8)

CASES = (
    Case(
        ops.lstm,
        each(
            even=_lstm_call(EVEN, False),
            falling=_lstm_call(FALLING, True),
            projected=_lstm_call(FALLING, False, width=2),
        ),
        _lstm,
        _STEPS,
        FLOATS,
    ),
    Case(
        ops.lstm_backward,
        each(
            even=_lstm_backward_call(EVEN, False, cells=False, gates=False),
            falling=_lstm_backward_call(FALLING, True, gates=False),
            whole=_lstm_backward_call(FALLING, False, width=2),
        ),
        _lstm_backward,
        _STEPS,
        FLOATS,
    ),
    Case(
        ops.gru,
        each(
            even=_gru_call(EVEN, True),
            falling=_gru_call(FALLING, False),
            unbiased=_gru_call((1, 1), False, bias=False),
        ),
        _gru,
        _STEPS,
        FLOATS,
    ),
    Case(
        ops.gru_backward,
        each(
            even=_gru_backward_call(EVEN, True, gates=False),
            falling=_gru_backward_call(FALLING, False),
        ),
        _gru_backward,
        _STEPS,
        FLOATS,
    ),
    Case(
        ops.rnn,
        each(
            even=_rnn_call(EVEN, False, "tanh"),
            falling=_rnn_call(FALLING, True, "relu"),
        ),
        _rnn,
        _STEPS,
        FLOATS,
    ),
    Case(
        ops.rnn_backward,
        each(
            even=_rnn_call(EVEN, False, "tanh", backward=True),
            falling=_rnn_call(FALLING, True, "relu", backward=True),
        ),
        _rnn_backward,
        _STEPS,
        FLOATS,
    ),
)
