"""Recurrent layers: what one layer does over all time steps, an operator each.

A batch of sequences lies packed: step t has `sizes[t]` rows, those of its sequences that are so
long, one step after the other; sizes never grow. With `reverse` the last step comes first, and a
sequence begins where it ends. `x` is what the inputs contribute to the gates, biases included, made
by one product for all steps. Letters: R rows in all, N sequences, H units, P size of the output.
"""

from __future__ import annotations

from plugrad.errors import DtypeError, ShapeError
from plugrad.families import composite
from plugrad.ops.activation import relu, relu_backward
from plugrad.ops.creation import full
from plugrad.ops.elementwise import sigmoid, tanh
from plugrad.ops.joining import cat
from plugrad.ops.linalg import matmul, transpose
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import slice_dim
from plugrad.spec import spec_of


def _check(operator, sizes, x, **others):
    """`others` map a tensor's name to its spec, or None, and the shape that it must have."""
    if not x.dtype.is_floating_point:
        raise DtypeError(operator, "x", expected="a floating dtype", got=x.dtype)
    if not sizes or len(x.shape) != 2 or x.shape[0] != sum(sizes):
        raise ShapeError(
            operator, "x", expected=f"(rows, gates), as many rows as {sizes} add up to", got=x.shape
        )
    for name, (spec, shape) in others.items():
        if spec is None:
            continue
        if spec.shape != shape:
            raise ShapeError(operator, name, expected=str(shape), got=spec.shape)
        if spec.dtype is not x.dtype:
            raise DtypeError(
                operator, name, expected=f"the input's dtype, {x.dtype}", got=spec.dtype
            )


# long short-term memory ---------------------------------------------------------------------------


def _lstm_spec(x, h, c, weight, projection, sizes):
    units = x.shape[-1] // 4
    width = units if projection is None else projection.shape[0]
    count = max(sizes, default=0)
    _check(
        *("lstm", sizes, x),
        h=(h, (count, width)),
        c=(c, (count, units)),
        weight=(weight, (4 * units, width)),
        projection=(projection, (width, units)),
    )
    out, cells = (spec_of((x.shape[0], n), x.dtype, x.device) for n in (width, units))
    return out, cells, x


@composite(_lstm_spec)
def lstm(x, h, c, weight, projection, /, sizes, reverse):
    """Long short-term memory (S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997); with
    `projection` H. Sak et al., arXiv 1402.1128).

    From `x` (R, 4H), the first outputs (N, P) and cells (N, H), `weight` (4H, P) and `projection`
    (P, H) or None: outputs (R, P), cells (R, H) and gates (R, 4H) of all steps. The gates are
    input, forget, cell and output, in this order.
    """
    across = transpose(weight)
    steps = []
    for low, high in spans(sizes, reverse):
        at_hand = _top(c, high - low)
        i, f, g, o = _parts(_rows(x, low, high) + matmul(_top(h, high - low), across), 4)
        i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
        cell = f * at_hand + i * g
        out = o * tanh(cell)
        if projection is not None:
            out = matmul(out, transpose(projection))
        steps.append((out, cell, cat((i, f, g, o), 1)))
        h, c = _replaced(h, out), _replaced(c, cell)
    return _in_time(steps, reverse)


lstm.vjp_together(
    "x h c weight projection",
    lambda g, out_0, out_1, out_2, h, c, weight, projection, sizes, reverse: _lstm_cotangents(
        g, out_0, out_1, out_2, h, c, weight, projection, sizes, reverse
    ),
)


def _lstm_cotangents(g, out, cells, gates, h, c, weight, projection, sizes, reverse):
    for_x, for_h, for_c, for_out = lstm_backward(
        *(g[0], g[1], g[2], cells, gates, c, weight, projection),
        *(sizes, reverse),
    )
    for_weight = matmul(transpose(for_x), _before(out, h, sizes, reverse))
    for_projection = None
    if projection is not None:
        o = slice_dim(gates, 1, 3 * cells.shape[1], gates.shape[1], 1)
        for_projection = matmul(transpose(for_out), o * tanh(cells))
    return for_x, for_h, for_c, for_weight, for_projection


def _lstm_backward_spec(cells, gates, weight, sizes):
    def rows(count, width):
        return spec_of((count, width), cells.dtype, cells.device)

    units, width = cells.shape[1], weight.shape[1]
    return gates, rows(sizes[0], width), rows(sizes[0], units), rows(cells.shape[0], width)


