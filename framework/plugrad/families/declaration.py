"""From a contract to the function that users call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from plugrad.contracts import Kernel
from plugrad.dispatch import declare
from plugrad.op import Operator, OperatorFunction

Declare = Callable[[Kernel], OperatorFunction]


def publish(operator: Operator, call: Callable[..., Any]) -> OperatorFunction:
    """Open the operator, and let the function carry it and the words that complete it."""
    declare(operator)
    call.__name__ = call.__qualname__ = operator.name
    call.__doc__ = operator.doc
    call.__module__ = operator.function.__module__
    function = cast(Any, call)
    function.operator = operator
    function.vjp = operator.vjp
    function.vjp_together = operator.vjp_together
    function.jvp = operator.jvp
    function.linear = operator.linear
    return function


def since(version: int) -> Callable[[OperatorFunction], OperatorFunction]:
    """Say in which version of the contract an operator first stands; above its family's
    decorator.
    """

    def decorate(function: OperatorFunction) -> OperatorFunction:
        function.operator.since = version
        return function

    return decorate
