"""Operator: contract, shape and dtype rule, derivative, body. And the node that a call of it leaves
on the tape.

Rules name what they need, and what they name is what is kept. A derivative may name `g` (the
output's cotangent), `out` (or `out_1`, one of several results), any tensor of the contract,
`<tensor>_spec`, any parameter, and `needs` (which tensors want a cotangent). A spec rule names
tensors (it gets their specs) and parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Protocol, final

from plugrad.contracts import Kernel, names_of
from plugrad.errors import VersionError
from plugrad.tape import Node, Output, changed, freed, mode, next_sequence

# Where a formula's argument comes from: the cotangent, the result, then tensors, their specs,
# parameters, `needs`.
_G, _OUT, _TENSORS = 0, 1, 2
# One of several results, by its place.
_RESULTS = tuple([f"out_{i}" for i in range(6)])

Rule = Callable[..., Any]
Prepare = Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[tuple[Any, ...], tuple[Any, ...]]]


class OperatorFunction(Protocol):
    """What declaring an operator gives: the function to call, with its operator and the words that
    complete it.
    """

    __name__: str
    operator: Operator

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the operator on tensors."""
        ...

    def vjp(self, **formulas: Rule) -> None:
        """State the derivative: one formula per tensor, keyed by its name."""
        ...

    def vjp_together(self, names: str, formula: Rule) -> None:
        """State one formula that gives the cotangents of several tensors, as a tuple."""
        ...


@final
class Pull:
    """One derivative formula: which tensors it answers for, and where its arguments come from."""

    __slots__ = ("formula", "positions", "sources")

    def __init__(self, formula: Rule, positions: tuple[int, ...], sources: tuple[int, ...]) -> None:
        self.formula = formula
        self.positions = positions
        self.sources = sources


@final
class Operator:
    """One operator of the framework; made by a family's decorator.

    `tensors` are the contract's names before the slash, `parameters` those after it. `writes` are
    the positions of tensors that a kernel changes in place; `rebase` then mends the graph.
    `geometry` is set for a view: it maps (shape, strides, offset, parameters) to the view's, and
    `view_dtype` the dtype, where that changes too.
    """

    def __init__(
        self,
        function: Kernel,
        *,
        family: str,
        rule: Rule | None = None,
        rule_names: tuple[str, ...] | None = None,
        body: Rule | None = None,
        prepare: Prepare | None = None,
        geometry: Rule | None = None,
        view_dtype: Rule | None = None,
        writes: Sequence[str] = (),
        rebase: Rule | None = None,
        holomorphic: bool = True,
    ) -> None:
        self.name = function.__name__
        self.doc = inspect.getdoc(function) or ""
        self.family = family
        self.tensors = tensor_names(function)
        self.parameters = names_of(function)[len(self.tensors) :]
        self.body = body
        self.prepare = prepare
        self.geometry = geometry
        self.view_dtype = view_dtype
        self.rebase = rebase
        self.writes = tuple(self.tensors.index(name) for name in writes)
        self.holomorphic = holomorphic
        self.rule = rule
        if rule_names is None:
            rule_names = () if rule is None else names_of(rule)
        self.rule_names = rule_names
        # Parameters that no rule names cannot change the result's spec: a seed or a rate makes no
        # new plan.
        named = [i for i, name in enumerate(self.parameters) if name in self.rule_names]
        everything = rule is None or len(named) == len(self.parameters)
        self.keyed: tuple[int, ...] | None = None if everything else tuple(named)
        self.batching: Rule | None = None
        self.pulls: list[Pull] = []
        # The tensors that some formula answers for.
        self.differentiable: tuple[int, ...] = ()
        # What was decided for a call, keyed by the specs of its tensors and the parameters.
        self.plans: dict[Any, Any] = {}
        self._backwards: dict[int, Backward] = {}
        self.function = function

    def __repr__(self) -> str:
        return f"<operator {self.name}({', '.join((*self.tensors, '/', *self.parameters))})>"

    def vjp(self, **formulas: Rule) -> None:
        """State the derivative: one formula per tensor, keyed by its name."""
        for name, formula in formulas.items():
            self._add_pull((self.tensors.index(name),), formula)

    def vjp_together(self, names: str, formula: Rule) -> None:
        """State one formula that gives the cotangents of several tensors, as a tuple."""
        self._add_pull(tuple(self.tensors.index(name) for name in names.split()), formula)

    def _add_pull(self, positions: tuple[int, ...], formula: Rule) -> None:
        sources = (
            "g",
            "out",
            *self.tensors,
            *(f"{name}_spec" for name in self.tensors),
            *self.parameters,
            "needs",
            *_RESULTS,
        )
        names = names_of(formula)
        if "out" in names and "out" in self.tensors:
            raise AssertionError(
                f"{self.name}: `out` means the result in a rule; rename the tensor"
            )
        named = tuple(sources.index(name) for name in names)
        self.pulls.append(Pull(formula, positions, named))
        self.differentiable = tuple(
            sorted({position for pull in self.pulls for position in pull.positions})
        )
        self._backwards.clear()

    def saves(self, position: int) -> bool:
        """Whether some formula names this tensor."""
        return any([_TENSORS + position in pull.sources for pull in self.pulls])

    def backward_of(self, wanted: int) -> Backward:
        """The formulas that run when the inputs of these bits want a cotangent, and what they need
        saved.
        """
        found = self._backwards.get(wanted)
        if found is None:
            found = self._backwards[wanted] = Backward(self, wanted)
        return found


