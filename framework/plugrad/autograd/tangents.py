"""How the outputs of a Function move when its inputs do."""

from __future__ import annotations

from typing import Any

from plugrad.errors import AutogradError
from plugrad.forward.rules import probes, transpose
from plugrad.tape import enable_grad
from plugrad.value import Value


def push_through(
    function: Any,
    ctx: Any,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    outputs: list[Any],
    backward_alone: bool,
) -> list[Any]:
    """The tangents of the outputs of a call: by the Function's jvp or, where it has its backward
    alone, as the transpose of that.
    """
    if all([each is None for each in tangents]):
        return [None] * len(outputs)
    if backward_alone:
        return _transposed(function, ctx, primals, tangents, outputs)
    if ctx._materializes:
        tangents = tuple(
            [
                each.new_zeros(each.spec.shape) if t is None and _can_move(each) else t
                for t, each in zip(tangents, primals, strict=True)
            ]
        )
    ctx._pushing = True
    try:
        found = function.jvp(ctx, *tangents)
    finally:
        ctx._pushing = False
    moves = list(found) if isinstance(found, (tuple, list)) else [found]
    if len(moves) != len(outputs):
        raise AutogradError(
            f"{function.__name__}: jvp must return one tangent (or None) for each of the "
            f"{len(outputs)} outputs of forward, got {len(moves)}"
        )
    for tangent, output in zip(moves, outputs, strict=True):
        if tangent is not None and tangent.spec.shape != output.spec.shape:
            raise AutogradError(
                f"{function.__name__}: jvp must return tangents of the outputs' shapes: expected "
                f"{output.spec.shape}, got {tangent.spec.shape}"
            )
    return moves


def _transposed(
    function: Any,
    ctx: Any,
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    outputs: list[Any],
) -> list[Any]:
    with enable_grad():
        dummies = [
            probes(each)[0]
            if _can_move(each) and not any([each is other for other in ctx._constant])
            else None
            for each in outputs
        ]
        pulled = function.backward(ctx, *dummies)
    cotangents = list(pulled) if isinstance(pulled, (tuple, list)) else [pulled]
    pairs = [
        (each, t) for each, t in zip(cotangents, tangents) if each is not None and t is not None
    ]
    values = [each for each in (*primals, *tangents) if isinstance(each, Value)]
    return transpose([each for each, _ in pairs], dummies, [t for _, t in pairs], values)


def _can_move(value: Any) -> bool:
    return isinstance(value, Value) and value.spec.dtype.kind in ("float", "complex")
