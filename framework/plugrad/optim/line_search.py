"""How far to go along a line: the strong Wolfe conditions, by bracketing and cubic interpolation.

J. Nocedal, S. J. Wright, Numerical optimization, second edition, 2006, algorithms 3.5 and 3.6, with
the safeguards of M. Schmidt's minFunc.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

# Of the slope at the start: how much descent is enough, and how flat the end must be.
_DESCENT = 1e-4
_FLATNESS = 0.9
# A bracket in which no element moves further is not divided.
_SMALLEST = 1e-9


class Point(NamedTuple):
    """The objective at a step along the line: its loss, gradient, and slope in that direction."""

    step: float
    loss: float
    gradient: Any
    slope: float


def strong_wolfe(
    at: Callable[[float], Point], start: Point, step: float, longest: float, tries: int
) -> tuple[Point, int]:
    """A point that descends enough and is flat enough, or the best found in so many `tries`; and
    how often the objective was evaluated.

    `at` evaluates it at a step, `start` is the point at step 0, `step` the first to try, and
    `longest` the largest element of the direction.
    """

    def is_high(point: Point) -> bool:
        return point.loss > start.loss + _DESCENT * point.step * start.slope

    def is_flat(point: Point) -> bool:
        return abs(point.slope) <= -_FLATNESS * start.slope

    before, point = start, at(step)
    tried = 0
    while tried < tries:
        if is_high(point) or (tried > 1 and point.loss >= before.loss):
            ends = [before, point]
            break
        if is_flat(point):
            return point, tried + 1
        if point.slope >= 0:
            ends = [before, point]
            break
        nearest = point.step + 0.01 * (point.step - before.step)
        further = _lowest(before, point, nearest, 10 * point.step)
        before, point = point, at(further)
        tried += 1
    else:
        ends = [start, point]

    # A minimum lies between the ends: replace one after the other by what lies between.
    low = _lower(ends)
    hesitated = False
    while tried < tries:
        left, right = sorted([end.step for end in ends])
        if (right - left) * longest < _SMALLEST:
            break
        step = _lowest(ends[0], ends[1], left, right)
        margin = 0.1 * (right - left)
        close = min(right - step, step - left) < margin
        if close and (hesitated or step >= right or step <= left):
            # Twice close to an end, or on it: go inside.
            step = right - margin if abs(step - right) < abs(step - left) else left + margin
            close = False
        hesitated = close
        point = at(step)
        tried += 1
        if is_high(point) or point.loss >= ends[low].loss:
            ends[1 - low] = point
            low = _lower(ends)
            continue
        if is_flat(point):
            return point, tried + 1
        if point.slope * (ends[1 - low].step - ends[low].step) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = point
    return ends[low], tried + 1


def _lower(ends: list[Point]) -> int:
    return 0 if ends[0].loss <= ends[1].loss else 1


def _lowest(a: Point, b: Point, left: float, right: float) -> float:
    """Where between left and right the cubic through two points, with their slopes, is lowest; the
    middle where it falls throughout.
    """
    a, b = (a, b) if a.step <= b.step else (b, a)
    bend = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = bend * bend - a.slope * b.slope
    if not square >= 0:
        return (left + right) / 2
    root = math.sqrt(square)
    share = (b.slope + root - bend) / (b.slope - a.slope + 2 * root)
    return min(max(b.step - (b.step - a.step) * share, left), right)