def tensor_names(contract: Kernel) -> tuple[str, ...]:
    """The names before a contract's slash."""
    return contract.__code__.co_varnames[: contract.__code__.co_posonlyargcount]


@final
class Backward:
    """The derivative of an operator for one choice of inputs that want a cotangent.

    Its formulas take their arguments from a short list: the cotangent, the result if one names it,
    the saved tensors, then those specs and parameters that are named.
    """

    __slots__ = (
        *("extras", "keeps_out", "needs", "operator", "positions"),
        *("pulls", "results", "saves"),
    )

    def __init__(self, operator: Operator, wanted: int) -> None:
        count = len(operator.tensors)
        chosen = [p for p in operator.pulls if any(wanted >> i & 1 for i in p.positions)]
        sources = {source for pull in chosen for source in pull.sources}
        self.operator = operator
        self.needs = tuple([bool(wanted >> i & 1) for i in range(count)])
        self.keeps_out = _OUT in sources
        self.positions = tuple([i for i in range(count) if _TENSORS + i in sources])
        first = _TENSORS + 2 * count + len(operator.parameters) + 1
        self.results = tuple(sorted([source - first for source in sources if source >= first]))
        self.saves = self.keeps_out or bool(self.results) or bool(self.positions)
        later = sorted([source for source in sources if _TENSORS + count <= source < first])
        # Each is an index into (*specs, *params, needs).
        self.extras = tuple([source - _TENSORS - count for source in later])
        order = [
            _G,
            *([_OUT] if self.keeps_out else ()),
            *[first + i for i in self.results],
            *[_TENSORS + i for i in self.positions],
            *later,
        ]
        # itemgetter takes several arguments out of the list at once, in C.
        self.pulls = tuple(
            [(p.formula, p.positions, _getter([order.index(s) for s in p.sources])) for p in chosen]
        )


