"""The autograd engine: from outputs back to leaves, iteratively.

Nodes are taken by descending sequence number from a heap, so each is met after everything that used
its output; a chain of any length needs no stack. A node's inputs get their cotangents summed to
their shape and cast to their dtype here, once, so that no formula mentions broadcasting. A
cotangent that nobody sent stays absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

from plugrad.errors import AutogradError, ShapeError
from plugrad.families import as_operand
from plugrad.op import OperatorNode
from plugrad.ops.creation import clone
from plugrad.ops.elementwise import add, add_
from plugrad.ops.reduction import sum as sum_over
from plugrad.ops.views import reshape
from plugrad.precision import NOTHING, casting
from plugrad.spec import Spec
from plugrad.tape import Leaf, Node, Output, mode, node_of


def backward(
    outputs: Sequence[Any],
    cotangents: Sequence[Any],
    *,
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Any] | None = None,
) -> None:
    """Add to the `.grad` of the leaves that the outputs depend on, or of `inputs` only."""
    targets = None if inputs is None else [_require_node(tensor, "inputs") for tensor in inputs]
    found = _walk(outputs, cotangents, targets, retain_graph, create_graph)
    for node, cotangent in found.items():
        if type(node) is Leaf:
            _accumulate(node, cotangent, False, _writes(create_graph))


def grad(
    outputs: Sequence[Any],
    inputs: Sequence[Any],
    cotangents: Sequence[Any],
    *,
    retain_graph: bool,
    create_graph: bool,
) -> list[Any]:
    """The cotangents of the inputs, `None` for one that the outputs do not depend on."""
    targets = [_require_node(tensor, "inputs") for tensor in inputs]
    found = _walk(outputs, cotangents, targets, retain_graph, create_graph)
    return [found.get(node) for node in targets]


def _require_node(tensor: Any, argument: str) -> Node:
    node = node_of(tensor)
    if node is None:
        raise AutogradError(
            f"{argument}: one of the tensors does not require grad; call requires_grad_() before "
            "using it, and mind that detach() and no_grad() cut the graph"
        )
    return node


def _walk(
    outputs: Sequence[Any],
    cotangents: Sequence[Any],
    targets: list[Node] | None,
    retain_graph: bool,
    create_graph: bool,
) -> dict[Node, Any]:
    """Run the graph backwards. Leaves accumulate; with targets, theirs are returned instead."""
    pending: dict[Node, Any] = {}
    owned: set[Node] = set()  # whose pending cotangent nobody else holds
    heap: list[tuple[int, Node]] = []
    found: dict[Node, Any] = {}
    wanted = None if targets is None else set(targets)
    useful = None if wanted is None else _leading_to(outputs, wanted)
    writes = _writes(create_graph)
    before, targets_of_casts = mode.grad, casting.targets
    mode.grad, casting.targets = create_graph, NOTHING
    try:
        for output, cotangent in zip(outputs, cotangents, strict=True):
            node = _require_node(output, "outputs")
            _send(node, _seed(output, cotangent), pending, owned, heap, writes)
        while heap:
            node: Any = heappop(heap)[1]
            g = pending.pop(node)
            if node.hooks is not None:
                g = _run_hooks(node, g)
                owned.discard(node)  # a hook may have kept it
            if wanted is not None and node in wanted:
                found[node] = g
            kind = node.__class__
            if kind is OperatorNode:
                cotangents = node.rule.pull(node, g)
                if not retain_graph and node.saved:
                    node.saved = None
            elif kind is Leaf:
                if wanted is None:
                    _accumulate(node, g, node in owned, writes)
                continue
            elif kind is Output:
                _collect(node, g, pending, heap)
                continue
            else:
                cotangents = node.pull(g)
                if not retain_graph:
                    node.release()
            for parent, cotangent, spec in zip(node.parents, cotangents, node.specs):
                if parent is None or cotangent is None:
                    continue
                if useful is not None and useful.isdisjoint(_each(parent)):
                    continue
                heir = parent.__class__
                if heir is tuple:
                    for each, its, part in zip(parent, spec, cotangent, strict=True):
                        if each is not None and part is not None:
                            _send(each, fit(node, part, its), pending, owned, heap, writes)
                    continue
                if cotangent.spec is not spec:
                    cotangent = fit(node, cotangent, spec)
                # What a formula has just computed, and has not passed through, nobody else holds.
                ours = kind is OperatorNode and cotangent is not g and cotangent.memory is None
                if heir is Leaf and wanted is None and not (parent.hooks or parent.post_hooks):
                    # Hooks must see the whole; without them each part goes where it belongs at
                    # once.
                    _accumulate(parent, cotangent, ours, writes)
                    continue
                if parent in pending:
                    _send(parent, cotangent, pending, owned, heap, writes)
                    continue
                pending[parent] = cotangent
                heappush(heap, (-parent.sequence, parent))
                if ours:
                    owned.add(parent)
    finally:
        mode.grad, casting.targets = before, targets_of_casts
    return found


def _seed(output: Any, cotangent: Any) -> Any:
    """A cotangent that a user gave, in the output's dtype; its shape must be the output's."""
    spec, given = output.spec, cotangent.spec
    if given is spec:
        return cotangent
    if given.shape != spec.shape:
        raise ShapeError(
            "backward", "gradient", expected=f"{spec.shape}, as the output has", got=given.shape
        )
    return as_operand(cotangent, spec.dtype, None)


def _writes(create_graph: bool) -> bool:
    """Whether sums of cotangents may be formed in place: not if they are differentiated again, or
    if one of them may be of a vmap that the other does not know.
    """
    return not create_graph and mode.frame is None


def _send(
    node: Node,
    cotangent: Any,
    pending: dict[Node, Any],
    owned: set[Node],
    heap: list[Any],
    writes: bool,
) -> None:
    earlier = pending.get(node)
    if earlier is None:
        pending[node] = cotangent
        heappush(heap, (-node.sequence, node))
    elif writes and node in owned and not earlier.level:
        add_(earlier, cotangent)
    else:
        pending[node] = add(earlier, cotangent)
        owned.add(node)


def _collect(output: Output, g: Any, pending: dict[Node, Any], heap: list[Any]) -> None:
    producer: Node = output.parents[0]
    gathered: list[Any] | None = pending.get(producer)
    if gathered is None:
        assert type(producer.spec) is tuple
        gathered = pending[producer] = [None] * len(producer.spec)
        heappush(heap, (-producer.sequence, producer))
    # An output that a formula has saved is a node of its own.
    earlier = gathered[output.index]
    gathered[output.index] = g if earlier is None else add(earlier, g)


def _leading_to(outputs: Sequence[Any], wanted: set[Node]) -> set[Node]:
    """The nodes on some path from the outputs to a wanted node."""
    seen: set[Node] = set()
    stack = [node for node in map(node_of, outputs) if node is not None]
    order: list[Node] = []
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            order.append(node)
            stack += parents_of(node)
    useful = set(wanted)
    for node in sorted(order, key=_sequence):
        if not useful.isdisjoint(parents_of(node)):
            useful.add(node)
    return useful


def _sequence(node: Node) -> int:
    return node.sequence


def parents_of(node: Node) -> list[Node]:
    return [each for parent in node.parents for each in _each(parent)]


def _each(parent: Any) -> list[Node]:
    """The nodes behind one input, which may be a sequence of tensors."""
    if type(parent) is tuple:
        return [each for each in parent if each is not None]
    return [] if parent is None else [parent]


def fit(node: Node, cotangent: Any, spec: Spec) -> Any:
    """A cotangent brought to its input's shape, by summing what was broadcast, and to its dtype."""
    own = cotangent.spec
    if own is spec:
        return cotangent
    if own.dtype is not spec.dtype:
        if own.dtype.is_complex and not spec.dtype.is_complex:
            cotangent = cotangent.real
        cotangent = as_operand(cotangent, spec.dtype, None)
    shape = cotangent.spec.shape
    if shape == spec.shape:
        return cotangent
    extra = len(shape) - len(spec.shape)
    dims = [
        dim
        for dim, size in enumerate(shape)
        if dim < extra or (size != 1 and spec.shape[dim - extra] == 1)
    ]
    if extra < 0 or any(
        size != want and want != 1 for size, want in zip(shape[extra:], spec.shape, strict=True)
    ):
        raise ShapeError(
            node.name(), "cotangent", expected=f"a shape that {spec.shape} broadcasts to", got=shape
        )
    return reshape(sum_over(cotangent, dims) if dims else cotangent, spec.shape)


def _accumulate(leaf: Leaf, g: Any, ours: bool, writes: bool) -> None:
    earlier = leaf.grad
    if earlier is None:
        # What someone else may hold too is copied: the gradient is the user's to change.
        leaf.grad = g if ours or mode.grad else clone(g)
    elif writes and not earlier.level:  # a sparse one may become dense
        add_(earlier, g)
    else:
        leaf.grad = add(earlier, g)
    if leaf.post_hooks:
        for hook in list(leaf.post_hooks.values()):
            hook()


def _run_hooks(node: Node, g: Any) -> Any:
    assert node.hooks is not None
    for hook in list(node.hooks.values()):
        replaced = hook(g)
        if replaced is not None:
            g = replaced
    return g
