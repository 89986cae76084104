"""Attention as a layer. A. Vaswani et al., Attention is all you need, arXiv 1706.03762.

Letters: N batch, L queries, S keys and values, E embedding, H heads.
"""

from __future__ import annotations

from plugrad.creation import DeviceLike, empty, zeros
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.linear import Linear
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tensor import Tensor


class MultiheadAttention(Module):
    """Attention in H subspaces side by side: queries (L, N, E), keys and values (S, N, ·), or batch
    first, or unbatched.

    `add_bias_kv` learns one more key and value, `add_zero_attn` adds one of 0. Returns the output
    and, if asked, the weights (N, L, S), averaged over the heads or (N, H, L, S).
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ArgumentError(
                "MultiheadAttention",
                "embed_dim",
                expected=f"a multiple of {num_heads} heads",
                got=embed_dim,
            )
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim

        def weight(wanted: bool, *shape: int) -> Parameter | None:
            return Parameter(empty(shape, device=device, dtype=dtype)) if wanted else None

        alike = self.kdim == self.vdim == embed_dim
        self.register_parameter("q_proj_weight", weight(not alike, embed_dim, embed_dim))
        self.register_parameter("k_proj_weight", weight(not alike, embed_dim, self.kdim))
        self.register_parameter("v_proj_weight", weight(not alike, embed_dim, self.vdim))
        self.register_parameter("in_proj_weight", weight(alike, 3 * embed_dim, embed_dim))
        shift = Parameter(zeros(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        self.register_parameter("in_proj_bias", shift)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        self.register_parameter("bias_k", weight(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", weight(add_bias_kv, 1, 1, embed_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier's uniform numbers for the projections into heads, his normal ones for the added
        key and value, shifts of 0.
        """
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        for shift in (self.in_proj_bias, self.out_proj.bias):
            if shift is not None:
                init.zeros_(shift)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

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

        `key_padding_mask` is (N, S) or (S,), `attn_mask` (L, S) or (N * H, L, S). `is_causal` says
        that `attn_mask`, which must be given, is the causal one.
        """
        turned = self.batch_first and query.ndim == 3
        if turned:
            query, key, value = _turned(query, key, value)
        out, weights = F.multi_head_attention_forward(
            *(query, key, value, self.embed_dim, self.num_heads),
            *(self.in_proj_weight, self.in_proj_bias, self.bias_k, self.bias_v),
            *(self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias),
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=self.in_proj_weight is None,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (out.transpose(0, 1) if turned else out), weights


def _turned(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Length first. What is one tensor stays one: its projections are then one product."""
    q = query.transpose(0, 1)
    k = q if key is query else key.transpose(0, 1)
    return q, k, (k if value is key else value.transpose(0, 1))
