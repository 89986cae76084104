"""Schedules made of schedules: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from plugrad.errors import ArgumentError, KindError
from plugrad.optim.lr_scheduler.plateau import ReduceLROnPlateau
from plugrad.optim.lr_scheduler.scheduler import LRScheduler, set_rate
from plugrad.optim.optimizer import Optimizer


class _Composed(LRScheduler):
    """Saves the states of its schedules in its own."""

    _schedulers: list[LRScheduler]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer, with the states of the schedules."""
        states = [each.state_dict() for each in self._schedulers]
        return super().state_dict() | {"_schedulers": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave."""
        rest = dict(state_dict)
        for each, state in zip(self._schedulers, rest.pop("_schedulers"), strict=True):
            each.load_state_dict(state)
        super().load_state_dict(rest)


class SequentialLR(_Composed):
    """One schedule after the other: the next takes over at each of the epochs in `milestones`, and
    begins at its own epoch 0.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        _check(self, schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                "SequentialLR",
                "milestones",
                expected=f"{len(schedulers) - 1}, one less than schedules",
                got=len(milestones),
            )
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each schedule took its first step when it was made: take those back, and let only the one
        # take it whose turn it is.
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        for each in self._schedulers:
            _undo(each)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: None = None) -> None:
        """Go on to the next epoch."""
        self.last_epoch += 1
        turn = bisect_right(self._milestones, self.last_epoch)
        schedule = self._schedulers[turn]
        if turn and self._milestones[turn - 1] == self.last_epoch:
            schedule._update_lr(0)
        else:
            schedule.step()
        self._last_lr = schedule.get_last_lr()


class ChainedScheduler(_Composed):
    """All schedules at every step, so that their factors multiply."""

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        _check(self, schedulers, optimizer)
        self._schedulers = list(schedulers)
        self.optimizer = schedulers[0].optimizer
        self._last_lr = self._rates()

    def step(self, epoch: None = None) -> None:
        """Go on to the next epoch."""
        for each in self._schedulers:
            each.step()
        self._last_lr = self._rates()


def _check(
    composed: LRScheduler, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None
) -> None:
    name = type(composed).__name__
    if not schedulers:
        raise ArgumentError(name, "schedulers", expected="at least one schedule", got="none")
    for position, each in enumerate(schedulers):
        argument = f"schedulers[{position}]"
        if not isinstance(each, LRScheduler):
            raise KindError(name, argument, expected="a schedule", got=type(each).__name__)
        if isinstance(each, ReduceLROnPlateau):
            raise ArgumentError(
                name,
                argument,
                expected="a schedule whose step() takes no metric",
                got=type(each).__name__,
            )
        if each.optimizer is not (optimizer or schedulers[0].optimizer):
            raise ArgumentError(
                name, argument, expected="a schedule of the same optimizer", got="another's"
            )


def _undo(schedule: LRScheduler) -> None:
    if isinstance(schedule, _Composed):
        for each in schedule._schedulers:
            _undo(each)
    else:
        schedule.last_epoch -= 1
