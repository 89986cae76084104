"""From the formulas of a derivative to two functions: what a call saves, and what backward runs.

Formulas say by name what they need. Which inputs want a cotangent is known when a call is recorded,
so everything else follows: the text of both functions is written once per combination and compiled,
and a node of the graph runs its formulas with no more work than a hand-written one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, final

from plugrad import watching
from plugrad.tape import mode

Formula = Callable[..., Any]

_RESULT = re.compile(r"out(?:_(\d))?")


@final
class Pull:
    """One derivative formula: the names it asks for, and the inputs that it answers for."""

    __slots__ = ("formula", "names", "positions")

    def __init__(
        self, formula: Formula, names: tuple[str, ...], positions: tuple[int, ...]
    ) -> None:
        self.formula = formula
        self.names = names
        self.positions = positions


@final
class Push:
    """One formula of a derivative forwards, and the names it asks for."""

    __slots__ = ("formula", "names")

    def __init__(self, formula: Formula, names: tuple[str, ...]) -> None:
        self.formula = formula
        self.names = names


@final
class Backward:
    """The derivative of an operator for one choice of inputs that want a cotangent.

    `keep(arguments, out)` gives what the formulas name, results first; it is `None` where they name
    neither results nor tensors. `results` says which of several results each of the first is,
    `None` for the result itself. `pull(node, g)` gives a cotangent, or `None`, per input. `watched`
    lets the modes of `plugrad.watching` see what is kept, and what is pulled.
    """

    __slots__ = ("keep", "operator", "pull", "results")

    keep: Callable[[tuple[Any, ...], Any], tuple[Any, ...]] | None
    pull: Callable[[Any, Any], Sequence[Any]]

    def __init__(self, operator: Any, wanted: int, conjugates: bool, watched: bool = False) -> None:
        tensors: tuple[str, ...] = operator.tensors
        needs = tuple([bool(wanted >> i & 1) for i in range(len(tensors))])
        declared: list[Pull] = operator.pulls
        pulls = [pull for pull in declared if any([needs[i] for i in pull.positions])]
        named = {name for pull in pulls for name in pull.names}
        known = {"g", "needs", *tensors, *operator.parameters, *[f"{t}_spec" for t in tensors]}
        results = sorted([name for name in named - known if _RESULT.fullmatch(name)])
        unknown = named - known - set(results)
        if unknown:
            raise AssertionError(
                f"{operator.name}: a formula names {', '.join(sorted(unknown))}; there are "
                f"{', '.join(sorted(known))} and out"
            )
        self.operator = operator
        self.results = tuple([None if name == "out" else int(name[4:]) for name in results])
        # `g` is the cotangent, even where a tensor of the contract has that name.
        kept = {
            name: f"arguments[{i}]"
            for i, name in enumerate(tensors)
            if name in named and name != "g"
        }
        saved = [*results, *kept]
        facts = {f"{name}_spec": f"node.specs[{i}]" for i, name in enumerate(tensors)}
        facts |= {name: f"node.params[{i}]" for i, name in enumerate(operator.parameters)}
        facts["needs"] = repr(needs)
        text = ["def pull(node, g):"]
        if watched:
            text.append(f"    ({_unpacked(saved)}), trace_ = opened(node, {len(saved)})")
        elif saved:
            text += _recalling(saved, bool(results))
        text += [f"    {name} = {source}" for name, source in facts.items() if name in named]
        if conjugates:
            # PyTorch's convention: f'(x) g of a holomorphic operator becomes conj(f'(x)) g.
            text.append("    g = g.conj()")
        cotangents = ["None"] * len(tensors)
        for i, pull in enumerate(pulls):
            for position in pull.positions:
                cotangents[position] = f"c{position}_"
            left = [cotangents[position] for position in pull.positions]
            target = left[0] if len(left) == 1 else _unpacked(left)
            text.append(f"    {target} = formula_{i}({', '.join(pull.names)})")
        if conjugates:
            cotangents = [c if c == "None" else f"conjugated({c})" for c in cotangents]
        pulled = f"({_unpacked(cotangents)})"
        text.append(
            f"    return judged(node, trace_, {pulled})" if watched else f"    return {pulled}"
        )
        # Aliases: a result with its place in the graph would make a cycle of node and result.
        aliases = [
            "out.alias() if out.__class__ is not tuple else tuple([each.alias() for each in out])"
            if i is None
            else f"out[{i}].alias()"
            for i in self.results
        ]
        text.append("def keep(arguments, out):")
        kept_text = f"({_unpacked([*aliases, *kept.values()])})"
        text.append(f"    return closed({kept_text})" if watched else f"    return {kept_text}")
        made: dict[str, Any] = {f"formula_{i}": pull.formula for i, pull in enumerate(pulls)}
        made["mode_"] = mode
        made["conjugated"] = _conjugated
        made |= {
            "opened": watching.opened,
            "closed": watching.closed,
            "judged": watching.judged,
        }
        exec(compile("\n".join(text), f"<derivative of {operator.name}>", "exec"), made)
        self.pull = made["pull"]
        self.keep = made["keep"] if saved or watched else None


def _recalling(saved: Sequence[str], results: bool) -> list[str]:
    """The lines that take what was saved: at once where nobody has written to it, as a rule."""
    recorded = " or mode_.grad" if results else ""
    written = [
        f"({x} is not None and {x}.memory is not None and {x}.memory.version)" for x in saved
    ]
    return [
        "    saved_ = node.saved",
        f"    if saved_ is None or node.versions is not None{recorded}:",
        f"        {_unpacked(saved)} = node.recall()",
        "    else:",
        f"        {_unpacked(saved)} = saved_",
        f"        if {' or '.join(written)}:",
        "            node.recall()",
    ]


def _unpacked(names: Sequence[str]) -> str:
    return " ".join([f"{name}," for name in names])


def _conjugated(cotangent: Any) -> Any:
    if cotangent.__class__ is tuple:
        return tuple([_conjugated(each) for each in cotangent])
    return None if cotangent is None else cotangent.conj()
