"""What PyTorch offers beside `nn.functional` under the same names: `plugrad.batch_norm`, …, with
the operators' own order of arguments. Scale and shift come before the statistics, `reduction` is 0
("none"), 1 ("mean") or 2 ("sum"), or its word; what concerns cuDNN is accepted and means nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugrad.errors import ArgumentError
from plugrad.functions import pooling
from plugrad.functions.convolution import Sizes
from plugrad.nn.functional import ctc, indexing, loss, normalization, padding, sampling
from plugrad.nn.functional import grid as grids
from plugrad.nn.functional import margin as margins
from plugrad.ops.loss import REDUCTIONS
from plugrad.tensor import Tensor

Reduction = int | str

# normalisation ------------------------------------------------------------------------------------


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """`nn.functional.batch_norm`, scale and shift first."""
    return normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """`nn.functional.instance_norm`, scale and shift first."""
    return normalization.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """`nn.functional.layer_norm`."""
    return normalization.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """`nn.functional.group_norm`."""
    return normalization.group_norm(input, num_groups, weight, bias, eps)


# dropout ------------------------------------------------------------------------------------------


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout`."""
    return sampling.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.dropout`, in place."""
    return sampling.dropout(input, p, train, inplace=True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.alpha_dropout`."""
    return sampling.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.alpha_dropout`, in place."""
    return sampling.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.feature_alpha_dropout`."""
    return sampling.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`nn.functional.feature_alpha_dropout`, in place."""
    return sampling.feature_alpha_dropout(input, p, train, inplace=True)


# lookups and windows ------------------------------------------------------------------------------


def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """`nn.functional.embedding`, the table first; a `padding_idx` of -1 is none."""
    return indexing.embedding(
        indices,
        weight,
        None if padding_idx == -1 else padding_idx,
        scale_grad_by_freq=scale_grad_by_freq,
        sparse=sparse,
    )


def adaptive_max_pool1d(input: Tensor, output_size: Sizes) -> Any:
    """`nn.functional.adaptive_max_pool1d`, always with the positions."""
    return pooling.adaptive_max_pool1d(input, output_size, return_indices=True)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Any:
    """`nn.functional.max_pool1d`, always with the positions."""
    return pooling.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, True)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """`nn.functional.pad` with one number."""
    return padding.pad(input, pad, "constant", value)


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """`nn.functional.affine_grid`."""
    return grids.affine_grid(theta, size, align_corners)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`nn.functional.grid_sample`; modes by number: bilinear, nearest, bicubic; zeros, border,
    reflection.
    """
    modes, paddings = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
    return grids.grid_sample(
        *(input, grid, modes[interpolation_mode], paddings[padding_mode], align_corners)
    )


# losses -------------------------------------------------------------------------------------------


def _word(operator: str, reduction: Reduction) -> str:
    if isinstance(reduction, str):
        return reduction
    if reduction not in (0, 1, 2):
        raise ArgumentError(
            operator, "reduction", expected="0 (none), 1 (mean) or 2 (sum)", got=reduction
        )
    return REDUCTIONS[reduction]


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: Reduction = 1,
) -> Tensor:
    """`nn.functional.binary_cross_entropy_with_logits`."""
    word = _word("binary_cross_entropy_with_logits", reduction)
    return loss.binary_cross_entropy_with_logits(
        input, target, weight, reduction=word, pos_weight=pos_weight
    )


def kl_div(
    input: Tensor, target: Tensor, reduction: Reduction = 1, *, log_target: bool = False
) -> Tensor:
    """`nn.functional.kl_div`."""
    word = _word("kl_div", reduction)
    return loss.kl_div(input, target, reduction=word, log_target=log_target)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: Reduction
) -> Tensor:
    """`nn.functional.poisson_nll_loss`."""
    word = _word("poisson_nll_loss", reduction)
    return loss.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=word)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: ctc.Lengths,
    target_lengths: ctc.Lengths,
    blank: int = 0,
    reduction: Reduction = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """`nn.functional.ctc_loss`."""
    return ctc.ctc_loss(
        *(log_probs, targets, input_lengths, target_lengths),
        *(blank, _word("ctc_loss", reduction), zero_infinity),
    )


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    reduction: Reduction = 1,
) -> Tensor:
    """`nn.functional.cosine_embedding_loss`."""
    word = _word("cosine_embedding_loss", reduction)
    return margins.cosine_embedding_loss(input1, input2, target, margin, reduction=word)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0.0,
    reduction: Reduction = 1,
) -> Tensor:
    """`nn.functional.margin_ranking_loss`."""
    word = _word("margin_ranking_loss", reduction)
    return margins.margin_ranking_loss(input1, input2, target, margin, reduction=word)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: Reduction = 1
) -> Tensor:
    """`nn.functional.hinge_embedding_loss`."""
    word = _word("hinge_embedding_loss", reduction)
    return margins.hinge_embedding_loss(input, target, margin, reduction=word)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = 1,
) -> Tensor:
    """`nn.functional.triplet_margin_loss`."""
    word = _word("triplet_margin_loss", reduction)
    return margins.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=word
    )
