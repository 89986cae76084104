"""Who answers an operator: the plugins in the order in which they are asked, and what the body is
made of.
"""

from __future__ import annotations

import difflib
import dis
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Literal, final

from plugrad import discovery
from plugrad._version import __version__
from plugrad.backends import BODIES, Backend, backend, resolve_device
from plugrad.devices import META, Device
from plugrad.dispatch import operators
from plugrad.errors import ArgumentError
from plugrad.op import Operator

Role = Literal["wrapper", "kernel", "body"]

_BINARY = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_divide",
    "%": "remainder",
    "**": "pow",
    "@": "matmul",
    "&": "bitwise_and",
    "|": "bitwise_or",
    "^": "bitwise_xor",
    "<<": "bitwise_left_shift",
    ">>": "bitwise_right_shift",
}
_COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_UNARY = {"UNARY_NEGATIVE": "neg", "UNARY_INVERT": "bitwise_not"}


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """One implementation: its part, where its code is, and the distribution that brought it."""

    role: Role
    function: str
    plugin: str
    distribution: str


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """How calls of an operator are answered on a device.

    `answers` are in the order of asking: wrappers around all that follows, then each kernel until
    one does not decline, then the body. `uses` are the operators that the body's code names, read
    from the code and not from a run; symbols such as `*` count, also where they stand between plain
    numbers. `fallbacks` counts the calls that the body has answered so far on tensors.
    """

    operator: str
    contract: str
    family: str
    device: str
    answers: tuple[Answer, ...]
    uses: tuple[str, ...]
    fallbacks: int

    def __repr__(self) -> str:
        lines = [f"{self.contract} on {self.device}, {self.family}"]
        if not self.answers:
            lines.append("  no kernel and no body")
        for number, answer in enumerate(self.answers, 1):
            where = f"{answer.function}  ({answer.distribution})"
            lines.append(f"  {number}. {answer.role:<8}{where}")
        if self.family == "view":
            lines[1:] = ["  metadata alone: no kernel is called"]
        if self.uses:
            lines.append(f"  the body uses {', '.join(self.uses)}")
        if self.fallbacks:
            lines.append(f"  answered by its body so far: {self.fallbacks} calls")
        return "\n".join(lines)


def explain(operator: str | Callable[..., Any], device: str | Device | None = None) -> Explanation:
    """Which plugins answer an operator, given by name or as the function itself, on a device."""
    found = _find(operator)
    where = resolve_device(device)
    answers: list[Answer] = []
    fallbacks = 0
    if where.type != META and found.geometry is None:
        owner = backend(where.type)
        answers += _kernels(owner, found.name)
        fallbacks = owner.fallbacks[found.name]
    if found.body is not None:
        answers.append(_body(found))
    return Explanation(
        found.name,
        _contract(found),
        found.family,
        str(where),
        tuple(answers),
        decomposition(found),
        fallbacks,
    )


def decomposition(operator: Operator) -> tuple[str, ...]:
    """The operators that the body's code names, in the order of first mention."""
    return tuple(dict.fromkeys(_named_in(operator.body, set()))) if operator.body else ()


def _find(operator: str | Callable[..., Any]) -> Operator:
    declared = getattr(operator, "operator", None)
    if isinstance(declared, Operator):
        return declared
    name = operator if isinstance(operator, str) else getattr(operator, "__name__", "")
    found = operators.get(name)
    if found is None:
        near = difflib.get_close_matches(name, operators, n=3)
        raise ArgumentError(
            "explain",
            "operator",
            expected=f"one of the {len(operators)} operators",
            got=repr(name),
            hint=f"did you mean {' or '.join(near)}?" if near else "",
        )
    return found


def _contract(operator: Operator) -> str:
    tensors = [*operator.tensors, "/"] if operator.tensors else []
    return f"{operator.name}({', '.join([*tensors, *operator.parameters])})"


def _kernels(owner: Backend, name: str) -> Iterator[Answer]:
    for hook in owner.answering(name):
        if hook.plugin_name != BODIES:
            role: Role = "wrapper" if hook.wrapper or hook.hookwrapper else "kernel"
            origin = owner.origins[hook.plugin_name]
            yield Answer(role, _place(hook.function), hook.plugin_name, origin)


def _body(operator: Operator) -> Answer:
    module = operator.function.__module__
    where = f"{module}.{operator.name}"
    if module.startswith("plugrad."):
        return Answer("body", where, "plugrad", f"plugrad {__version__}")
    offer = discovery.offer_of(module)
    if offer is None:
        return Answer("body", where, module, discovery.THIS_PROGRAM)
    return Answer("body", where, offer.name, offer.source)


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _named_in(function: Any, seen: set[CodeType]) -> Iterator[str]:
    """Names of operators in a function's code and, through them, in the helpers that it calls."""
    if not isinstance(function, FunctionType) or function.__code__ in seen:
        return
    for cell in function.__closure__ or ():
        if isinstance(cell.cell_contents, Operator):
            yield cell.cell_contents.name
    yield from _named_in_code(function.__code__, function, seen)


def _named_in_code(code: CodeType, owner: FunctionType, seen: set[CodeType]) -> Iterator[str]:
    seen.add(code)
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_GLOBAL":
            value: Any = owner.__globals__.get(step.argval)
            declared = getattr(value, "operator", None)
            if isinstance(declared, Operator):
                yield declared.name
            elif getattr(value, "__module__", None) == owner.__module__:
                yield from _named_in(value, seen)
            elif value is operators:
                yield from [each for each in code.co_consts if each in operators]
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD") and step.argval in operators:
            yield step.argval
        elif step.opname == "BINARY_OP" and step.argrepr.rstrip("=") in _BINARY:
            yield _BINARY[step.argrepr.rstrip("=")] + "_" * step.argrepr.endswith("=")
        elif step.opname == "COMPARE_OP" and step.argval in _COMPARISONS:
            yield _COMPARISONS[step.argval]
        elif step.opname in _UNARY:
            yield _UNARY[step.opname]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _named_in_code(constant, owner, seen)
