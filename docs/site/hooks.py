"""The reference: one generated page per namespace, which mkdocstrings fills from the docstrings.

Objects are inspected, not parsed: an operator is what its family's decorator makes of a contract,
and many methods are other functions under a name of their own.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))

import names

ROOT = Path(__file__).parents[2]
# Pages that are another folder's own words.
_BORROWED = {"examples.md": "examples/README.md", "conformance.md": "conformance/README.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that no file in the folder holds."""
    for page in names.PAGES:
        name = f"reference/{page.file}"
        files.append(File.generated(config, name, content="\n".join(_lines(page))))
    for name, source in _BORROWED.items():
        content = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=content))
    return files


def _lines(page: names.Page) -> Iterator[str]:
    yield f"# {page.title}\n"
    if page.words:
        yield f"{page.words}\n"
    if page is names.PAGES[0]:
        yield from _values()
    for path, sections in names.objects(page):
        if len(page.namespaces) > 1:
            yield f"## {path}\n"
        namespace = names.resolve(path)
        if path != "plugrad" and inspect.ismodule(namespace):
            yield f"{inspect.getdoc(namespace)}\n"
        for title, entries in sections.items():
            if title:
                yield f"## {title}\n"
            for entry in entries:
                yield f"::: {entry.path}"
                if path == "plugrad.errors":
                    yield "    options:\n      show_bases: true"
                yield ""
                if entry.others:
                    also = ", ".join(f"`{name}`" for name in entry.others)
                    yield f"Also {also}.\n"


def _values() -> Iterator[str]:
    yield "## Dtypes and numbers\n\n| value | names |\n|---|---|"
    for value, named in names.values().items():
        yield f"| `{value}` | {', '.join([f'`{name}`' for name in named])} |"
    yield ""


class Inspected(griffe.Extension):
    """What inspection alone would show wrongly."""

    def on_class_members(self, *, cls: Any, **_: Any) -> None:
        """Methods that another package's class gives are not shown."""
        for name, member in list(cls.members.items()):
            if member.is_alias and not member.target_path.startswith("plugrad."):
                del cls.members[name]

    def on_function_instance(self, *, node: Any, func: Any, **_: Any) -> None:
        """Operators that take any arguments in Python show their contract's parameters, and none
        says `Any`.
        """
        operator = getattr(getattr(node, "obj", None), "operator", None)
        if operator is None:
            return
        kinds = [parameter.kind for parameter in func.parameters]
        if griffe.ParameterKind.var_positional in kinds:
            groups = (
                (operator.tensors, griffe.ParameterKind.positional_only),
                (operator.parameters, griffe.ParameterKind.positional_or_keyword),
            )
            func.parameters = griffe.Parameters(
                *[griffe.Parameter(name, kind=kind) for group, kind in groups for name in group]
            )
        for each in func.parameters:
            each.annotation = _said(each.annotation)
        func.returns = _said(func.returns)


def _said(annotation: Any) -> Any:
    return None if str(annotation).strip("'") == "Any" else annotation
