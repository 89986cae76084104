"""Derivatives of a function at a point: products with its Jacobian and Hessian, and these whole.

`inputs` is a tensor or a tuple of tensors, and so is what the function returns; results have the
same structure. A vector `v` is left out where there is one number only. Results are outside the
graph unless `create_graph` is set. `strict` makes a result that does not depend on an input an
error, where else its derivative is zero. `plugrad.func` has the same as functions of functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from plugrad import func as transforms
from plugrad import reverse
from plugrad.creation import eye
from plugrad.errors import ArgumentError, AutogradError, ShapeError
from plugrad.functions.joining import stack
from plugrad.tape import enable_grad, node_of
from plugrad.tensor import Tensor, ones_for
from plugrad.value import Value

Tensors = Any  # a tensor or a tuple of tensors
Function = Callable[..., Any]


def vjp(
    func: Function,
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:
    """What `func` returns, and `v` times its Jacobian: one vector per input."""
    given = _fresh("vjp", inputs, create_graph)
    outputs, returned = _called("vjp", func, given)
    found = _pulled(outputs, given, _vectors("vjp", v, outputs, "output"), create_graph)
    found = _filled("vjp", found, given, strict)
    return _results(returned, outputs, create_graph), _results(inputs, found, create_graph)


def jvp(
    func: Function,
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensors, Tensors]:
    """What `func` returns, and its Jacobian times `v`: one vector per output. In forward mode."""
    given = _listed("jvp", inputs, "inputs")
    vectors = _vectors("jvp", v, given, "input")
    if not create_graph:
        given = [each.detach() for each in given]
    outputs, slopes = transforms.jvp(func, tuple(given), tuple(vectors), strict=strict)
    values, moves = _listed("jvp", outputs, "func"), _listed("jvp", slopes, "func")
    return _results(outputs, values, create_graph), _results(outputs, moves, create_graph)


def jacobian(
    func: Function,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of each output by each input, of shape (*output, *input).

    For several outputs a tuple, in it for several inputs a tuple. `vectorize` computes all rows at
    once, by `vmap`; so does "forward-mode", the other `strategy`, all columns.
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ArgumentError(
            "jacobian", "strategy", expected="'reverse-mode' or 'forward-mode'", got=strategy
        )
    forwards = strategy == "forward-mode"
    if strict and (vectorize or forwards):
        raise ArgumentError(
            "jacobian",
            "strict",
            expected="False with vectorize=True and in forward mode",
            got=True,
        )
    given = _fresh("jacobian", inputs, create_graph)
    if vectorize or forwards:
        transform = transforms.jacfwd if forwards else transforms.jacrev
        blocks = transform(func, tuple(range(len(given))))(*given)
        rows = [blocks] if isinstance(blocks[0], Value) else list(blocks)
        several = not isinstance(blocks[0], Value)
    else:
        outputs, returned = _called("jacobian", func, given)
        rows = [_rows_of(output, given, create_graph, strict) for output in outputs]
        several = isinstance(returned, tuple)
    found = tuple([_results(inputs, list(row), create_graph) for row in rows])
    return found if several else found[0]


def hessian(
    func: Function,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a function that returns one number: for each pair of inputs a block of shape
    (*input, *input), in a tuple of tuples if they are several.
    """

    def gradient(*given: Any) -> Any:
        # In forward mode they are duals, which nobody follows backwards yet.
        found = _gradient("hessian", func, _fresh("hessian", given, True), strict)[1]
        return tuple(found) if isinstance(inputs, tuple) else found[0]

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def vhp(
    func: Function,
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Tensors]:
    """What `func` returns, one number, and `v` times its Hessian. Backwards twice."""
    given = _fresh("vhp", inputs, create_graph)
    vectors = _vectors("vhp", v, given, "input")
    output, gradient = _gradient("vhp", func, given, strict)
    found = _filled("vhp", _pulled(gradient, given, vectors, create_graph), given, strict)
    return _results(None, [output], create_graph), _results(inputs, found, create_graph)


