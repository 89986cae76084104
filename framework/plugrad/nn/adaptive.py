"""Softmax over very many classes, most of them rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from plugrad.creation import DeviceLike
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, RangeError, ShapeError
from plugrad.functions.indexing import gather, index_add, index_select
from plugrad.functions.joining import cat
from plugrad.nn import functional as F
from plugrad.nn.container import ModuleList, Sequential
from plugrad.nn.linear import Linear
from plugrad.nn.module import Module
from plugrad.ops.comparison import where
from plugrad.tensor import Tensor


class ASMoutput(NamedTuple):
    """The logarithm of each target's probability, and the mean of their negatives."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """E. Grave et al., Efficient softmax approximation for GPUs, arXiv 1609.04309.

    Classes are numbered from the most frequent on. Those below `cutoffs[0]` are in the head, which
    also has an entry for each cluster of rarer ones, cut at the other cutoffs. The i-th cluster
    sees the input projected to `in_features // div_value**i` features. From (N, in_features) and
    targets (N,), or without N, to the targets' log-probabilities and the loss.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: DeviceLike = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        cuts = list(cutoffs)
        rising = cuts == sorted(set(cuts)) and all(int(each) == each for each in cuts)
        if not cuts or not rising or cuts[0] < 1 or cuts[-1] > n_classes - 1:
            raise ArgumentError(
                *("AdaptiveLogSoftmaxWithLoss", "cutoffs"),
                expected=f"rising integers from 1 to {n_classes - 1}",
                got=cuts,
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cuts, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cuts[0]
        self.n_clusters = len(cuts)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            inner = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            down = Linear(in_features, inner, False, device, dtype)
            self.tail.append(Sequential(down, Linear(inner, size, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Initial values of all linear maps."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input: Tensor, target: Tensor) -> ASMoutput:
        alone = target.ndim == 0
        if target.ndim > 1 or input.ndim != target.ndim + 1:
            raise ShapeError(
                *("AdaptiveLogSoftmaxWithLoss", "input, target"),
                expected="(N, in_features) and (N,), or both without N",
                got=(tuple(input.shape), tuple(target.shape)),
            )
        if alone:
            input, target = input.unsqueeze(0), target.unsqueeze(0)
        if input.shape[0] != target.shape[0]:
            raise ShapeError(
                *("AdaptiveLogSoftmaxWithLoss", "target"),
                expected=f"{input.shape[0]} targets",
                got=tuple(target.shape),
            )
        low, high = int(target.amin().item()), int(target.amax().item())
        if low < 0 or high >= self.n_classes:
            raise RangeError(
                *("AdaptiveLogSoftmaxWithLoss", "target"),
                expected=f"classes from 0 to {self.n_classes - 1}",
                got=low if low < 0 else high,
            )
        entry, found = target, []
        for i in range(self.n_clusters):
            inside = (target >= self.cutoffs[i]) & (target < self.cutoffs[i + 1])
            places: Any = inside.nonzero()
            rows = places.squeeze(1)
            entry = where(inside, self.shortlist_size + i, entry)
            if rows.numel():
                own = index_select(target, 0, rows) - self.cutoffs[i]
                log_p = F.log_softmax(self.tail[i](index_select(input, 0, rows)), 1)
                found.append((rows, gather(log_p, 1, own.unsqueeze(1)).squeeze(1)))
        out = gather(F.log_softmax(self.head(input), 1), 1, entry.unsqueeze(1)).squeeze(1)
        for rows, log_p in found:
            out = index_add(out, 0, rows, log_p)
        return ASMoutput(out.squeeze(0) if alone else out, -out.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The logarithms of all probabilities (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            place = self.shortlist_size + i
            parts.append(F.log_softmax(cluster(input), 1) + head[:, place : place + 1])
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each input (N,)."""
        return self.log_prob(input).argmax(1)
