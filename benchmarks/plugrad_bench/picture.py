"""The picture: a bar per operator, size and side, from 1 to its ratio, on a logarithmic scale.

Bars to the left are faster than the reference, bars to the right slower. A panel per size; training
steps have their own, below. Lengths are in inches, so that a bar looks the same in every picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plugrad_bench.results import Comparison, Measurement, geometric_mean
from plugrad_bench.sizes import size_label
from plugrad_bench.wording import times

# Colours that people who see few of them can tell apart (M. Okabe, K. Ito).
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_FASTER, _FAINT, _TEXT = "#eef6ee", "#d8d8d8", "#333333"
_LEFT, _RIGHT, _PANEL, _GAP = 2.5, 0.25, 3.4, 0.12
_LINE, _FOOT, _TITLE = 0.2, 0.62, 0.42
_BAR, _SPACE, _FAMILY = 0.115, 0.07, 0.24
#: A bar that would be longer is cut there, and its figure says by how much it is.
_WIDEST = 32.0

Line = tuple[str, str]
Place = tuple[str, float, bool]
Reach = tuple[float, float]


def draw(run: Comparison, file: Path) -> None:
    """Write the picture as PNG; ImportError without matplotlib."""
    from matplotlib.figure import Figure

    lines = run.lines()
    sizes = list(dict.fromkeys([size for _, _, size in lines if size is not None]))
    operators = list(dict.fromkeys([(f, name) for f, name, size in lines if size is not None]))
    steps = [(family, name) for family, name, size in lines if size is None]
    blocks: list[tuple[list[Line], Sequence[int | None]]] = []
    blocks += [(operators, sizes)] if operators else []
    blocks += [(steps, [None])] if steps else []

    slot = _BAR * len(run.challengers) + _SPACE
    head = _TITLE + _LINE * (len(run.challengers) + 1.5)
    width = _LEFT + (_PANEL + _GAP) * max(len(sizes), 2) + _RIGHT
    heights = [_places(block, slot)[1] for block, _ in blocks]
    height = head + sum(heights) + (_LINE + _FOOT) * len(blocks)
    figure = Figure(figsize=(width, height))
    reach = _reach(run)

    top = height - head
    for (block, columns), tall in zip(blocks, heights, strict=True):
        top -= _LINE
        for index, size in enumerate(columns):
            left = _LEFT + index * (_PANEL + _GAP)
            place = (left / width, (top - tall) / height, _PANEL / width, tall / height)
            axes = figure.add_axes(place)
            axes.set_ylim(tall, 0)
            _draw_panel(axes, run, _places(block, slot)[0], size, reach)
            if index == 0:
                _name_places(axes, _places(block, slot)[0])
        top -= tall + _FOOT
    _write_head(figure, run, width, height)
    figure.savefig(file, format="png", dpi=110)


def _places(lines: Sequence[Line], slot: float) -> tuple[list[Place], float]:
    """What stands where in a panel, downwards: the families' names and the operators', each with
    the middle of its room; and how much room there is in all.
    """
    found: list[Place] = []
    y = 0.0
    for index, (family, name) in enumerate(lines):
        if index == 0 or family != lines[index - 1][0]:
            found.append((family, y + _FAMILY / 2, True))
            y += _FAMILY
        found.append((name, y + slot / 2, False))
        y += slot
    return found, y


def _reach(run: Comparison) -> Reach:
    """How far bars go, to the left and to the right of 1."""
    ratios = [ratio for side in run.challengers for ratio in run.ratios(side)]
    return max(min([0.25, *ratios]), 1 / _WIDEST), min(max([4.0, *ratios]), _WIDEST)


def _draw_panel(
    axes: Any, run: Comparison, places: Sequence[Place], size: int | None, reach: Reach
) -> None:
    room = (reach[1] / reach[0]) ** 0.15  # for figures
    left, right = reach[0] / room, reach[1] * room
    axes.set(xscale="log", xlim=(left, right))
    axes.axvspan(left, 1, color=_FASTER, zorder=0, linewidth=0)
    powers = range(math.ceil(math.log(left, 4)), math.floor(math.log(right, 4)) + 1)
    names = [f"{4**power}" if power >= 0 else f"1/{4**-power}" for power in powers]
    axes.set_xticks([4.0**power for power in powers], names, fontsize=8)
    axes.set_xticks([], minor=True)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.grid(axis="x", color=_FAINT, linewidth=0.6, zorder=0.5)
    axes.spines[:].set_visible(False)
    axes.axvline(1, color=_TEXT, linewidth=1.1, zorder=3)
    axes.set_xlabel(f"← faster    time / {run.reference}'s    slower →", fontsize=8, color=_TEXT)
    if size is not None:
        axes.set_title(f"{size_label(size)} elements", fontsize=9, weight="bold", pad=4)
    for name, y, is_family in places:
        if is_family:
            axes.axhline(y - _FAMILY / 2, color=_FAINT, linewidth=0.8)
            continue
        for number, side in enumerate(run.challengers):
            found = run.at(name, size, side)
            if found is not None:
                middle = y + (number - (len(run.challengers) - 1) / 2) * _BAR
                _draw_bar(axes, found, middle, _COLOURS[number % len(_COLOURS)], reach)


def _draw_bar(axes: Any, found: Measurement, y: float, colour: str, reach: Reach) -> None:
    words: dict[str, Any] = {"va": "center_baseline", "fontsize": 6, "zorder": 4}
    if found.ratio is None:
        said = found.problem.partition(":")[0] or "no reference"
        axes.text(1.08, y, said, color=colour, style="italic", **words)
        return
    low, end, high = (
        min(max(each, reach[0]), reach[1])
        for each in (found.ratio.low, found.ratio.median, found.ratio.high)
    )
    axes.barh(y, end - 1, left=1, height=0.9 * _BAR, color=colour, zorder=2)
    axes.plot([low, high], [y, y], color=_TEXT, linewidth=0.7, alpha=0.7, zorder=2.5)
    slower = found.ratio.median >= 1
    beyond = max(end, high) * 1.07 if slower else min(end, low) / 1.07
    axes.text(
        beyond, y, times(found.ratio.median), ha="left" if slower else "right", color=_TEXT, **words
    )


def _name_places(axes: Any, places: Sequence[Place]) -> None:
    words: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    for name, y, is_family in places:
        weight = "bold" if is_family else "normal"
        axes.text(-0.02, y, name, fontsize=8, weight=weight, color=_TEXT, **words)


def _write_head(figure: Any, run: Comparison, width: float, height: float) -> None:
    threads = "one thread" if run.threads == 1 else f"{run.threads} threads"
    reference = run.sides[run.reference]
    figure.text(
        0.15 / width,
        1 - 0.3 / height,
        f"plugrad {run.version} beside {reference}, {threads}",
        fontsize=12,
        weight="bold",
        color=_TEXT,
    )
    for number, side in enumerate(run.challengers):
        ratios = run.ratios(side)
        y = 1 - (_TITLE + _LINE * (number + 0.8)) / height
        colour = _COLOURS[number % len(_COLOURS)]
        figure.text(0.15 / width, y, "■", fontsize=12, color=colour, va="center")
        summed = f"{times(geometric_mean(ratios))} in the geometric mean" if ratios else ""
        facts = ", ".join(filter(None, [run.sides[side], summed]))
        said = f"{side}  ({facts})"
        figure.text(0.4 / width, y, said, fontsize=9, color=_TEXT, va="center")
