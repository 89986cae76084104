"""One gradient for each image of a batch, by `vmap`: those with a wrong label pull hardest."""

from __future__ import annotations

from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn
from plugrad.datasets import load_digits
from plugrad.func import functional_call, grad, vmap

SPOILT, BATCH = 100, 128


def gradient_norms(model: nn.Module, images: Any, labels: Any) -> Any:
    """The length of the loss's gradient by all parameters, for each image, (N,)."""
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss(parameters: Any, image: Any, label: Any) -> Any:
        scores = functional_call(model, parameters, (image.unsqueeze(0),))
        return nn.functional.cross_entropy(scores, label.unsqueeze(0))

    each = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, images, labels)
    return sum(g.flatten(1).square().sum(1) for g in each.values()).sqrt()


def main() -> None:
    """Spoil some labels, train for a while, and look for the spoilt ones."""
    chosen = options(__doc__ or "", steps=250)
    images, labels = load_digits()
    spoilt = pg.zeros(len(labels), dtype=pg.bool)
    spoilt[pg.randperm(len(labels))[:SPOILT]] = True
    labels = pg.where(spoilt, (labels + pg.randint(1, 10, labels.shape)) % 10, labels)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    optimizer = pg.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)

    training = Training(chosen.steps)
    for _ in training:
        some = pg.randint(len(images), (BATCH,))
        loss = nn.functional.cross_entropy(model(images[some]), labels[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        training.show(loss.item())

    norms = gradient_norms(model, images, labels)
    suspects = norms.topk(SPOILT).indices
    hits = spoilt[suspects].sum().item()
    console.print(f"of the {SPOILT} images that pull hardest {hits} have a wrong label")

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for label, those in (("right label", ~spoilt), ("wrong label", spoilt)):
            axes.hist(norms[those].log10().cpu().numpy(), bins=40, alpha=0.6, label=label)
        axes.set(xlabel="length of the gradient, log10", ylabel="images", yscale="log")
        axes.legend()

    draw(chosen.out / "per_sample_gradients.png", paint)


if __name__ == "__main__":
    main()
