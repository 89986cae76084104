"""Imports go down the floors, and the outside world enters through named doors.

A name stands for a module or for a whole package; the longest matching name wins, so that
`nn/functional` may be put elsewhere than `nn`. An import under `if TYPE_CHECKING:` is free inside
plugrad. An import inside a function is a broken floor in disguise and refused, except for the
libraries in LAZY, which would otherwise slow down `import plugrad`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

FLOORS = (
    # 0 values: the standard library
    "_version errors dtypes devices encoding shapes geometry formats spec storage",
    # 1 gate: the only place that names pluggy
    "hooks contracts discovery backends inventory",
    # 2 operator
    "op formulas precision watching families dispatch value tape constants explain threads",
    # 3 operators
    "ops",
    # 4 transforms
    "levels reverse batching forward",
    # 5 tensor
    "tensor methods in_place kinds legacy exchange creation cuda functions indexing printing "
    "memory random settings variates windows autograd amp func special signal linalg fft sparse",
    # 6 models
    "nn optim utils testing late datasets serialize nests archives unpickling training cli "
    "__main__",
    # 7 what users see
    "__init__",
)
GATE = 1
MODELS = 6

# Libraries of floor 6, imported where they are used. The command line is nobody's import, so that
# it alone may name its two at the top.
LAZY = {"rich", "typer", "safetensors", "matplotlib"}
# Modules of plugrad that bring slow parts of the standard library, imported by who needs them.
LATE = {"archives"}
# The standard library's one module that the gate may import late: it costs as much as plugrad.
HEAVY = "importlib.metadata"
COMMAND_LINE = {"cli": {"rich", "typer"}}

BACKENDS = {
    "plugrad_numpy": {"numpy", "ml_dtypes", "threadpoolctl"},
    "plugrad_numba": {"numpy", "ml_dtypes", "numba", "llvmlite", "plugrad_numpy"},
    "plugrad_cupy": {"numpy", "ml_dtypes", "cupy", "cupy_backends", "plugrad_numpy"},
}
# What a backend sees of plugrad.
SEEN_BY_BACKENDS = {"hooks", *FLOORS[0].split()}

KITS = {
    "plugrad_conformance": {"pytest", "numpy", "ml_dtypes", "packaging", "rich"},
    "plugrad_bench": {"pytest", "pytest_benchmark", "numpy", "matplotlib", "rich"},
}
# What users see of plugrad, and the kit with them; "" is plugrad itself.
PUBLIC = {
    *(
        "",
        "hooks",
        "errors",
        "cuda",
        "memory",
        "autograd",
        "autograd/functional",
        "autograd/forward_ad",
        "autograd/graph",
        "amp",
        "func",
        "linalg",
        "fft",
        "random",
    ),
    *("nn", "nn/functional", "nn/init", "nn/utils", "optim", "optim/lr_scheduler"),
    *("utils", "utils/data", "datasets", "serialize", "testing"),
    # for whoever declares, implements or tests operators
    *("dtypes", "discovery", "backends", "inventory", "ops"),
    *("ops/activation", "ops/attention", "ops/bessel", "ops/numbers", "ops/special"),
    *("ops/comparison", "ops/convolution", "ops/creation"),
    *("ops/ctc", "ops/incomplete_gamma"),
    *("ops/elementwise", "ops/indexing", "ops/joining", "ops/linalg", "ops/loss"),
    *("ops/normalization", "ops/optimizer", "ops/pooling", "ops/recurrent", "ops/reduction"),
    "ops/sampling",
    *("ops/decomposition", "ops/fourier", "ops/norm", "ops/systems"),
    *("ops/sorting", "ops/transfer", "ops/views"),
}

TYPES_ONLY = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """One imported thing: `plugrad.nn.Linear`, `numpy`, …, as written by one statement."""

    target: str
    line: int
    in_function: bool = False
    for_types: bool = False


def imports_of(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """Everything that a module imports, absolute: relative imports are resolved from its name."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    return list(_walk(ast.parse(source), package, in_function=False, for_types=False))


def _walk(
    node: ast.AST, package: list[str], *, in_function: bool, for_types: bool
) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, in_function, for_types)
    elif isinstance(node, ast.ImportFrom):
        base = [*package[: len(package) + 1 - node.level]] if node.level else []
        base += node.module.split(".") if node.module else []
        for alias in node.names:
            yield Import(".".join([*base, alias.name]), node.lineno, in_function, for_types)
    elif isinstance(node, ast.If) and ast.unparse(node.test) in TYPES_ONLY:
        for child in node.body:
            yield from _walk(child, package, in_function=in_function, for_types=True)
        for child in node.orelse:
            yield from _walk(child, package, in_function=in_function, for_types=for_types)
    else:
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            yield from _walk(child, package, in_function=inside, for_types=for_types)


