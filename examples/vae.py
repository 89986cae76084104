"""A variational autoencoder of digits: two numbers for each image, and images for any two numbers.

D. P. Kingma, M. Welling, Auto-Encoding Variational Bayes, arXiv 1312.6114.
"""

from __future__ import annotations

from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn
from plugrad.datasets import load_digits

BATCH, HIDDEN = 128, 128


class Autoencoder(nn.Module):
    """Images (N, 64) to a normal distribution over the plane, and points back to images."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 4))
        self.decoder = nn.Sequential(
            nn.Linear(2, HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.GELU(),
            nn.Linear(HIDDEN, 64),
        )

    def forward(self, images: Any) -> tuple[Any, Any, Any]:
        """The pixels' logits, from a point drawn; the distribution's mean and log variance."""
        mean, log_variance = self.encoder(images).chunk(2, -1)
        point = mean + pg.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(point), mean, log_variance


def cost(images: Any, logits: Any, mean: Any, log_variance: Any) -> Any:
    """The negative evidence lower bound of an image, in nats."""
    misfit = nn.functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
    return (misfit + divergence) / len(images)


def main() -> None:
    """Train, then walk over the plane and draw the image of each point."""
    chosen = options(__doc__ or "", steps=1500)
    images, _labels = load_digits()
    images = images.flatten(1)
    model = Autoencoder()
    optimizer = pg.optim.Adam(model.parameters(), lr=2e-3)

    training = Training(chosen.steps)
    for _ in training:
        batch = images[pg.randint(len(images), (BATCH,))]
        loss = cost(batch, *model(batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        training.show(loss.item())

    with pg.no_grad():
        console.print(f"{cost(images, *model(images)).item():.2f} nats for an image")
        side = pg.linspace(-2, 2, 15)
        points = pg.cartesian_prod(side, side)
        sheet = (
            model.decoder(points)
            .sigmoid()
            .reshape(15, 15, 8, 8)
            .permute(0, 2, 1, 3)
            .reshape(120, 120)
        )

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.imshow(sheet.cpu().numpy(), cmap="gray_r", extent=(-2, 2, 2, -2))
        axes.set(xlabel="second number", ylabel="first number")

    draw(chosen.out / "vae.png", paint, 6, 6)


if __name__ == "__main__":
    main()
