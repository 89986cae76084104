"""Embedding: a table of vectors, looked up by number, one by one or in bags."""

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
    scaled down to it first. `scale_grad_by_freq` divides a row's gradient by how often it was
    looked up; `sparse` makes the gradient a sparse tensor, for SGD, Adagrad and SparseAdam.
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
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = _row("Embedding", padding_idx, num_embeddings)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self.weight = _table(
            *("Embedding", num_embeddings, embedding_dim, _weight, not _freeze, device, dtype)
        )
        if _weight is None:
            self.reset_parameters()

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
        rows, columns = _sizes(embeddings)
        return cls(
            *(rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse),
            _weight=embeddings,
            _freeze=freeze,
        )

    def reset_parameters(self) -> None:
        """Normal numbers; row `padding_idx` 0."""
        _reset(self.weight, self.padding_idx)

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            *(input, self.weight, self.padding_idx, self.max_norm, self.norm_type),
            *(self.scale_grad_by_freq, self.sparse),
        )

    def extra_repr(self) -> str:
        options = ("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
        return f"{self.num_embeddings}, {self.embedding_dim}{_options(self, options)}"


class EmbeddingBag(Module):
    """From bags of integers to the "sum", "mean" or "max" (bags, embedding_dim) of the rows of a
    learnt table that each bag names.

    An input is (bags, size), or (count,) with `offsets` (bags,) where each bag begins; with
    `include_last_offset` one more says where the last one ends. The other options are Embedding's.
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.padding_idx = _row("EmbeddingBag", padding_idx, num_embeddings)
        self.weight = _table(
            *("EmbeddingBag", num_embeddings, embedding_dim, _weight, True, device, dtype)
        )
        if _weight is None:
            self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Bags of a given table (num_embeddings, embedding_dim), which does not train if
        `freeze`.
        """
        rows, columns = _sizes(embeddings)
        made = cls(
            *(rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse),
            _weight=embeddings,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
        made.weight.requires_grad_(not freeze)
        return made

    def reset_parameters(self) -> None:
        """Normal numbers; row `padding_idx` 0."""
        _reset(self.weight, self.padding_idx)

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """`per_sample_weights`, as `input`, multiply the rows of a sum."""
        return F.embedding_bag(
            *(input, self.weight, offsets, self.max_norm, self.norm_type),
            *(self.scale_grad_by_freq, self.mode, self.sparse, per_sample_weights),
            *(self.include_last_offset, self.padding_idx),
        )

    def extra_repr(self) -> str:
        options = ("max_norm", "norm_type", "scale_grad_by_freq")
        text = f"{self.num_embeddings}, {self.embedding_dim}{_options(self, options)}"
        return f"{text}, mode={self.mode!r}{_options(self, ('padding_idx',))}"


_DEFAULTS = {
    "padding_idx": None,
    "max_norm": None,
    "norm_type": 2.0,
    "scale_grad_by_freq": False,
    "sparse": False,
}


def _options(module: Module, names: tuple[str, ...]) -> str:
    """Those that are not at their defaults."""
    given = [(name, getattr(module, name)) for name in names]
    return "".join([f", {name}={value}" for name, value in given if value != _DEFAULTS[name]])


def _row(name: str, padding_idx: int | None, count: int) -> int | None:
    """The row of padding, counted from the front."""
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise RangeError(
            name, "padding_idx", expected=f"a row from {-count} to {count - 1}", got=padding_idx
        )
    return padding_idx % count


def _table(
    name: str,
    rows: int,
    columns: int,
    given: Tensor | None,
    learns: bool,
    device: DeviceLike,
    dtype: DType | None,
) -> Parameter:
    if given is None:
        return Parameter(empty(rows, columns, device=device, dtype=dtype), learns)
    if given.shape != (rows, columns):
        raise ShapeError(name, "_weight", expected=str((rows, columns)), got=tuple(given.shape))
    return Parameter(given, learns)


@no_grad()
def _reset(weight: Tensor, padding_idx: int | None) -> None:
    init.normal_(weight)
    if padding_idx is not None:
        weight.detach()[padding_idx].zero_()


def _sizes(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise ShapeError(
            "from_pretrained", "embeddings", expected="two axes", got=tuple(embeddings.shape)
        )
    rows, columns = embeddings.shape
    return rows, columns
