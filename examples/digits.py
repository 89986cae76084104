"""A convolutional network that reads handwritten digits, and the ones that it gets wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn
from plugrad.datasets import load_digits
from plugrad.utils.data import DataLoader, TensorDataset, random_split


def network() -> nn.Module:
    """(N, 1, 8, 8) to the scores of ten classes."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 4 * 4, 10),
    )


def endless(batches: DataLoader) -> Iterator[Any]:
    """One epoch after the other."""
    while True:
        yield from batches


def main() -> None:
    """Train, count what is right among the digits held out, and show what is not."""
    chosen = options(__doc__ or "", steps=230)
    held_out, learnt = random_split(TensorDataset(*load_digits()), [360, 1437])
    batches = DataLoader(learnt, batch_size=64, shuffle=True, drop_last=True)
    model = network()
    optimizer = pg.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = pg.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=chosen.steps)

    training = Training(chosen.steps)
    for _, (images, labels) in zip(training, endless(batches), strict=False):
        scores = model(images)
        loss = nn.functional.cross_entropy(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        training.show(loss.item(), accuracy=(scores.argmax(1) == labels).float().mean().item())

    model.eval()
    images, labels = (pg.stack(part) for part in zip(*held_out, strict=True))
    with pg.no_grad():
        found = model(images).argmax(1)
    wrong = (found != labels).nonzero().flatten().tolist()
    console.print(f"{1 - len(wrong) / len(labels):.1%} of {len(labels)} digits held out are right")

    def paint(figure: Any) -> None:
        shown = wrong[:8]
        if not shown:
            figure.suptitle("none is wrong")
        for place, index in enumerate(shown):
            axes = figure.add_subplot(1, len(shown), place + 1)
            axes.imshow(images[index, 0].cpu().numpy(), cmap="gray_r")
            axes.set(
                title=f"{found[index].item()}, is {labels[index].item()}", xticks=[], yticks=[]
            )

    draw(chosen.out / "digits.png", paint, height=1.8)


if __name__ == "__main__":
    main()
