"""A schedule that watches a metric."""

from __future__ import annotations

import math
from typing import Any

from plugrad.errors import ArgumentError
from plugrad.optim.lr_scheduler.scheduler import (
    LRScheduler,
    checked_optimizer,
    per_group,
    rate_of,
    set_rate,
    warn_of_epoch,
)
from plugrad.optim.optimizer import Optimizer


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` when a metric has not improved for more than `patience` epochs:
    `step(metric)`.

    It improves if it falls (`mode` "min") or rises ("max") by more than `threshold`, as a share of
    the best ("rel") or as it is ("abs"). After a reduction `cooldown` epochs are not counted. No
    rate goes below `min_lr`, and none is changed by `eps` or less.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        name = type(self).__name__
        if factor >= 1:
            raise ArgumentError(name, "factor", expected="below 1", got=factor)
        if mode not in ("min", "max"):
            raise ArgumentError(name, "mode", expected="'min' or 'max'", got=mode)
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(
                name, "threshold_mode", expected="'rel' or 'abs'", got=threshold_mode
            )
        self.optimizer = checked_optimizer(self, optimizer)
        self.factor = factor
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = per_group(self, "min_lr", min_lr, optimizer)
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.last_epoch = 0
        self.best = self.mode_worse = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0
        self._last_lr = self._rates()

    @property
    def in_cooldown(self) -> bool:
        """Whether epochs are not counted, after a reduction."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any, epoch: Any = None) -> None:
        """Go on to the next epoch, in which the metric was this."""
        if epoch is not None:
            warn_of_epoch(self)
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self._is_better(current):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = self._rates()

    def _is_better(self, current: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * current > sign * (self.best * (1 + sign * self.threshold))
        return sign * current > sign * self.best + self.threshold

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(self.min_lrs) != len(groups):
            if self.default_min_lr is None:
                raise ArgumentError(
                    type(self).__name__,
                    "min_lr",
                    expected=f"{len(groups)}, one per group",
                    got=len(self.min_lrs),
                    hint="a group has joined since: lengthen min_lrs",
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs, strict=True):
            rate = rate_of(group)
            reduced = max(rate * self.factor, least)
            if rate - reduced > self.eps:
                set_rate(group, reduced)
