"""The names themselves: their keywords, what of PyTorch's scope is left out, and the page that says
so.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial

import pytest

from .coverage import NAMESPACES, beyond, cover, public_names
from .judging import Judge
from .page import PAGE, page
from .signatures import compare_keywords


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_functions_take_pytorchs_keywords_with_its_defaults(namespace: str, judge: Judge) -> None:
    for name in cover(namespace).present:
        full = f"{namespace}.{name}".removeprefix("torch.")
        judge.hear(full, [("signature", partial(compare_keywords, full))])
    judge.rule()


def test_what_is_left_out_is_pytorchs() -> None:
    names = [f"{space}.{name}" for space in NAMESPACES for name in public_names(space)]
    patterns = [pattern for group in beyond() for pattern in group.names]
    assert [p for p in patterns if not any([fnmatchcase(n, p) for n in names])] == []


def test_the_page_says_what_is_there(request: pytest.FixtureRequest) -> None:
    wanted = page()
    if request.config.getoption("write_page"):
        PAGE.write_text(wanted, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == wanted, "tox -e torch-parity -- --write-page"