def hvp(
    func: Function,
    inputs: Tensors,
    v: Tensors = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Tensors]:
    """What `func` returns, one number, and its Hessian times `v`. Forward over reverse."""
    given = _listed("hvp", inputs, "inputs")
    vectors = _vectors("hvp", v, given, "input")
    if not create_graph:
        given = [each.detach() for each in given]

    def gradient(*point: Any) -> Any:
        fresh = _fresh("hvp", tuple(point), False)
        output, found = _gradient("hvp", func, fresh, strict)
        return tuple(found), output

    _, found, output = transforms.jvp(
        gradient, tuple(given), tuple(vectors), strict=strict, has_aux=True
    )
    return _results(None, [output], create_graph), _results(inputs, list(found), create_graph)


def _fresh(operator: str, inputs: Tensors, create_graph: bool) -> list[Any]:
    """The inputs as tensors to differentiate by: in their graph, or as leaves."""
    return [
        each.view(each.shape)
        if create_graph and node_of(each) is not None
        else each.alias().requires_grad_()
        for each in _listed(operator, inputs, "inputs")
    ]


def _listed(operator: str, values: Tensors, argument: str) -> list[Any]:
    found = list(values) if isinstance(values, (tuple, list)) else [values]
    for each in found:
        if not isinstance(each, Value):
            raise ArgumentError(
                operator,
                argument,
                expected="a tensor or a tuple of tensors",
                got=type(each).__name__,
            )
    return found


def _called(operator: str, func: Function, given: list[Any]) -> tuple[list[Any], Any]:
    with enable_grad():
        returned = func(*given)
    return _listed(operator, returned, "func"), returned


def _gradient(
    operator: str, func: Function, given: list[Any], strict: bool
) -> tuple[Any, list[Any]]:
    """The number that a function returns, and its gradient, both in the graph."""
    (output, *others), _ = _called(operator, func, given)
    if others or output.numel() != 1:
        raise ShapeError(
            operator,
            "func",
            expected="a function that returns one number",
            got=output.shape if not others else f"{1 + len(others)} tensors",
        )
    found = _pulled([output], given, [ones_for(output.sum(), operator).expand(output.shape)], True)
    return output, _filled(operator, found, given, strict)


def _vectors(operator: str, v: Tensors, like: list[Any], what: str) -> list[Any]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise ArgumentError(
                operator,
                "v",
                expected=f"a vector, as the {what} is not one number",
                got=None,
            )
        return [like[0].detach() * 0 + 1]
    vectors = _listed(operator, v, "v")
    if len(vectors) != len(like):
        raise ArgumentError(
            operator, "v", expected=f"{len(like)}, one per {what}", got=len(vectors)
        )
    for vector, each in zip(vectors, like, strict=True):
        if vector.spec.shape != each.spec.shape:
            raise ShapeError(operator, "v", expected=f"{each.spec.shape}", got=vector.spec.shape)
    return vectors


def _pulled(
    outputs: list[Any], given: list[Any], vectors: list[Any], create_graph: bool
) -> list[Any]:
    pairs = [(o, v) for o, v in zip(outputs, vectors, strict=True) if node_of(o) is not None]
    if not pairs:
        return [None] * len(given)
    return reverse.grad(
        [output for output, _ in pairs],
        given,
        [vector for _, vector in pairs],
        retain_graph=True,
        create_graph=create_graph,
    )


def _filled(operator: str, found: list[Any], given: list[Any], strict: bool) -> list[Any]:
    for position, each in enumerate(found):
        if each is None and strict:
            raise AutogradError(
                f"{operator}: strict: what is differentiated does not depend on input {position}"
            )
    return [
        each.new_zeros(each.shape) if g is None else g for g, each in zip(found, given, strict=True)
    ]


def _rows_of(output: Any, given: list[Any], create_graph: bool, strict: bool) -> list[Any]:
    """The Jacobian of one output by each input, row by row."""
    unity = eye(output.numel(), dtype=output.dtype, device=output.device)
    rows = [
        _filled(
            "jacobian",
            _pulled([output], given, [row.reshape(output.shape)], create_graph),
            given,
            strict,
        )
        for row in unity
    ]
    return [
        stack([row[i] for row in rows]).reshape(*output.shape, *each.shape)
        if rows
        else each.new_zeros((*output.shape, *each.shape))
        for i, each in enumerate(given)
    ]


def _results(structure: Any, values: list[Any], create_graph: bool) -> Any:
    """The values as a tuple where `structure` is one."""
    found = values if create_graph else [each.detach() for each in values]
    return tuple(found) if isinstance(structure, (tuple, list)) else found[0]
