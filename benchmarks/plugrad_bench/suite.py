"""How long operators and training steps take on each side. Run by the command, which parametrises
them and lends them `compared`.
"""

from __future__ import annotations

from collections.abc import Callable

Compared = Callable[[str, str], None]


def test_operator(case: str, side: str, compared: Compared) -> None:
    compared(case, side)


def test_step(case: str, side: str, compared: Compared) -> None:
    compared(case, side)