def longest_match(name: str, table: dict[str, int]) -> int | None:
    """The entry of `nn/modules/linear`, else of `nn/modules`, else of `nn`."""
    while name not in table:
        name, slash, _ = name.rpartition("/")
        if not slash:
            return None
    return table[name]


TABLE = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}


class Tree:
    """The modules of one import package, by name relative to it: `errors`, `nn/functional`."""

    def __init__(self, package: Path) -> None:
        self.name = package.name
        self.sources: dict[str, str] = {}
        self.packages: set[str] = set()
        for file in sorted(package.rglob("*.py")):
            name = file.relative_to(package).with_suffix("").as_posix()
            if name.endswith("/__init__"):
                name = name.removesuffix("/__init__")
                self.packages.add(name)
            self.sources[name] = file.read_text(encoding="utf-8")

    def imports(self, name: str) -> list[Import]:
        dotted = f"{self.name}.{name.replace('/', '.')}"
        return imports_of(self.sources[name], dotted, is_package=name in self.packages)

    def module_of(self, target: str) -> str:
        """The module that an imported thing lives in; `__init__` for a name of the package."""
        name = "/".join(target.split(".")[1:])
        while name and name not in self.sources:
            name = name.rpartition("/")[0]
        return name or "__init__"


def complaints_about_the_frontend(tree: Tree) -> Iterator[str]:
    """One line for each import that the floors forbid and each module that has no floor."""
    for name in tree.sources:
        floor = longest_match(name, TABLE)
        if floor is None:
            yield f"{name}: stands on no floor; add it to FLOORS"
            continue
        for found in tree.imports(name):
            root = found.target.partition(".")[0]
            if root == tree.name:
                problem = _inside(found, floor, name, tree.module_of(found.target))
            else:
                problem = _outside(found, floor, name, root)
            if problem:
                yield f"{name}:{found.line}: imports {found.target}: {problem}"


def _inside(found: Import, floor: int, name: str, module: str) -> str | None:
    if found.for_types:
        return None
    target = longest_match(module, TABLE)
    if target is not None and target > floor:
        return f"floor {target} from floor {floor}"
    program = module.partition("/")[0]
    if program in COMMAND_LINE and name.partition("/")[0] not in {program, "__main__"}:
        return "the command line is nobody's import"
    return "inside a function" if found.in_function and module not in LATE else None


def _outside(found: Import, floor: int, name: str, root: str) -> str | None:
    if root in sys.stdlib_module_names:
        allowed = not found.in_function or (floor == GATE and found.target.startswith(HEAVY))
        return None if allowed else "inside a function"
    if root == "pluggy":
        return None if floor == GATE and not found.in_function else "pluggy belongs to the gate"
    if floor == MODELS and root in LAZY:
        at_the_top = root in COMMAND_LINE.get(name.partition("/")[0], ())
        if found.in_function or found.for_types or at_the_top:
            return None
        return "must be imported inside the function that uses it"
    return "the frontend depends on pluggy alone"


def complaints_about_a_guest(
    tree: Tree, frontend: Tree, visible: set[str], libraries: set[str]
) -> Iterator[str]:
    """One line for each import of a backend or of the kit that goes past what it may see."""
    for name in tree.sources:
        for found in tree.imports(name):
            root = found.target.partition(".")[0]
            if root == frontend.name:
                module = frontend.module_of(found.target).removesuffix("__init__")
                if module not in visible:
                    yield f"{tree.name}/{name}:{found.line}: {found.target} is not for its eyes"
            elif root not in {tree.name, *libraries, *sys.stdlib_module_names}:
                yield f"{tree.name}/{name}:{found.line}: {root} is not one of its libraries"


def packages_under(folder: str) -> list[Path]:
    return sorted(path for path in (CHECKOUT / folder).glob("plugrad*") if path.is_dir())


def frontend() -> Tree:
    return Tree(CHECKOUT / "framework/plugrad")


def test_frontend_modules_import_from_their_own_floor_or_below() -> None:
    assert list(complaints_about_the_frontend(frontend())) == []


@pytest.mark.parametrize("package", packages_under("backends"), ids=lambda path: path.name)
def test_backends_import_the_hooks_the_values_and_their_own_libraries(package: Path) -> None:
    libraries = BACKENDS[package.name]
    found = complaints_about_a_guest(Tree(package), frontend(), SEEN_BY_BACKENDS, libraries)
    assert list(found) == []


@pytest.mark.parametrize(
    "package",
    [*packages_under("conformance"), *packages_under("benchmarks")],
    ids=lambda path: path.name,
)
def test_the_kits_import_what_users_import(package: Path) -> None:
    libraries = KITS[package.name]
    assert list(complaints_about_a_guest(Tree(package), frontend(), PUBLIC, libraries)) == []


