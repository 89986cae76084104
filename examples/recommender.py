"""Taste from ratings: an embedding for each user and each film, of which a step touches a few rows.

With `sparse=True` a gradient holds those rows alone, and SparseAdam changes no others. The ratings
are made up, so that the tastes behind them are known.
"""

from __future__ import annotations

from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn

USERS, FILMS, TASTES, RATINGS, BATCH = 2000, 1000, 4, 200_000, 2048


class Taste(nn.Module):
    """The rating that a user gives a film: how far their vectors agree, and what both are like."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.user = nn.Embedding(USERS, size + 1, sparse=True)
        self.film = nn.Embedding(FILMS, size + 1, sparse=True)
        for table in (self.user, self.film):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, users: Any, films: Any) -> Any:
        """Two vectors of numbers (N,) to ratings (N,)."""
        user, film = self.user(users), self.film(films)
        return (user[:, 1:] * film[:, 1:]).sum(1) + user[:, 0] + film[:, 0]


def ratings() -> tuple[Any, Any, Any]:
    """Who rated what, and how: noise of deviation 0.3 on what the tastes say."""
    users, films = pg.randint(USERS, (RATINGS,)), pg.randint(FILMS, (RATINGS,))
    user, film = pg.randn(USERS, TASTES), pg.randn(FILMS, TASTES)
    kind = 0.5 * pg.randn(FILMS)
    stars = (user[users] * film[films]).sum(1) / TASTES**0.5 + kind[films]
    return users, films, stars + 0.3 * pg.randn(RATINGS)


def main() -> None:
    """Train on nine tenths of the ratings, and predict the rest."""
    chosen = options(__doc__ or "", steps=1500)
    users, films, stars = ratings()
    known = RATINGS * 9 // 10
    model = Taste(TASTES)
    optimizer = pg.optim.SparseAdam(model.parameters(), lr=2e-2)
    schedule = pg.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.steps)

    training = Training(chosen.steps)
    for _ in training:
        some = pg.randint(known, (BATCH,))
        loss = nn.functional.mse_loss(model(users[some], films[some]), stars[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        training.show(loss.item())

    rows = model.user.weight.grad
    console.print(
        f"the last gradient of {USERS} users holds {rows.coalesce().indices().shape[1]} rows"
    )
    with pg.no_grad():
        found, true = model(users[known:], films[known:]), stars[known:]
    error = nn.functional.mse_loss(found, true).sqrt().item()
    console.print(f"the error on ratings held out is {error:.3f}")
    console.print(f"that of always saying the mean is {true.std().item():.3f}")

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(true.cpu().numpy(), found.cpu().numpy(), ".", alpha=0.05)
        axes.axline((0, 0), slope=1, color="0.5")
        axes.set(xlabel="rating", ylabel="prediction")

    draw(chosen.out / "recommender.png", paint, 5, 5)


if __name__ == "__main__":
    main()
