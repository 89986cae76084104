"""Transformers: layers of attention and of two linear maps, each added to what it takes.

A. Vaswani et al., Attention is all you need, arXiv 1706.03762; with `norm_first` normalised before
rather than after, R. Xiong et al., arXiv 2002.04745. Sequences are (length, N, E), batch first (N,
length, E), or unbatched. Masks are bool, True where a position is *not* to be seen, or add to the
scores: (L, S) or (N * H, L, S) for pairs of positions, (N, S) or (S,) for padding.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from plugrad.creation import DeviceLike, full
from plugrad.dtypes import DType, bool_, get_default_dtype
from plugrad.errors import ArgumentError, ShapeError
from plugrad.functions.elementwise import equal
from plugrad.functions.joining import triu
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.attention import MultiheadAttention
from plugrad.nn.container import ModuleList
from plugrad.nn.dropout import Dropout
from plugrad.nn.linear import Linear
from plugrad.nn.module import Module
from plugrad.nn.normalization import LayerNorm
from plugrad.tensor import Tensor

Activation = Callable[[Tensor], Tensor]


class _Layer(Module):
    """What encoder and decoder layers share: attention to oneself, and the linear maps."""

    # How many parts add to what they take.
    parts: int

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        place: Any = {"device": device, "dtype": dtype}
        heads: Any = {"dropout": dropout, "bias": bias, "batch_first": batch_first, **place}
        self.self_attn = MultiheadAttention(d_model, nhead, **heads)
        if self.parts == 3:
            self.multihead_attn = MultiheadAttention(d_model, nhead, **heads)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **place)
        self.norm_first = norm_first
        for number in range(1, self.parts + 1):
            setattr(self, f"norm{number}", LayerNorm(d_model, layer_norm_eps, bias=bias, **place))
        for number in range(1, self.parts + 1):
            setattr(self, f"dropout{number}", Dropout(dropout))
        self.activation = _as_activation(type(self).__name__, activation)

    def _apply_parts(self, x: Tensor, *parts: Callable[[Tensor], Tensor]) -> Tensor:
        for number, part in enumerate(parts, 1):
            norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
            x = x + dropout(part(norm(x))) if self.norm_first else norm(x + dropout(part(x)))
        return x

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Attention to the sequence itself, then `linear2(activation(linear1(x)))`."""

    parts = 2

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """`is_causal` says that `src_mask`, which must be given, is the causal one."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(
                *(x, x, x, src_key_padding_mask),
                need_weights=False,
                attn_mask=src_mask,
                is_causal=is_causal,
            )[0]

        return self._apply_parts(src, attend, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Attention to the sequence itself, to a memory, then `linear2(activation(linear1(x)))`."""

    parts = 3

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """`tgt_is_causal` and `memory_is_causal` say that the mask, which must be given, is the
        causal one.
        """

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(
                *(x, x, x, tgt_key_padding_mask),
                need_weights=False,
                attn_mask=tgt_mask,
                is_causal=tgt_is_causal,
            )[0]

        def look_up(x: Tensor) -> Tensor:
            return self.multihead_attn(
                *(x, memory, memory, memory_key_padding_mask),
                need_weights=False,
                attn_mask=memory_mask,
                is_causal=memory_is_causal,
            )[0]

        return self._apply_parts(tgt, attend, look_up, self._feed_forward)


class TransformerEncoder(Module):
    """`num_layers` copies of a layer, one after the other, then `norm`.

    The copies start with equal weights. `enable_nested_tensor` and `mask_check` choose among
    PyTorch's implementations; here there is one.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """With `is_causal` None the mask is compared with the causal one."""
        causal = _is_causal(mask) if is_causal is None else is_causal
        for layer in self.layers:
            src = layer(
                src,
                src_mask=mask,
                src_key_padding_mask=src_key_padding_mask,
                is_causal=causal,
            )
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """`num_layers` copies of a layer, one after the other, then `norm`. The copies start with equal
    weights.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """With `tgt_is_causal` None the mask is compared with the causal one."""
        causal = _is_causal(tgt_mask) if tgt_is_causal is None else tgt_is_causal
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder whose output is the decoder's memory: from source (S, N, E) and target (T, N, E)
    to (T, N, E).
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        place: Any = {"device": device, "dtype": dtype}
        options: Any = (
            *(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps),
            *(batch_first, norm_first, bias, device, dtype),
        )
        if custom_encoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
            custom_encoder = TransformerEncoder(
                TransformerEncoderLayer(*options), num_encoder_layers, norm
            )
        if custom_decoder is None:
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **place)
            custom_decoder = TransformerDecoder(
                TransformerDecoderLayer(*options), num_decoder_layers, norm
            )
        self.encoder = custom_encoder
        self.decoder = custom_decoder
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """`memory_mask` (T, S) is for what the decoder sees of the encoder's output. With
        `src_is_causal` or `tgt_is_causal` None that mask is compared with the causal one.
        """
        batch = 0 if self.batch_first else 1
        if src.ndim == 3 == tgt.ndim and src.shape[batch] != tgt.shape[batch]:
            raise ShapeError(
                *("Transformer", "tgt"),
                expected=f"{src.shape[batch]} sequences, as src has",
                got=tuple(tgt.shape),
            )
        for name, given in (("src", src), ("tgt", tgt)):
            if given.shape[-1] != self.d_model:
                raise ShapeError(
                    *("Transformer", name),
                    expected=f"vectors of {self.d_model}",
                    got=tuple(given.shape),
                )
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: DeviceLike = None, dtype: DType | None = None
    ) -> Tensor:
        """The causal mask (sz, sz): -inf above the diagonal, 0 elsewhere."""
        blocked = full((sz, sz), float("-inf"), device=device, dtype=dtype or get_default_dtype())
        return triu(blocked, 1)


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([deepcopy(layer) for _ in range(count)])


def _as_activation(name: str, activation: str | Activation) -> Activation:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise ArgumentError(
            name, "activation", expected="'relu', 'gelu' or a function", got=repr(activation)
        )
    return F.relu if activation == "relu" else F.gelu


def _is_causal(mask: Tensor | None) -> bool:
    """Whether a mask is the causal one, so that attention need not look at it."""
    if mask is None or mask.ndim != 2 or mask.shape[0] != mask.shape[1]:
        return False
    blocked = mask if mask.dtype is bool_ else mask == float("-inf")
    ones = full((mask.shape[0],) * 2, 1, dtype=bool_, device=mask.device)
    if not equal(blocked, triu(ones, 1)):
        return False
    return mask.dtype is bool_ or bool(((mask == 0) | blocked).all().item())
