"""Schedules that go up and down, the momentum the other way: step them after every batch.

The momentum is SGD's, or the first of Adam's betas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from plugrad.errors import ArgumentError
from plugrad.optim.lr_scheduler.scheduler import (
    LRScheduler,
    checked_optimizer,
    per_group,
    set_rate,
    state_of_callable,
)
from plugrad.optim.optimizer import Group, Optimizer


class CyclicLR(LRScheduler):
    """Straight up from `base_lr` to `max_lr` in `step_size_up` steps, and down in
    `step_size_down`, again and again.

    L. N. Smith, Cyclical learning rates for training neural networks, arXiv 1506.01186. The height
    is halved with each cycle ("triangular2"), shrinks by `gamma` every step ("exp_range"), or is
    scaled by `scale_fn` of the cycle or the step (`scale_mode` "cycle" or "iterations"). With
    `cycle_momentum` the momentum goes down from `max_momentum` to `base_momentum` meanwhile.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float = 0.8,
        max_momentum: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self, optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentError(
                "CyclicLR",
                "mode",
                expected="'triangular', 'triangular2', 'exp_range', or a scale_fn",
                got=mode,
            )
        base_lrs = per_group(self, "base_lr", base_lr, optimizer)
        if last_epoch == -1:
            for rate, group in zip(base_lrs, optimizer.param_groups, strict=True):
                set_rate(group, rate)
        self.max_lrs = per_group(self, "max_lr", max_lr, optimizer)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = per_group(self, "base_momentum", base_momentum, optimizer)
            self.max_momentums = per_group(self, "max_momentum", max_momentum, optimizer)
            limits = self.base_momentums, self.max_momentums
            self.use_beta1 = _begin_momentum(self, optimizer, *limits, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """What the height is scaled by, at a cycle or a step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return self.gamma**x
        return 0.5 ** (x - 1) if self.mode == "triangular2" else 1.0

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        place = 1 + self.last_epoch / self.total_size - cycle
        rises = place <= self.step_ratio
        height = place / self.step_ratio if rises else (place - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            limits = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, limits, strict=True):
                _set_momentum(group, high - (high - low) * height)
        limits = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height for low, high in limits]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and a plain `scale_fn`; of another callable its
        attributes.
        """
        function = self._scale_fn_custom
        saved = None if function is None else state_of_callable(function)
        return super().state_dict() | {"_scale_fn_custom": saved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave."""
        rest = dict(state_dict)
        saved = rest.pop("_scale_fn_custom")
        if saved is not None:
            vars(self._scale_fn_custom).update(saved)
        super().load_state_dict(rest)


class OneCycleLR(LRScheduler):
    """One cycle of `total_steps` steps (or `epochs * steps_per_epoch`): up from `max_lr /
    div_factor` to `max_lr` in the first share `pct_start`, then down to the first rate divided by
    `final_div_factor`; with `three_phase` first down the way that it came.

    L. N. Smith, N. Topin, Super-convergence, arXiv 1708.07120. `anneal_strategy` is "cos" or
    "linear". With `cycle_momentum` the momentum goes from `max_momentum` down to `base_momentum`
    and back meanwhile.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        checked_optimizer(self, optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ArgumentError(
                "OneCycleLR", "pct_start", expected="a float from 0 to 1", got=pct_start
            )
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                "OneCycleLR", "anneal_strategy", expected="'cos' or 'linear'", got=anneal_strategy
            )
        self._anneal_func_type = anneal_strategy
        # Of each phase: its last step, the group's rates and momenta at its two ends.
        top = pct_start * self.total_steps - 1
        rise = _phase(top, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        last = self.total_steps - 1
        if three_phase:
            fall = 2 * pct_start * self.total_steps - 2
            self._schedule_phases = [
                rise,
                _phase(fall, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                _phase(last, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            self._schedule_phases = [
                rise,
                _phase(last, "max_lr", "min_lr", "base_momentum", "max_momentum"),
            ]
        if last_epoch == -1:
            highest = per_group(self, "max_lr", max_lr, optimizer)
            for rate, group in zip(highest, optimizer.param_groups, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            low = per_group(self, "base_momentum", base_momentum, optimizer)
            high = per_group(self, "max_momentum", max_momentum, optimizer)
            self.use_beta1 = _begin_momentum(self, optimizer, low, high, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ArgumentError(
                "OneCycleLR",
                "total_steps",
                expected=f"at most {self.total_steps} steps",
                got=f"step {self.last_epoch}",
            )
        start = 0.0
        phases = iter(self._schedule_phases)
        phase = next(phases)
        while self.last_epoch > phase["end_step"]:
            following = next(phases, None)
            if following is None:
                break  # one step too many goes on along the last line
            start, phase = phase["end_step"], following
        share = (self.last_epoch - start) / (phase["end_step"] - start)
        rates: list[float] = []
        for group in self.optimizer.param_groups:
            rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                _set_momentum(group, self._between(*ends, share))
        return rates

    def _between(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def _phase(
    end_step: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str
) -> dict[str, Any]:
    return {
        "end_step": end_step,
        "start_lr": start_lr,
        "end_lr": end_lr,
        "start_momentum": start_momentum,
        "end_momentum": end_momentum,
    }


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ArgumentError(
            "OneCycleLR",
            "total_steps",
            expected="total_steps, or epochs and steps_per_epoch",
            got="neither",
        )
    counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    counts = counts if total_steps is None else {"total_steps": total_steps}
    total = 1
    for argument, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ArgumentError("OneCycleLR", argument, expected="a positive int", got=count)
        total *= count
    return total


def _begin_momentum(
    schedule: LRScheduler, optimizer: Optimizer, low: list[float], high: list[float], epoch: int
) -> bool:
    """Begin with the highest momentum; says whether it is the first of betas."""
    name = type(schedule).__name__
    if not {"momentum", "betas"} & optimizer.defaults.keys():
        raise ArgumentError(
            name,
            "cycle_momentum",
            expected="an optimizer with momentum or betas",
            got=type(optimizer).__name__,
            hint="pass cycle_momentum=False",
        )
    if epoch == -1:
        for group, least, most in zip(optimizer.param_groups, low, high, strict=True):
            _set_momentum(group, most)
            group["max_momentum"] = most
            group["base_momentum"] = least
    return "betas" in optimizer.defaults


def _set_momentum(group: Group, momentum: float) -> None:
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
