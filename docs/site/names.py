"""The public names, and the pages of the reference that they stand on.

A name is public where its namespace lists it: it is defined there or imported `as` itself. An
object with several names has one entry, which tells the others.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Page:
    """One page: what it shows, and the words above it."""

    file: str
    title: str
    namespaces: tuple[str, ...]
    words: str = ""
    without: tuple[str, ...] = ()


PAGES = (
    Page("tensors.md", "plugrad: tensors, dtypes, switches", ("plugrad",)),
    Page(
        "functions.md",
        "plugrad: functions of tensors",
        ("plugrad",),
        "Most are methods of `Tensor`, too. `out=` names a tensor that takes the result; it has "
        "the result's shape, or no elements at all, and no gradient flows through it.",
    ),
    Page(
        "tensor.md",
        "plugrad.Tensor",
        ("plugrad.Tensor",),
        "A method that is also a function is shown as the function is: the tensor is its first "
        "argument. A name that ends in `_` writes into the tensor and returns it.",
        without=("alias", "layout", "native", "settle", "version"),  # the dispatcher's
    ),
    Page("nn.md", "plugrad.nn", ("plugrad.nn",)),
    Page("nn_functional.md", "plugrad.nn.functional", ("plugrad.nn.functional",)),
    Page("nn_init.md", "plugrad.nn.init", ("plugrad.nn.init",), without=("fans",)),
    Page(
        "nn_utils.md",
        "plugrad.nn.utils",
        (
            "plugrad.nn.utils",
            "plugrad.nn.utils.rnn",
            "plugrad.nn.utils.parametrize",
            "plugrad.nn.utils.parametrizations",
        ),
        without=("invert_permutation", "as_matrix", "dim_of", "norm_except"),
    ),
    Page("optim.md", "plugrad.optim", ("plugrad.optim", "plugrad.optim.swa_utils")),
    Page("lr_scheduler.md", "plugrad.optim.lr_scheduler", ("plugrad.optim.lr_scheduler",)),
    Page(
        "autograd.md",
        "plugrad.autograd",
        (
            "plugrad.autograd",
            "plugrad.autograd.functional",
            "plugrad.autograd.forward_ad",
            "plugrad.autograd.graph",
        ),
    ),
    Page("func.md", "plugrad.func", ("plugrad.func",)),
    Page("linalg.md", "plugrad.linalg", ("plugrad.linalg",)),
    Page("fft.md", "plugrad.fft", ("plugrad.fft",)),
    Page("special.md", "plugrad.special", ("plugrad.special",)),
    Page("signal.md", "plugrad.signal.windows", ("plugrad.signal.windows",)),
    Page(
        "data.md",
        "plugrad.utils",
        ("plugrad.utils.data", "plugrad.utils.checkpoint", "plugrad.datasets"),
    ),
    Page("cuda.md", "plugrad.cuda", ("plugrad.cuda",)),
    Page(
        "memory.md",
        "plugrad.memory",
        ("plugrad.memory",),
        "On Linux with glibc the host's memory stays with the process when an array ends, for the "
        "next one: fresh pages would take half the time of a large result. `empty_cache()` gives "
        "it back; with `PLUGRAD_KEEP_MEMORY=0` in the environment the C library keeps its habits.",
    ),
    Page("amp.md", "plugrad.amp", ("plugrad.amp", "plugrad.cuda.amp")),
    Page(
        "authors.md",
        "For authors of backends, plugins and operators",
        ("plugrad.backends", "plugrad.hooks", "plugrad.families", "plugrad.op"),
        "A kernel carries `@plugrad.kernel`, which is `plugrad.hooks.kernel`. `plugrad.backends` "
        "switches plugins on and off, `plugrad.families` declares operators.",
        without=("OperatorNode", "tensor_names", "version_of_saved", "declare_operator"),
    ),
    Page("errors.md", "plugrad.errors", ("plugrad.errors",)),
)

# Where the objects of the namespace `plugrad` are defined that are not functions of tensors.
_NOT_FUNCTIONS = frozenset(
    (
        *("amp", "autograd", "backends", "creation", "devices", "dtypes", "errors", "exchange"),
        *("explain", "func", "hooks", "legacy", "printing", "random", "serialize", "shapes"),
        *("sparse", "tape", "tensor", "threads", "variates", "windows"),
    )
)


@dataclass
class Entry:
    """An object under its own name, with its other names in the same namespace; `path` is where to
    look it up.
    """

    name: str
    path: str
    others: list[str] = field(default_factory=list)


def public_names(namespace: Any) -> list[str]:
    """The classes, functions and methods that a module or class lists."""
    if not isinstance(namespace, ModuleType):
        return [name for name in dir(namespace) if _is_member(namespace, name)]
    hidden = _imported_for_itself(namespace)
    found = [name for name in dir(namespace) if not name.startswith("_") and name not in hidden]
    return [name for name in found if _has_entry(getattr(namespace, name))]


def values() -> dict[str, list[str]]:
    """The dtypes and numbers of `plugrad`, as they print, with their names."""
    module = import_module("plugrad")
    kinds = (module.dtype, float)
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    named: dict[str, list[str]] = {}
    for name, value in found.items():
        if isinstance(value, kinds):
            named.setdefault(repr(value), []).append(name)
    return named


def objects(page: Page) -> Iterator[tuple[str, dict[str, list[Entry]]]]:
    """Of each namespace of a page the entries, by the module that defines them."""
    for path in page.namespaces:
        namespace = resolve(path)
        sections: dict[str, list[Entry]] = {}
        seen: dict[int, Entry] = {}
        for name in sorted(public_names(namespace), key=_own_name_first(namespace)):
            found = getattr(namespace, name)
            if name in page.without:
                continue
            if path == "plugrad" and (home(found) in _NOT_FUNCTIONS) != (page is PAGES[0]):
                continue
            if id(found) in seen:
                seen[id(found)].others.append(name)
                continue
            entry = seen[id(found)] = Entry(name, _address(path, name, found))
            sections.setdefault(_section(path, found), []).append(entry)
        yield path, {title: sections[title] for title in sorted(sections)}


def _address(path: str, name: str, found: Any) -> str:
    """The dotted name; where a module has the same, that of the place of definition."""
    own = f"{path}.{name}"
    return f"{found.__module__}.{found.__qualname__}" if own in sys.modules else own


def resolve(path: str) -> Any:
    """The module, class or function of that dotted name."""
    try:
        return import_module(path)
    except ModuleNotFoundError:
        owner, _, name = path.rpartition(".")
        return getattr(resolve(owner), name)


def home(found: Any) -> str:
    """The name below `plugrad` under which an object is defined: of a function the module, of
    everything else the package.
    """
    target = found.fget if isinstance(found, property) else found
    parts = getattr(target, "__module__", "plugrad.values").split(".")[1:]
    if parts[0] in ("functions", "ops"):
        return parts[-1]
    return parts[2] if parts[:2] == ["nn", "functional"] and len(parts) > 2 else parts[0]


_SECTIONS = {
    "backends": "Backends",
    "hooks": "Backends",
    "explain": "Backends",
    "tensor": "Tensor",
    "kinds": "Kinds and conversions",
    "exchange": "Creation",
    "legacy": "PyTorch's first constructors",
    "tape": "Recording",
    "autograd": "Recording",
    "amp": "Precision",
    "variates": "Random",
    "serialize": "Checkpoints",
    "activation": "Activations",
    "comparison": "Comparisons and logic",
    "older_linalg": "Linear algebra",
    "linalg": "Linear algebra",
    "systems": "Linear algebra",
    "matrices": "Linear algebra",
    "norms": "Linear algebra",
    "norm": "Linear algebra",
    "decomposition": "Linear algebra",
    "contraction": "Linear algebra",
    "nn": "From plugrad.nn.functional",
    "unprefixed": "From plugrad.nn.functional",
    "numbers": "Elementwise",
    "quantiles": "Statistics",
    "keys": "Sorting",
    "in_place": "Special",
    "methods": "Elementwise",
    "func": "Transforms",
    "ctc": "Losses",
    "distance": "Losses",
    "loss": "Losses",
    "margin": "Losses",
    "devices": "Devices and dtypes",
    "dtypes": "Devices and dtypes",
    "shapes": "Tensor",
    "sparse": "Creation",
}


def _section(path: str, found: Any) -> str:
    """The heading under which an object stands on its page."""
    if path not in ("plugrad", "plugrad.Tensor", "plugrad.nn.functional", "plugrad.nn"):
        return ""
    if path == "plugrad.nn":
        part = found.__module__.split(".")[-1]
    else:
        part = home(found)
    return _SECTIONS.get(part, part.replace("_", " ").capitalize())


def _own_name_first(namespace: Any) -> Any:
    def key(name: str) -> tuple[str, bool, str]:
        own = getattr(getattr(namespace, name), "__name__", name)
        return own.lower(), own != name, name

    return key


def _has_entry(found: Any) -> bool:
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        return False
    return found.__module__.split(".")[0] == "plugrad"


def _is_member(owner: Any, name: str) -> bool:
    if name.startswith("_"):
        return False
    found = inspect.getattr_static(owner, name)
    return isinstance(found, property | staticmethod | classmethod) or inspect.isfunction(found)


def _imported_for_itself(module: ModuleType) -> set[str]:
    """What a module imports to use it, rather than to offer it: without `as`, or under another name
    where it is not the face of a package.
    """
    assert module.__file__ is not None
    is_face = module.__file__.endswith("__init__.py")
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    aliases = [alias for node in imports for alias in node.names]
    return {
        each.asname or each.name
        for each in aliases
        if each.asname is None or (each.asname != each.name and not is_face)
    }
