"""Every public name says what it is, in more words than its signature."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _names() -> ModuleType:
    file = Path(__file__).parents[2] / "docs" / "site" / "names.py"
    spec = importlib.util.spec_from_file_location("plugrad_docs_names", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their own module
    spec.loader.exec_module(module)
    return module


names = _names()
NAMESPACES = sorted({path for page in names.PAGES for path in page.namespaces})


def documented(path: str) -> Iterator[tuple[str, Any]]:
    """The public names of a namespace, and the methods and properties of its classes."""
    namespace = names.resolve(path)
    for name in names.public_names(namespace):
        found = inspect.getattr_static(namespace, name, None) or getattr(namespace, name)
        yield f"{path}.{name}", found
        if inspect.isclass(found):
            for member in vars(found):
                value = inspect.getattr_static(found, member)
                plain = inspect.isfunction(value) or isinstance(
                    value, property | classmethod | staticmethod
                )
                # Of `forward` the class tells.
                if plain and not member.startswith("_") and member != "forward":
                    yield f"{path}.{name}.{member}", getattr(found, member)


def says_enough(found: Any, name: str) -> bool:
    """Whether there are words, and not only the name and its call again."""
    own = vars(found).get("__doc__") if inspect.isclass(found) else inspect.getdoc(found)
    doc = (own or "").strip()
    words = re.findall(r"[^\s`.,;:()]+", doc)
    return len(words) > 1 and not doc.startswith(f"{name}(")


@pytest.mark.parametrize("path", NAMESPACES)
def test_every_public_name_has_a_docstring(path: str) -> None:
    lacking = [
        dotted
        for dotted, found in documented(path)
        if not says_enough(found, dotted.rpartition(".")[2])
    ]
    assert lacking == []


def test_a_docstring_that_says_nothing_is_noticed() -> None:
    def tanh(x: Any) -> Any:
        """tanh(x) -> Tensor"""

    def sinh(x: Any) -> Any:
        """Sinh."""

    def cosh(x: Any) -> Any:
        """Hyperbolic cosine."""

    assert [says_enough(each, each.__name__) for each in (tanh, sinh, cosh)] == [False, False, True]


def test_every_public_name_of_plugrad_stands_on_one_page() -> None:
    shown = [
        name
        for page in names.PAGES
        for path, sections in names.objects(page)
        if path == "plugrad"
        for entries in sections.values()
        for entry in entries
        for name in (entry.name, *entry.others)
    ]
    assert sorted(shown) == sorted(names.public_names(names.resolve("plugrad")))
