"""Attention layers. A. Vaswani et al., Attention is all you need, arXiv 1706.03762.

Letters: N batch, L queries, S keys and values, E embedding, H heads.
"""

from __future__ import annotations

import math
from typing import Any

from plugrad.creation import DeviceLike, empty, zeros
from plugrad.dtypes import DType, bool_
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.functions.views import chunk
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.functional.sampling import kept_elements
from plugrad.nn.linear import Linear
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.ops.comparison import where
from plugrad.tensor import Tensor

_NAME = "MultiheadAttention"


class MultiheadAttention(Module):
    """Attention in H subspaces side by side: queries (L, N, E), keys and values (S, N, ·), or batch
    first, or unbatched.

    Returns the output and, if asked, the weights (N, L, S), averaged over the heads or (N, H, L,
    S).
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim % num_heads:
            raise ArgumentError(
                _NAME, "embed_dim", expected=f"a multiple of {num_heads} heads", got=embed_dim
            )
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim

        def weight(rows: int, columns: int, wanted: bool) -> Parameter | None:
            return Parameter(empty(rows, columns, device=device, dtype=dtype)) if wanted else None

        alike = self.kdim == self.vdim == embed_dim
        self.register_parameter("q_proj_weight", weight(embed_dim, embed_dim, not alike))
        self.register_parameter("k_proj_weight", weight(embed_dim, self.kdim, not alike))
        self.register_parameter("v_proj_weight", weight(embed_dim, self.vdim, not alike))
        self.register_parameter("in_proj_weight", weight(3 * embed_dim, embed_dim, alike))
        shift = Parameter(zeros(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        self.register_parameter("in_proj_bias", shift)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier's uniform numbers for the projections into heads, shifts of 0."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        for shift in (self.in_proj_bias, self.out_proj.bias):
            if shift is not None:
                init.zeros_(shift)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Masks are bool, True where a key is *not* to be seen, or add to the scores.

        `key_padding_mask` is (N, S) or (S,), `attn_mask` (L, S) or (N · H, L, S). `is_causal` says
        that `attn_mask`, which must be given, is the causal one.
        """
        if is_causal and attn_mask is None:
            raise ArgumentError(_NAME, "attn_mask", expected="a mask where is_causal", got=None)
        same = key is query, value is key
        batched = query.ndim == 3
        if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
            raise ShapeError(
                _NAME,
                "query, key, value",
                expected="two axes each, or three with a batch",
                got=(tuple(query.shape), tuple(key.shape), tuple(value.shape)),
            )
        # All (N, length, E) from here on.
        if not batched:
            query, key, value = query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = query.transpose(0, 1), key.transpose(0, 1), value.transpose(0, 1)
        q, k, v = self._project(query, key, value, all(same))
        mask = self._mask(q, k, key_padding_mask, attn_mask)
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            out, weights = self._attend(q, k, v, mask, p)
            if average_attn_weights:
                weights = weights.mean(1)  # (N, L, S)
            if not batched:
                weights = weights.squeeze(0)
        else:
            out = F.scaled_dot_product_attention(q, k, v, mask, p)
        batch, _, length, _ = out.shape
        out = out.transpose(1, 2).reshape(batch, length, self.embed_dim)  # (N, L, E)
        out = self.out_proj(out)
        if not batched:
            return out.squeeze(0), weights
        return (out if self.batch_first else out.transpose(0, 1)), weights

    def _project(
        self, query: Tensor, key: Tensor, value: Tensor, same: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values as (N, H, length, E / H)."""
        weights: Any
        if same and self.in_proj_weight is not None:
            parts = chunk(F.linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
        else:
            if self.in_proj_weight is not None:
                weights = chunk(self.in_proj_weight, 3, 0)
            else:
                weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            shifts = (None,) * 3 if self.in_proj_bias is None else chunk(self.in_proj_bias, 3, 0)
            parts = [
                F.linear(x, weight, shift)
                for x, weight, shift in zip((query, key, value), weights, shifts)
            ]
        q, k, v = [
            x.reshape(*x.shape[:-1], self.num_heads, self.head_dim).transpose(1, 2) for x in parts
        ]
        return q, k, v

    def _mask(
        self, q: Tensor, k: Tensor, padding: Tensor | None, mask: Tensor | None
    ) -> Tensor | None:
        """Both masks as one that adds to the scores (N, H, L, S)."""
        (batch, heads, length, _), sources = q.shape, k.shape[2]
        total = None
        if mask is not None:
            total = _additive("attn_mask", mask, q)
            if tuple(mask.shape) == (batch * heads, length, sources):
                total = total.reshape(batch, heads, length, sources)
            elif tuple(mask.shape) != (length, sources):
                expected = f"{(length, sources)} or {(batch * heads, length, sources)}"
                raise ShapeError(_NAME, "attn_mask", expected=expected, got=tuple(mask.shape))
        if padding is not None:
            wanted = (batch, sources)
            if tuple(padding.shape) not in (wanted, wanted[1:] if batch == 1 else wanted):
                raise ShapeError(
                    _NAME, "key_padding_mask", expected=str(wanted), got=tuple(padding.shape)
                )
            closed = _additive("key_padding_mask", padding, q).reshape(batch, 1, 1, sources)
            total = closed if total is None else total + closed
        return total

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float
    ) -> tuple[Tensor, Tensor]:
        scores = (q * (1 / math.sqrt(self.head_dim))) @ k.transpose(-2, -1)  # (N, H, L, S)
        weights = F.softmax(scores if mask is None else scores + mask, -1)
        if p:
            weights = weights * kept_elements(_NAME, weights, tuple(weights.shape), p)
        return weights @ v, weights


def _additive(name: str, mask: Tensor, like: Tensor) -> Tensor:
    if mask.dtype is bool_:
        return where(mask, -math.inf, like.new_zeros(()))
    if not mask.is_floating_point():
        raise DtypeError(_NAME, name, expected="bool or a floating dtype", got=mask.dtype)
    return mask.to(like.dtype)
