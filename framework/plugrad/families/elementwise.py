"""Elementwise operators: operands broadcast and promote. No code is hotter than their calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from plugrad import dtypes, shapes
from plugrad.backends import watchers
from plugrad.contracts import Kernel
from plugrad.dispatch import attach, dispatch
from plugrad.errors import DtypeError
from plugrad.families.declaration import DeclareTensorFunction, TensorFunction, publish
from plugrad.families.delivery import deliver
from plugrad.families.operands import (
    NUMBERS,
    as_operand,
    device_of,
    promoted,
    remember_number,
)
from plugrad.op import Operator, tensor_names
from plugrad.spec import Spec, spec_of
from plugrad.tape import mode, node_of
from plugrad.value import results

Result = Literal["same", "float", "bool", "real", "float real"]

_new = object.__new__


def elementwise(
    *,
    result: Result = "same",
    takes: str = "bool int float complex",
    apart: Sequence[str] = (),
    body: bool = False,
    holomorphic: bool = True,
) -> DeclareTensorFunction:
    """Each element of the result from the elements at the same place: operands broadcast and
    promote to one dtype.

    `result` is that dtype ("same"; "float": integers are first cast to the default float dtype;
    "real": the real part's; "float real": both), or "bool". `takes` are the kinds of dtypes
    accepted after promotion. Operands named in `apart` keep their own dtype. `body` says that the
    decorated function is a composite's body.
    """
    kinds = takes.split()

    def decorate(function: Kernel) -> TensorFunction:
        name = function.__name__
        names = tensor_names(function)
        count = len(names)
        own = next(i for i, each in enumerate(names) if each not in apart)

        def rule(*specs: Any) -> Spec:
            shape = specs[0].shape
            if any([spec.shape != shape for spec in specs]):
                shape = shapes.broadcast_shapes(name, *[spec.shape for spec in specs])
            dtype = specs[own].dtype
            if result == "bool":
                dtype = dtypes.bool_
            elif result in ("real", "float real"):
                dtype = dtype.to_real()
            return spec_of(shape, dtype, specs[0].device)

        def prepare(
            arguments: tuple[Any, ...], params: tuple[Any, ...]
        ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            together = [i for i in range(count) if names[i] not in apart]
            common = promoted(name, [arguments[i] for i in together])
            if result in ("float", "float real") and common.kind in ("bool", "int"):
                common = dtypes.get_default_dtype()
            if common.kind not in kinds:
                raise DtypeError(
                    name, names[together[0]], expected=f"a {' or '.join(kinds)} dtype", got=common
                )
            device = device_of(name, arguments)
            ready = [
                as_operand(argument, common if i in together else None, device)
                for i, argument in enumerate(arguments)
            ]
            return tuple(ready), params

        operator = Operator(
            function,
            family="elementwise",
            rule=rule,
            rule_names=names,
            body=function if body else None,
            prepare=prepare,
            holomorphic=holomorphic,
        )
        return cast(TensorFunction, publish(operator, _elementwise_call(operator)))

    return decorate


def _elementwise_call(operator: Operator) -> Callable[..., Any]:
    """The function that users call. For one and two operands it holds the whole path of a call
    whose specs are known.
    """
    plans = operator.plans
    if operator.parameters or len(operator.tensors) > 2:
        count = len(operator.tensors)

        def call(*values: Any, out: Any = None) -> Any:
            if out is not None:
                return deliver(operator.name, call(*values), out)
            return dispatch(operator, values[:count], values[count:])

        return call

    if len(operator.tensors) == 1:

        def unary(input: Any, *, out: Any = None) -> Any:
            if out is not None:
                return deliver(operator.name, unary(input), out)
            try:
                plan = plans[(input.spec,)]
            except (KeyError, AttributeError):
                return dispatch(operator, (input,), ())
            x = input.array
            if x is None:
                x = input.native()
            kernel = plan.kernel
            native = None if kernel is None else kernel(x)
            if native is None:
                return dispatch(operator, (input,), ())
            made = _new(results.tensor)
            made.spec = plan.spec
            made.array = native
            made.memory = made.place = made.node = made.origin = None
            parent = input.node if input.origin is None else node_of(input)
            if parent is not None and mode.grad:
                if plan.dissolves:  # only the body, run on tensors, has a derivative
                    return dispatch(operator, (input,), ())
                if operator.slopes:
                    attach(operator, (input,), (), (parent,), 1, made, plan)
            return made

        return unary

    numbers: dict[Any, Any] = {}
    watchers.append(numbers.clear)

    def binary(input: Any, other: Any, *, out: Any = None) -> Any:
        if out is not None:
            return deliver(operator.name, binary(input, other), out)
        try:
            plan = plans[input.spec, other.spec]
        except KeyError:
            return dispatch(operator, (input, other), ())
        except AttributeError:
            # One of the two is a number: known already as a tensor, as a rule.
            try:
                if type(other) in NUMBERS:
                    other = numbers[input.spec, type(other), other or repr(other)]
                else:
                    input = numbers[other.spec, type(input), input or repr(input)]
                plan = plans[input.spec, other.spec]
            except (KeyError, AttributeError, TypeError):
                return _meet_number(operator, numbers, input, other)
        x = input.array
        if x is None:
            x = input.native()
        y = other.array
        if y is None:
            y = other.native()
        kernel = plan.kernel
        native = None if kernel is None else kernel(x, y)
        if native is None:
            return dispatch(operator, (input, other), ())
        # As `wrap` does, whose call would be felt.
        made = _new(results.tensor)
        made.spec = plan.spec
        made.array = native
        made.memory = made.place = made.node = made.origin = None
        if not mode.grad:
            return made
        left = input.node if input.origin is None else node_of(input)
        right = other.node if other.origin is None else node_of(other)
        if left is right is None:
            return made
        if plan.dissolves:  # only the body, run on tensors, has a derivative
            return dispatch(operator, (input, other), ())
        wanted = ((left is not None) | (right is not None) << 1) & operator.slopes
        if wanted:
            attach(operator, (input, other), (), (left, right), wanted, made, plan)
        return made

    return binary


def _meet_number(operator: Operator, numbers: dict[Any, Any], input: Any, other: Any) -> Any:
    """Call a binary operator on a tensor and a number, and remember the number as a tensor."""
    out = dispatch(operator, (input, other), ())
    tensor, number = (input, other) if hasattr(input, "spec") else (other, input)
    remember_number(numbers, operator.name, tensor, number)
    return out
