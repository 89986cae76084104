"""Lookups: rows of a table by number, sums of them, and the table of the unit rows."""

from __future__ import annotations

import warnings
from typing import Any

from plugrad.autograd.function import Function, FunctionCtx
from plugrad.creation import arange, full, ones, zeros
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.functions.indexing import index_add
from plugrad.functions.reduction import norm
from plugrad.ops import indexing
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import clamp_max, clamp_min
from plugrad.ops.reduction import cumsum
from plugrad.sparse import sparse_tensor
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
    norm. `scale_grad_by_freq` divides a row's gradient by how often it was looked up; `sparse`
    makes the gradient of `weight` a sparse tensor.
    """
    index, padding_idx = _checked("embedding", input, weight, padding_idx)
    _check_scaling("embedding", scale_grad_by_freq, sparse)
    if max_norm is not None:
        _limit_rows(weight, index, max_norm, norm_type)
    return _look_up(index, weight, padding_idx, scale_grad_by_freq, sparse)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The "sum", "mean" or "max" (bags, D) of the rows of `weight` (rows, D) that each bag names.

    `input` has a bag in each row, (bags, size), or all bags one after the other, (count,), with
    `offsets` (bags,) where each begins; with `include_last_offset` one more says where the last
    one ends. `per_sample_weights`, as `input`, multiply the rows of a sum. Row `padding_idx` counts
    for nothing, and an empty bag gives 0. The rest is as in `embedding`.
    """
    name = "embedding_bag"
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError(name, "mode", expected="'sum', 'mean' or 'max'", got=repr(mode))
    _check_scaling(name, scale_grad_by_freq, sparse)
    if mode == "max" and (scale_grad_by_freq or sparse):
        option = "sparse" if sparse else "scale_grad_by_freq"
        raise ArgumentError(name, option, expected="False with mode 'max'", got=True)
    if input.is_floating_point() and weight.dtype.kind == "int":
        warnings.warn(
            "embedding_bag: the table was given before the positions, which is deprecated; "
            "pass input, then weight",
            stacklevel=2,
        )
        input, weight = weight, input
    if per_sample_weights is not None and (
        mode != "sum" or per_sample_weights.shape != input.shape
    ):
        raise ArgumentError(
            *(name, "per_sample_weights"),
            expected=f"None, or shape {tuple(input.shape)} with mode 'sum'",
            got=f"shape {tuple(per_sample_weights.shape)} with mode {mode!r}",
        )
    index, padding_idx = _checked(name, input, weight, padding_idx)
    starts, count = _starts(name, index, offsets, include_last_offset)
    index = index.reshape(index.numel())
    if max_norm is not None:
        _limit_rows(weight, index, max_norm, norm_type)
    rows = _look_up(index, weight, padding_idx, scale_grad_by_freq, sparse)
    kept = None if padding_idx is None else index != padding_idx
    if mode == "max":
        return _largest(rows, starts, kept, count)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(index.numel(), 1)
    if kept is not None:
        rows = where(kept.unsqueeze(1), rows, 0)
    bags = None if input.ndim == 2 else _bags(starts, count, index)

    def sums(x: Tensor) -> Tensor:
        """Of what each element of `index` has, by bag."""
        if bags is None:
            return x.reshape(*input.shape, *x.shape[1:]).sum(1)
        empty = zeros(count, *x.shape[1:], dtype=x.dtype, device=x.device)
        return index_add(empty, 0, bags, x)

    if mode == "sum":
        return sums(rows)
    one = ones(index.numel(), dtype=rows.dtype, device=rows.device)
    sizes = sums(one if kept is None else kept.to(rows.dtype))
    return sums(rows) / clamp_min(sizes, 1).unsqueeze(1)


def _bags(starts: Tensor, count: int, index: Tensor) -> Tensor:
    """Which of the bags, that begin at `starts`, each element of `index` is in."""
    total = index.numel()
    begun = zeros(total + 1, dtype=int64, device=index.device)
    one = ones(count, dtype=int64, device=index.device)
    return cumsum(index_add(begun, 0, starts, one), 0)[:total] - 1


