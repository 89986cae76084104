"""The training loop. Between two epochs its whole state is one nest of tensors and numbers, from
which it goes on.

Three streams of random numbers follow from the seed: which images are held out, in which order the
others come, and all else (initial weights, dropout). So a run that was stopped and resumed ends
with the same bits as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, final

from plugrad import nn
from plugrad.creation import DeviceLike
from plugrad.datasets import load_digits
from plugrad.errors import CheckpointError
from plugrad.optim import AdamW
from plugrad.optim.lr_scheduler import LambdaLR
from plugrad.random import Generator, default_generator, manual_seed
from plugrad.tape import no_grad
from plugrad.training.models import MODELS
from plugrad.utils.data import DataLoader, TensorDataset, random_split

HELD_OUT = 0.2
_EVALUATED_AT_ONCE = 512


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """What decides a run's result, but for the backend's rounding."""

    model: str = "cnn"
    epochs: int = 20
    batch_size: int = 32
    lr: float = 2e-3
    seed: int = 0


@final
@dataclass(frozen=True, slots=True)
class EpochResult:
    """One line of the metrics: means over the epoch, and over the held-out images after it."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    samples_per_second: float


# Called after each batch with how many samples the epoch has seen and their mean loss.
OnBatch = Callable[[int, float], None]


@final
class Training:
    """A model on its way through the epochs."""

    def __init__(self, settings: Settings, device: DeviceLike = None) -> None:
        self.settings = settings
        self.history: list[EpochResult] = []
        images, labels = load_digits()
        data = TensorDataset(images.to(device=device), labels.to(device=device))
        held_out = round(len(data) * HELD_OUT)
        lengths = [len(data) - held_out, held_out]
        self.train_set, self.test_set = random_split(data, lengths, _stream(settings, 1))
        self._order = _stream(settings, 2)
        manual_seed(settings.seed)
        self.model = MODELS[settings.model]().to(device)
        self.optimizer = AdamW(self.model.parameters(), lr=settings.lr)
        self._schedule = LambdaLR(self.optimizer, self._share_of_rate)
        self._loss = nn.CrossEntropyLoss()

    @property
    def epochs_done(self) -> int:
        """How many epochs are complete."""
        return len(self.history)

    def run(self, on_batch: OnBatch | None = None) -> Iterator[EpochResult]:
        """Train the epochs that are left, giving the result of each when it is complete."""
        while self.epochs_done < self.settings.epochs:
            began = perf_counter()
            rate: float = self.optimizer.param_groups[0]["lr"]
            loss, accuracy = self._train(on_batch)
            seconds = perf_counter() - began
            self._schedule.step()
            test_loss, test_accuracy = self.evaluate()
            result = EpochResult(
                epoch=self.epochs_done + 1,
                learning_rate=rate,
                train_loss=loss,
                train_accuracy=accuracy,
                test_loss=test_loss,
                test_accuracy=test_accuracy,
                seconds=seconds,
                samples_per_second=len(self.train_set) / seconds,
            )
            self.history.append(result)
            yield result

    def evaluate(self) -> tuple[float, float]:
        """Mean loss and accuracy on the held-out images."""
        loss = right = 0.0
        for logits, labels in self._held_out():
            loss += self._loss(logits, labels).item() * len(labels)
            right += (logits.argmax(1) == labels).sum().item()
        return loss / len(self.test_set), right / len(self.test_set)

    def predictions(self) -> tuple[list[int], list[int]]:
        """The classes of the held-out images: those found, and the true ones."""
        found: list[int] = []
        true: list[int] = []
        for logits, labels in self._held_out():
            found += logits.argmax(1).tolist()
            true += labels.tolist()
        return found, true

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the run goes on."""
        return {
            "settings": asdict(self.settings),
            "history": [asdict(result) for result in self.history],
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "order": self._order.get_state(),
            "random": default_generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was called."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._order.set_state(state["order"])
        default_generator.set_state(state["random"])
        self.history = [EpochResult(**result) for result in state["history"]]

    def _train(self, on_batch: OnBatch | None) -> tuple[float, float]:
        self.model.train()
        batches = DataLoader(
            self.train_set, self.settings.batch_size, shuffle=True, generator=self._order
        )
        seen, total, right = 0, 0.0, 0
        for images, labels in batches:
            logits = self.model(images)
            loss = self._loss(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            seen += len(labels)
            total += loss.item() * len(labels)
            right += (logits.detach().argmax(1) == labels).sum().item()
            if on_batch is not None:
                on_batch(seen, total / seen)
        return total / seen, right / seen

    def _held_out(self) -> Iterator[tuple[Any, Any]]:
        self.model.eval()
        for images, labels in DataLoader(self.test_set, _EVALUATED_AT_ONCE):
            with no_grad():
                yield self.model(images), labels

    def _share_of_rate(self, epoch: int) -> float:
        """Half a cosine from 1 down to almost 0 after the last epoch."""
        return (1 + math.cos(math.pi * epoch / (self.settings.epochs + 1))) / 2


def settings_of(state: Any, path: str) -> Settings:
    """The settings in a checkpoint of this loop."""
    try:
        return Settings(**state["settings"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            path, "is no checkpoint of `plugrad train`", hint="choose another folder"
        ) from error


def _stream(settings: Settings, number: int) -> Generator:
    # Philox's words of different seeds are independent: any other seed will do.
    return Generator().manual_seed(settings.seed + (number << 48))
