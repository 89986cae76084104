"""Gradients as functions. Inside, the inputs are fresh: leaves where nobody else follows them, else
new nodes behind their own. A result stays in the graph only if something from outside is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from plugrad import reverse
from plugrad.creation import eye
from plugrad.errors import ArgumentError, DtypeError, ShapeError
from plugrad.func import trees
from plugrad.func.mapping import vmap
from plugrad.functions.joining import cat
from plugrad.levels import followed_outside
from plugrad.ops.views import view
from plugrad.tape import Leaf, Node, enable_grad, mode, node_of
from plugrad.tensor import Tensor, ones_for
from plugrad.value import Value

Function = Callable[..., Any]
Argnums = int | Sequence[int]


def grad(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """The gradient of a function that returns a number (with `has_aux`, anything else beside it).

    With several `argnums` a tuple of gradients; of an argument that is a tree a tree of them.
    """

    @wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func: Function, argnums: Argnums = 0, has_aux: bool = False) -> Function:
    """As `grad`, but a pair: the gradient, and what the function returned."""

    @wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        chosen = chosen_of("grad", args, argnums)
        traced = _Trace("grad", chosen)
        with enable_grad():
            returned = func(*replaced(args, argnums, traced.tree), **kwargs)
        value, aux = split_aux(returned, has_aux, "grad")
        if not isinstance(value, Tensor) or value.numel() != 1 or value.ndim:
            raise ShapeError(
                "grad",
                "func",
                expected="a function that returns a tensor without axes",
                got=value.shape if isinstance(value, Tensor) else type(value).__name__,
                hint="use sum() or mean(), or jacrev()",
            )
        found = traced.pull([value], [ones_for(value, "grad")], once=True)
        gradients = found if isinstance(argnums, int) is False else found[0]
        value = traced.cut(value)
        return gradients, (value, trees.mapped(traced.cut, aux)) if has_aux else value

    return both


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """What `func` returns, and the function that turns a cotangent of it into those of the primals.

    That function may be called many times. It takes the cotangent in the structure of the result,
    and returns a tuple with one entry per primal. With `has_aux` a third entry: what else `func`
    returned.
    """
    traced = _Trace("vjp", primals)
    with enable_grad():
        returned, aux = split_aux(func(*traced.tree), has_aux, "vjp")
    outputs = trees.leaves(returned)
    for output in outputs:
        if not isinstance(output, Tensor):
            raise ArgumentError(
                "vjp", "func", expected="a function that returns tensors", got=type(output).__name__
            )

    def pull(*cotangents: Any) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        flat = trees.leaves(given)
        if len(flat) != len(outputs):
            raise ArgumentError(
                "vjp", "cotangents", expected=f"{len(outputs)}, one per output", got=len(flat)
            )
        for output, cotangent in zip(outputs, flat, strict=True):
            if cotangent.spec.shape != output.spec.shape:
                raise ShapeError(
                    "vjp", "cotangents", expected=f"{output.spec.shape}", got=cotangent.spec.shape
                )
        return traced.pull(outputs, flat, once=False)

    value = trees.mapped(traced.cut, returned)
    return (value, pull, trees.mapped(traced.cut, aux)) if has_aux else (value, pull)


def jacrev(
    func: Function,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Function:
    """The Jacobian, row by row of the output, all rows at once (or `chunk_size` of them).

    For each output, and inside it each input: a tensor of shape (*output, *input).
    """

    @wraps(func)
    def jacobian(*args: Any) -> Any:
        chosen = chosen_of("jacrev", args, argnums)

        def partial(*inputs: Any) -> Any:
            return func(*replaced(args, argnums, inputs))

        value, pull, *aux = vjp(partial, *chosen, has_aux=has_aux)
        outputs = trees.leaves(value)
        basis = basis_of(outputs)

        def row(*cotangents: Any) -> Any:
            return pull(trees.rebuilt(value, list(cotangents)))

        rows = vmap(row, chunk_size=chunk_size)(*basis)
        per_output: list[Any] = []
        start = 0
        for output in outputs:
            stop = start + output.numel()
            block = trees.mapped(_block(start, stop, output), rows)
            per_output.append(block[0] if isinstance(argnums, int) else block)
            start = stop
        result = trees.rebuilt(value, per_output)
        return (result, aux[0]) if has_aux else result

    return jacobian


class _Trace:
    """The inputs of one differentiation."""

    def __init__(self, operator: str, tree: tuple[Any, ...]) -> None:
        self._operator = operator
        self._given = tree
        self._inputs: list[Any] = []
        self._own: set[Node] = set()
        self.tree = trees.mapped(self._fresh, tree)

    def _fresh(self, tensor: Any) -> Any:
        if not isinstance(tensor, Value):
            raise DtypeError(
                self._operator, "argument", expected="tensors", got=type(tensor).__name__
            )
        frame = mode.frame
        if mode.grad and node_of(tensor) is not None:
            fresh = view(tensor, tensor.spec.shape)
        else:
            detached = _without_node(tensor) if frame is None else frame.lift(tensor).alias()
            fresh = detached.requires_grad_()
            self._own.add(fresh.node)
        fresh.origin = None
        self._inputs.append(fresh)
        return fresh

    def pull(self, outputs: list[Any], cotangents: list[Any], *, once: bool) -> Any:
        """The cotangents of the inputs, in their structure."""
        pairs = [
            (output, cotangent)
            for output, cotangent in zip(outputs, cotangents, strict=True)
            if node_of(output) is not None
        ]
        found: list[Any] = [None] * len(self._inputs)
        if pairs:
            followed = mode.grad and any(self._is_followed(output) for output, _ in pairs)
            followed = followed or (mode.grad and any(node_of(c) is not None for _, c in pairs))
            found = reverse.grad(
                [output for output, _ in pairs],
                self._inputs,
                [cotangent for _, cotangent in pairs],
                retain_graph=followed or not once,
                create_graph=followed,
            )
        zeros_for = [
            each.new_zeros(each.shape) if g is None else g
            for g, each in zip(found, self._inputs, strict=True)
        ]
        return trees.rebuilt(self._given, zeros_for)

    def cut(self, tensor: Any) -> Any:
        """A result as the caller sees it: outside the graph, unless something else is in it."""
        if not isinstance(tensor, Value) or node_of(tensor) is None:
            return tensor
        return tensor if mode.grad and self._is_followed(tensor) else _without_node(tensor)

    def _is_followed(self, tensor: Any) -> bool:
        """Whether a leaf other than these inputs, at this level or further out, is in the graph."""
        stack = [node for node in [node_of(tensor)] if node is not None]
        seen: set[Node] = set()
        while stack:
            node = stack.pop()
            if node in seen or node in self._own:
                continue
            if type(node) is Leaf:
                return True
            seen.add(node)
            stack += reverse.parents_of(node)
        return followed_outside(tensor)


def _without_node(tensor: Any) -> Any:
    return tensor.alias()


def chosen_of(operator: str, args: tuple[Any, ...], argnums: Argnums) -> tuple[Any, ...]:
    """The arguments to differentiate by."""
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for position in wanted:
        if not -len(args) <= position < len(args):
            raise ArgumentError(
                operator, "argnums", expected=f"positions of {len(args)} arguments", got=argnums
            )
    return tuple([args[position] for position in wanted])


def replaced(args: tuple[Any, ...], argnums: Argnums, inputs: Sequence[Any]) -> list[Any]:
    """The arguments, with others in place of those."""
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    found = list(args)
    for position, each in zip(wanted, inputs, strict=True):
        found[position] = each
    return found


def split_aux(returned: Any, has_aux: bool, operator: str) -> tuple[Any, Any]:
    """What a function returned: its value, and what else it returned."""
    if not has_aux:
        return returned, None
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ArgumentError(
            operator,
            "func",
            expected="a pair (value, aux), as has_aux says",
            got=type(returned).__name__,
        )
    return returned


def basis_of(outputs: list[Any]) -> list[Any]:
    """For each output the cotangents that pick one number after the other, of all outputs."""
    total = sum(output.numel() for output in outputs)
    found: list[Any] = []
    start = 0
    for output in outputs:
        count = output.numel()
        parts = [
            output.new_zeros((start, count)),
            eye(count, dtype=output.dtype, device=output.device),
            output.new_zeros((total - start - count, count)),
        ]
        found.append(cat(parts).reshape(total, *output.shape))
        start += count
    return found


def _block(start: int, stop: int, output: Any) -> Callable[[Any], Any]:
    def block(rows: Any) -> Any:
        return rows[start:stop].reshape(*output.shape, *rows.shape[1:])

    return block
