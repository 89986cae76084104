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
from typing import Any, Protocol, cast, final

from plugrad import watching
from plugrad.contracts import Kernel, names_of
from plugrad.errors import VersionError
from plugrad.formulas import Backward, Pull, Push
from plugrad.spec import Spec
from plugrad.tape import Node, Output, RemovableHandle, changed, freed, mode, run_post_hooks

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

    def jvp(self, **formulas: Rule) -> None:
        """State the derivative forwards: the result's tangent from `t`, that of one tensor."""
        ...

    def linear(self, *groups: str) -> None:
        """Say in which tensors the operator is linear, the others held: alone, or together."""
        ...


@final
class Operator:
    """One operator of the framework; made by a family's decorator.

    `tensors` are the contract's names before the slash, `parameters` those after it. `writes` are
    the positions of tensors that a kernel changes in place; `rebase` then mends the graph.
    `geometry` is set for a view: it maps (shape, strides, offset, parameters) to the view's, and
    `view_dtype` the dtype, where that changes too. `since` is the version of the contract in which
    the operator first stood: what was written for an older one need not have a kernel for it.
    """

    since: int = 1

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
        # By a tensor's position: the formula that carries its tangent on, or the positions of the
        # tensors that the operator is linear in together with it.
        self.pushes: dict[int, Push | tuple[int, ...]] = {}
        # The tensors that some formula answers for.
        self.differentiable: tuple[int, ...] = ()
        # The same as bits.
        self.slopes = 0
        # Whether a call gave `None`, or several tensors, in the place of one: to ask beforehand is
        # cheaper than to be told by an exception.
        self.mixed = False
        # What was decided for a call, keyed by the specs of its tensors and the parameters.
        self.plans: dict[Any, Any] = {}
        self._backwards: dict[tuple[int, bool, bool], Backward] = {}
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

    def jvp(self, **formulas: Rule) -> None:
        """State the derivative forwards: the result's tangent from `t`, that of one tensor.

        Only where `plugrad.forward` would not find as cheap a way by itself. A formula names what
        one of `vjp` may name, with `t` in the place of `g`.
        """
        for name, formula in formulas.items():
            self.pushes[self.tensors.index(name)] = Push(formula, names_of(formula))

    def linear(self, *groups: str) -> None:
        """Say in which tensors the operator is linear, the others held: alone, or together."""
        for group in groups:
            positions = tuple([self.tensors.index(name) for name in group.split()])
            self.pushes.update(dict.fromkeys(positions, positions))

    def _add_pull(self, positions: tuple[int, ...], formula: Rule) -> None:
        names = names_of(formula)
        if "out" in names and "out" in self.tensors:
            raise AssertionError(
                f"{self.name}: `out` means the result in a rule; rename the tensor"
            )
        self.pulls.append(Pull(formula, names, positions))
        self.differentiable = tuple(
            sorted({position for pull in self.pulls for position in pull.positions})
        )
        self.slopes = sum([1 << position for position in self.differentiable])
        self._backwards.clear()

    def saves(self, position: int) -> bool:
        """Whether some formula names this tensor."""
        return any([self.tensors[position] in pull.names for pull in self.pulls])

    def backward_of(self, wanted: int, spec: Any) -> Backward:
        """What a call leaves behind whose inputs of these bits want a cotangent, and whose result
        has this spec.
        """
        conjugates = self.holomorphic and spec.__class__ is Spec and spec.dtype.is_complex
        key = wanted, conjugates, watching.in_use()
        found = self._backwards.get(key)
        if found is None:
            found = self._backwards[key] = Backward(self, *key)
        return found


def tensor_names(contract: Kernel) -> tuple[str, ...]:
    """The names before a contract's slash."""
    return contract.__code__.co_varnames[: contract.__code__.co_posonlyargcount]


@final
class OperatorNode(Node):
    """What a call of an operator leaves behind: its rule, and the tensors that the rule names.
    `dispatch.attach` makes it.

    `versions` are those that the saved tensors had, `None` if all were 0; `saved` is `None` once
    they are freed, results before tensors.
    """

    __slots__ = ("params", "rule", "saved", "versions")

    rule: Backward
    params: tuple[Any, ...]
    saved: Sequence[Any] | None
    versions: Sequence[Any] | None

    @property
    def operator(self) -> Operator:
        """The operator that was called."""
        return self.rule.operator

    def name(self) -> str:
        words = self.rule.operator.name.strip("_").split("_")
        return "".join(word.capitalize() for word in words) + "Backward0"

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
        return self.rule.pull(self, g)

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        rule: Any = self.rule
        if rule.__class__ is not _HookedRule:
            rule = self.rule = cast(Any, _HookedRule(rule))
        return RemovableHandle(rule.hooks, hook)

    def recall(self) -> Sequence[Any]:
        """What was saved, if nobody has written to it since."""
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
                if version_of_saved(value) != version:
                    raise self._changed(value, version)
        results = self.rule.results
        if results and mode.grad:
            # A formula that is recorded itself must find the results in the graph.
            again = [self._recorded(i, each) for i, each in zip(results, saved, strict=False)]
            return [*again, *saved[len(results) :]]
        return saved

    def _recorded(self, index: int | None, kept: Any) -> Any:
        """A saved result, or one of several, or a tuple of all of them, as this node's again."""
        if kept.__class__ is tuple:
            return tuple([self._recorded(i, each) for i, each in enumerate(kept)])
        result = kept.alias()
        if index is None:
            result.node = self
        else:
            self._own_one(index, result)
        return result

    def _changed(self, saved: Any, versions: Any) -> VersionError:
        if saved.__class__ is not tuple:
            return changed(self.operator.name, saved, versions)
        pairs = zip(saved, versions, strict=True)
        return next(self._changed(t, v) for t, v in pairs if version_of_saved(t) != v)

    def release(self) -> None:
        if self.saved:
            self.saved = None


@final
class _HookedRule:
    """The rule of a node that others watch: what it pulls goes through their hooks."""

    __slots__ = ("hooks", "operator", "results", "rule")

    def __init__(self, rule: Backward) -> None:
        self.rule = rule
        self.operator = rule.operator
        self.results = rule.results
        self.hooks: dict[int, Callable[..., Any]] = {}

    def pull(self, node: Any, g: Any) -> Sequence[Any]:
        return run_post_hooks(self.hooks, self.rule.pull(node, g), g)


def version_of_saved(saved: Any) -> Any:
    """How often a saved tensor was written, or those of a saved tuple."""
    if saved.__class__ is tuple:
        return tuple([version_of_saved(each) for each in saved])
    return 0 if saved is None or saved.memory is None else saved.memory.version
