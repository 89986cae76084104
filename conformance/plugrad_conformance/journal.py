"""What the running question notes for the report: how near its values came, and who answered.

There is one question at a time in a process; the plugin opens a fresh page for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Answer = Literal["native", "inherited", "composite", "declined", "view", "unsupported"]


@final
@dataclass(slots=True)
class Page:
    """`achieved` and `allowed` belong to the element that came nearest to what is allowed, or went
    furthest beyond. `by` is the plugin that answered. `widening` is how many times the usual room
    the backend's expectations grant, `needed` how many times of it the question took.
    """

    answer: Answer | None = None
    by: str = ""
    achieved: float | None = None
    allowed: float | None = None
    widening: float = 1.0
    ratio: float = -1.0
    remark: str = ""


_page = Page()


def begin(widening: float = 1.0) -> None:
    """Open a fresh page."""
    global _page
    _page = Page(widening=widening)


def page() -> Page:
    """The page of the running question."""
    return _page


def note_error(achieved: float, allowed: float) -> None:
    """Keep this pair if it is nearer to the limit than what stands there."""
    ratio = achieved / allowed if allowed else (float("inf") if achieved else 0.0)
    if ratio > _page.ratio:
        _page.ratio, _page.achieved, _page.allowed = ratio, achieved, allowed


def note_answer(answer: Answer, by: str = "") -> None:
    """Say who answers the row."""
    _page.answer, _page.by = answer, by


def remark(text: str) -> None:
    """Say what is worth knowing and no fault."""
    _page.remark = text
