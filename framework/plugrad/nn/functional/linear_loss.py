"""A linear map and the cross entropy of what it gives, as one loss."""

from __future__ import annotations

from plugrad.errors import ArgumentError, ShapeError
from plugrad.nn.functional.linalg import linear
from plugrad.nn.functional.loss import cross_entropy
from plugrad.tensor import Tensor


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: None = None,
) -> Tensor:
    """`cross_entropy` of the scores `linear(input, linear_weight, linear_bias)`.

    `input` is (N, features) or (features,), `linear_weight` (classes, *, features): with more than
    two axes the scores are (N, classes, *). `ignore_index` names a class (-100 unless said
    otherwise), and must be left out where the target holds probabilities. `options` are PyTorch's
    for a computation in pieces; here the scores are one tensor.
    """
    name = "linear_cross_entropy"
    if input.ndim not in (1, 2):
        raise ShapeError(name, "input", expected="one or two axes", got=input.shape)
    if linear_weight.ndim < 2:
        raise ShapeError(
            name, "linear_weight", expected="two axes or more", got=linear_weight.shape
        )
    features, scores = input.shape[-1], linear_weight.shape[:-1]
    if linear_weight.shape[-1] != features:
        raise ShapeError(
            name,
            "linear_weight",
            expected=f"a last axis of {features}, as input has",
            got=linear_weight.shape,
        )
    if linear_bias is not None and linear_bias.shape != scores:
        raise ShapeError(name, "linear_bias", expected=str(scores), got=linear_bias.shape)
    if len(scores) > 1 and input.ndim == 1:
        raise ShapeError(name, "input", expected=f"a batch, (N, {features})", got=input.shape)
    shape = (*input.shape[:-1], *scores)
    if target.shape == shape and ignore_index is not None:
        raise ArgumentError(
            name,
            "ignore_index",
            expected="None, as the target holds probabilities",
            got=ignore_index,
        )
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    made = linear(input, linear_weight.reshape(-1, features), bias).reshape(shape)
    return cross_entropy(
        *(made, target, weight),
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
