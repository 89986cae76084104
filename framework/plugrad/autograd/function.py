"""Function: an operation of one's own, with a forward and a backward written by hand.

Forward runs unrecorded. What it saves hangs on the context, the context on the node, the node on
the outputs: an output that is saved is kept as an alias without its node, so that no cycle forms.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, final

from plugrad.autograd.mapped import call_mapped, frame_of
from plugrad.autograd.tangents import push_through
from plugrad.errors import ArgumentError, AutogradError, InPlaceError
from plugrad.forward import Dual, DualLevel, dual, moves_outside, primal_of, tangent_in
from plugrad.levels import Lifted, followed_outside
from plugrad.ops.creation import full
from plugrad.spec import Spec
from plugrad.tape import (
    Leaf,
    Node,
    Output,
    RemovableHandle,
    changed,
    freed,
    mode,
    no_grad,
    node_of,
    run_post_hooks,
    version_of,
)
from plugrad.value import Value
from plugrad.watching import packed, unpacked, watch


class FunctionCtx:
    """What forward leaves for backward: saved tensors, and any attribute that is set on it."""

    needs_input_grad: tuple[bool, ...] = ()

    def __init__(self, name: str) -> None:
        self._name = name
        self._saved: tuple[Any, ...] | None = ()
        self._versions: list[int] = []
        # Which outputs are among the saved tensors: their position there -> that in the outputs.
        self._outputs: dict[int, int] = {}
        self._node: Callable[[], Node | None] = _no_node
        self._dirty: tuple[Any, ...] = ()
        self._constant: tuple[Any, ...] = ()
        self._materializes = True
        # What jvp sees as saved, where that is not what backward sees.
        self._forwards: tuple[Any, ...] | None = None
        self._pushing = False
        # Where apply() was called, while calls are traced.
        self._place: Any = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep inputs, outputs, intermediate tensors or `None`; backward refuses changed ones."""
        for position, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Value):
                raise ArgumentError(
                    self._name,
                    f"save_for_backward()[{position}]",
                    expected="a tensor or None",
                    got=type(tensor).__name__,
                    hint="keep other things as attributes of ctx",
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept; in jvp what `save_for_forward` kept, if it was called."""
        if self._pushing and self._forwards is not None:
            return self._forwards
        if self._saved is None:
            raise freed(self._name)
        for tensor, version in zip(self._saved, self._versions):
            if tensor is not None and version_of(tensor) != version:
                raise changed(self._name, tensor, version)
        recalled = [unpacked(each) for each in self._saved]
        if not (self._outputs and mode.grad):
            return tuple(recalled)
        node = self._node()
        for position, output in self._outputs.items():
            twin = recalled[position] = recalled[position].alias()
            if node is not None and _has_gradient(twin):
                several = type(node.spec) is tuple
                twin.node = Output(node, output, twin.spec) if several else node
        return tuple(recalled)

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors, or `None`, for jvp; without it jvp sees what backward sees."""
        self._forwards = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs forward changed in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or `None` for an output that nobody used, and
        jvp for an input that does not move.
        """
        self._materializes = value


class Function:
    """Derive from it: static `forward(ctx, ...)` and `backward(ctx, *grads)`; call `apply`.

    Backward returns one gradient, or `None`, for each argument of forward. Written in plugrad's
    operators it can itself be differentiated. With a static `setup_context(ctx, inputs, output)`
    forward goes without `ctx`. A static `jvp(ctx, *tangents)` returns one tangent, or `None`, for
    each output; without one forward mode transposes backward. A static `vmap(info, in_dims, *args)`
    computes a whole batch; without one forward runs on what vmap passes, whether
    `generate_vmap_rule` asks for it or not.
    """

    generate_vmap_rule: bool = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs: `forward(ctx, *inputs)`."""
        raise NotImplementedError("a Function needs a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradients of the inputs from those of the outputs."""
        raise NotImplementedError("this Function has no static method backward(ctx, *grads)")

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """The tangents of the outputs from those of the inputs."""
        raise NotImplementedError("jvp(ctx, *tangents) is optional")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Fill the context after a `forward` that is written without one."""
        raise NotImplementedError("setup_context(ctx, inputs, output) is optional")

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """For a whole batch a pair: the outputs, and which axis of each numbers the examples.

        `in_dims` says so of the arguments; `info` has `batch_size` and `randomness`.
        """
        raise NotImplementedError("vmap(info, in_dims, *args) is optional")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward, and record that backward undoes it."""
        if cls.vmap is not Function.vmap:
            if cls.generate_vmap_rule:
                raise AutogradError(
                    f"{cls.__name__}: a Function has either generate_vmap_rule or a vmap of its own"
                )
            frame = frame_of(args)
            if frame is not None:
                return call_mapped(cls, args, frame)
        _, outputs, several = call(cls, args)
        return tuple(outputs) if several else outputs[0]


def call(
    function: type[Function], args: tuple[Any, ...], nested: bool = False
) -> tuple[FunctionCtx, list[Any], bool]:
    """Run forward: the context that it filled, the outputs, and whether they were a sequence.

    `nested` says that the context is needed for a derivative at an inner level.
    """
    frame = _moving(args)
    if frame is not None:
        return _call_forwards(function, args, frame, nested)
    for each in args:
        if isinstance(each, Lifted) and (moves_outside(each) or mode.grad & followed_outside(each)):
            raise AutogradError(
                f"{function.__name__}: a Function inside vmap can be differentiated inside only, "
                "by plugrad.func.grad() or jvp(); the tensor that is mapped over requires grad, or "
                "moves, outside"
            )
    nodes = [node_of(each) if isinstance(each, Value) else None for each in args]
    ctx, returned, several = _run(function, args, nodes)
    outputs = _checked_outputs(ctx, args, returned)
    _record(function, ctx, args, nodes, outputs, several)
    return ctx, outputs, several


def _run(
    function: type[Function], args: tuple[Any, ...], nodes: list[Node | None]
) -> tuple[FunctionCtx, Sequence[Any], bool]:
    ctx = FunctionCtx(function.__name__)
    ctx.needs_input_grad = tuple([node is not None for node in nodes])
    with no_grad():
        if function.setup_context is Function.setup_context:
            returned = function.forward(ctx, *args)
        else:
            returned = function.forward(*args)
            function.setup_context(ctx, args, returned)
    several = isinstance(returned, (tuple, list))
    return ctx, returned if several else (returned,), several


def _record(
    function: type[Function],
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    nodes: list[Node | None],
    outputs: list[Any],
    several: bool,
) -> None:
    _keep(ctx, outputs)
    if mode.grad and any(ctx.needs_input_grad):
        specs = tuple([each.spec if isinstance(each, Value) else None for each in outputs])
        inputs = tuple([each.spec if isinstance(each, Value) else None for each in args])
        node = FunctionNode(function, ctx, tuple(nodes), inputs, specs if several else specs[0])
        node.own(outputs)


@final
class FunctionNode(Node):
    """What a call of a Function leaves behind."""

    __slots__ = ("after", "ctx", "function")

    def __init__(
        self,
        function: type[Function],
        ctx: FunctionCtx,
        parents: tuple[Node | None, ...],
        specs: tuple[Spec | None, ...],
        spec: Any,
    ) -> None:
        super().__init__(parents, specs, spec)
        self.function = function
        self.ctx = ctx
        self.after: dict[int, Callable[..., Any]] = {}
        ctx._node = weakref.ref(self)

    def __getattr__(self, name: str) -> Any:
        # PyTorch's grad_fn of a Function is its ctx.
        return getattr(self.ctx, name)

    def name(self) -> str:
        return f"{self.function.__name__}Backward"

    def own(self, outputs: Sequence[Any]) -> None:
        """Make this node the origin of the outputs that have a gradient."""
        constant = self.ctx._constant
        for index, output in enumerate(outputs):
            if not isinstance(output, Value) or _position(output, constant) is not None:
                continue
            if _has_gradient(output):
                output.node = Output(self, index, output.spec) if type(self.spec) is tuple else self
                # A view of an input would otherwise be differentiated as that view.
                output.origin = None

    def pull(self, g: Any) -> Sequence[Any]:
        if self.ctx._saved is None:
            raise freed(self.function.__name__)
        cotangents = g if type(self.spec) is tuple else (g,)
        if self.ctx._materializes:
            specs = self.spec if type(self.spec) is tuple else (self.spec,)
            cotangents = [
                full(spec.shape, 0, spec.dtype, spec.device)
                if each is None and spec is not None
                else each
                for each, spec in zip(cotangents, specs, strict=True)
            ]
        results = self.function.backward(self.ctx, *cotangents)
        if not isinstance(results, (tuple, list)):
            results = (results,)
        checked = self._checked(list(results))
        if watch.judge is not None:
            watch.judge(self, self.ctx._place, checked)
        return run_post_hooks(self.after, checked, g)

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return RemovableHandle(self.after, hook)

    def _checked(self, results: list[Any]) -> list[Any]:
        count = len(self.parents)
        if len(results) < count or any(each is not None for each in results[count:]):
            raise AutogradError(
                f"{self.function.__name__}: backward must return one gradient (or None) for each "
                f"of the {count} arguments of forward, got {len(results)}"
            )
        for position, result in enumerate(results):
            if result is not None and not isinstance(result, Value):
                raise AutogradError(
                    f"{self.function.__name__}: backward must return tensors or None, got "
                    f"{type(result).__name__} for argument {position} of forward"
                )
        return results[:count]

    def release(self) -> None:
        self.ctx._saved = None


# forward mode -------------------------------------------------------------------------------------


def _moving(args: tuple[Any, ...]) -> Any:
    """The innermost level, if it is one of forward mode that an argument is a dual of."""
    lifted = [each for each in args if isinstance(each, Lifted) and each.frame.open]
    innermost = max(lifted, key=_level, default=None)
    return innermost.frame if isinstance(innermost, Dual) else None


def _level(value: Any) -> int:
    return value.level


def _call_forwards(
    function: type[Function], args: tuple[Any, ...], frame: DualLevel, nested: bool
) -> tuple[FunctionCtx, list[Any], bool]:
    """Call outside the level, where the outputs get their tangents too."""
    primals = tuple([primal_of(each, frame) for each in args])
    tangents = tuple([tangent_in(each, frame) for each in args])
    ctx, made, several = frame.outside(call, function, primals, True)
    moves = frame.outside(
        push_through, function, ctx, primals, tangents, made, function.jvp is Function.jvp
    )
    outputs: list[Any] = []
    for value, tangent in zip(made, moves, strict=True):
        place = _position(value, ctx._dirty)
        if place is not None:
            written: Any = args[_index(value, primals)]
            written.tangent = tangent
            outputs.append(written)
        elif isinstance(value, Value) and _has_gradient(value):
            outputs.append(dual(value, tangent, frame))
        else:
            outputs.append(value)
    nodes = [node_of(each) if isinstance(each, Value) else None for each in args]
    if nested or (mode.grad and any([node is not None for node in nodes])):
        # For a derivative of this one: forward once more, to save duals.
        ctx, twins, _ = _run(function, args, nodes)
        ctx._saved = _exchanged(ctx._saved, twins, outputs)
        ctx._forwards = _exchanged(ctx._forwards, twins, outputs)
        _record(function, ctx, args, nodes, outputs, several)
    return ctx, outputs, several


def _exchanged(
    saved: tuple[Any, ...] | None, twins: Sequence[Any], outputs: Sequence[Any]
) -> tuple[Any, ...] | None:
    """What was saved, with the outputs in place of their twins."""
    if saved is None:
        return None
    places = [None if each is None else _position(each, twins) for each in saved]
    return tuple(
        [
            each if place is None else outputs[place]
            for each, place in zip(saved, places, strict=True)
        ]
    )


def _index(value: Any, among: Sequence[Any]) -> int:
    place = _position(value, among)
    assert place is not None
    return place


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """For a `backward` that cannot be differentiated: unrecorded, a second derivative raises."""

    @wraps(backward)
    def unrecorded(ctx: FunctionCtx, *grads: Any) -> Any:
        causes = (*grads, *ctx.saved_tensors)
        with no_grad():
            results = backward(ctx, *grads)
        if not mode.grad:
            return results
        several = isinstance(results, (tuple, list))
        marked = [
            None if each is None else _Undifferentiable.apply(each, *causes)
            for each in (results if several else (results,))
        ]
        return tuple(marked) if several else marked[0]

    return unrecorded


class _Undifferentiable(Function):
    """Passes its first argument on; how it depends on the others nobody can say."""

    @staticmethod
    def forward(ctx: FunctionCtx, result: Any, *causes: Any) -> Any:
        return result.detach()

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        raise AutogradError(
            "backward was marked with once_differentiable: there is no second derivative"
        )


def _no_node() -> None:
    return None


def _has_gradient(tensor: Any) -> bool:
    return tensor.spec.dtype.kind in ("float", "complex")


def _position(tensor: Any, among: Sequence[Any]) -> int | None:
    for position, each in enumerate(among):
        if each is tensor:
            return position
    return None


def _checked_outputs(ctx: FunctionCtx, args: tuple[Any, ...], outputs: Sequence[Any]) -> list[Any]:
    """The outputs, with an input that was passed through unchanged replaced by an alias."""
    for tensor in ctx._dirty:
        if _position(tensor, outputs) is None:
            raise AutogradError(
                f"{ctx._name}: forward must return the tensors that it named in mark_dirty()"
            )
        if mode.grad and any(ctx.needs_input_grad):
            if type(tensor.node) is Leaf:
                raise InPlaceError(
                    f"{ctx._name}: a leaf that requires grad cannot be written in place; "
                    "pass a clone()"
                )
            if tensor.origin is not None:
                raise InPlaceError(
                    f"{ctx._name}: a view cannot be written in place by a Function; pass a clone()"
                )
    checked: list[Any] = []
    for output in outputs:
        passed = isinstance(output, Value) and _position(output, args) is not None
        if passed and _position(output, ctx._dirty) is None:
            output = output.alias()
        checked.append(output)
    return checked


def _keep(ctx: FunctionCtx, outputs: Sequence[Any]) -> None:
    saved = list(ctx._saved or ())
    for position, tensor in enumerate(saved):
        output = None if tensor is None else _position(tensor, outputs)
        if output is not None:
            saved[position] = tensor.alias()
            ctx._outputs[position] = output
    kept = packed(tuple(saved))
    ctx._saved = kept
    ctx._versions = [0 if tensor is None else version_of(tensor) for tensor in kept]
    ctx._place = None if watch.trace is None else watch.trace()