def test_floors_zero_to_two_are_type_checked_strictly() -> None:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    strict = [Path(place) for place in settings["tool"]["pyright"]["strict"]]
    low = [name for name in frontend().sources if longest_match(name, TABLE) in (0, 1, 2)]
    # A module is listed by its file, or with the package that it is or belongs to.
    modules = [Path("framework/plugrad") / name for name in low]
    listed = [{m.with_suffix(".py"), m, *m.parents}.intersection(strict) for m in modules]
    assert [m for m, found in zip(modules, listed, strict=True) if not found] == []


def test_importing_plugrad_loads_the_standard_library_and_pluggy_only() -> None:
    program = (
        "import sys; before = set(sys.modules); import plugrad;"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(loaded - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("['pluggy', 'plugrad']", "")


# The checker itself, on small planted trees.


def plant(folder: Path, **sources: str) -> Tree:
    package = folder / "plugrad"
    for name, source in {"__init__": "", **sources}.items():
        file = package / f"{name.replace('__in__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return Tree(package)


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("shapes", "from plugrad.tensor import Tensor", "floor 5 from floor 0"),
        ("shapes", "from .tensor import Tensor", "floor 5 from floor 0"),
        ("shapes", "from plugrad import tensor", "floor 5 from floor 0"),
        ("shapes", "import plugrad.tensor", "floor 5 from floor 0"),
        ("shapes", "from plugrad import Tensor", "floor 7 from floor 0"),
        ("shapes", "try:\n    import plugrad.tensor\nfinally:\n    pass", "floor 5 from floor 0"),
        ("tensor", "def f():\n    from plugrad import errors", "inside a function"),
        ("tensor", "class A:\n    def f(self):\n        import json", "inside a function"),
        ("tensor", "import numpy", "the frontend depends on pluggy alone"),
        ("tensor", "def f():\n    import rich", "the frontend depends on pluggy alone"),
        ("tensor", "import pluggy", "pluggy belongs to the gate"),
        ("serialize", "import safetensors", "inside the function that uses it"),
        ("serialize", "from plugrad.cli import main", "nobody's import"),
        ("ops__in__linear", "from ..nn.modules import Linear", "floor 6 from floor 3"),
        ("novelty", "", "stands on no floor"),
    ],
)
def test_checker_catches_a_planted_violation(
    tmp_path: Path, module: str, source: str, complaint: str
) -> None:
    innocent = {"errors": "", "tensor": "", "cli": "", "nn__in__modules": ""}
    found = list(complaints_about_the_frontend(plant(tmp_path, **{**innocent, module: source})))
    assert len(found) == 1
    assert found[0].startswith(module.replace("__in__", "/"))
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tensor", "from plugrad.errors import ShapeError"),
        ("tensor", "from .errors import ShapeError"),
        (
            "errors",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import plugrad.tensor",
        ),
        ("backends", "import pluggy"),
        ("backends", "def f():\n    from importlib.metadata import entry_points"),
        ("serialize", "def save():\n    from safetensors import serialize"),
        ("cli", "import typer\nfrom rich.table import Table"),
        ("nn__in__modules", "from ..tensor import Tensor"),
        ("__init__", "from .nn import Linear\nfrom .tensor import Tensor as Tensor"),
    ],
)
def test_checker_lets_a_lawful_import_pass(tmp_path: Path, module: str, source: str) -> None:
    others = {"errors": "", "tensor": "", "nn__in____init__": ""}
    tree = plant(tmp_path, **{**others, module: source})
    assert list(complaints_about_the_frontend(tree)) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("from plugrad.tensor import Tensor", "plugrad.tensor.Tensor is not for its eyes"),
        ("import plugrad", "plugrad is not for its eyes"),
        ("from plugrad import tensor", "plugrad.tensor is not for its eyes"),
        ("def f():\n    import scipy", "scipy is not one of its libraries"),
    ],
)
def test_checker_catches_a_backend_that_looks_too_far(
    tmp_path: Path, source: str, complaint: str
) -> None:
    host = plant(tmp_path, hooks="", errors="", tensor="")
    guest = tmp_path / "plugrad_guest"
    guest.mkdir()
    (guest / "__init__.py").write_text("import numpy\nfrom plugrad.hooks import kernel")
    (guest / "kernels.py").write_text(f"from plugrad import errors\nfrom . import x\n{source}\n")
    found = complaints_about_a_guest(Tree(guest), host, SEEN_BY_BACKENDS, {"numpy"})
    assert len(said := list(found)) == 1
    assert complaint in said[0]
