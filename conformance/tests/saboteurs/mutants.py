"""Mechanical sabotage, second kind: NumPy's kernels with one small change in their source, such as
a `-` for a `+`, a bound one off, a branch not taken.

A change belongs to the operators whose kernels reach the changed function, in its own module or by
import.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, final

import plugrad
from saboteurs.sabotage import Kernel

PACKAGE = "plugrad_numpy"

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_TURNED: dict[type[ast.AST], type[ast.AST]] = {ast.Lt: ast.GtE, ast.Gt: ast.LtE}
_TURNED |= {ast.LtE: ast.Gt, ast.GtE: ast.Lt}
_COMMUTATIVE = {"add", "multiply", "maximum", "minimum", "equal", "not_equal", "min", "max", "zip"}
_COMMUTATIVE |= {
    f"{kind}_{name}" for kind in ("logical", "bitwise") for name in ("and", "or", "xor")
}
# A function of NumPy's, and one that is easily taken for it.
_NEIGHBOURS = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "add",
    "true_divide": "floor_divide",
    "divide": "multiply",
    "maximum": "fmax",
    "minimum": "fmin",
    "floor": "trunc",
    "ceil": "trunc",
    "trunc": "floor",
    "rint": "floor",
    "fmod": "remainder",
    "remainder": "fmod",
    "floor_divide": "true_divide",
    "greater": "greater_equal",
    "greater_equal": "greater",
    "less": "less_equal",
    "less_equal": "less",
    "argmax": "argmin",
    "argmin": "argmax",
    "logical_and": "logical_or",
    "logical_or": "logical_and",
    "logical_xor": "logical_or",
    "isfinite": "isnan",
    "isinf": "isnan",
    "exp": "expm1",
    "expm1": "exp",
    "log": "log1p",
    "log1p": "log",
    "log2": "log",
    "log10": "log2",
    "exp2": "exp",
    "sin": "cos",
    "arcsin": "arccos",
    "cosh": "sinh",
    "absolute": "positive",
    "conjugate": "positive",
    "left_shift": "right_shift",
    "zeros": "ones",
    "zeros_like": "ones_like",
    "ones": "zeros",
    "ones_like": "zeros_like",
    "float64": "float32",
    "float32": "float16",
    "int64": "int32",
    "uint64": "uint32",
    "copyto": "add",
}


@final
@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where, what, and the operators that it reaches."""

    module: str
    line: int
    change: str
    operators: tuple[str, ...]
    place: int
    number: int

    def __str__(self) -> str:
        return f"{self.module.rpartition('.')[2]}.py:{self.line} {self.change}"

    def kernels(self) -> dict[str, Kernel]:
        """The kernels of the changed package that are reached."""
        tree = copy.deepcopy(_tree(self.module))
        node = list(ast.walk(tree))[self.place]
        _, replacement = list(_changes(node))[self.number]
        changed = ast.fix_missing_locations(_Replace(node, replacement).visit(tree))
        modules = _load({self.module: changed})
        return {name: vars(modules[_home_of(name)])[name] for name in self.operators}


class _Replace(ast.NodeTransformer):
    def __init__(self, node: ast.AST, replacement: ast.AST) -> None:
        self._node = node
        self._replacement = replacement

    def visit(self, node: ast.AST) -> Any:
        return self._replacement if node is self._node else self.generic_visit(node)


# what can be changed ------------------------------------------------------------------------------


def _with(node: Any, **fields: Any) -> Any:
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The changes of one node: what is said of it, and the node instead."""
    text = ast.unparse(node).splitlines()[0][:60] if isinstance(node, ast.expr | ast.stmt) else ""
    for made in _replacements(node):
        yield (
            f"{text}  ->  {ast.unparse(ast.fix_missing_locations(made)).splitlines()[0][:60]}",
            made,
        )


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp():
            if type(node.op) in _SWAPPED:
                yield _with(node, op=_SWAPPED[type(node.op)]())
            if not isinstance(node.op, ast.Add | ast.Mult | ast.BitAnd | ast.BitOr | ast.BitXor):
                yield _with(node, left=node.right, right=node.left)
        case ast.AugAssign() if type(node.op) in _SWAPPED:
            yield _with(node, op=_SWAPPED[type(node.op)]())
            yield ast.copy_location(ast.Pass(), node)
        case ast.Compare() if len(node.ops) == 1:
            for table in (_SWAPPED, _TURNED):
                if type(node.ops[0]) in table:
                    yield _with(node, ops=[table[type(node.ops[0])]()])
        case ast.BoolOp():
            yield _with(node, op=_SWAPPED[type(node.op)]())
            for i in range(len(node.values)):
                rest = node.values[:i] + node.values[i + 1 :]
                yield rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp():
            yield node.operand
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.If():
            yield _with(node, test=ast.copy_location(ast.Constant(True), node))
            yield _with(node, test=ast.copy_location(ast.Constant(False), node))
        case ast.Constant():
            yield from _other_constants(node)
        case ast.Call():
            yield from _other_calls(node)
        case ast.Attribute() if node.attr in _NEIGHBOURS:
            yield _with(node, attr=_NEIGHBOURS[node.attr])
        case ast.Return() if node.value is not None and not _is_none(node.value):
            yield _with(node, value=None)
        case ast.Expr() if isinstance(node.value, ast.Call):
            yield ast.copy_location(ast.Pass(), node)
        case ast.FunctionDef():
            for each in node.decorator_list:
                if isinstance(each, ast.Name) and each.id == "in_single":
                    yield _with(
                        node, decorator_list=[d for d in node.decorator_list if d is not each]
                    )
        case _:
            pass


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    value = node.value
    if type(value) is bool:
        yield _with(node, value=not value)
    elif type(value) is int:
        yield _with(node, value=value + 1)
        if value:
            yield _with(node, value=value - 1)
    elif type(value) is float:
        yield _with(node, value=value * 1.001 if value else 1.0)


def _other_calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    plain = not any(isinstance(each, ast.Starred) for each in node.args[:2])
    if len(node.args) > 1 and plain and name not in _COMMUTATIVE:
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    for keyword in node.keywords:
        if keyword.arg not in (None, "strict", "expected", "got"):
            yield _with(node, keywords=[each for each in node.keywords if each is not keyword])
    # x.copy(), np.ascontiguousarray(x) and the like: what if they did nothing?
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("copy", "astype", "swapaxes"):
        yield node.func.value


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


# what reaches what --------------------------------------------------------------------------------


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


@cache
def modules() -> tuple[str, ...]:
    """The package's modules, those that others import first."""
    loaded = [*plugrad.backends.backend("numpy").manifest.modules]
    names = {*loaded, *[f"{PACKAGE}.{name}" for name in ("arrays", "special", "layout", "columns")]}
    ordered: list[str] = []

    def add(name: str) -> None:
        for other in sorted(_imports(name).values()):
            if other[0] in names and other[0] not in ordered:
                add(other[0])
        if name not in ordered:
            ordered.append(name)

    for name in sorted(names):
        add(name)
    return tuple(ordered)


