"""Operators that share no more than how they are called: views, primitives, composites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from plugrad.contracts import Kernel
from plugrad.dispatch import dispatch, dispatch_view
from plugrad.families.declaration import Declare, publish
from plugrad.op import Operator, OperatorFunction, Rule
from plugrad.tape import mode


def view(geometry: Rule, *, dtype: Rule | None = None) -> Declare:
    """Another look at the same storage: `geometry` maps (shape, strides, offset, parameters) to the
    view's. No kernel.
    """

    def decorate(function: Kernel) -> OperatorFunction:
        operator = Operator(function, family="view", geometry=geometry, view_dtype=dtype)

        def call(input: Any, *params: Any) -> Any:
            return dispatch_view(operator, input, params)

        return publish(operator, call)

    return decorate


def primitive(
    rule: Rule,
    *,
    prepare: Rule | None = None,
    writes: Sequence[str] = (),
    rebase: Rule | None = None,
    holomorphic: bool = True,
    family: str = "primitive",
) -> Declare:
    """An operator without a body, called as its contract is written. `rule` gives the spec, or a
    tuple of specs.
    """

    def decorate(function: Kernel) -> OperatorFunction:
        operator = Operator(
            function,
            family=family,
            rule=rule,
            prepare=prepare,
            writes=writes,
            rebase=rebase,
            holomorphic=holomorphic,
        )
        return publish(operator, _contract_call(operator))

    return decorate


def composite(
    rule: Rule | None = None,
    *,
    prepare: Rule | None = None,
    writes: Sequence[str] = (),
    holomorphic: bool = True,
    family: str = "composite",
) -> Declare:
    """An operator whose body, the decorated function, is its meaning; a kernel may replace its
    speed.

    Without a `rule` the body, run without data, tells the spec of the result.
    """

    def decorate(function: Kernel) -> OperatorFunction:
        operator = Operator(
            function,
            family=family,
            rule=rule,
            body=function,
            prepare=prepare,
            writes=writes,
            holomorphic=holomorphic,
        )
        return publish(operator, _contract_call(operator))

    return decorate


def _contract_call(operator: Operator) -> Callable[..., Any]:
    count = len(operator.tensors)
    names = (*operator.tensors, *operator.parameters)

    def create(*params: Any, **named: Any) -> Any:
        if named:
            params = (*params, *[named[name] for name in names[len(params) :]])
        if mode.frame is not None:  # inside vmap: perhaps for each example another result
            return mode.frame.create(operator, params)
        return dispatch(operator, (), params)

    if not count:
        return create

    def call(*values: Any, **named: Any) -> Any:
        if named:
            values = (*values, *[named[name] for name in names[len(values) :]])
        return dispatch(operator, values[:count], values[count:])

    return call
