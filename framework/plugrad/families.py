"""What operators share. A family gives its members their calling convention, their shape and dtype
rule and the care for scalars and promotion; an operator says only its difference. Batching rules
hang on the family's name (`plugrad.batching`).

A decorated contract becomes the function that users call, with `.vjp(...)` to state its derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final, Literal, cast

from plugrad import dtypes, shapes
from plugrad.backends import watchers
from plugrad.constants import constant
from plugrad.contracts import Kernel
from plugrad.dispatch import declare, dispatch, dispatch_view, execute, operators, record
from plugrad.dtypes import DType
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.op import Operator, OperatorFunction, Rule, tensor_names
from plugrad.spec import Spec, spec_of
from plugrad.tape import mode
from plugrad.value import wrap

Declare = Callable[[Kernel], OperatorFunction]
_AS_CALLED: Final = object()
NUMBERS = frozenset({bool, int, float, complex})
_NUMBERS_PER_OPERATOR = 1 << 8
Result = Literal["same", "float", "bool", "real", "float real"]


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


# elementwise --------------------------------------------------------------------------------------


def elementwise(
    *,
    result: Result = "same",
    takes: str = "bool int float complex",
    apart: Sequence[str] = (),
    body: bool = False,
    holomorphic: bool = True,
) -> Declare:
    """Each element of the result from the elements at the same place: operands broadcast and
    promote to one dtype.

    `result` is that dtype ("same"; "float": integers are first cast to the default float dtype;
    "real": the real part's; "float real": both), or "bool". `takes` are the kinds of dtypes
    accepted after promotion. Operands named in `apart` keep their own dtype. `body` says that the
    decorated function is a composite's body.
    """
    kinds = takes.split()

    def decorate(function: Kernel) -> OperatorFunction:
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
            common = _promoted(name, [arguments[i] for i in together])
            if result in ("float", "float real") and common.kind in ("bool", "int"):
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
            rule_names=names,
            body=function if body else None,
            prepare=prepare,
            holomorphic=holomorphic,
        )
        return _publish(operator, _elementwise_call(operator))

    return decorate


def _elementwise_call(operator: Operator) -> Callable[..., Any]:
    """The function that users call. For one and two operands it holds the whole path of a call
    whose specs are known.
    """
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
                if plan.dissolves and mode.grad:
                    return dispatch(operator, (input,), ())
                record(operator, (input,), (), out, plan)
            return out

        return unary

    numbers: dict[Any, Any] = {}
    watchers.append(numbers.clear)

    def binary(input: Any, other: Any) -> Any:
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
        out = wrap(native, plan.spec)
        if (
            input.node is not None
            or other.node is not None
            or input.origin is not None
            or other.origin is not None
        ):
            if plan.dissolves and mode.grad:  # only the body, run on tensors, has a derivative
                return dispatch(operator, (input, other), ())
            record(operator, (input, other), (), out, plan)
        return out

    return binary


def _meet_number(operator: Operator, numbers: dict[Any, Any], input: Any, other: Any) -> Any:
    """Call a binary operator on a tensor and a number, and remember the number as a tensor.

    Only where the tensor's dtype stays as it is: then the same two meet again without promotion.
    """
    out = dispatch(operator, (input, other), ())
    tensor, number = (input, other) if hasattr(input, "spec") else (other, input)
    if type(number) in NUMBERS and not getattr(tensor, "level", 0) and number == number:
        spec = tensor.spec
        if _promoted(operator.name, [tensor, number]) is spec.dtype and type(number) is not complex:
            if len(numbers) >= _NUMBERS_PER_OPERATOR:
                numbers.clear()
            known = constant(number, spec.dtype, spec.device)
            numbers[spec, type(number), number or repr(number)] = known
    return out


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
            scalars.append(_as_number(operator, operand).__class__)
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


# in place -----------------------------------------------------------------------------------------


def in_place(function: OperatorFunction) -> OperatorFunction:
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

    def call(input: Any, *others: Any) -> Any:
        return dispatch(operator, (input, *others[: count - 1]), others[count - 1 :])

    def binary(input: Any, other: Any) -> Any:
        try:
            plan = plans[input.spec, other.spec]
        except (KeyError, AttributeError):
            return dispatch(operator, (input, other), ())
        kernel = plan.kernel
        tracked = not (input.node is input.origin is other.node is other.origin is None)
        repeats = input.place is not None and 0 in input.place[0]
        if tracked or repeats or kernel is None:
            return dispatch(operator, (input, other), ())
        if input.place is None:
            input.settle()
        x, y = input.array, other.array
        if kernel(input.native() if x is None else x, other.native() if y is None else y) is None:
            return dispatch(operator, (input, other), ())
        input.memory.version += 1
        return input

    plain = count == 2 and not operator.parameters
    return _publish(operator, binary if plain else call)


def _spec_of(value: Any) -> Any:
    return value.spec


# reductions ---------------------------------------------------------------------------------------


def reduction(
    *,
    result: Literal["same", "sum", "float", "bool", "index"] = "same",
    takes: str = "bool int float complex",
    empty: bool = True,
    body: bool = False,
    holomorphic: bool = True,
) -> Declare:
    """One element from all along some axes. The contract's `dim` is a tuple of axes in ascending
    order.

    `result`: the input's dtype ("same"), int64 for integers ("sum"), the input's, which must be
    floating ("float"), "bool", or int64 positions ("index"). `empty` says whether a reduction over
    no elements has a meaning.
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

        plans = operator.plans

        def call(
            input: Any,
            dim: int | Sequence[int] | None = None,
            keepdim: bool = False,
            *,
            dtype: DType | None = None,
        ) -> Any:
            try:
                # A plan under the arguments as they came, with the axes that they mean.
                dims, plan = plans[input.spec, dim, keepdim, _AS_CALLED]
            except (KeyError, TypeError):
                dims = shapes.normalize_dims(dim, len(input.spec.shape), name)
                plan = None
            if dtype is not None:
                return dispatch(operator, (as_operand(input, dtype, None),), (dims, keepdim))
            if plan is None:
                plan = plans.get((input.spec, dims, keepdim))
                if plan is None:
                    return dispatch(operator, (input,), (dims, keepdim))
                if dim is None or type(dim) is int:
                    plans[input.spec, dim, keepdim, _AS_CALLED] = dims, plan
            return execute(operator, (input,), (dims, keepdim), plan)

        return _publish(operator, call)

    return decorate


# views, primitives, composites --------------------------------------------------------------------


def view(geometry: Rule, *, dtype: Rule | None = None) -> Declare:
    """Another look at the same storage: `geometry` maps (shape, strides, offset, parameters) to the
    view's. No kernel.
    """

    def decorate(function: Kernel) -> OperatorFunction:
        operator = Operator(function, family="view", geometry=geometry, view_dtype=dtype)

        def call(input: Any, *params: Any) -> Any:
            return dispatch_view(operator, input, params)

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
        return _publish(operator, _contract_call(operator))

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
        return _publish(operator, _contract_call(operator))

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