@cache
def _imports(module: str) -> dict[str, tuple[str, str]]:
    """Names that a module imports from the package: local name -> module, name there."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                whole = node.module == PACKAGE
                found[alias.asname or alias.name] = (
                    (inside, "") if whole else (str(node.module), alias.name)
                )
    return found


@cache
def _mentions() -> dict[tuple[str, str], set[tuple[str, str]]]:
    """Of each name at the top of a module the names there and elsewhere that it mentions."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for module in modules():
        imported = _imports(module)
        for name, body in _tops(module):
            used = found.setdefault((module, name), set())
            for node in ast.walk(body):
                if isinstance(node, ast.Name):
                    used.add(imported.get(node.id, (module, node.id)))
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    other = imported.get(node.value.id)
                    if other is not None and not other[1]:
                        used.add((other[0], node.attr))
    return found


def _tops(module: str) -> Iterator[tuple[str, ast.stmt]]:
    for node in _tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for each in ast.walk(target):
                    if isinstance(each, ast.Name):
                        yield each.id, node


@cache
def _reached_by(module: str, name: str) -> tuple[str, ...]:
    """The operators whose kernels reach a name."""
    reached = {(module, name)}
    while True:
        more = {each for each, used in _mentions().items() if used & reached} - reached
        if not more:
            break
        reached |= more
    return tuple(sorted(each for home, each in reached if _kernels().get(each) == home))


@cache
def _kernels() -> dict[str, str]:
    """The operators that have a kernel, and its module."""
    found: dict[str, str] = {}
    for module in modules():
        for name, value in vars(importlib.import_module(module)).items():
            if hasattr(value, "plugrad_impl") and value.__module__ == module:
                found[name] = module
    return found


def _home_of(operator: str) -> str:
    return _kernels()[operator]


def _load(changed: dict[str, ast.Module]) -> dict[str, ModuleType]:
    """The package's modules anew, some of them changed."""
    kept = {name: sys.modules[name] for name in modules()}
    package = sys.modules[PACKAGE]
    made: dict[str, ModuleType] = {}
    try:
        for name in modules():
            tree = changed.get(name) or _tree(name)
            module = ModuleType(name)
            module.__file__ = kept[name].__file__
            sys.modules[name] = made[name] = module
            setattr(package, name.rpartition(".")[2], module)
            exec(compile(tree, f"<changed {name}>", "exec"), vars(module))
    finally:
        for name, module in kept.items():
            sys.modules[name] = module
            setattr(package, name.rpartition(".")[2], module)
    return made


# all of them --------------------------------------------------------------------------------------


@cache
def mutants_of(module: str) -> tuple[Mutant, ...]:
    """Every mutant of a module that reaches an operator, in the order of the source."""
    tree = _tree(module)
    owners: dict[int, str] = {}
    for name, top in _tops(module):
        for node in ast.walk(top):
            owners[id(node)] = name
    spared = set(_spared(tree))
    found: list[Mutant] = []
    for place, node in enumerate(ast.walk(tree)):
        owner = owners.get(id(node))
        if owner is None or id(node) in spared:
            continue
        operators = _reached_by(module, owner)
        if operators:
            for number, (change, _) in enumerate(_changes(node)):
                line = getattr(node, "lineno", 0)
                found.append(Mutant(module, line, change, operators, place, number))
    return tuple(sorted(found, key=lambda mutant: (mutant.line, mutant.place, mutant.number)))


def _spared(tree: ast.Module) -> Iterator[int]:
    """What is not worth changing: docstrings, annotations, assertions, how classes are made."""
    for node in ast.walk(tree):
        below: list[ast.AST | None] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            below = [node]
        elif isinstance(node, ast.FunctionDef):
            arguments = [*node.args.args, *node.args.kwonlyargs]
            below = [node.returns, *[each.annotation for each in arguments]]
        elif isinstance(node, ast.ClassDef):
            below = [*node.decorator_list]
        elif isinstance(node, ast.AnnAssign):
            below = [node.annotation]
        elif isinstance(node, ast.Assert):
            below = [node]
        for root in below:
            if root is not None:
                yield from map(id, ast.walk(root))
