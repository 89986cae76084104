"""`plugrad new-backend`: an installable package whose kernels delegate to NumPy's, one line each.

Nothing of the operators is written down here: signatures, docstrings and families are read from the
contracts, and which of NumPy's functions answers from the gate.
"""

from __future__ import annotations

import builtins
import inspect
import re
import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any, final

from rich.console import Console

from plugrad import discovery
from plugrad._version import __version__
from plugrad.backends import backend
from plugrad.contracts import operators as contracts
from plugrad.contracts import parameters
from plugrad.devices import META, REFERENCE
from plugrad.dispatch import operators
from plugrad.errors import ArgumentError
from plugrad.hooks import CONTRACT_VERSION, Services
from plugrad.op import Operator

_COMMAND = "new-backend"
_WIDTH = 100
_NAME = re.compile(r"[a-z]([a-z0-9_]*[a-z0-9])?")
# Names of devices that are no backend's.
_RESERVED = {"cpu", META}
_INDENT = " " * 4
# The services that stand in the package's own file.
_IN_PACKAGE = {"plugrad_manifest", "device_count"}
# Families whose bodies are the frontend's own business: no kernel could be faster.
_OURS = {"views", "transfer"}


@final
@dataclass(frozen=True, slots=True)
class Family:
    """The operators of one module of `plugrad.ops` that a backend can implement."""

    name: str
    doc: str
    primitives: tuple[Operator, ...]
    composites: tuple[Operator, ...]


def create_backend(name: str, into: Path) -> None:
    """Write the package and say what to do next."""
    folder = write_backend(name, into)
    console = Console(highlight=False)
    kernels = sum(len(family.primitives) for family in families())
    console.print(
        f"{folder} holds the backend {name}: {kernels} kernels, each delegating to NumPy in one "
        "line. Next:",
        soft_wrap=True,
        markup=False,
    )
    steps = (
        f"pip install -e '{folder}[dev]'",
        f"plugrad doctor {name}",
        f"plugrad conformance {name} --level 0",
    )
    for step in steps:
        console.print("   ", step, soft_wrap=True, markup=False)


def write_backend(name: str, into: Path) -> Path:
    """The package's folder, new in `into`; it appears whole or not at all."""
    _check_name(name)
    if not into.is_dir():
        raise ArgumentError(_COMMAND, "--into", expected="an existing folder", got=str(into))
    folder = into / _distribution(name)
    if folder.exists():
        raise ArgumentError(
            _COMMAND,
            "name",
            expected="one whose folder does not exist yet",
            got=str(folder),
            hint="choose another name, another --into, or remove that folder",
        )
    with tempfile.TemporaryDirectory(dir=into, prefix=".new-backend-") as scratch:
        draft = Path(scratch) / folder.name
        for place, text in package_files(name).items():
            file = draft / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        shutil.move(draft, folder)
    return folder


def package_files(name: str) -> dict[str, str]:
    """Every file of the package by its place in the package's folder."""
    package = f"plugrad_{name}"
    found = families()
    modules = ["arrays", *[family.name for family in found]]
    facts = {
        "name": name,
        "package": package,
        "distribution": _distribution(name),
        "plugrad_version": __version__,
        "contract": str(CONTRACT_VERSION),
        "features": _written(backend(REFERENCE).manifest.features),
        "kernels": str(sum(len(family.primitives) for family in found)),
        "modules": "\n".join(f'{" " * 12}"{package}.{each}",' for each in modules),
        "table": "\n".join(_table_row(package, family) for family in found),
    }
    return {
        "pyproject.toml": _filled("pyproject.toml", facts),
        "README.md": _filled("README.md", facts),
        "tox.ini": _filled("tox.ini", facts),
        f"{package}/__init__.py": _filled("package.py", facts),
        f"{package}/py.typed": "",
        f"{package}/expectations.toml": _filled("expectations.toml", facts),
        f"{package}/arrays.py": _services_module(),
        **{f"{package}/{family.name}.py": _family_module(family) for family in found},
    }


def families() -> list[Family]:
    """What a backend implements, in the order of `plugrad.ops`: views and in-place twins of other
    operators need no kernel.
    """
    found: dict[str, list[Operator]] = {}
    for name in contracts:
        operator = operators[name]
        twin = operator.family == "in_place" and operator.body is not None
        module = operator.function.__module__
        if not twin and module.rpartition(".")[2] not in _OURS:
            found.setdefault(module, []).append(operator)
    return [
        Family(
            module.rpartition(".")[2],
            inspect.getdoc(sys.modules[module]) or "",
            tuple([each for each in members if each.body is None]),
            tuple([each for each in members if each.body is not None]),
        )
        for module, members in found.items()
        if module.startswith("plugrad.ops.")
    ]


def _written(names: tuple[str, ...]) -> str:
    """A tuple of strings as the formatter writes it."""
    quoted = [f'"{name}"' for name in names]
    return f"({', '.join(quoted)}{',' * (len(names) == 1)})"


# names --------------------------------------------------------------------------------------------


def _distribution(name: str) -> str:
    return f"plugrad-{name.replace('_', '-')}"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ArgumentError(
            _COMMAND,
            "name",
            expected="an identifier of small letters, digits and inner underscores, "
            f"other than {' and '.join(sorted(_RESERVED))}: it becomes the device's name",
            got=repr(name),
        )
    taken = name in discovery.names() or name in discovery.INSTALL_HINTS
    if taken or find_spec(f"plugrad_{name}") is not None:
        what = "backend or plugin" if taken else "package plugrad_" + name
        raise ArgumentError(
            _COMMAND, "name", expected="one that is not taken", got=f"the {what} {name!r}"
        )


