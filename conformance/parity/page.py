"""docs/parity.md: how much of PyTorch is there, and by name what is not."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import torch

from .coverage import NAMESPACES, Coverage, beyond, cover
from .differences import differences

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
WIDTH = 120

_HEAD = """\
# What there is of PyTorch, and what there is not

This page is made by `tox -e torch-parity -- --write-page` and says how plugrad's names stand to
those of PyTorch {version}. The same command compares what the names do, with the calls by which
PyTorch tests itself, with programs, modules, optimizers and schedulers: values, dtypes, shapes,
strides of views, gradients and errors.

A name counts if PyTorch has it in public: it is listed in the namespace's `__all__` (where there is
none, it has no leading underscore), and it is documented, be it under another spelling. Names that
plugrad leaves out altogether are not counted; they are at the end, in groups, each with its reason.

| namespace | names | plugrad has | share |
|---|---|---|---|"""


def page() -> str:
    """The page as it should be."""
    covered = [cover(namespace) for namespace in NAMESPACES]
    version = torch.__version__.partition("+")[0]
    lines = [_HEAD.format(version=version)]
    lines += [_row(each.namespace, [each]) for each in covered]
    lines += [_row("**all**", covered), "", "## Lacking", ""]
    for each in covered:
        if each.lacking:
            lines += [*_names(f"**`{each.namespace}`**", each.lacking), ""]
    lines += ["## Different", *_different()]
    lines += ["## Left out", ""]
    for group in beyond():
        names = [
            f"{each.namespace.removeprefix('torch.')}.{name}".removeprefix("torch.")
            for each in covered
            for name in each.beyond
            if group is next(g for g in beyond() if g.holds(f"{each.namespace}.{name}"))
        ]
        lines += [*_names(f"**{group.title}.** {group.reason}", names), ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(title: str, covered: list[Coverage]) -> str:
    present = sum([len(each.present) for each in covered])
    counted = present + sum([len(each.lacking) for each in covered])
    title = title if title.startswith("*") else f"`{title}`"
    return f"| {title} | {counted} | {present} | {present / max(counted, 1):.0%} |"


def _different() -> Iterator[str]:
    meanings = {
        "deliberate": "On purpose:",
        "notyet": "To be mended:",
    }
    for kind, meaning in meanings.items():
        entries = [entry for entry in differences() if entry.kind == kind]
        if entries:
            yield from ["", meaning, ""]
        for entry in entries:
            names = ", ".join([f"`{name}`" for name in entry.names])
            yield from _wrapped(f"- {entry.reason} ({entry.what}: {names})", "  ")
    yield ""


def _names(title: str, names: tuple[str, ...] | list[str]) -> list[str]:
    return _wrapped(f"{title} {' '.join([f'`{name}`' for name in names])}", "")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
