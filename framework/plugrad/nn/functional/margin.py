"""Losses that ask for a margin: between pairs, between classes, between a triplet's distances."""

from __future__ import annotations

from collections.abc import Callable

from plugrad.creation import arange
from plugrad.dtypes import get_default_dtype, int64
from plugrad.errors import ArgumentError, DtypeError, RangeError, ShapeError
from plugrad.families import as_operand
from plugrad.functions.elementwise import clamp
from plugrad.nn.functional.activation import logsigmoid
from plugrad.nn.functional.legacy import reduction_of
from plugrad.nn.functional.linalg import cosine_similarity, pairwise_distance
from plugrad.ops.comparison import where
from plugrad.ops.elementwise import minimum
from plugrad.ops.indexing import gather, index_select
from plugrad.ops.loss import reduce_loss
from plugrad.ops.reduction import sum as sum_over
from plugrad.tensor import Tensor

# pairs --------------------------------------------------------------------------------------------


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cosine for pairs whose target is 1, the cosine above `margin` for those of -1.

    The inputs are (N, D) or (D,), the target (N,) or ().
    """
    name = "cosine_embedding_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    if target.ndim > 1 or not input1.ndim == input2.ndim == target.ndim + 1:
        raise ShapeError(
            name,
            "target",
            expected="(N,) for inputs (N, D), or () for inputs (D,)",
            got=f"{tuple(target.shape)} for {tuple(input1.shape)} and {tuple(input2.shape)}",
        )
    first, second = [
        as_operand(each, get_default_dtype(), None) if each.dtype.kind in ("bool", "int") else each
        for each in (input1, input2)
    ]
    cosine = cosine_similarity(first, second, dim=-1)
    near = where(target == 1, 1 - cosine, 0)
    each = near + where(target == -1, clamp(cosine - margin, min=0), 0)
    return reduce_loss(each, reduction, name)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """How much `target * (input1 - input2)` lacks to reach `margin`."""
    name = "margin_ranking_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            name,
            "target",
            expected="as many axes as both inputs have",
            got=f"{tuple(target.shape)} for {tuple(input1.shape)} and {tuple(input2.shape)}",
        )
    each = clamp(-target * (input1 - input2) + margin, min=0)
    return reduce_loss(each, reduction, name)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`input` where the target is 1, what it lacks to reach `margin` where it is -1."""
    reduction = reduction_of(size_average, reduce, reduction)
    # A target that is neither counts both ways, as in PyTorch.
    lacking = where(target == 1, 0, clamp(margin - input, min=0))
    each = where(target == -1, 0, input) + lacking
    return reduce_loss(each, reduction, "hinge_embedding_loss")


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """`log(1 + exp(-target * input))` for targets of 1 and -1."""
    reduction = reduction_of(size_average, reduce, reduction)
    return reduce_loss(-logsigmoid(target * input), reduction, "soft_margin_loss")


# classes ------------------------------------------------------------------------------------------


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """What the target's score lacks to be `margin` above each other class's, to the power `p` (1
    or 2), times the `weight` of the target's class; the mean over the classes.

    Scores are (N, C) or (C,), targets (N,) or ().
    """
    name = "multi_margin_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ArgumentError(name, "p", expected="1 or 2", got=p)
    # A single target may come with an axis of its own.
    single = input.ndim == 1 and target.ndim == 1
    scores, classes = _score_rows(name, input, target, (1,) if single else input.shape[:-1])
    if weight is not None and weight.shape != (scores.shape[1],):
        raise ShapeError(
            name, "weight", expected=f"({scores.shape[1]},), one per class", got=weight.shape
        )
    # Inside vmap no class can be looked at.
    if not target.level and target.numel():
        low, high = int(target.amin().item()), int(target.amax().item())
        if low < 0 or high >= scores.shape[1]:
            expected = f"classes from 0 to {scores.shape[1] - 1}"
            got = low if low < 0 else high
            raise RangeError(name, "target", expected=expected, got=got)
    own = classes.reshape(-1, 1)
    lacking = clamp(margin - gather(scores, own, 1) + scores, min=0)
    if p == 2:
        lacking = lacking * lacking
    if weight is not None:
        lacking = lacking * index_select(weight, classes.reshape(-1), 0).unsqueeze(1)
    others = arange(scores.shape[1], device=input.device) != own
    each = sum_over(where(others, lacking, 0), 1) / scores.shape[1]
    return reduce_loss(each.reshape(*target.shape), reduction, name)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """What the score of each class in the target lacks to be 1 above that of each class that is
    not; the mean over the classes.

    Scores and targets are (N, C) or (C,); a row of targets holds class numbers up to the first -1.
    """
    name = "multilabel_margin_loss"
    reduction = reduction_of(size_average, reduce, reduction)
    scores, classes = _score_rows(name, input, target, input.shape)
    count = scores.shape[1]
    # The numbers before the first -1.
    named = (classes < 0).long().cumsum(1) == 0
    wanted = where(named, classes, 0)
    positions = arange(count, device=input.device)
    belongs = ((wanted.unsqueeze(2) == positions) & named.unsqueeze(2)).any(1)
    lacking = clamp(1 - gather(scores, wanted, 1).unsqueeze(2) + scores.unsqueeze(1), min=0)
    compared = named.unsqueeze(2) & ~belongs.unsqueeze(1)
    each = sum_over(where(compared, lacking, 0), (1, 2)) / count
    return reduce_loss(each.reshape(*input.shape[:-1]), reduction, name)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the classes, along the last axis, of the binary cross-entropy of their scores,
    each times its `weight`.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    each = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        each = each * weight
    each = sum_over(each, -1) / input.shape[-1]
    return reduce_loss(each, reduction, "multilabel_soft_margin_loss")


def _score_rows(
    operator: str, input: Tensor, target: Tensor, wanted: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Scores and targets with a batch axis in front."""
    if input.ndim not in (1, 2) or not input.shape[-1]:
        raise ShapeError(operator, "input", expected="(N, C) or (C,), C not 0", got=input.shape)
    if target.dtype is not int64:
        raise DtypeError(operator, "target", expected="int64 class numbers", got=target.dtype)
    if tuple(target.shape) != tuple(wanted):
        raise ShapeError(operator, "target", expected=str(tuple(wanted)), got=tuple(target.shape))
    if input.ndim == 2:
        return input, target
    return input.unsqueeze(0), target.unsqueeze(0)


# triplets -----------------------------------------------------------------------------------------


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """How much nearer than the negative example, and by `margin`, the positive one should be.

    With `swap` the negative's distance is the smaller of those to the anchor and to the positive
    (V. Balntas et al., Learning local feature descriptors with triplets, BMVC 2016).
    """

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return _triplet_loss(
        *("triplet_margin_loss", anchor, positive, negative, distance, margin, swap),
        reduction_of(size_average, reduce, reduction),
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` by any distance; by default the Euclidean one."""
    return _triplet_loss(
        *("triplet_margin_with_distance_loss", anchor, positive, negative),
        *(distance_function or pairwise_distance, margin, swap, reduction),
    )


def _triplet_loss(
    operator: str,
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ArgumentError(operator, "margin", expected="more than 0", got=margin)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            operator,
            "anchor, positive and negative",
            expected="as many axes each",
            got=f"{tuple(anchor.shape)}, {tuple(positive.shape)} and {tuple(negative.shape)}",
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduce_loss(clamp(margin + near - far, min=0), reduction, operator)
