"""Dropout layers: active in training only. N. Srivastava et al., Journal of Machine Learning
Research 15 (2014).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from plugrad.nn import functional as F
from plugrad.nn.functional.sampling import check_probability
from plugrad.nn.module import Module
from plugrad.tensor import Tensor


class _Dropout(Module):
    drop: ClassVar[Callable[..., Tensor]]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability(type(self).__name__, p)
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return type(self).drop(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Each element 0 with probability p, else divided by 1 - p."""

    drop = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """Whole channels of (N, C, L) at a time."""

    drop = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Whole channels of (N, C, H, W) at a time."""

    drop = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Whole channels of (N, C, D, H, W) at a time."""

    drop = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Each element, with probability p, the limit of SELU; then mean 0 and variance 1 restored."""

    drop = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels of (N, C, ...) at a time."""

    drop = staticmethod(F.feature_alpha_dropout)
