"""A network that solves a differential equation: what it minimises holds its second derivative.

M. Raissi, P. Perdikaris, G. E. Karniadakis, Physics-informed neural networks, J. Comput. Phys. 378
(2019). The equation is that of a mass on a spring, in thick air: x'' + 2 d x' + w² x = 0 from x = 1
and x' = 0.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

from common import Training, console, draw, options

import plugrad as pg
from plugrad import nn

DAMPING, FREQUENCY, END = 0.4, 3.0, 3.0


def solution(time: Any) -> Any:
    """What the equation's solution is known to be."""
    rate = sqrt(FREQUENCY**2 - DAMPING**2)
    return pg.exp(-DAMPING * time) * (pg.cos(rate * time) + DAMPING / rate * pg.sin(rate * time))


def slope(y: Any, time: Any) -> Any:
    """The derivative of each element of `y` by its own time, itself differentiable."""
    return pg.autograd.grad(y.sum(), time, create_graph=True)[0]


def main() -> None:
    """Train, and compare with the known solution."""
    chosen = options(__doc__ or "", steps=2000)
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    optimizer = pg.optim.Adam(model.parameters(), lr=1e-2)
    schedule = pg.optim.lr_scheduler.CosineAnnealingLR(optimizer, chosen.steps)

    def place(time: Any) -> Any:
        # Where it starts, and that it does so at rest, is built in.
        return 1 + time**2 * model(2 * time / END - 1)

    time = pg.linspace(0, END, 128).unsqueeze(1).requires_grad_()
    training = Training(chosen.steps)
    for _ in training:
        x = place(time)
        speed = slope(x, time)
        residue = slope(speed, time) + 2 * DAMPING * speed + FREQUENCY**2 * x
        loss = residue.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        training.show(loss.item())

    time = pg.linspace(0, END, 200).unsqueeze(1)
    with pg.no_grad():
        found, true = place(time), solution(time)
    console.print(f"nowhere farther from the solution than {(found - true).abs().max().item():.4f}")

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(
            time.cpu().numpy(), true.cpu().numpy(), color="0.7", linewidth=4, label="solution"
        )
        axes.plot(time.cpu().numpy(), found.cpu().numpy(), label="network")
        axes.set(xlabel="time", ylabel="place")
        axes.legend()

    draw(chosen.out / "physics.png", paint)


if __name__ == "__main__":
    main()
