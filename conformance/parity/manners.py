"""What of a name's results is compared, where that is not everything."""

from __future__ import annotations

from typing import Any, Final

import torch

import plugrad

from .calls import Manner
from .sides import words

#: Random numbers: the two sides draw different ones.
RANDOM: Final = frozenset(
    words(
        """
    bernoulli cauchy exponential geometric log_normal multinomial normal rand rand_like
    randint randint_like randn randn_like randperm uniform poisson binomial
    nn.functional.alpha_dropout nn.functional.dropout nn.functional.dropout1d
    nn.functional.dropout2d nn.functional.dropout3d nn.functional.feature_alpha_dropout
    nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d
    nn.functional.rrelu nn.functional.gumbel_softmax
    nn.functional.multi_head_attention_forward pca_lowrank svd_lowrank dropout alpha_dropout
    feature_alpha_dropout feature_dropout rrelu
    """
    )
)

#: Memory that nothing was written to.
UNINITIALISED: Final = frozenset(
    words(
        """
    empty empty_like empty_permuted empty_strided new_empty new_empty_strided resize_
    resize_as_
    """
    )
)

#: Vectors that are free up to a sign or a phase.
FREE: Final = frozenset(
    words(
        """
    linalg.eig linalg.eigh linalg.qr linalg.svd qr svd geqrf linalg.householder_product
    ormqr
    """
    )
)

#: Ill-conditioned: how many times the usual tolerance.
SLACK: Final = {
    "linalg.pinv": 1e3,
    "linalg.cond": 1e3,
    "linalg.lstsq": 1e3,
    "linalg.inv": 100,
    "cdist": 100,
    "corrcoef": 100,
}


def manner_of(name: str) -> Manner:
    """How a name is compared, under whichever of its spellings."""
    plain = name.removeprefix("Tensor.")
    base = plain.removesuffix("_")
    if {plain, base} & (RANDOM | UNINITIALISED):
        return Manner(values=False, gradients=False)
    if base in FREE:
        return Manner(gauge=magnitudes, slack=100)
    return Manner(slack=SLACK.get(base, 1.0))


def magnitudes(tree: Any) -> Any:
    """The absolute values of every tensor of a result."""
    if isinstance(tree, torch.Tensor | plugrad.Tensor):
        return tree.abs() if tree.is_floating_point() or tree.is_complex() else tree
    if isinstance(tree, list | tuple):
        return [magnitudes(each) for each in tree]
    return tree
