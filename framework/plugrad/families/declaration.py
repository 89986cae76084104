"""From a contract to the function that users call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from plugrad.contracts import Kernel
from plugrad.dispatch import declare
from plugrad.op import Operator, OperatorFunction

if TYPE_CHECKING:
    from plugrad.tensor import Tensor

Declare = Callable[[Kernel], OperatorFunction]


class TensorFunction(OperatorFunction, Protocol):
    """An operator whose result is one tensor, which `out` may name."""

    def __call__(self, *arguments: Any, out: Tensor | None = None, **options: Any) -> Tensor:
        """Call the operator on tensors."""
        ...


DeclareTensorFunction = Callable[[Kernel], TensorFunction]
AnyFunction = TypeVar("AnyFunction", bound=OperatorFunction)


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


def since(version: int) -> Callable[[AnyFunction], AnyFunction]:
    """Say in which version of the contract an operator first stands; above its family's
    decorator.
    """

    def decorate(function: AnyFunction) -> AnyFunction:
        function.operator.since = version
        return function

    return decorate
