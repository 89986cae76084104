"""Recurrent layers: sequences in, one output per step and the last state out.

Letters: T steps, N sequences, I features, H units, P the output's size (`proj_size`, or H), D
directions, L layers. Inputs are (T, N, I), (N, T, I) if `batch_first`, (T, I) for one sequence, or
packed; outputs likewise, of size D * P. States are (L * D, N, ·). A layer's parameters are
`weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0` and `weight_hr_l0`, where they exist,
then those of the other direction, with the ending `_reverse`.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, ClassVar

from plugrad.creation import DeviceLike, empty, tensor, zeros
from plugrad.dtypes import DType, int64
from plugrad.errors import ArgumentError, KindError, ShapeError
from plugrad.functions.indexing import index_select
from plugrad.functions.joining import cat, stack
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.functional.sampling import check_probability
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.nn.utils.rnn import PackedSequence
from plugrad.ops.recurrent import gru, lstm, rnn
from plugrad.tensor import Tensor

States = tuple[Tensor, ...]
Sizes = tuple[int, ...]

# How many gates there are.
_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


class RNNBase(Module):
    """What recurrent layers share. `mode` is "RNN_TANH", "RNN_RELU", "LSTM" or "GRU"."""

    # How many tensors a state consists of.
    states: ClassVar[int] = 1

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if mode not in _GATES:
            raise ArgumentError(name, "mode", expected=f"one of {', '.join(_GATES)}", got=mode)
        for argument, flag in (("bias", bias), ("batch_first", batch_first)):
            if not isinstance(flag, bool):
                raise KindError(name, argument, expected="a bool", got=type(flag).__name__)
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for argument, size in sizes.items():
            if not isinstance(size, int):
                raise KindError(name, argument, expected="an int", got=type(size).__name__)
            if size < 1:
                raise ArgumentError(name, argument, expected="at least 1", got=size)
        if proj_size and mode != "LSTM":
            raise ArgumentError(name, "proj_size", expected="0: only LSTM projects", got=proj_size)
        if not 0 <= proj_size < hidden_size:
            raise ArgumentError(
                name, "proj_size", expected=f"less than hidden_size, {hidden_size}", got=proj_size
            )
        check_probability(name, dropout)
        if dropout and num_layers == 1:
            warnings.warn(
                f"{name}: dropout={dropout} acts between layers, and there is one only",
                stacklevel=3,
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._endings = [
            f"_l{layer}{direction}"
            for layer in range(num_layers)
            for direction in (("", "_reverse") if bidirectional else ("",))
        ]
        gates, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        for position, ending in enumerate(self._endings):
            first = position < 1 + bidirectional
            width = input_size if first else out * (1 + bidirectional)
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (gates, width),
                "weight_hh": (gates, out),
            }
            if bias:
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for part, shape in shapes.items():
                value = Parameter(empty(shape, device=device, dtype=dtype))
                self.register_parameter(part + ending, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1/sqrt(H) of 0."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing: parameters need not lie side by side in memory here."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [
            [each for name, each in self._parameters.items() if name.partition("_l")[2] == ending]
            for ending in [ending[2:] for ending in self._endings]
        ]

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Output and last state, from an input and the first state, zeros by default."""
        given: Any = input
        packed = input if isinstance(input, PackedSequence) else None
        alone = False
        if packed is not None:
            rows, order = packed.data, packed.sorted_indices
            sizes: Sizes = tuple(packed.batch_sizes.tolist())
        else:
            order = None
            if given.ndim not in (2, 3):
                raise ArgumentError(
                    *(type(self).__name__, "input"),
                    expected="two axes, or three with a batch",
                    got=tuple(given.shape),
                )
            alone = given.ndim == 2
            steps = given.unsqueeze(1) if alone else given  # (T, N, I)
            if self.batch_first and not alone:
                steps = steps.transpose(0, 1)
            length, count = steps.shape[:2]
            if not length:
                self._refuse_shape("input", "at least one step", given)
            sizes = (count,) * length
            rows = steps.reshape(length * count, steps.shape[-1])
        if rows.ndim != 2 or rows.shape[-1] != self.input_size:
            self._refuse_shape("input", f"{self.input_size} features", rows)
        first = self._first_state(hx, sizes[0], rows, alone)
        if order is not None:
            first = tuple([index_select(each, 1, order) for each in first])
        out, last = self._run(rows, first, sizes)
        if packed is not None:
            back = packed.unsorted_indices
            if back is not None:
                last = tuple([index_select(each, 1, back) for each in last])
            return PackedSequence(out, *packed[1:]), self._state(last)
        out = out.reshape(len(sizes), sizes[0], out.shape[-1])
        if alone:
            return out.squeeze(1), self._state(tuple([each.squeeze(1) for each in last]))
        return (out.transpose(0, 1) if self.batch_first else out), self._state(last)

    def _run(self, rows: Tensor, first: States, sizes: Sizes) -> tuple[Tensor, States]:
        """All layers; the state's parts have the layers and directions along axis 0."""
        directions = 1 + self.bidirectional
        last: list[States] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                rows = F.dropout(rows, self.dropout, self.training)
            outs: list[Tensor] = []
            for direction in range(directions):
                place = layer * directions + direction
                state = tuple([each.select(0, place) for each in first])
                followed = self._follow(rows, state, self._endings[place], sizes, bool(direction))
                outs.append(followed[0])
                last.append(tuple([_ends(each, sizes, bool(direction)) for each in followed]))
            rows = outs[0] if directions == 1 else cat(outs, 1)
        return rows, tuple([stack(each) for each in zip(*last, strict=True)])

    def _follow(
        self, rows: Tensor, state: States, ending: str, sizes: Sizes, reverse: bool
    ) -> States:
        """One layer in one direction: what each part of the state is after all steps; the outputs
        first.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how to follow a sequence")

    def _weight(self, name: str) -> Any:
        return self._parameters.get(name)

    def _projected(self, rows: Tensor, ending: str) -> Tensor:
        """What the inputs contribute to the gates, with both biases."""
        bias = self._weight("bias_ih" + ending)
        if bias is not None:
            bias = bias + self._weight("bias_hh" + ending)
        return F.linear(rows, self._weight("weight_ih" + ending), bias)

    def _first_state(self, hx: Any, count: int, rows: Tensor, alone: bool) -> States:
        layers = len(self._endings)
        wanted = [(layers, count, self.proj_size or self.hidden_size)]
        wanted += [(layers, count, self.hidden_size)] * (self.states - 1)
        if hx is None:
            return tuple([zeros(each, dtype=rows.dtype, device=rows.device) for each in wanted])
        given = (hx,) if self.states == 1 else tuple(hx)
        if len(given) != self.states or not all(isinstance(each, Tensor) for each in given):
            raise KindError(
                *(type(self).__name__, "hx"),
                expected="a tensor" if self.states == 1 else f"{self.states} tensors",
                got=type(hx).__name__,
            )
        for each, shape in zip(given, wanted, strict=True):
            expected = (shape[0], shape[2]) if alone else shape
            if tuple(each.shape) != expected:
                self._refuse_shape("hx", str(expected), each)
        return tuple([each.unsqueeze(1) for each in given]) if alone else given

    def _state(self, parts: States) -> Any:
        """A state as users see it."""
        return parts[0] if self.states == 1 else parts

    def _refuse_shape(self, argument: str, expected: str, got: Tensor) -> None:
        raise ShapeError(type(self).__name__, argument, expected=expected, got=tuple(got.shape))

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        for option, default in defaults.items():
            if getattr(self, option) != default:
                text += f", {option}={getattr(self, option)}"
        return text


class RNN(RNNBase):
    """`h = tanh(W_ih x + b_ih + W_hh h + b_hh)`, or relu in place of tanh (J. L. Elman, Finding
    structure in time, Cognitive Science 14 (1990)).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        check_nonlinearity("RNN", nonlinearity)
        super().__init__(
            *(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias),
            *(batch_first, dropout, bidirectional),
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity

    def _follow(
        self, rows: Tensor, state: States, ending: str, sizes: Sizes, reverse: bool
    ) -> States:
        x = self._projected(rows, ending)
        weight = self._weight("weight_hh" + ending)
        return (rnn(x, state[0], weight, sizes, reverse, self.nonlinearity),)


class LSTM(RNNBase):
    """Long short-term memory: a cell c that an input gate i writes and a forget gate f keeps.

    `c = f * c + i * tanh(...)`, `h = o * tanh(c)`; the gates are sigmoids of `W_ih x + b_ih + W_hh
    h + b_hh`, stacked in the order i, f, cell, o. With `proj_size` h is `W_hr` times that. A state
    is the pair (h, c). S. Hochreiter, J. Schmidhuber, Neural Computation 9 (1997); H. Sak et al.,
    arXiv 1402.1128.
    """

    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            *("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout),
            *(bidirectional, proj_size, device, dtype),
        )

    def _follow(
        self, rows: Tensor, state: States, ending: str, sizes: Sizes, reverse: bool
    ) -> States:
        weight, projection = self._weight("weight_hh" + ending), self._weight("weight_hr" + ending)
        x = self._projected(rows, ending)
        out, cells, _ = lstm(x, *state, weight, projection, sizes, reverse)
        return out, cells


class GRU(RNNBase):
    """Gated recurrent units: `h = (1 - z) * n + z * h`, with an update gate z, and `n = tanh(W_in x
    + b_in + r * (W_hn h + b_hn))`, with a reset gate r.

    The gates are sigmoids of `W_ih x + b_ih + W_hh h + b_hh`, stacked in the order r, z, n. K. Cho
    et al., arXiv 1406.1078.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            *("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout),
            *(bidirectional, 0, device, dtype),
        )

    def _follow(
        self, rows: Tensor, state: States, ending: str, sizes: Sizes, reverse: bool
    ) -> States:
        weight, bias = self._weight("weight_hh" + ending), self._weight("bias_hh" + ending)
        inner = self._weight("weight_ih" + ending), self._weight("bias_ih" + ending)
        out, _ = gru(F.linear(rows, *inner), state[0], weight, bias, sizes, reverse)
        return (out,)


# one step -----------------------------------------------------------------------------------------


class RNNCellBase(Module):
    """What one step of a recurrent layer needs; `num_chunks` gates."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(gates, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(gates, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(empty(gates, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform numbers within 1/sqrt(H) of 0."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _batched(self, input: Tensor, states: States | None, count: int) -> tuple[Tensor, States]:
        """Input and state with a batch axis."""
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ArgumentError(name, "input", expected="(I,), or (N, I)", got=tuple(input.shape))
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                name, "input", expected=f"{self.input_size} features", got=tuple(input.shape)
            )
        shape = (*input.shape[:-1], self.hidden_size)
        if states is None:
            first = zeros(shape, dtype=input.dtype, device=input.device)
            states = (first,) * count
        for each in states:
            if tuple(each.shape) != shape:
                raise ShapeError(name, "hx", expected=str(shape), got=tuple(each.shape))
        if input.ndim == 2:
            return input, states
        return input.unsqueeze(0), tuple([each.unsqueeze(0) for each in states])

    def _projected(self, rows: Tensor) -> Tensor:
        bias = None
        if self.bias_ih is not None and self.bias_hh is not None:
            bias = self.bias_ih + self.bias_hh
        return F.linear(rows, self.weight_ih, bias)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        return text if self.bias else f"{text}, bias={self.bias}"


