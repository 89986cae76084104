"""The programs in docs/ run as they stand, and what they quote is there."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from . import doc_session
from .doc_session import CHECKOUT, blocks, check_answers, check_file

PAGES = sorted((CHECKOUT / "docs").glob("*.md"))


# In a process of its own: a page may declare operators and register plugins.
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda p: p.stem)
def test_the_programs_of_a_page_run(page: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", doc_session.__file__, str(page)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_program_of_a_page_is_overlooked(page: Path) -> None:
    opened = re.findall(
        r"^```(?:python|pycon|py)\b", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(opened) == len(blocks(page))


def test_a_wrong_answer_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"Expected:\s+3\s+Got:\s+2"):
        check_answers(">>> 1 + 1\n3\n", {})


def test_a_wrong_quotation_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"not in framework/plugrad/op\.py"):
        check_file("framework/plugrad/op.py", "def no_such_thing(): ...\n")


def row(operator: str, family: str, status: str) -> dict[str, str]:
    return {"operator": operator, "family": family, "status": status}


def test_the_page_of_backends_counts_rows_and_says_where_nothing_was_run() -> None:
    support = runpy.run_path(str(CHECKOUT / "docs" / "site" / "support.py"))
    result = {
        "level": 1,
        "backend": {"stores": ["float32", "int8"], "computes": ["float32"]},
        "rows": [
            row("tanh", "elementwise", "native"),
            row("exp", "elementwise", "native"),
            row("exp", "elementwise", "fail"),
            row("softmax", "activation", "composite"),
            row("softmax", "activation", "unsupported"),
        ],
    }
    lines = support["page"]({"numpy": result, "cuda": None}).splitlines()
    assert "| `numpy` | 1 | 5 | 2 | 0 | 1 | 0 | 0 | 1 | 1 |" in lines
    assert "| elementwise | 2 | 2 native, 1 fail | not yet run on a GPU |" in lines
    assert "| activation | 1 | 1 composite, 1 unsupported | not yet run on a GPU |" in lines
    assert "| int8 | stores | not yet run on a GPU |" in lines
