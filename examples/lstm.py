"""An LSTM that has seen the beginnings of waves and goes on with them by itself."""

from __future__ import annotations

from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn

LENGTH, HIDDEN, BATCH = 60, 48, 32


def waves(count: int, length: int) -> Any:
    """Sines of random frequency, amplitude and phase, (N, T, 1)."""
    frequency, amplitude, phase = pg.rand(3, count, 1)
    time = pg.arange(length)
    wave = (0.3 + amplitude) * pg.sin((0.15 + 0.35 * frequency) * time + 6.3 * phase)
    return wave.unsqueeze(-1)


class Forecast(nn.Module):
    """The next value after each of those given."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(1, HIDDEN, num_layers=2, batch_first=True)
        self.change = nn.Linear(HIDDEN, 1)

    def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """(N, T, 1) and the state so far to the same shape and the state after."""
        seen, state = self.memory(x, state)
        return x + self.change(seen), state


@pg.no_grad()
def continued(model: Forecast, x: Any, count: int) -> Any:
    """So many values more, each fed back as if it had been seen."""
    guess, state = model(x)
    found = [guess[:, -1:]]
    while len(found) < count:
        guess, state = model(found[-1], state)
        found.append(guess)
    return pg.cat(found, 1)


def main() -> None:
    """Train on waves, then go on with four that were never seen."""
    chosen = options(__doc__ or "", steps=400)
    model = Forecast()
    optimizer = pg.optim.Adam(model.parameters(), lr=5e-3)
    schedule = pg.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.steps)

    training = Training(chosen.steps)
    for _ in training:
        x = waves(BATCH, LENGTH + 1)
        noise = 0.05 * pg.randn(BATCH, LENGTH, 1)  # it has to live with errors of its own
        guess, _state = model(x[:, :-1] + noise)
        loss = nn.functional.mse_loss(guess, x[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        training.show(loss.item())

    ahead = LENGTH // 2
    true = waves(4, LENGTH + ahead)
    found = continued(model, true[:, :LENGTH], ahead)
    error = nn.functional.mse_loss(found, true[:, LENGTH:]).item()
    still = nn.functional.mse_loss(
        true[:, LENGTH - 1 : LENGTH].expand(-1, ahead, -1), true[:, LENGTH:]
    ).item()
    console.print(
        f"{ahead} steps ahead the mean squared error is {error:.3f}; of standing still, {still:.3f}"
    )

    def paint(figure: Any) -> None:
        for place, axes in enumerate(figure.subplots(2, 2, sharex=True, sharey=True).flat):
            axes.plot(true[place, :, 0].cpu().numpy(), color="0.7", label="true")
            axes.plot(
                range(LENGTH, LENGTH + ahead), found[place, :, 0].cpu().numpy(), label="forecast"
            )
        axes.legend()

    draw(chosen.out / "lstm.png", paint)


if __name__ == "__main__":
    main()
