"""Averages of a model's parameters over its training, and the schedule that goes with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from plugrad.creation import DeviceLike, tensor
from plugrad.dtypes import int64
from plugrad.errors import ArgumentError
from plugrad.nn import Module
from plugrad.nn.normalization import _BatchNorm
from plugrad.optim.lr_scheduler.scheduler import LRScheduler, per_group, rate_of
from plugrad.optim.optimizer import Optimizer
from plugrad.tape import no_grad
from plugrad.tensor import Tensor

# From the average, the model's tensor and how many models were averaged, the new average.
Average = Callable[[Tensor, Tensor, Any], Tensor]
# The same for many, in place.
AverageAll = Callable[[list[Tensor], list[Tensor], Any], None]


def get_swa_avg_fn() -> Average:
    """The plain mean of all models: P. Izmailov et al., Averaging weights leads to wider optima
    and better generalization, arXiv 1803.05407.
    """

    @no_grad()
    def update(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return average + (current - average) / (count + 1)

    return update


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """The exponential moving average, which keeps `decay` of itself."""
    _check_decay(decay)

    @no_grad()
    def update(average: Tensor, current: Tensor, count: Any) -> Tensor:
        return average * decay + current * (1 - decay)

    return update


def get_swa_multi_avg_fn() -> AverageAll:
    """The plain mean of all models, in place, for many tensors."""
    return _in_place(get_swa_avg_fn())


def get_ema_multi_avg_fn(decay: float = 0.999) -> AverageAll:
    """The exponential moving average, which keeps `decay` of itself, in place, for many tensors."""
    return _in_place(get_ema_avg_fn(decay))


def _in_place(average: Average) -> AverageAll:
    @no_grad()
    def update(averages: list[Tensor], currents: list[Tensor], count: Any) -> None:
        for each, current in zip(averages, currents, strict=True):
            each.copy_(average(each, current, count))

    return update


def _check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ArgumentError("get_ema_avg_fn", "decay", expected="from 0 to 1", got=decay)


class AveragedModel(Module):
    """A copy of a model that holds the average of its parameters at each `update_parameters()`:
    the plain mean, or what `avg_fn` or `multi_avg_fn` makes of them.

    Buffers are averaged too with `use_buffers`, else taken over as they are.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: DeviceLike = None,
        avg_fn: Average | None = None,
        multi_avg_fn: AverageAll | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ArgumentError(
                "AveragedModel",
                "multi_avg_fn",
                expected="no more than one of avg_fn and multi_avg_fn",
                got="both",
            )
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take a model into the average; the first is taken over as it is."""
        own, others = self._averaged(self.module), self._averaged(model)
        averages = [each.detach() for each in own]
        currents = [
            each.detach().to(average.device) for each, average in zip(others, averages, strict=True)
        ]
        if self.n_averaged.item() == 0:
            for average, current in zip(averages, currents, strict=True):
                average.copy_(current)
        else:
            average_all = self.multi_avg_fn or _in_place(self.avg_fn or get_swa_avg_fn())
            for device, dtype in {(each.device, each.dtype): None for each in averages}:
                alike = [
                    i
                    for i, each in enumerate(averages)
                    if each.device == device and each.dtype is dtype
                ]
                average_all(
                    [averages[i] for i in alike],
                    [currents[i] for i in alike],
                    self.n_averaged.to(device),
                )
        if not self.use_buffers:
            for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
                own.copy_(other.to(own.device))
        self.n_averaged += 1

    def _averaged(self, model: Module) -> list[Tensor]:
        return list(chain(model.parameters(), model.buffers() if self.use_buffers else ()))


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: DeviceLike = None) -> None:
    """Compute the running means and variances of a model's batch norms anew, from all batches of
    a loader (of a list or tuple the first element).
    """
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm)]
    if not norms:
        return
    momenta, was_training = [each.momentum for each in norms], model.training
    for each in norms:
        each.reset_running_stats()
        each.momentum = None  # the plain mean of all batches
    model.train()
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for each, momentum in zip(norms, momenta, strict=True):
        each.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """To `swa_lr` in `anneal_epochs` epochs, along a cosine ("cos") or straight ("linear"), and on
    at that rate.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                "SWALR", "anneal_strategy", expected="'cos' or 'linear'", got=anneal_strategy
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentError(
                "SWALR", "anneal_epochs", expected="an int of at least 0", got=anneal_epochs
            )
        rates = per_group(self, "swa_lr", swa_lr, optimizer)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates: list[float] = []
        for group in self.optimizer.param_groups:
            rate, target = rate_of(group), group["swa_lr"]
            # What the other schedule, if there is one, has set is what is left without this one.
            start = target if before == 1 else (rate - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates

    def _share(self, step: int) -> float:
        share = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return share if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2