def _starts(
    name: str, index: Tensor, offsets: Tensor | None, include_last: bool
) -> tuple[Tensor, int]:
    """Where each bag begins, and how many there are."""
    if index.ndim == 2:
        if offsets is not None:
            raise ArgumentError(
                name, "offsets", expected="None where input has a row for each bag", got="a tensor"
            )
        bags, size = index.shape
        return arange(bags, device=index.device) * size, bags
    if index.ndim != 1 or offsets is None or offsets.ndim != 1:
        raise ArgumentError(
            *(name, "offsets"),
            expected="one axis, for an input with one axis, or an input with two",
            got=f"input {tuple(index.shape)}, offsets "
            f"{None if offsets is None else tuple(offsets.shape)}",
        )
    starts = offsets.long()
    low = int(starts[0].item()) if starts.numel() else 0
    high = int(starts[-1].item()) if starts.numel() else 0
    if low != 0 or high > index.numel():
        raise ArgumentError(
            *(name, "offsets"),
            expected=f"0 first, and none above {index.numel()}",
            got=f"{low} first and {high} last",
        )
    count = starts.numel()
    if include_last:
        if not count:
            raise ArgumentError(name, "offsets", expected="at least one offset", got="none")
        count -= 1
        starts = starts[:count]
    return starts, count


def _largest(rows: Tensor, starts: Tensor, kept: Tensor | None, count: int) -> Tensor:
    """The largest numbers of each bag, from its rows side by side."""
    total = rows.shape[0]
    ends = full((count,), total, dtype=int64, device=starts.device)
    if count > 1:
        ends[:-1] = starts[1:]
    longest = int((ends - starts).amax().item()) if count else 0
    if not longest:
        return zeros(count, rows.shape[1], dtype=rows.dtype, device=rows.device)
    places = starts.unsqueeze(1) + arange(longest, device=starts.device)  # (bags, longest)
    inside = places < ends.unsqueeze(1)
    places = clamp_max(places, total - 1)
    if kept is not None:
        inside = inside & kept[places]
    shown = where(inside.unsqueeze(-1), rows[places], float("-inf"))
    top: Any = shown.max(1)
    return where(inside.any(1).unsqueeze(1), top.values, 0)


def _checked(
    name: str, input: Tensor, weight: Tensor, padding_idx: int | None
) -> tuple[Tensor, int | None]:
    """The positions as int64, and the row of padding counted from the front."""
    if weight.ndim != 2:
        raise ShapeError(name, "weight", expected="two axes", got=tuple(weight.shape))
    count = weight.shape[0]
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise RangeError(
                name,
                "padding_idx",
                expected=f"a row from {-count} to {count - 1}",
                got=padding_idx,
            )
        padding_idx %= count
    if input.dtype is not int64:
        if input.dtype.kind != "int":
            raise DtypeError(name, "input", expected="an integer dtype", got=input.dtype)
        input = input.long()
    return input, padding_idx


def _check_scaling(name: str, scale_grad_by_freq: bool, sparse: bool) -> None:
    if scale_grad_by_freq and sparse:
        raise ArgumentError(name, "scale_grad_by_freq", expected="False where sparse", got=True)


def _look_up(
    index: Tensor, weight: Tensor, padding_idx: int | None, scaled: bool, sparse: bool
) -> Tensor:
    if (scaled or sparse) and weight.requires_grad:
        return _Lookup.apply(weight, index, padding_idx, sparse)
    return indexing.embedding(weight, index, padding_idx)


class _Lookup(Function):
    """`embedding` with a sparse gradient, or one divided by how often each row was looked up."""

    @staticmethod
    def forward(ctx: FunctionCtx, *args: Any) -> Tensor:
        weight, index, padding_idx, sparse = args
        ctx.save_for_backward(index)
        ctx.facts = (tuple(weight.shape), padding_idx, sparse)  # type: ignore[attr-defined]
        return indexing.embedding(weight, index, padding_idx)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (index,), (g,) = ctx.saved_tensors, grads
        shape, padding_idx, sparse = ctx.facts
        places = index.reshape(index.numel())
        rows = g.reshape(index.numel(), shape[1])
        if sparse:
            if padding_idx is not None:
                kept = places != padding_idx
                places, rows = indexing.masked_select(places, kept), rows[kept]
            return sparse_tensor(places.unsqueeze(0), rows, shape, False), None, None, None
        times = index_add(g.new_zeros(shape[0]), 0, places, g.new_ones(places.numel()))
        rows = rows / times[places].unsqueeze(1)
        grad = indexing.embedding_backward(rows, places, shape[0], padding_idx)
        return grad, None, None, None


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
