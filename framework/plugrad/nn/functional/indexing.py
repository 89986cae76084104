"""Lookups: rows of a table by number, and the table of the unit rows."""

from __future__ import annotations

from plugrad.creation import arange
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, DtypeError, RangeError
from plugrad.functions.reduction import norm
from plugrad.ops import indexing
from plugrad.ops.comparison import where
from plugrad.tape import no_grad
from plugrad.tensor import Tensor


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` at the positions in `input`. Row `padding_idx` gets no gradient.

    With `max_norm` the rows that are looked up, in `weight` itself, are first scaled down to that
    norm.
    """
    for name, wanted in (("scale_grad_by_freq", scale_grad_by_freq), ("sparse", sparse)):
        if wanted:
            raise ArgumentError("embedding", name, expected="False", got=True)
    count = weight.shape[0]
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise RangeError(
                "embedding",
                "padding_idx",
                expected=f"a row from {-count} to {count - 1}",
                got=padding_idx,
            )
        padding_idx %= count
    if input.dtype is not int64:
        if input.dtype.kind != "int":
            raise DtypeError("embedding", "input", expected="an integer dtype", got=input.dtype)
        input = input.long()
    if max_norm is not None:
        _limit_rows(weight, input, max_norm, norm_type)
    return indexing.embedding(weight, input, padding_idx)


@no_grad()
def _limit_rows(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    rows = index.reshape(index.numel())
    found = indexing.index_select(weight, rows, 0)
    sizes = norm(found, norm_type, 1, True)
    # PyTorch's formula: the 1e-7 keeps a row just below the limit.
    scale = where(sizes > max_norm, max_norm / (sizes + 1e-7), 1)
    indexing.index_copy_(weight.detach(), rows, found * scale, 0)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A new last axis with 1 at the position that each int64 element names, else 0."""
    if tensor.dtype is not int64:
        raise DtypeError("one_hot", "tensor", expected="int64", got=tensor.dtype)
    if tensor.numel():
        low, high = int(tensor.amin().item()), int(tensor.amax().item())
        if num_classes == -1:
            num_classes = high + 1
        if low < 0 or high >= num_classes:
            raise RangeError(
                "one_hot",
                "tensor",
                expected=f"classes from 0 to {num_classes - 1}",
                got=low if low < 0 else high,
            )
    elif num_classes <= 0:
        raise ArgumentError(
            "one_hot",
            "num_classes",
            expected="a positive number for an empty tensor",
            got=num_classes,
        )
    return (tensor.unsqueeze(-1) == arange(num_classes, device=tensor.device)).long()
