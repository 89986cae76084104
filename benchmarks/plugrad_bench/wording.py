"""Figures as people read them."""

from __future__ import annotations

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def duration(seconds: float) -> str:
    """Three digits: `1.23 µs`, `45.6 ms`."""
    scale, unit = next((each for each in _UNITS if seconds >= 0.9995 * each[0]), _UNITS[-1])
    return f"{_three_digits(seconds / scale)} {unit}"


def times(ratio: float) -> str:
    """`0.042×`, `0.42×`, `31.6×`, `118×`."""
    return f"{ratio:.3f}×" if ratio < 0.0995 else f"{_three_digits(ratio)}×"


def _three_digits(value: float) -> str:
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
