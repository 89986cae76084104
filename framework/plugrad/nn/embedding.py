"""Embedding: a table of vectors, looked up by number."""

from __future__ import annotations

from plugrad.creation import DeviceLike, empty
from plugrad.dtypes import DType
from plugrad.errors import RangeError, ShapeError
from plugrad.nn import functional as F
from plugrad.nn import init
from plugrad.nn.module import Module
from plugrad.nn.parameter import Parameter
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


class Embedding(Module):
    """From integers of any shape (...) to rows (..., embedding_dim) of a learnt table.

    Row `padding_idx` starts as 0 and gets no gradient. With `max_norm` the rows looked up are
    scaled down to it first.
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise RangeError(
                    "Embedding",
                    "padding_idx",
                    expected=f"a row from {-num_embeddings} to {num_embeddings - 1}",
                    got=padding_idx,
                )
            padding_idx %= num_embeddings
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        shape = (num_embeddings, embedding_dim)
        if _weight is None:
            self.weight = Parameter(empty(shape, device=device, dtype=dtype), not _freeze)
            self.reset_parameters()
        else:
            if _weight.shape != shape:
                raise ShapeError(
                    "Embedding", "_weight", expected=str(shape), got=tuple(_weight.shape)
                )
            self.weight = Parameter(_weight, not _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An embedding of a given table (num_embeddings, embedding_dim), which does not train if
        `freeze`.
        """
        if embeddings.ndim != 2:
            raise ShapeError(
                "from_pretrained", "embeddings", expected="two axes", got=tuple(embeddings.shape)
            )
        rows, columns = embeddings.shape
        return cls(
            *(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse),
            _weight=embeddings,
            _freeze=freeze,
        )

    @no_grad()
    def reset_parameters(self) -> None:
        """Normal numbers; row `padding_idx` 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx].zero_()

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            *(input, self.weight, self.padding_idx, self.max_norm, self.norm_type),
            *(self.scale_grad_by_freq, self.sparse),
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        return text
