"""Keywords and their defaults: what PyTorch's stubs and signatures promise, and what plugrad lacks.

Of a compiled function PyTorch's stub files list the overloads: a keyword that any of them has is
wanted, except for those that only the left-out parts of PyTorch know.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, final

import torch

import plugrad

from .agreement import Disagreement
from .sides import MISSING, find, words

#: Keywords that say nothing here: memory layouts and page locking, axes by name, the dispatcher's.
BEYOND = frozenset(
    words(
        """
    self layout pin_memory names async_req cudnn_enabled sparse_grad storage_offset
    _stacklevel _caller _devices_kw size_average reduce
    """
    )
)

_STUBS = Path(torch.__file__).parent / "_C"


@final
@dataclass(frozen=True)
class Keywords:
    """The keywords of a function, each with its default as text, "" where there is none."""

    defaults: dict[str, str]
    open: bool = False  # takes any keyword


def lacking(name: str) -> list[str]:
    """The keywords of PyTorch's function that plugrad's does not take."""
    wanted, got = of_torch(name), of_plugrad(name)
    if wanted is None or got is None or got.open:
        return []
    return sorted(set(wanted.defaults) - set(got.defaults) - BEYOND)


def differing(name: str) -> Iterator[tuple[str, str, str]]:
    """The keywords whose defaults differ, with PyTorch's default and plugrad's."""
    wanted, got = of_torch(name), of_plugrad(name)
    if wanted is None or got is None:
        return
    for key in sorted(set(wanted.defaults) & set(got.defaults)):
        theirs, ours = wanted.defaults[key], got.defaults[key]
        if theirs in ("", "None", "()") or not ours:
            continue  # "as it comes" may be spelt out
        if _is_literal(theirs) and _is_literal(ours) and _value(theirs) != _value(ours):
            yield key, theirs, ours


def of_plugrad(name: str) -> Keywords | None:
    """plugrad's keywords, if the name is a function or a class."""
    return _inspected(find(plugrad, name))


def of_torch(name: str) -> Keywords | None:
    """PyTorch's keywords, if it says what they are."""
    for stub, owner in (("Tensor.", "TensorBase"), ("nn.functional.", "_nn"), ("", "")):
        plain = name.removeprefix(stub)
        if name.startswith(stub) and "." not in plain and (owner, plain) in _stubs():
            return _stubs()[owner, plain]
    found = find(torch, name)
    return _inspected(found) or _documented(found, name.rpartition(".")[2])


def _documented(found: Any, name: str) -> Keywords | None:
    """The keywords in the line with which a docstring opens: `fft(input, n=None) -> Tensor`."""
    text = getattr(found, "__doc__", None)
    line = re.search(
        rf"^\s*(?:\w+\.)*{re.escape(name)}(\(.*?\))(?: ->|$)", text or "", re.MULTILINE
    )
    if line is None:
        return None
    try:
        made = ast.parse(f"def f{line.group(1)}: ...").body[0]
    except SyntaxError:
        return None
    keywords: dict[tuple[str, str], Keywords] = {}
    _gather(keywords, "", made)
    return keywords["", "f"]


def _inspected(found: Any) -> Keywords | None:
    if found is MISSING or not callable(found):
        return None
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    defaults = {
        p.name: "" if p.default is p.empty else repr(p.default)
        for p in parameters
        if p.kind in named
    }
    return Keywords(defaults, any([p.kind is p.VAR_KEYWORD for p in parameters]))


@cache
def _stubs() -> dict[tuple[str, str], Keywords]:
    """Every function of the stub files, by owner and name: its overloads in one."""
    found: dict[tuple[str, str], Keywords] = {}
    for file, owner in (("_VariableFunctions.pyi", ""), ("_nn.pyi", "_nn")):
        for node in ast.parse((_STUBS / file).read_text(encoding="utf-8")).body:
            _gather(found, owner, node)
    for node in ast.parse((_STUBS / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == "TensorBase":
            for each in node.body:
                _gather(found, node.name, each)
    return found


def _gather(found: dict[tuple[str, str], Keywords], owner: str, node: ast.stmt) -> None:
    if not isinstance(node, ast.FunctionDef):
        return
    if any(["deprecated" in ast.unparse(each) for each in node.decorator_list]):
        return
    arguments = node.args
    keywords = found.setdefault((owner, node.name), Keywords({}))
    plain = [*arguments.args]
    padding: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    pairs = [
        *zip(plain, [*padding, *arguments.defaults], strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        kind = ast.unparse(argument.annotation) if argument.annotation else ""
        if "EllipsisType" in kind and "Dimname" in kind:
            continue
        text = ast.unparse(default) if default is not None else ""
        keywords.defaults.setdefault(argument.arg, "" if text == "..." else text)


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _value(text: str) -> Any:
    value = ast.literal_eval(text)
    return tuple(value) if isinstance(value, list) else value


def compare_keywords(name: str) -> list[Disagreement]:
    """Which keywords plugrad's function lacks, and which defaults differ."""
    missing = lacking(name)
    found = [Disagreement("keywords", f"lacking {', '.join(missing)}")] if missing else []
    for key, theirs, ours in differing(name):
        found.append(Disagreement("keywords", f"{key}: expected {theirs} by default, got {ours}"))
    return found
