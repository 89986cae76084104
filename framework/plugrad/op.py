"""Operator: contract, shape and dtype rule, derivative, body. And the node that a call of it leaves on the tape.

Rules name what they need, and what they name is what is kept. A derivative may name `g` (the output's cotangent), `out`,
any tensor of the contract, `<tensor>_spec`, any parameter, and `needs` (which tensors want a cotangent). A spec rule names
tensors (it gets their specs) and parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

from plugrad.contracts import Kernel
from plugrad.tape import FREED, Node, Output, Saved, freed, mode

Rule = Callable[..., Any]
Prepare = Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[tuple[Any, ...], tuple[Any, ...]]]


class OperatorFunction(Protocol):
    """What declaring an operator gives: the function to call, with its operator and the words that complete it."""

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

    `tensors` are the contract's names before the slash, `parameters` those after it. `writes` are the positions of tensors
    that a kernel changes in place; `rebase` then mends the graph. `geometry` is set for a view: it maps (shape, strides,
    offset, parameters) to the view's, and `view_dtype` the dtype, where that changes too.
    """

    def __init__(
        self,
        function: Kernel,
        *,
        family: str,
        rule: Rule | None = None,
        body: Rule | None = None,
        prepare: Prepare | None = None,
        geometry: Rule | None = None,
        view_dtype: Rule | None = None,
        writes: Sequence[str] = (),
        rebase: Rule | None = None,
        holomorphic: bool = True,
    ) -> None:
        parameters = inspect.signature(function).parameters
        self.name = function.__name__
        self.doc = inspect.getdoc(function) or ""
        self.family = family
        self.tensors = tuple(n for n, p in parameters.items() if p.kind is p.POSITIONAL_ONLY)
        self.parameters = tuple(n for n, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY)
        self.body = body
        self.prepare = prepare
        self.geometry = geometry
        self.view_dtype = view_dtype
        self.rebase = rebase
        self.writes = tuple(self.tensors.index(name) for name in writes)
        self.holomorphic = holomorphic
        self.rule = rule
        self.rule_names = () if rule is None else tuple(inspect.signature(rule).parameters)
        # Parameters that no rule names cannot change the result's spec: a seed or a rate makes no new plan.
        named = [i for i, name in enumerate(self.parameters) if name in self.rule_names]
        everything = rule is None or len(named) == len(self.parameters)
        self.keyed: tuple[int, ...] | None = None if everything else tuple(named)
        self.batching: Rule | None = None
        self.pulls: list[Pull] = []
        # What was decided for a call, keyed by the specs of its tensors and the parameters.
        self.plans: dict[Any, Any] = {}
        self._kept: dict[tuple[bool, ...], tuple[tuple[int, ...], bool]] = {}
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
        )
        wanted = tuple(sources.index(name) for name in inspect.signature(formula).parameters)
        self.pulls.append(Pull(formula, positions, wanted))

    def kept(self, wanted: tuple[bool, ...]) -> tuple[tuple[int, ...], bool]:
        """Which tensors, and whether the result, must be saved when these inputs want a cotangent."""
        found = self._kept.get(wanted)
        if found is None:
            count = len(self.tensors)
            sources = {
                source
                for pull in self.pulls
                if any(wanted[position] for position in pull.positions)
                for source in pull.sources
            }
            positions = tuple(i for i in range(count) if i + 2 in sources)
            found = self._kept[wanted] = (positions, 1 in sources)
        return found


@final
class OperatorNode(Node):
    """What a call of an operator leaves behind."""

    __slots__ = ("operator", "params", "saved")

    def __init__(
        self,
        operator: Operator,
        parents: tuple[Any, ...],
        specs: tuple[Any, ...],
        spec: Any,
        params: tuple[Any, ...],
    ) -> None:
        super().__init__(parents, specs, spec)
        self.operator = operator
        self.params = params
        self.saved: Any = None

    def name(self) -> str:
        words = self.operator.name.strip("_").split("_")
        return "".join(word.capitalize() for word in words) + "Backward0"

    def keep(self, arguments: tuple[Any, ...], out: Any) -> None:
        """Save what the formulas name."""
        positions, keeps_out = self.operator.kept(self.wanted())
        if keeps_out:
            results = out if type(out) is tuple else (out,)
            kept = [arguments[i] for i in positions]
            self.saved = Saved((*kept, *[result.alias() for result in results]))
        elif positions:
            self.saved = Saved(tuple([arguments[i] for i in positions]))

    def wanted(self) -> tuple[bool, ...]:
        """Which inputs want a cotangent."""
        return tuple([parent is not None for parent in self.parents])

    def pull(self, g: Any) -> Sequence[Any]:
        operator = self.operator
        needs = self.wanted()
        known = [g, None, *(None,) * len(needs), *self.specs, *self.params, needs]
        if self.saved is not None:
            self._recall(known, needs)
        conjugate = operator.holomorphic and type(g) is not tuple and g.spec.dtype.is_complex
        if conjugate:
            # PyTorch's convention: a formula f'(x) g of a holomorphic operator becomes conj(f'(x)) g.
            known[0] = g.conj()
        cotangents: list[Any] = [None] * len(needs)
        for pull in operator.pulls:
            positions = pull.positions
            if any([needs[position] for position in positions]):
                result = pull.formula(*[known[source] for source in pull.sources])
                if len(positions) == 1:
                    result = (result,)
                for position, cotangent in zip(positions, result, strict=True):
                    if conjugate and cotangent is not None:
                        cotangent = cotangent.conj()
                    cotangents[position] = cotangent
        return cotangents

    def _recall(self, known: list[Any], needs: tuple[bool, ...]) -> None:
        if self.saved is FREED:
            raise freed(self.operator.name)
        tensors = self.saved.check(self.operator.name)
        positions, keeps_out = self.operator.kept(needs)
        for position, tensor in zip(positions, tensors, strict=False):
            known[2 + position] = tensor
        if keeps_out:
            results = tensors[len(positions) :]
            if mode.grad:
                results = tuple([result.alias() for result in results])
                self.own(results)
            known[1] = results if type(self.spec) is tuple else results[0]

    def own(self, results: tuple[Any, ...]) -> None:
        """Make this node the origin of its results."""
        if type(self.spec) is not tuple:
            results[0].node = self
            return
        for index, result in enumerate(results):
            if result.spec.dtype.is_differentiable:
                result.node = Output(self, index, result.spec)

    def release(self) -> None:
        if self.saved is not None:
            self.saved = FREED
