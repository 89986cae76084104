"""What schedules share: the epoch, the rates that groups began with, and setting new ones."""

from __future__ import annotations

import warnings
from typing import Any

from plugrad.errors import ArgumentError, KindError
from plugrad.optim.optimizer import Group, Optimizer
from plugrad.tensor import Tensor


class LRScheduler:
    """Base of all schedules: `get_lr` gives the rates of the groups at `last_epoch`.

    `last_epoch` is -1 for a new training, else the epoch after which it goes on.
    """

    # Set while the schedule is made: the rates that a continued training had stay.
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked_optimizer(self, optimizer)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", rate_of(group))
            elif "initial_lr" not in group:
                raise ArgumentError(
                    type(self).__name__,
                    "last_epoch",
                    expected=f"-1, as param_groups[{number}] has no 'initial_lr'",
                    got=last_epoch,
                    hint="load the optimizer's state first",
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch: float = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[float]:
        """The rates at `last_epoch`, one per group, from those that hold now."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def get_last_lr(self) -> list[float]:
        """The rates that were set last."""
        return self._last_lr

    def step(self, epoch: Any = None) -> None:
        """Go on to the next epoch. Naming another one is deprecated."""
        if self._step_count == 1 and not self.optimizer.has_stepped:
            warnings.warn(
                f"{type(self).__name__}: step() before the optimizer's: the first rate of the "
                "schedule is never used; call optimizer.step() first",
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is not None:
            warn_of_epoch(self)
        self._update_lr(epoch)

    def _update_lr(self, epoch: Any = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set(self.get_lr() if epoch is None else self._get_closed_form_lr())

    def _get_closed_form_lr(self) -> list[float]:
        """The rates at `last_epoch`, from the initial ones if a schedule has a formula for them."""
        return self.get_lr()

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        """The rates that hold now."""
        return [rate_of(group) for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[float]:
        return [rate * factor for rate in self._rates()]

    def _scaled_base(self, factor: float) -> list[float]:
        return [base * factor for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave."""
        self.__dict__.update(state_dict)


def checked_optimizer(schedule: LRScheduler, optimizer: Any) -> Optimizer:
    """The optimizer, if it is one."""
    if not isinstance(optimizer, Optimizer):
        name, got = type(schedule).__name__, type(optimizer).__name__
        raise KindError(name, "optimizer", expected="an Optimizer", got=got)
    return optimizer


def rate_of(group: Group) -> float:
    """A group's learning rate as a number."""
    rate = group["lr"]
    return rate.item() if isinstance(rate, Tensor) else rate


def set_rate(group: Group, rate: float) -> None:
    """Change a group's learning rate; one that is a tensor is written to."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def per_group(schedule: LRScheduler, argument: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """One value for each group, from one for all or a list."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(
            type(schedule).__name__, argument, expected=f"{count}, one per group", got=len(value)
        )
    return list(value)


def warn_of_epoch(schedule: LRScheduler) -> None:
    """Say that naming the epoch is deprecated."""
    warnings.warn(
        f"{type(schedule).__name__}: the epoch parameter of step() is deprecated; "
        "call step() without it, once per epoch",
        stacklevel=3,
    )


def state_of_callable(function: Any) -> dict[str, Any] | None:
    """What is saved of a function: nothing; of an object that can be called: its attributes."""
    return dict(function.__dict__) if not hasattr(function, "__code__") else None
