"""What operators share. A family gives its members their calling convention, their shape and dtype rule and the care for
scalars and promotion; an operator says only its difference. Batching rules hang on the family's name (`plugrad.batching`).

A decorated contract becomes the function that users call, with `.vjp(...)` to state its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Literal, cast

from plugrad import dtypes, shapes
from plugrad.constants import constant
from plugrad.contracts import Kernel
from plugrad.dispatch import declare, dispatch, operators, record
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.op import Operator, OperatorFunction, Rule
from plugrad.spec import Spec, spec_of
from plugrad.value import wrap

Declare = Callable[[Kernel], OperatorFunction]
Result = Literal["same", "float", "bool", "real"]


def _publish(operator: Operator, call: Callable[..., Any]) -> OperatorFunction:
    declare(operator)
    call.__name__ = call.__qualname__ = operator.name
    call.__doc__ = operator.doc
    call.__module__ = operator.function.__module__
    function = cast(Any, call)
    function.operator = operator
    function.vjp = operator.vjp
    function.vjp_together = operator.vjp_together
    return function


# elementwise ----------------------------------------------------------------------------------------------------------


def elementwise(
    *,
    result: Result = "same",
    takes: str = "bool int float complex",
    apart: Sequence[str] = (),
    body: bool = False,
    holomorphic: bool = True,
) -> Declare:
    """Each element of the result from the elements at the same place: operands broadcast and promote to one dtype.

    `result` is that dtype ("same"; "float": integers are first cast to the default float dtype; "real": the real part's),
    or "bool". `takes` are the kinds of dtypes accepted after promotion. Operands named in `apart` keep their own dtype.
    `body` says that the decorated function is a composite's body.
    """
    kinds = takes.split()

    def decorate(function: Kernel) -> OperatorFunction:
        name = function.__name__

        def rule(*specs: Any) -> Spec:
            specs = specs[:count]
            shape = specs[0].shape
            if any([spec.shape != shape for spec in specs]):
                shape = shapes.broadcast_shapes(name, *[spec.shape for spec in specs])
            dtype = specs[own].dtype
            if result == "bool":
                dtype = dtypes.bool_
            elif result == "real":
                dtype = dtype.to_real()
            return spec_of(shape, dtype, specs[0].device)

        def prepare(
            arguments: tuple[Any, ...], params: tuple[Any, ...]
        ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            together = [i for i in range(count) if names[i] not in apart]
            common = _promoted(name, [arguments[i] for i in together])
            if result == "float" and common.kind in ("bool", "int"):
                common = dtypes.get_default_dtype()
            if common.kind not in kinds:
                raise DtypeError(
                    name, names[together[0]], expected=f"a {' or '.join(kinds)} dtype", got=common
                )
            device = _device(name, arguments)
            ready = [
                as_operand(argument, common if i in together else None, device)
                for i, argument in enumerate(arguments)
            ]
            return tuple(ready), params

        operator = Operator(
            function,
            family="elementwise",
            rule=rule,
            body=function if body else None,
            prepare=prepare,
            holomorphic=holomorphic,
        )
        names, count = operator.tensors, len(operator.tensors)
        own = next(i for i, each in enumerate(names) if each not in apart)
        operator.rule_names = names
        return _publish(operator, _elementwise_call(operator))

    return decorate


def _elementwise_call(operator: Operator) -> Callable[..., Any]:
    """The function that users call. For one and two operands it holds the whole path of a call whose specs are known."""
    plans = operator.plans
    if operator.parameters or len(operator.tensors) > 2:
        count = len(operator.tensors)

        def call(*values: Any) -> Any:
            return dispatch(operator, values[:count], values[count:])

        return call

    if len(operator.tensors) == 1:

        def unary(input: Any) -> Any:
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
            out = wrap(native, plan.spec)
            if input.node is not None or input.origin is not None:
                record(operator, (input,), (), out, plan.spec)
            return out

        return unary

    def binary(input: Any, other: Any) -> Any:
        try:
            plan = plans[input.spec, other.spec]
        except (KeyError, AttributeError):
            return dispatch(operator, (input, other), ())
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
        out = wrap(native, plan.spec)
        if (
            input.node is not None
            or other.node is not None
            or input.origin is not None
            or other.origin is not None
        ):
            record(operator, (input, other), (), out, plan.spec)
        return out

    return binary


def _promoted(operator: str, operands: list[Any]) -> DType:
    first = getattr(operands[0], "spec", None)
    if first is not None and all(getattr(o, "spec", None) is first for o in operands):
        return first.dtype
    dimensioned: list[DType] = []
    zero_dim: list[DType] = []
    scalars: list[type] = []
    for operand in operands:
        spec = getattr(operand, "spec", None)
        if spec is not None:
            (dimensioned if spec.shape else zero_dim).append(spec.dtype)
        else:
            scalars.append(type(_as_number(operator, operand)))
    return dtypes.promote(dimensioned, zero_dim, scalars)


def _as_number(operator: str, value: Any) -> Any:
    if isinstance(value, (bool, int, float, complex)):
        return value
    # A scalar of an array library says what it is.
    item = getattr(value, "item", None)
    if item is None or getattr(value, "shape", ()) != ():
        raise ArgumentError(
            operator,
            "operand",
            expected="a tensor or a number",
            got=type(value).__name__,
            hint="make it one with plugrad.as_tensor()",
        )
    return item()


def _device(operator: str, arguments: tuple[Any, ...]) -> Any:
    for argument in arguments:
        if getattr(argument, "spec", None) is not None:
            return argument.spec.device
    raise ArgumentError(operator, "operands", expected="at least one tensor", got="only numbers")


def as_operand(value: Any, dtype: DType | None, device: Any) -> Any:
    """A tensor of that dtype (`None`: its own) from a tensor or a number."""
    spec = getattr(value, "spec", None)
    if spec is None:
        number = _as_number("operand", value)
        return constant(number, dtype or dtypes.of_scalar(number), device)
    if dtype is None or spec.dtype is dtype:
        return value
    return dispatch(operators["cast"], (value,), (dtype,))


# in place -------------------------------------------------------------------------------------------------------------


def in_place(function: OperatorFunction) -> OperatorFunction:
    """The operator `name_` that writes the result of an elementwise operator into its first operand."""
    base = function.operator
    name = base.name + "_"

    # pluggy reads the parameters' names from the code object, so the contract is the base's under another name.
    contract = FunctionType(base.function.__code__, base.function.__globals__, name)
    contract.__module__ = base.function.__module__
    contract.__doc__ = f"`{base.name}`, written into its first operand."
    count = len(base.tensors)

    def body(*values: Any) -> Any:
        out = dispatch(base, values[:count], values[count:])
        return dispatch(operators["copy_"], (values[0], out), ())

    def rule(*specs: Any) -> Spec:
        target = specs[0]
        shape = shapes.broadcast_shapes(name, *[spec.shape for spec in specs[:count]])
        if shape != target.shape:
            raise ShapeError(
                name,
                base.tensors[0],
                expected=f"shape {shape}, which the operands broadcast to",
                got=target.shape,
                hint=f"use the out-of-place {base.name}()",
            )
        return target

    def prepare(
        arguments: tuple[Any, ...], params: tuple[Any, ...]
    ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        target = arguments[0]
        assert base.prepare is not None
        ready, _ = base.prepare(arguments, params)
        result = base.rule(*map(_spec_of, ready)).dtype if base.rule else ready[0].spec.dtype
        if not dtypes.can_cast(result, target.spec.dtype):
            raise DtypeError(
                name,
                base.tensors[0],
                expected=f"a dtype that {result} casts to",
                got=target.spec.dtype,
                hint=f"use the out-of-place {base.name}()",
            )
        dtype = target.spec.dtype
        others = [
            as_operand(argument, dtype if ready[i].spec.dtype is ready[0].spec.dtype else None, target.spec.device)
            for i, argument in enumerate(arguments)
            if i
        ]
        return (target, *others), params

    operator = Operator(
        contract,
        family="in_place",
        rule=rule,
        body=body,
        prepare=prepare,
        writes=base.tensors[:1],
    )
    operator.rule_names = operator.tensors

    def call(input: Any, *others: Any) -> Any:
        values = (input, *others)
        return dispatch(operator, values[:count], values[count:])

    return _publish(operator, call)


def _spec_of(value: Any) -> Any:
    return value.spec


# reductions -----------------------------------------------------------------------------------------------------------


def reduction(
    *,
    result: Literal["same", "sum", "float", "bool", "index"] = "same",
    takes: str = "bool int float complex",
    empty: bool = True,
    body: bool = False,
    holomorphic: bool = True,
) -> Declare:
    """One element from all along some axes. The contract's `dim` is a tuple of axes in ascending order.

    `result`: the input's dtype ("same"), int64 for integers ("sum"), the input's, which must be floating ("float"), "bool", or
    int64 positions ("index"). `empty` says whether a reduction over no elements has a meaning.
    """
    kinds = takes.split()

    def decorate(function: Kernel) -> OperatorFunction:
        name = function.__name__

        def rule(x: Spec, dim: tuple[int, ...], keepdim: bool) -> Spec:
            if not empty and x.numel == 0 and any(x.shape[d] == 0 for d in dim):
                raise ShapeError(name, "x", expected="at least one element along dim", got=x.shape)
            dtype = {"bool": dtypes.bool_, "index": dtypes.int64}.get(result, x.dtype)
            return spec_of(shapes.reduce_shape(x.shape, dim, keepdim), dtype, x.device)

        def prepare(
            arguments: tuple[Any, ...], params: tuple[Any, ...]
        ) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
            (x,) = arguments
            dtype = x.spec.dtype
            if dtype.kind not in kinds:
                raise DtypeError(
                    name,
                    "input",
                    expected=f"a {' or '.join(kinds)} dtype",
                    got=dtype,
                    hint="cast it, or pass dtype=" if result in ("sum", "float") else "cast it",
                )
            if result == "sum" and dtype.kind in ("bool", "int"):
                x = as_operand(x, dtypes.int64, x.spec.device)
            return (x,), params

        operator = Operator(
            function,
            family="reduction",
            rule=rule,
            body=function if body else None,
            prepare=prepare,
            holomorphic=holomorphic,
        )

        def call(
            input: Any,
            dim: int | Sequence[int] | None = None,
            keepdim: bool = False,
            *,
            dtype: DType | None = None,
        ) -> Any:
            if dtype is not None:
                input = as_operand(input, dtype, None)
            dims = shapes.normalize_dims(dim, len(input.spec.shape), name)
            return dispatch(operator, (input,), (dims, keepdim))

        return _publish(operator, call)

    return decorate


# views, primitives, composites ----------------------------------------------------------------------------------------


def view(geometry: Rule, *, dtype: Rule | None = None) -> Declare:
    """Another look at the same storage: `geometry` maps (shape, strides, offset, parameters) to the view's. No kernel."""

    def decorate(function: Kernel) -> OperatorFunction:
        operator = Operator(function, family="view", geometry=geometry, view_dtype=dtype)

        def call(input: Any, *params: Any) -> Any:
            return dispatch(operator, (input,), params)

        return _publish(operator, call)

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
    """An operator without a body, called as its contract is written. `rule` gives the spec, or a tuple of specs."""

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
        return _publish(operator, _contract_call(operator))

    return decorate


def composite(
    rule: Rule | None = None,
    *,
    writes: Sequence[str] = (),
    holomorphic: bool = True,
    family: str = "composite",
) -> Declare:
    """An operator whose body, the decorated function, is its meaning; a kernel may replace its speed.

    Without a `rule` the body, run without data, tells the spec of the result.
    """

    def decorate(function: Kernel) -> OperatorFunction:
        operator = Operator(
            function, family=family, rule=rule, body=function, writes=writes, holomorphic=holomorphic
        )
        return _publish(operator, _contract_call(operator))

    return decorate


def _contract_call(operator: Operator) -> Callable[..., Any]:
    count = len(operator.tensors)
    names = (*operator.tensors, *operator.parameters)

    def call(*values: Any, **named: Any) -> Any:
        if named:
            values = (*values, *[named[name] for name in names[len(values) :]])
        return dispatch(operator, values[:count], values[count:])

    return call