class RNNCell(RNNCellBase):
    """One step of `RNN`: from (N, I) and h (N, H), or without N, to the next h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        rows, (h,) = self._batched(input, None if hx is None else (hx,), 1)
        sizes = (rows.shape[0],)
        out = rnn(self._projected(rows), h, self.weight_hh, sizes, False, self.nonlinearity)
        return out if input.ndim == 2 else out.squeeze(0)

    def extra_repr(self) -> str:
        text = super().extra_repr()
        return text if self.nonlinearity == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: from (N, I) and the pair h, c, (N, H) each, or without N, to the next
    pair.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        rows, (h, c) = self._batched(input, hx, 2)
        x = self._projected(rows)
        out, cell, _ = lstm(x, h, c, self.weight_hh, None, (rows.shape[0],), False)
        return (out, cell) if input.ndim == 2 else (out.squeeze(0), cell.squeeze(0))


class GRUCell(RNNCellBase):
    """One step of `GRU`: from (N, I) and h (N, H), or without N, to the next h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        rows, (h,) = self._batched(input, None if hx is None else (hx,), 1)
        x = F.linear(rows, self.weight_ih, self.bias_ih)
        out, _ = gru(x, h, self.weight_hh, self.bias_hh, (rows.shape[0],), False)
        return out if input.ndim == 2 else out.squeeze(0)


def check_nonlinearity(name: str, nonlinearity: str) -> None:
    """Refuse what is neither tanh nor relu."""
    if nonlinearity not in ("tanh", "relu"):
        raise ArgumentError(
            name, "nonlinearity", expected="'tanh' or 'relu'", got=repr(nonlinearity)
        )


def _ends(rows: Tensor, sizes: Sizes, reverse: bool) -> Tensor:
    """What each sequence ends with, in the direction in which it was followed."""
    count = sizes[0]
    if reverse:
        return rows[:count]
    if sizes[-1] == count:
        return rows[rows.shape[0] - count :]
    starts = [sum(sizes[:t]) for t in range(len(sizes))]
    lengths = [sum(size > i for size in sizes) for i in range(count)]
    places = [starts[length - 1] + i for i, length in enumerate(lengths)]
    return index_select(rows, 0, tensor(places, dtype=int64, device=rows.device))