# text ---------------------------------------------------------------------------------------------


def _filled(name: str, facts: dict[str, str]) -> str:
    source = files("plugrad.cli").joinpath("templates", "backend", f"{name}.txt")
    return Template(source.read_text(encoding="utf-8")).substitute(facts)


def _table_row(package: str, family: Family) -> str:
    title = family.doc.partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(".")
    title = title.partition(": ")[0]
    count = len(family.primitives)
    kernels = f"{count} kernel{'s' * (count != 1)}" if count else "bodies only"
    return f"| `{package}/{family.name}.py` | {title}: {kernels} |"


def _services_module() -> str:
    doc = (
        "The services of a backend beside its kernels: arrays in, out, and views of them.\n\n"
        "They decide what an array is: every kernel gets such arrays and returns them."
    )
    services = [
        (name, function)
        for name, function in vars(Services).items()
        if name in parameters and name not in _IN_PACKAGE and _source(name)
    ]
    return _module(doc, services)


def _family_module(family: Family) -> str:
    notes = [family.doc, _list_of_composites(family), _note_on_builtins(family)]
    doc = "\n\n".join(filter(None, notes))
    return _module(doc, [(each.name, each.function) for each in family.primitives])


def _list_of_composites(family: Family) -> str:
    if not family.composites:
        return ""
    some = "Each of these operators" if family.primitives else "No kernel is needed: each operator"
    lines = [f"{some} has a body, which answers until a kernel of its name stands here:", ""]
    for operator in family.composites:
        lines += textwrap.wrap(
            f"{operator.name}({', '.join((*operator.tensors, *operator.parameters))})",
            _WIDTH,
            initial_indent=" " * 4,
            subsequent_indent=" " * 8,
        )
    return "\n".join(lines)


def _note_on_builtins(family: Family) -> str:
    names = [f"`{each.name}`" for each in family.primitives if hasattr(builtins, each.name)]
    if not names:
        return ""
    names = [", ".join(names[:-1]), names[-1]] if len(names) > 1 else names
    verb = "are kernels" if len(names) > 1 else "is a kernel"
    return f"In this file {' and '.join(names)} {verb}; Python's own are in `builtins`."


def _source(name: str) -> str | None:
    """The module of the reference backend that implements a hook."""
    reference = backend(REFERENCE)
    own = {REFERENCE, *reference.manifest.modules}
    hooks = [hook for hook in reference.answering(name) if hook.plugin_name in own]
    return hooks[0].function.__module__ if hooks else None


def _module(doc: str, hooks: list[tuple[str, Any]]) -> str:
    sources = {name: _source(name) for name, _ in hooks}
    aliases = {source: _alias(source, len({*sources.values()})) for source in sources.values()}
    functions = [_function(name, function, aliases[sources[name]]) for name, function in hooks]
    text = "\n\n\n".join([_head(doc, aliases, "".join(functions)), *functions])
    return text + "\n"


def _alias(source: str | None, sources: int) -> str:
    return "reference" if sources == 1 else f"numpy_{(source or '').rpartition('.')[2]}"


def _head(doc: str, aliases: dict[str | None, str], code: str) -> str:
    if not code:
        return _docstring(doc)
    hooks = ", ".join(["MemoryStatistics"] * ("MemoryStatistics" in code) + ["kernel"])
    modules = [f"from plugrad.hooks import {hooks}"]
    modules += ["from plugrad.dtypes import DType"] * ("DType" in code)
    modules += ["from plugrad.spec import Shape"] * ("Shape" in code)
    whole: list[str] = []
    for source, alias in aliases.items():
        package, dot, module = (source or "").rpartition(".")
        if dot:
            modules.append(f"from {package} import {module} as {alias}")
        else:
            whole.append(f"import {module} as {alias}")
    library = ["from typing import Any\n"] * ("Any" in code)
    return "\n".join([_docstring(doc), "", *library, *sorted(whole), *sorted(modules)])


def _function(name: str, contract: Any, alias: str) -> str:
    signature = inspect.signature(contract)
    taken = [p for p in signature.parameters.values() if p.name != "self"]
    typed = [f"{p.name}: {p.annotation}" if p.annotation is not p.empty else p.name for p in taken]
    result = signature.return_annotation
    arrow = "" if result is signature.empty else f" -> {result}"
    lines = [
        "@kernel",
        *_fitting(f"def {name}(", typed, f"){arrow}:"),
        *textwrap.indent(_docstring(inspect.getdoc(contract) or ""), _INDENT).splitlines(),
        *_fitting(f"{_INDENT}return {alias}.{name}(", [p.name for p in taken], ")"),
    ]
    return "\n".join(lines)


def _fitting(start: str, parts: list[str], end: str) -> list[str]:
    """One line, or as many as the formatter would make of one that is too long."""
    line = start + ", ".join(parts) + end
    if len(line) <= _WIDTH:
        return [line]
    margin = " " * (len(start) - len(start.lstrip()))
    inner = f"{margin}{_INDENT}{', '.join(parts)}"
    if len(inner) <= _WIDTH:
        return [start, inner, margin + end]
    return [start, *[f"{margin}{_INDENT}{part}," for part in parts], margin + end]


def _docstring(text: str) -> str:
    return f'"""{text}\n"""' if "\n" in text else f'"""{text}"""'
