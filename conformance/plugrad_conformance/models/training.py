"""An exercise, a small model with data, optimizer and goal, and its training, which may stop at any
step and go on elsewhere.

All that is random follows from the exercise's seed through plugrad's own generators, so that every
backend and dtype starts from the same weights, sees the same batches and drops the same elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import plugrad
from plugrad import nn
from plugrad.optim import Optimizer
from plugrad.optim.lr_scheduler import LRScheduler

EVALUATE_EVERY = 10


@final
@dataclass(frozen=True, slots=True)
class Exercise:
    """One model to train.

    `data` gives NumPy arrays: inputs and targets to learn from, inputs and targets held out.
    `quality` is what must reach `goal` on the held-out data. `clip` bounds the norm of all
    gradients together.
    """

    name: str
    build: Callable[[], nn.Module]
    data: Callable[[], tuple[Any, Any, Any, Any]]
    loss: Callable[[Any, Any], Any]
    quality: Callable[[Any, Any], Any]
    goal: float
    optimizer: Callable[[Any], Optimizer]
    schedule: Callable[[Optimizer], LRScheduler]
    steps: int
    batch: int
    clip: float = 1.0
    seed: int = 1

    def __str__(self) -> str:
        return self.name


@final
class Training:
    """An exercise under way on a device.

    `losses` has one number per step, `held_out` the loss on the held-out data after every tenth.
    """

    def __init__(
        self, exercise: Exercise, device: str, dtype: plugrad.dtype = plugrad.float32
    ) -> None:
        self.exercise = exercise
        self.losses: list[float] = []
        self.held_out: list[float] = []
        arrays = [plugrad.tensor(array, device=device) for array in exercise.data()]
        inputs, targets, *later = [a.to(dtype) if a.is_floating_point() else a for a in arrays]
        self._inputs, self._targets, self._later = inputs, targets, later
        self._order = plugrad.Generator().manual_seed(exercise.seed)
        plugrad.manual_seed(exercise.seed)
        with plugrad.device(device):
            self.model = exercise.build()
        # Weights are drawn in float32 and widened, so that all dtypes start from the same numbers.
        self.model.to(dtype)
        self.optimizer = exercise.optimizer(self.model.parameters())
        self.schedule = exercise.schedule(self.optimizer)
        self._at_first = {name: p.detach().clone() for name, p in self.model.named_parameters()}

    def run(self, steps: int | None = None) -> Training:
        """Train so many steps, or to the end; returns itself."""
        left = self.exercise.steps - len(self.losses)
        for _ in range(left if steps is None else steps):
            self.losses.append(self.step())
            if len(self.losses) % EVALUATE_EVERY == 0:
                self.held_out.append(self.evaluate()[0])
        return self

    def step(self) -> float:
        """One batch; the loss on it."""
        exercise = self.exercise
        count = len(self._inputs)
        device = self._inputs.device
        batch = plugrad.randint(0, count, (exercise.batch,), generator=self._order, device=device)
        self.model.train()
        loss = exercise.loss(self.model(self._inputs[batch]), self._targets[batch])
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), exercise.clip)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    @plugrad.no_grad()
    def evaluate(self) -> tuple[float, float]:
        """Loss and quality on the held-out data."""
        self.model.eval()
        inputs, targets = self._later
        outputs = self.model(inputs)
        loss, quality = (f(outputs, targets) for f in (self.exercise.loss, self.exercise.quality))
        return loss.item(), quality.item()

    @plugrad.no_grad()
    def moved(self) -> dict[str, float]:
        """How far each parameter has come: the norm of what it has changed by."""
        return {
            name: (parameter - self._at_first[name]).square().sum().sqrt().item()
            for name, parameter in self.model.named_parameters()
        }

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the training goes on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "order": self._order.get_state(),
            "random": plugrad.get_rng_state(),
            "losses": self.losses,
            "held_out": self.held_out,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was called."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self._order.set_state(state["order"])
        plugrad.set_rng_state(state["random"])
        self.losses, self.held_out = list(state["losses"]), list(state["held_out"])
