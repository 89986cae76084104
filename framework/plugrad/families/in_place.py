"""Operators that write into their first operand: `add_` from `add`."""

from __future__ import annotations

from types import FunctionType
from typing import Any, cast

from plugrad import dtypes
from plugrad.backends import watchers
from plugrad.dispatch import dispatch, operators
from plugrad.errors import DtypeError, ShapeError
from plugrad.families.declaration import TensorFunction, publish
from plugrad.families.operands import as_operand, remember_number
from plugrad.op import Operator, OperatorFunction
from plugrad.spec import Spec
from plugrad.tape import mode


def in_place(function: OperatorFunction) -> TensorFunction:
    """The operator `name_` that writes the result of `name` into its first operand."""
    base = function.operator
    name = base.name + "_"
    first = base.tensors[0]
    count = len(base.tensors)
    rest = count - 1
    # pluggy reads the names of parameters from the code object: the contract is the base's,
    # renamed.
    contract = FunctionType(base.function.__code__, base.function.__globals__, name)
    contract.__module__ = base.function.__module__
    contract.__doc__ = f"`{base.name}`, written into its first operand."

    def body(target: Any, *values: Any) -> Any:
        # A formula that names the operand means it as it was before.
        kept = (
            dispatch(operators["clone"], (target,), ()) if mode.grad and base.saves(0) else target
        )
        out = dispatch(base, (kept, *values[:rest]), values[rest:])
        return dispatch(operators["copy_"], (target, out), ())

    def rule(*facts: Any) -> Spec:
        assert base.rule is not None
        result, target = base.rule(*facts), facts[base.rule_names.index(first)]
        if result.shape != target.shape:
            raise ShapeError(
                name,
                first,
                expected=f"shape {result.shape}, which the operands broadcast to",
                got=target.shape,
                hint=f"use the out-of-place {base.name}()",
            )
        return target

    def prepare(
        arguments: tuple[Any, ...], params: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        assert base.prepare is not None
        assert base.rule is not None
        target = arguments[0]
        dtype = target.spec.dtype
        ready, _ = base.prepare(arguments, params)
        result = base.rule(*map(_spec_of, ready)).dtype
        if not dtypes.can_cast(result, dtype):
            raise DtypeError(
                name,
                first,
                expected=f"a dtype that {result} casts to",
                got=dtype,
                hint=f"use the out-of-place {base.name}()",
            )
        common = ready[0].spec.dtype
        others = [
            as_operand(argument, dtype if known.spec.dtype is common else None, target.spec.device)
            for argument, known in zip(arguments[1:], ready[1:], strict=True)
        ]
        return (target, *others), params

    operator = Operator(
        contract,
        family="in_place",
        rule=rule,
        rule_names=base.rule_names,
        body=body,
        prepare=prepare if base.family == "elementwise" else None,
        writes=(first,),
    )
    plans = operator.plans
    numbers: dict[Any, Any] = {}
    watchers.append(numbers.clear)

    def call(input: Any, *others: Any) -> Any:
        return dispatch(operator, (input, *others[: count - 1]), others[count - 1 :])

    def binary(input: Any, other: Any) -> Any:
        try:
            plan = plans[input.spec, other.spec]
        except KeyError:
            return dispatch(operator, (input, other), ())
        except AttributeError:
            # A number: known already as a tensor, as a rule.
            try:
                other = numbers[input.spec, type(other), other or repr(other)]
                plan = plans[input.spec, other.spec]
            except (KeyError, TypeError):
                out = dispatch(operator, (input, other), ())
                remember_number(numbers, name, input, other)
                return out
        kernel = plan.kernel
        traced = input.node or input.origin or other.node or other.origin
        if kernel is None or (traced is not None and mode.grad):
            return dispatch(operator, (input, other), ())
        place = input.place
        if place is None:
            input.settle()
        elif 0 in place[0]:  # elements that share a place in memory, perhaps
            return dispatch(operator, (input, other), ())
        x, y = input.array, other.array
        if kernel(input.native() if x is None else x, other.native() if y is None else y) is None:
            return dispatch(operator, (input, other), ())
        input.memory.version += 1
        return input

    plain = count == 2 and not operator.parameters
    return cast(TensorFunction, publish(operator, binary if plain else call))


def _spec_of(value: Any) -> Any:
    return value.spec