@composite(_lstm_backward_spec)
def lstm_backward(g, g_cells, g_gates, cells, gates, c, weight, projection, /, sizes, reverse):
    """The cotangents of lstm's `x`, `h` and `c`, and the whole one of its outputs (R, P), which
    have an effect through the next step, too.

    The first three are cotangents of its results; they may be None.
    """
    for_h, for_c = _zeros(sizes[0], weight.shape[1], cells), _zeros(c.shape[0], c.shape[1], cells)
    before = _before(cells, c, sizes, reverse)
    steps = []
    for low, high in reversed(spans(sizes, reverse)):
        i, f, a, o = _parts(_rows(gates, low, high), 4)
        t = tanh(_rows(cells, low, high))
        along = _added(_top(for_h, high - low), g, low, high)
        hidden = along if projection is None else matmul(along, projection)
        for_cell = _added(_top(for_c, high - low), g_cells, low, high)
        for_cell = for_cell + hidden * o * (1 - t * t)
        for_gates = cat(
            (for_cell * a, for_cell * _rows(before, low, high), for_cell * i, hidden * t), 1
        )
        for_gates = _added(for_gates, g_gates, low, high)
        d_i, d_f, d_a, d_o = _parts(for_gates, 4)
        for_x = cat(
            (d_i * (i * (1 - i)), d_f * (f * (1 - f)), d_a * (1 - a * a), d_o * (o * (1 - o))), 1
        )
        steps.append((for_x, along))
        for_h = _replaced(for_h, matmul(for_x, weight))
        for_c = _replaced(for_c, for_cell * f)
    for_x, along = _in_time(steps, not reverse)
    return for_x, for_h, for_c, along


# gated recurrent units ----------------------------------------------------------------------------


def _gru_spec(x, h, weight, bias, sizes):
    units = x.shape[-1] // 3
    _check(
        *("gru", sizes, x),
        h=(h, (max(sizes, default=0), units)),
        weight=(weight, (3 * units, units)),
        bias=(bias, (3 * units,)),
    )
    rows = x.shape[0]
    return spec_of((rows, units), x.dtype, x.device), spec_of((rows, 4 * units), x.dtype, x.device)


@composite(_gru_spec)
def gru(x, h, weight, bias, /, sizes, reverse):
    """Gated recurrent units (K. Cho et al., arXiv 1406.1078), the reset gate after the product.

    From `x` (R, 3H), the first outputs (N, H), `weight` (3H, H) and `bias` (3H,) or None: outputs
    (R, H) and gates (R, 4H) of all steps. Those are reset, update, new, in this order, and what the
    reset gate lets through to new.
    """
    across = transpose(weight)
    steps = []
    for low, high in spans(sizes, reverse):
        at_hand = _top(h, high - low)
        hidden = matmul(at_hand, across)
        if bias is not None:
            hidden = hidden + bias
        x_r, x_z, x_n = _parts(_rows(x, low, high), 3)
        h_r, h_z, inner = _parts(hidden, 3)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = tanh(x_n + r * inner)
        out = n + z * (at_hand - n)
        steps.append((out, cat((r, z, n, inner), 1)))
        h = _replaced(h, out)
    return _in_time(steps, reverse)


gru.vjp_together(
    "x h weight bias",
    lambda g, out_0, out_1, h, weight, sizes, reverse: _gru_cotangents(
        g, out_0, out_1, h, weight, sizes, reverse
    ),
)


def _gru_cotangents(g, out, gates, h, weight, sizes, reverse):
    before = _before(out, h, sizes, reverse)
    for_x, for_h, for_hidden = gru_backward(g[0], g[1], gates, before, weight, sizes, reverse)
    return for_x, for_h, matmul(transpose(for_hidden), before), sum_over(for_hidden, (0,))


def _gru_backward_spec(gates, before, sizes):
    units = before.shape[1]
    wide = spec_of((gates.shape[0], 3 * units), gates.dtype, gates.device)
    return wide, spec_of((sizes[0], units), gates.dtype, gates.device), wide


@composite(_gru_backward_spec)
def gru_backward(g, g_gates, gates, before, weight, /, sizes, reverse):
    """The cotangents of gru's `x` and `h`, and of the products with its weight (R, 3H).

    The first two are cotangents of its results; they may be None. `before` is what each row's step
    began with.
    """
    for_h = _zeros(sizes[0], before.shape[1], before)
    steps = []
    for low, high in reversed(spans(sizes, reverse)):
        r, z, n, inner = _parts(_rows(gates, low, high), 4)
        along = _added(_top(for_h, high - low), g, low, high)
        at_hand = _rows(before, low, high)
        nothing = _zeros(along.shape[0], along.shape[1], along)
        for_gates = cat((nothing, along * (at_hand - n), along * (1 - z), nothing), 1)
        for_gates = _added(for_gates, g_gates, low, high)
        d_r, d_z, d_n, d_inner = _parts(for_gates, 4)
        new = d_n * (1 - n * n)
        reset = (d_r + new * inner) * (r * (1 - r))
        update = d_z * (z * (1 - z))
        hidden = cat((reset, update, d_inner + new * r), 1)
        steps.append((cat((reset, update, new), 1), hidden))
        for_h = _replaced(for_h, along * z + matmul(hidden, weight))
    for_x, for_hidden = _in_time(steps, not reverse)
    return for_x, for_h, for_hidden