@final
class OperatorNode(Node):
    """What a call of an operator leaves behind: its rule, and the tensors that the rule names.

    `versions` are those that the saved tensors had, `None` if all were 0; `saved` is `None` once
    they are freed.
    """

    __slots__ = ("params", "rule", "saved", "versions")

    def __init__(
        self,
        rule: Backward,
        parents: tuple[Any, ...],
        specs: tuple[Any, ...],
        spec: Any,
        params: tuple[Any, ...],
    ) -> None:
        # Node's fields are set here, not by its own method: a call is a tenth of the whole cost.
        self.parents = parents
        self.specs = specs
        self.spec = spec
        self.sequence = next_sequence()
        self.hooks = None
        self.rule = rule
        self.params = params
        self.saved: Any = ()
        self.versions: Any = None

    @property
    def operator(self) -> Operator:
        """The operator that was called."""
        return self.rule.operator

    def name(self) -> str:
        words = self.rule.operator.name.strip("_").split("_")
        return "".join(word.capitalize() for word in words) + "Backward0"

    def keep(self, arguments: tuple[Any, ...], out: Any) -> None:
        """Save what the formulas name."""
        rule = self.rule
        kept: list[Any] = []
        if rule.keeps_out:
            if out.__class__ is tuple:
                kept += [each.alias() for each in out]
            else:
                kept.append(out.alias())
        for index in rule.results:
            kept.append(out[index].alias())
        for position in rule.positions:
            kept.append(arguments[position])
        self.saved = kept
        for value in kept:
            # A fresh tensor, the usual case, has no storage yet that could have been written.
            if value is not None and (value.__class__ is tuple or value.memory is not None):
                self.versions = [_version(each) for each in kept]
                break

    def own(self, results: Any) -> None:
        """Make this node the origin of its results."""
        if results.__class__ is not tuple:
            results.node = self
            return
        for index, result in enumerate(results):
            self._own_one(index, result)

    def _own_one(self, index: int, result: Any) -> None:
        if result.spec.dtype.kind in ("float", "complex"):
            result.node = Output(self, index, result.spec)

    def pull(self, g: Any) -> Sequence[Any]:
        rule = self.rule
        known = [g]
        if rule.saves:
            self._recall(known)
        if rule.extras:
            facts = (*self.specs, *self.params, rule.needs)
            known += [facts[i] for i in rule.extras]
        if type(g) is not list and g.spec.dtype.is_complex and rule.operator.holomorphic:
            return self._pull_conjugated(known)
        cotangents: list[Any] = [None] * len(self.specs)
        for formula, positions, arguments_from in rule.pulls:
            result = formula(*arguments_from(known))
            if len(positions) == 1:
                cotangents[positions[0]] = result
            else:
                for position, cotangent in zip(positions, result, strict=True):
                    cotangents[position] = cotangent
        return cotangents

    def _pull_conjugated(self, known: list[Any]) -> Sequence[Any]:
        # PyTorch's convention: f'(x) g of a holomorphic operator becomes conj(f'(x)) g.
        known[0] = known[0].conj()
        cotangents: list[Any] = [None] * len(self.specs)
        for formula, positions, arguments_from in self.rule.pulls:
            result = formula(*arguments_from(known))
            results = (result,) if len(positions) == 1 else result
            for position, cotangent in zip(positions, results, strict=True):
                if cotangent is not None:
                    conjugated = [None if c is None else c.conj() for c in _listed(cotangent)]
                    cotangents[position] = (
                        tuple(conjugated) if cotangent.__class__ is tuple else conjugated[0]
                    )
        return cotangents

    def _recall(self, known: list[Any]) -> None:
        saved = self.saved
        if saved is None:
            raise freed(self.operator.name)
        versions = self.versions
        if versions is None:
            for value in saved:
                if value is not None and value.memory is not None and value.memory.version:
                    raise self._changed(value, 0)
        else:
            for value, version in zip(saved, versions, strict=True):
                if _version(value) != version:
                    raise self._changed(value, version)
        rule = self.rule
        if not (rule.keeps_out or rule.results):
            known += saved
            return
        several = self.spec.__class__ is tuple
        count = len(saved) - len(rule.positions)
        results = saved[:count]
        if mode.grad:
            results = [result.alias() for result in results]
            if several:
                whole = range(len(self.spec)) if rule.keeps_out else ()
                for place, result in zip((*whole, *rule.results), results, strict=True):
                    self._own_one(place, result)
            else:
                self.own(results[0])
        if rule.keeps_out:
            whole = count - len(rule.results)
            known.append(tuple(results[:whole]) if several else results[0])
            results = results[whole:]
        known += results
        known += saved[count:]

    def _changed(self, saved: Any, versions: Any) -> VersionError:
        if saved.__class__ is not tuple:
            return changed(self.operator.name, saved, versions)
        pairs = zip(saved, versions, strict=True)
        return next(self._changed(t, v) for t, v in pairs if _version(t) != v)

    def release(self) -> None:
        if self.saved:
            self.saved = None


def _getter(places: list[int]) -> Callable[[list[Any]], tuple[Any, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda known: ()
    place = slice(places[0], places[0] + 1)
    return itemgetter(place)


def _version(saved: Any) -> Any:
    """How often a saved tensor was written, or those of a saved tuple."""
    if saved.__class__ is tuple:
        return tuple([_version(each) for each in saved])
    return 0 if saved is None or saved.memory is None else saved.memory.version


def _listed(value: Any) -> Sequence[Any]:
    return value if value.__class__ is tuple else (value,)
