"""Hooks around the call of a module: before and after its forward, before and after its backward,
of one module or of all; and hooks that see what modules register.

The hooks of all modules come first. Those of backward sit on two nodes that pass gradients on, one
around the module's inputs and one around its outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, final

from plugrad.autograd.function import Function
from plugrad.errors import ArgumentError, AutogradError
from plugrad.tape import mode, node_of
from plugrad.tensor import RemovableHandle
from plugrad.value import Value

Hook = Callable[..., Any]


@final
class _Everywhere:
    """The hooks of all modules; `watched` says whether there may be any around calls."""

    def __init__(self) -> None:
        self.watched = False
        self.forward_pre: dict[Any, tuple[Hook, bool]] = {}
        self.forward: dict[Any, tuple[Hook, bool, bool]] = {}
        self.backward_pre: dict[Any, Hook] = {}
        self.backward: dict[Any, Hook] = {}
        # By what a module registers: "_parameters", "_buffers" or "_modules".
        self.registering: dict[str, dict[Any, Hook]] = {}

    def add(self, hooks: dict[Any, Any], entry: Any) -> RemovableHandle:
        """Register a hook around calls."""
        self.watched = True
        return _Handle(hooks, entry)

    def look(self) -> None:
        """See whether any hook around calls is left."""
        kinds = (self.forward_pre, self.forward, self.backward_pre, self.backward)
        self.watched = any(kinds)


everywhere = _Everywhere()


@final
class _Handle(RemovableHandle):
    """With the last hook of all modules, calls become quick again."""

    def remove(self) -> None:
        super().remove()
        everywhere.look()


class Hooked:
    """The base of `Module`: hooks around its call."""

    # Whether hooks were ever registered: a module without any asks nothing else.
    _watched: bool
    _forward_pre_hooks: dict[Any, tuple[Hook, bool]]
    _forward_hooks: dict[Any, tuple[Hook, bool, bool]]
    _backward_pre_hooks: dict[Any, Hook]
    _backward_hooks: dict[Any, Hook]

    forward: Hook

    def _call_with_hooks(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        pulls = [*everywhere.backward.values(), *self._backward_hooks.values()]
        before = [*everywhere.backward_pre.values(), *self._backward_pre_hooks.values()]
        told: set[Any] = set()
        out = None
        try:
            arguments, options = self._before_forward(arguments, options)
            backward = _Backward(self, before, pulls) if pulls or before else None
            if backward is not None:
                arguments = backward.watch_inputs(arguments)
            out = self.forward(*arguments, **options)
            for key, (hook, with_kwargs, _) in self._after_forward():
                told.add(key)
                given = (arguments, options) if with_kwargs else (arguments,)
                changed = hook(self, *given, out)
                if changed is not None:
                    out = changed
            return out if backward is None else backward.watch_outputs(out)
        except Exception:
            self._after_failure(arguments, options, out, told)
            raise

    def _before_forward(
        self, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, after the hooks that may replace them."""
        hooks = [*everywhere.forward_pre.values(), *self._forward_pre_hooks.values()]
        for hook, with_kwargs in hooks:
            if with_kwargs:
                changed = hook(self, arguments, options)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise ArgumentError(
                        "register_forward_pre_hook",
                        "hook",
                        expected="a result that is None or (arguments, options)",
                        got=type(changed).__name__,
                    )
                arguments, options = changed
            else:
                changed = hook(self, arguments)
                if changed is not None:
                    arguments = changed if isinstance(changed, tuple) else (changed,)
        return arguments, options

    def _after_forward(self) -> list[tuple[Any, tuple[Hook, bool, bool]]]:
        return [*everywhere.forward.items(), *self._forward_hooks.items()]

    def _after_failure(
        self, arguments: tuple[Any, ...], options: dict[str, Any], out: Any, told: set[Any]
    ) -> None:
        """Call the hooks that are to be called whatever happens and have not been."""
        for key, (hook, with_kwargs, always_call) in self._after_forward():
            if not always_call or key in told:
                continue
            given = (arguments, options) if with_kwargs else (arguments,)
            try:
                hook(self, *given, out)
            except Exception as error:
                warnings.warn(
                    f"a forward hook raised after forward had: {error!r}; it is passed over",
                    stacklevel=4,
                )

    def _add_call_hook(self, hooks: dict[Any, Any], entry: Any, prepend: bool) -> RemovableHandle:
        self._watched = True
        others = dict(hooks)
        handle = RemovableHandle(hooks, entry)
        if prepend:
            for key, other in others.items():
                del hooks[key]
                hooks[key] = other
        return handle

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, arguments)` before `forward`, before the other hooks if `prepend`;
        what it returns replaces the arguments.

        With `with_kwargs` it is `hook(module, arguments, options)`, and may return both.
        """
        return self._add_call_hook(self._forward_pre_hooks, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, arguments, output)` after `forward`, before the other hooks if
        `prepend`; what it returns replaces the output.

        With `with_kwargs` it is `hook(module, arguments, options, output)`. With `always_call` it
        is called also where `forward` or another hook raises, with `None` for an output that there
        is not.
        """
        entry = (hook, with_kwargs, always_call)
        return self._add_call_hook(self._forward_hooks, entry, prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are there; what it
        returns replaces them.

        `grad_output` has one entry for each output, `None` for what is no tensor.
        """
        return self._add_call_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the positional
        arguments are there; what it returns replaces them.

        Both have one entry for each argument and output, `None` for what is no tensor. If no
        argument requires grad, the hook is called with `None` for all of them as soon as the
        gradients of the outputs are there.
        """
        return self._add_call_hook(self._backward_hooks, hook, prepend)

    # PyTorch's older hook saw the gradients of the last operator only.
    register_backward_hook = register_full_backward_hook


@final
class _Passing(Function):
    """Gives tensors and gradients on; its node is where the gradients come by."""

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> tuple[Any, ...]:
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Any, ...]:
        return grads


@final
class _Backward:
    """The hooks of one call's backward, and the gradients of its outputs between the two nodes."""

    def __init__(self, module: Any, before: list[Hook], pulls: list[Hook]) -> None:
        self._module = module
        self._before = before
        self._pulls = pulls
        self._grad_output: tuple[Any, ...] | None = None
        self._inputs: list[int] = []
        self._input_count = 0

    def watch_inputs(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, behind the node that has their gradients."""
        self._input_count = len(arguments)
        passed, self._inputs, node = _behind_a_node(arguments)
        if node is not None:
            node.register_hook(self._at_inputs)
        return passed

    def watch_outputs(self, out: Any) -> Any:
        """The outputs, before the node that has their gradients."""
        if not isinstance(out, (Value, tuple)):
            warnings.warn(
                f"{type(self._module).__name__}: backward hooks are called where a module returns "
                f"a tensor or a tuple, got {type(out).__name__}",
                stacklevel=4,
            )
            return out
        several = isinstance(out, tuple)
        passed, places, node = _behind_a_node(out if several else (out,))
        if node is not None:
            count = len(passed)

            def at_outputs(pulled: tuple[Any, ...], g: tuple[Any, ...]) -> Sequence[Any]:
                return self._at_outputs(places, _spread(g, places, count))

            node.register_hook(at_outputs)
        return passed if several else passed[0]

    def _at_outputs(self, places: list[int], grad_output: tuple[Any, ...]) -> Sequence[Any]:
        for hook in self._before:
            grad_output = _replaced(hook(self._module, grad_output), grad_output, "grad_output")
        if self._inputs:
            self._grad_output = grad_output
        elif self._pulls:
            self._without_inputs(grad_output)
        return [grad_output[place] for place in places]

    def _without_inputs(self, grad_output: tuple[Any, ...]) -> None:
        name = type(self._module).__name__
        warnings.warn(
            f"{name}: no input requires grad, so that its full backward hooks are called when the "
            "gradients of its outputs are there",
            stacklevel=2,
        )
        nothing = (None,) * self._input_count
        for hook in self._pulls:
            found = hook(self._module, nothing, grad_output)
            if found is not None and any(each is not None for each in found):
                raise AutogradError(
                    f"{name}: no input requires grad: a full backward hook may return nothing "
                    "but None"
                )

    def _at_inputs(self, pulled: tuple[Any, ...], g: tuple[Any, ...]) -> Sequence[Any] | None:
        grad_output, self._grad_output = self._grad_output, None
        if grad_output is None:
            return None  # a second derivative, which comes past the inputs alone
        grad_input = _spread(pulled, self._inputs, self._input_count)
        for hook in self._pulls:
            found = hook(self._module, grad_input, grad_output)
            grad_input = _replaced(found, grad_input, "grad_input")
        return [grad_input[place] for place in self._inputs]


def _behind_a_node(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[int], Any]:
    """The values with those that require grad behind one node, which these are, and the node."""
    if not mode.grad:
        return values, [], None
    places = [
        place
        for place, each in enumerate(values)
        if isinstance(each, Value) and node_of(each) is not None
    ]
    if not places:
        return values, [], None
    passed = _Passing.apply(*[values[place] for place in places])
    behind = list(values)
    for place, each in zip(places, passed, strict=True):
        behind[place] = each
    # A named tuple stays one.
    made = tuple(behind) if type(values) is tuple else type(values)(*behind)
    return made, places, passed[0].grad_fn


def _spread(values: Sequence[Any], places: list[int], count: int) -> tuple[Any, ...]:
    """So many values, `None` except at the places."""
    found: list[Any] = [None] * count
    for place, value in zip(places, values, strict=True):
        found[place] = value
    return tuple(found)


def _replaced(found: Any, before: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    if found is None:
        return before
    given = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    if len(given) != len(before):
        raise AutogradError(
            f"a backward hook of a module returned {len(given)} for {what}, expected {len(before)}"
        )
    return given


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, arguments)` before the forward of every module."""
    return everywhere.add(everywhere.forward_pre, (hook, False))


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, arguments, output)` after the forward of every module."""
    return everywhere.add(everywhere.forward, (hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the backward of every module."""
    return everywhere.add(everywhere.backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` after the backward of every module."""
    return everywhere.add(everywhere.backward, hook)


register_module_backward_hook = register_module_full_backward_hook


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, parameter)` when a module registers a parameter; what it returns is
    registered in its place.
    """
    return RemovableHandle(everywhere.registering.setdefault("_parameters", {}), hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, buffer)` when a module registers a buffer; what it returns is
    registered in its place.
    """
    return RemovableHandle(everywhere.registering.setdefault("_buffers", {}), hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call `hook(module, name, submodule)` when a module registers another; what it returns is
    registered in its place.
    """
    return RemovableHandle(everywhere.registering.setdefault("_modules", {}), hook)


def registered(module: Any, kind: str, name: str, value: Any) -> Any:
    """What a module is to register, after the hooks that see it."""
    for hook in list(everywhere.registering.get(kind, {}).values()):
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value