# plain recurrence ---------------------------------------------------------------------------------


def _rnn_spec(x, h, weight, sizes):
    units = x.shape[-1]
    shapes = {"h": (h, (max(sizes, default=0), units)), "weight": (weight, (units, units))}
    _check("rnn", sizes, x, **shapes)
    return x


@composite(_rnn_spec)
def rnn(x, h, weight, /, sizes, reverse, nonlinearity):
    """Outputs (R, H) of all steps: the tanh, or relu, of `x` (R, H) plus `weight` (H, H) times the
    outputs before. The first are `h` (N, H).
    """
    across = transpose(weight)
    act = relu if nonlinearity == "relu" else tanh
    steps = []
    for low, high in spans(sizes, reverse):
        out = act(_rows(x, low, high) + matmul(_top(h, high - low), across))
        steps.append((out,))
        h = _replaced(h, out)
    return _in_time(steps, reverse)[0]


rnn.vjp_together(
    "x h weight",
    lambda g, out, h, weight, sizes, reverse, nonlinearity: _rnn_cotangents(
        g, out, h, weight, sizes, reverse, nonlinearity
    ),
)


def _rnn_cotangents(g, out, h, weight, sizes, reverse, nonlinearity):
    for_x, for_h = rnn_backward(g, out, weight, sizes, reverse, nonlinearity)
    return for_x, for_h, matmul(transpose(for_x), _before(out, h, sizes, reverse))


@composite(lambda y, sizes: (y, spec_of((sizes[0], y.shape[1]), y.dtype, y.device)))
def rnn_backward(g, y, weight, /, sizes, reverse, nonlinearity):
    """The cotangents of rnn's `x` and `h`, from that of its result `y`."""
    for_h = _zeros(sizes[0], y.shape[1], y)
    steps = []
    for low, high in reversed(spans(sizes, reverse)):
        along, out = _top(for_h, high - low) + _rows(g, low, high), _rows(y, low, high)
        for_x = relu_backward(along, out) if nonlinearity == "relu" else along * (1 - out * out)
        steps.append((for_x,))
        for_h = _replaced(for_h, matmul(for_x, weight))
    return _in_time(steps, not reverse)[0], for_h


# what bodies share --------------------------------------------------------------------------------


def spans(sizes, reverse):
    """The rows from where to where of each step, in the order in which the steps are taken."""
    found = []
    low = 0
    for size in sizes:
        found.append((low, low + size))
        low += size
    return found[::-1] if reverse else found


def _zeros(count, width, like):
    return full((count, width), 0, like.dtype, like.device)


def _rows(x, low, high):
    return slice_dim(x, 0, low, high, 1)


def _top(x, count):
    return x if count == x.shape[0] else slice_dim(x, 0, 0, count, 1)


def _replaced(state, rows):
    """The state of all sequences, with new first rows."""
    count, every = rows.shape[0], state.shape[0]
    return rows if count == every else cat((rows, slice_dim(state, 0, count, every, 1)), 0)


def _added(x, g, low, high):
    return x if g is None else x + _rows(g, low, high)


def _parts(x, count):
    """Equal parts of the last axis."""
    size = x.shape[1] // count
    return [slice_dim(x, 1, i * size, (i + 1) * size, 1) for i in range(count)]


def _in_time(steps, reverse):
    """The results of all steps, each put together in the order of time."""
    ordered = steps[::-1] if reverse else steps
    return tuple([cat(tuple(each), 0) for each in zip(*ordered, strict=True)])


def _before(states, first, sizes, reverse):
    """What each row's step began with: the state of the step before it, or the first one."""
    if sizes[0] == sizes[-1]:  # all sequences are equally long
        count, size = states.shape[0], sizes[0]
        if reverse:
            return cat((slice_dim(states, 0, size, count, 1), first), 0)
        return cat((first, slice_dim(states, 0, 0, count - size, 1)), 0)
    steps = []
    state = first
    for low, high in spans(sizes, reverse):
        steps.append((_top(state, high - low),))
        state = _replaced(state, _rows(states, low, high))
    return _in_time(steps, reverse)[0]
