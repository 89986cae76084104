"""Forward mode as functions: how a result moves when the arguments do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from plugrad.batching.rules import move_axis
from plugrad.errors import ArgumentError
from plugrad.forward import DualLevel, dual, primal_of, tangent_in
from plugrad.forward.rules import transpose
from plugrad.func import trees
from plugrad.func.duals import check_tangent
from plugrad.func.gradients import Argnums, basis_of, chosen_of, jacrev, replaced, split_aux, vjp
from plugrad.func.mapping import vmap
from plugrad.tape import enable_grad
from plugrad.value import Value

Function = Callable[..., Any]


def jvp(
    func: Function,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """What `func` returns, and its tangent: the derivative at `primals` along `tangents`.

    `tangents` have the structure of `primals`. What does not depend on the primals has a tangent of
    zeros; `strict` makes that an error. With `has_aux` a third entry: what else `func` returned.
    """
    pairs = _paired(primals, tangents)
    with DualLevel(allocates=True) as frame:
        moving = trees.rebuilt(primals, [dual(each, t, frame) for each, t in pairs])
        returned, aux = split_aux(func(*moving), has_aux, "jvp")
        outputs = trees.leaves(returned)
        for output in outputs:
            if not isinstance(output, Value):
                raise ArgumentError(
                    "jvp",
                    "func",
                    expected="a function that returns tensors",
                    got=type(output).__name__,
                )
        moves = [tangent_in(output, frame) for output in outputs]
    if strict and any([t is None for t in moves]):
        raise ArgumentError(
            "jvp",
            "func",
            expected="with strict=True results that depend on the primals",
            got="one that does not",
        )
    values = [primal_of(output, frame) for output in outputs]
    slopes = [_zeros(v) if t is None else t for v, t in zip(values, moves, strict=True)]
    results = trees.rebuilt(returned, values), trees.rebuilt(returned, slopes)
    if not has_aux:
        return results
    return *results, trees.mapped(lambda each: primal_of(each, frame), aux)


def linearize(func: Function, *primals: Any) -> tuple[Any, Function]:
    """What `func` returns, and its derivative at `primals` as a function of the tangents.

    `func` runs once; the derivative, which may be called many times, runs the linear part alone: it
    is the transpose of the function that `vjp` returns.
    """
    with enable_grad():
        value, pull = vjp(func, *primals)
        outputs = trees.leaves(value)
        dummies = [_zeros(each).requires_grad_() for each in outputs]
        pulled = trees.leaves(pull(trees.rebuilt(value, dummies)))

    def push(*tangents: Any) -> Any:
        pairs = _paired(primals, tangents)
        with enable_grad():
            found = transpose(pulled, dummies, [t for _, t in pairs], (), again=True)
        slopes = [_zeros(v) if t is None else t for v, t in zip(outputs, found, strict=True)]
        return trees.rebuilt(value, slopes)

    return value, push


def jacfwd(
    func: Function,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Function:
    """The Jacobian, column by column of the input, all columns at once: cheaper than `jacrev` where
    there are fewer inputs than outputs.

    For each output, and inside it each input: a tensor of shape (*output, *input). `randomness` is
    that of `vmap`.
    """

    @wraps(func)
    def jacobian(*args: Any) -> Any:
        inputs = chosen_of("jacfwd", args, argnums)
        flat = trees.leaves(inputs)

        def partial(*given: Any) -> Any:
            return func(*replaced(args, argnums, given))

        def column(*tangents: Any) -> Any:
            _, *rest = jvp(partial, inputs, trees.rebuilt(inputs, list(tangents)), has_aux=has_aux)
            return tuple(rest) if has_aux else rest[0]

        out_dims = (0, None) if has_aux else 0
        columns = vmap(column, out_dims=out_dims, randomness=randomness)(*basis_of(flat))
        columns, aux = columns if has_aux else (columns, None)

        def blocks(each: Any) -> Any:
            last = move_axis(each, 0, len(each.spec.shape) - 1)
            found: list[Any] = []
            start = 0
            for given in flat:
                stop = start + given.numel()
                part = last[..., start:stop].reshape(*last.shape[:-1], *given.shape)
                found.append(part)
                start = stop
            tree = trees.rebuilt(inputs, found)
            return tree[0] if isinstance(argnums, int) else tree

        result = trees.mapped(blocks, columns)
        return (result, aux) if has_aux else result

    return jacobian


def hessian(func: Function, argnums: Argnums = 0) -> Function:
    """The Jacobian of the gradient, forward over reverse."""
    return jacfwd(jacrev(func, argnums), argnums)


def _paired(primals: Any, tangents: Any) -> list[tuple[Any, Any]]:
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple) or not given:
            raise ArgumentError(
                "jvp",
                name,
                expected="a tuple with an entry for each argument",
                got=type(given).__name__ if given != () else "an empty one",
            )
    moved = trees.spread(tangents, primals)
    if moved is None or len(trees.leaves(tangents)) != len(moved):
        raise ArgumentError(
            "jvp",
            "tangents",
            expected=f"the structure of primals, {len(trees.leaves(primals))} tensors",
            got=f"{len(trees.leaves(tangents))} tensors in another",
        )
    pairs = list(zip(trees.leaves(primals), moved, strict=True))
    for primal, tangent in pairs:
        check_tangent("jvp", primal, tangent)
    return pairs


def _zeros(value: Any) -> Any:
    return value.new_zeros(value.shape)
