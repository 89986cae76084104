"""Runs the programs of one page of docs/: `python doc_session.py PAGE`, in an empty folder.

The blocks of a page are one session. A `python` block is run; a `pycon` block is run and its
answers compared; a block whose title is a file of the checkout quotes it; any other title is a file
of the reader's, which later blocks may import.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r'^```(python|pycon)(?: title="([^"]+)")?\n(.*?)^```$', flags=re.MULTILINE | re.DOTALL
)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Language, title and text of each program."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def run(page: Path) -> None:
    """Raise AssertionError where a block does not do, or quote, what the page says."""
    session: dict[str, Any] = {"__name__": page.stem}
    for language, title, text in blocks(page):
        if title:
            check_file(title, text)
        elif language == "python":
            exec(compile(text, page.name, "exec", dont_inherit=True), session)
        else:
            check_answers(text, session)


def check_file(title: str, text: str) -> None:
    """The block is in that file of the checkout, or becomes a file of the reader's."""
    quoted = CHECKOUT / title
    if quoted.exists():
        assert text.strip() in quoted.read_text(encoding="utf-8"), f"not in {title}:\n{text}"
        return
    ast.parse(text)
    Path(title).parent.mkdir(parents=True, exist_ok=True)
    Path(title).write_text(text, encoding="utf-8")
    importlib.invalidate_caches()


def check_answers(text: str, session: dict[str, Any]) -> None:
    """Each answer is the one that stands there; `...` is any text."""
    test = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
    test.globs = session  # one for the page
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failed, _ = runner.run(test, out=said.append, clear_globs=False)
    assert not failed, "".join(said)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run(Path(sys.argv[1]))
