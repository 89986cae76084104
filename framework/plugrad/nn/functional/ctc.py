"""Connectionist temporal classification with PyTorch's arguments: targets padded or one after the
other, lengths as tensors or numbers, with or without a batch axis.
"""

from __future__ import annotations

from collections.abc import Sequence

from plugrad.creation import tensor
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.ops import ctc
from plugrad.ops.elementwise import clamp_min
from plugrad.ops.loss import check_reduction, reduce_loss
from plugrad.tensor import Tensor

Lengths = Tensor | Sequence[int]


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-likelihood of sequences of labels whose places in time are not known (A. Graves
    et al., ICML 2006).

    `log_probs` is (T, N, C), or (T, C) of a single sequence; `targets` (N, S), padded, or all
    sequences one after the other; class `blank` stands for no label. The mean divides each loss by
    its target's length first. A target that does not fit its input costs infinity, or nothing with
    `zero_infinity`.

    The derivative is that by `log_probs` as they are; behind a log_softmax PyTorch's is the same.
    """
    name = "ctc_loss"
    check_reduction(name, reduction)
    alone = log_probs.ndim == 2
    if alone:
        log_probs = log_probs.unsqueeze(1)
    if log_probs.ndim != 3:
        raise ShapeError(
            name, "log_probs", expected="(T, N, C) or (T, C)", got=tuple(log_probs.shape)
        )
    times, batch, _ = log_probs.shape
    ins = _lengths("input_lengths", input_lengths, log_probs)
    outs = _lengths("target_lengths", target_lengths, log_probs)
    _check_range("input_lengths", ins, times)
    if targets.dtype is not int64:
        if targets.dtype.kind != "int":
            raise DtypeError(
                name,
                "targets",
                expected="an integer dtype",
                got=targets.dtype,
                hint="class numbers",
            )
        targets = targets.long()
    if targets.device != log_probs.device:
        targets = targets.to(log_probs.device)
    if targets.ndim == 1:
        targets = _padded(targets, outs, batch)
    if targets.ndim == 2:
        _check_range("target_lengths", outs, targets.shape[1])
    each = ctc.ctc_loss(log_probs, targets, ins, outs, blank, bool(zero_infinity))
    if reduction == "mean":
        return (each / clamp_min(outs, 1).to(each.dtype)).mean()
    each = each.squeeze(0) if alone else each
    return reduce_loss(each, reduction, name)


def _lengths(argument: str, given: Lengths, like: Tensor) -> Tensor:
    """Lengths as an int64 tensor (N,)."""
    if not isinstance(given, Tensor):
        given = tensor(list(given), dtype=int64)
    if given.dtype.kind != "int":
        raise DtypeError("ctc_loss", argument, expected="an integer dtype", got=given.dtype)
    if given.ndim == 0:
        given = given.unsqueeze(0)
    if tuple(given.shape) != (like.shape[1],):
        raise ArgumentError(
            "ctc_loss", argument, expected=f"one for each of {like.shape[1]}", got=given.shape
        )
    return given.to(device=like.device, dtype=int64)


def _check_range(argument: str, lengths: Tensor, most: int) -> None:
    # Inside vmap they cannot be looked at.
    if lengths.level:
        return
    for length in lengths.tolist():
        if not 0 <= length <= most:
            raise ArgumentError(
                "ctc_loss", argument, expected=f"lengths from 0 to {most}", got=length
            )


def _padded(targets: Tensor, lengths: Tensor, batch: int) -> Tensor:
    """Sequences that stand one after the other as the rows of (N, S)."""
    sizes = lengths.tolist()
    if sum(sizes) != targets.numel():
        raise ArgumentError(
            "ctc_loss",
            "target_lengths",
            expected=f"lengths that make {targets.numel()}, as many as there are targets",
            got=sizes,
        )
    most = max(sizes)
    starts = [sum(sizes[:i]) for i in range(batch)]
    places = [
        [start + min(i, size - 1) for i in range(most)] if size else [0] * most
        for start, size in zip(starts, sizes)
    ]
    if not most:
        return targets.reshape(batch, 0)
    return targets[tensor(places, device=targets.device)]
