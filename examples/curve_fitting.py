"""A damped oscillation fitted to measurements by LBFGS, which needs few steps to many digits."""

from __future__ import annotations

from typing import Any

from common import Training, console, draw, options

import plugrad as pg

TRUE = {"amplitude": 1.5, "decay": 0.4, "frequency": 3.0, "phase": 0.7, "offset": 0.2}


def oscillation(
    time: Any, amplitude: Any, decay: Any, frequency: Any, phase: Any, offset: Any
) -> Any:
    """A cosine that dies away."""
    return amplitude * pg.exp(-decay * time) * pg.cos(frequency * time + phase) + offset


def main() -> None:
    """Fit five numbers to 200 measurements."""
    chosen = options(__doc__ or "", steps=12)
    time = pg.linspace(0, 6, 200, dtype=pg.float64)
    measured = oscillation(time, **TRUE) + 0.05 * pg.randn(200, dtype=pg.float64)
    start = {"amplitude": 1.0, "decay": 0.1, "frequency": 2.6, "phase": 0.0, "offset": 0.0}
    found = {
        name: pg.tensor(value, dtype=pg.float64, requires_grad=True)
        for name, value in start.items()
    }
    optimizer = pg.optim.LBFGS(list(found.values()), line_search_fn="strong_wolfe")

    def misfit() -> Any:
        optimizer.zero_grad()
        loss = (oscillation(time, **found) - measured).square().mean()
        loss.backward()
        return loss

    training = Training(chosen.steps)
    for _ in training:
        training.show(optimizer.step(misfit).item())

    for name, value in found.items():
        console.print(f"{name:>9} {value.item():8.4f}, true {TRUE[name]:.4f}")

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(time.cpu().numpy(), measured.cpu().numpy(), ".", color="0.7", label="measured")
        for label, numbers in (("start", start), ("fitted", found)):
            curve = oscillation(time, **numbers).detach()
            axes.plot(time.cpu().numpy(), curve.cpu().numpy(), label=label)
        axes.set(xlabel="time")
        axes.legend()

    draw(chosen.out / "curve_fitting.png", paint)


if __name__ == "__main__":
    main()
