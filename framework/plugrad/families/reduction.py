"""Reductions: one element from all along some axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, cast

from plugrad import dtypes, shapes
from plugrad.contracts import Kernel
from plugrad.dispatch import attach, dispatch, execute
from plugrad.dtypes import DType
from plugrad.errors import DtypeError, ShapeError
from plugrad.families.declaration import DeclareTensorFunction, TensorFunction, publish
from plugrad.families.delivery import deliver
from plugrad.families.operands import as_operand
from plugrad.op import Operator
from plugrad.spec import Spec, spec_of
from plugrad.tape import mode, node_of
from plugrad.value import wrap

_AS_CALLED: Final = object()


def reduction(
    *,
    result: Literal["same", "sum", "float", "bool", "index"] = "same",
    takes: str = "bool int float complex",
    empty: bool = True,
    body: bool = False,
    holomorphic: bool = True,
) -> DeclareTensorFunction:
    """One element from all along some axes. The contract's `dim` is a tuple of axes in ascending
    order.

    `result`: the input's dtype ("same"), int64 for integers ("sum"), the input's, which must be
    floating ("float"), "bool", or int64 positions ("index"). `empty` says whether a reduction over
    no elements has a meaning.
    """
    kinds = takes.split()

    def decorate(function: Kernel) -> TensorFunction:
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
            out: Any = None,
        ) -> Any:
            if out is not None:
                return deliver(name, call(input, dim, keepdim, dtype=dtype), out)
            try:
                # A plan under the arguments as they came, with the axes that they mean.
                dims, plan = plans[input.spec, dim, keepdim, _AS_CALLED]
            except (KeyError, TypeError):
                dims = shapes.normalize_dims(dim, len(input.spec.shape), name)
                plan = None
            if dtype is not None:
                found = dispatch(operator, (as_operand(input, dtype, None),), (dims, keepdim))
                return as_operand(found, dtype, None)
            if plan is None:
                plan = plans.get((input.spec, dims, keepdim))
                if plan is None:
                    return dispatch(operator, (input,), (dims, keepdim))
                if dim is None or type(dim) is int:
                    plans[input.spec, dim, keepdim, _AS_CALLED] = dims, plan
            kernel = plan.kernel
            if not plan.direct or kernel is None:
                return execute(operator, (input,), (dims, keepdim), plan)
            x = input.array
            native = kernel(input.native() if x is None else x, dims, keepdim)
            if native is None:
                return execute(operator, (input,), (dims, keepdim), plan)
            made = wrap(native, plan.spec)
            parent = input.node if input.origin is None else node_of(input)
            if parent is not None and mode.grad and operator.slopes:
                attach(operator, (input,), (dims, keepdim), (parent,), 1, made, plan)
            return made

        return cast(TensorFunction, publish(operator, call))

    return decorate
