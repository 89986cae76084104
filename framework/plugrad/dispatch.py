"""One operator call: find the plan, run the kernel or the body, wrap the result, leave a node on the tape.

Everything that follows from the specs alone (devices agree, dtypes are promoted, the result's spec, which kernel answers)
is decided once and kept as a `Plan`; a call whose specs were seen before costs one dictionary lookup. What a transform
wraps carries a spec of its own that no plan knows, so it ends up on the slow path, where it interprets its operators.
"""

from __future__ import annotations

from typing import Any, final

from plugrad.backends import Backend, backend, declare_operator, watchers
from plugrad.contracts import Kernel
from plugrad.devices import META, Device
from plugrad.errors import DeviceError, InPlaceError, UnsupportedError
from plugrad.op import Operator, OperatorNode
from plugrad.spec import Spec, spec_of
from plugrad.tape import Leaf, Node, mode, no_grad, node_of
from plugrad.value import NO_DATA, Value, wrap, wrap_view

_PLANS_PER_OPERATOR = 1 << 12

operators: dict[str, Operator] = {}


@final
class Plan:
    """What was decided for calls with these specs. `kernel` is `None` where the body answers on tensors."""

    __slots__ = ("kernel", "spec")

    def __init__(self, kernel: Kernel | None, spec: Any) -> None:
        self.kernel = kernel
        self.spec = spec


@final
class Origin:
    """Of which tensor a view is a view, and through which operators.

    `base_node` is the base's node when the view's own was made: while the two agree, the view's node is up to date.
    """

    __slots__ = ("base", "base_node", "steps")

    def __init__(self, base: Value, steps: tuple[tuple[Operator, tuple[Any, ...]], ...]) -> None:
        self.base = base
        self.steps = steps
        self.base_node: Node | None = base.node

    def rebuild(self) -> Node | None:
        """The view's node, made anew from the base's."""
        value: Any = self.base
        for operator, params in self.steps:
            value = dispatch(operator, (value,), params)
        return value.node


def declare(operator: Operator) -> None:
    """Open an operator to calls, and to kernels under its name."""
    if operator.geometry is None:
        # What writes in place needs the tensors themselves: a kernel's array may be a copy of them.
        as_kernel = operator.body is not None and not operator.writes
        body = _kernel_from_body(operator) if as_kernel else None
        declare_operator(operator.function, body)
    operators[operator.name] = operator


def forget_plans() -> None:
    """The plugins have changed: decide anew."""
    for operator in operators.values():
        operator.plans.clear()


watchers.append(forget_plans)


def dispatch(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """Call an operator on tensors (or `None`, or tuples of tensors, as its contract says) and parameters."""
    keyed = operator.keyed
    facts = params if keyed is None else [params[i] for i in keyed]
    try:
        plan = operator.plans.get((*[argument.spec for argument in arguments], *facts))
    except (AttributeError, TypeError):  # not a plain tensor, or a parameter without a hash
        plan = None
    if plan is None:
        lifted = max(flatten(arguments), key=_level, default=None)
        if _level(lifted):
            return lifted.interpret(operator, arguments, params)
        if operator.prepare is not None:
            arguments, params = operator.prepare(arguments, params)
        plan = _plan(operator, arguments, params)
    tracked = mode.grad and any([_is_tracked(argument) for argument in arguments])
    if operator.geometry is not None:
        return _look(operator, arguments[0], params, tracked)
    kernel = plan.kernel
    if kernel is None or (tracked and not operator.pulls and operator.body is not None):
        return _run_body(operator, arguments, params, tracked)
    if operator.writes:
        return _write(operator, kernel, arguments, params, tracked)
    native = kernel(*[_native(argument) for argument in arguments], *params)
    if native is None:
        return _fall_back(operator, arguments, params, tracked)
    out = wrap_all(native, plan.spec)
    if tracked:
        record(operator, arguments, params, out, plan.spec)
    return out


def wrap_all(native: Any, spec: Any) -> Any:
    """A kernel's result, or results, as tensors."""
    if type(spec) is tuple:
        return tuple([wrap(each, its) for each, its in zip(native, spec, strict=True)])
    return wrap(native, spec)


def record(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...], out: Any, spec: Any
) -> None:
    """Leave a node on the tape, if some tensor that the operator is differentiable in wants a cotangent."""
    if not mode.grad:
        return
    parents: list[Any] = [None] * len(arguments)
    wanted = False
    for pull in operator.pulls:
        for position in pull.positions:
            parent = parents[position] = _node(arguments[position])
            wanted = wanted or parent is not None
    if wanted:
        specs = tuple([_spec(argument) for argument in arguments])
        node = OperatorNode(operator, tuple(parents), specs, spec, params)
        node.keep(arguments, out)
        node.own(out if type(out) is tuple else (out,))


def declined(operator: Operator, arguments: tuple[Any, ...]) -> UnsupportedError:
    """The error of a call that nobody took."""
    specs = ", ".join(str(_spec(argument)) for argument in arguments)
    return UnsupportedError(
        operator.name,
        "arguments",
        expected="a call that some kernel takes; every one declined, and the operator has no body",
        got=specs,
        hint=f"plugrad.explain({operator.name!r}) shows who was asked",
    )


def flatten(arguments: tuple[Any, ...]) -> list[Any]:
    """The tensors among the arguments."""
    found: list[Any] = []
    for argument in arguments:
        if type(argument) is tuple:
            found += flatten(argument)
        elif argument is not None:
            found.append(argument)
    return found


def infer(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """The spec of a composite's result: its body, run without data."""
    assert operator.body is not None
    specs = [argument.spec for argument in flatten(arguments)]
    with no_grad():
        out = operator.body(*[_without_data(argument) for argument in arguments], *params)
    device = specs[0].device
    if type(out) is tuple:
        return tuple([spec_of(each.spec.shape, each.spec.dtype, device) for each in out])
    return spec_of(out.spec.shape, out.spec.dtype, device)


def _level(value: Any) -> int:
    return getattr(value, "level", 0)


def _spec(argument: Any) -> Any:
    if type(argument) is tuple:
        return tuple([_spec(each) for each in argument])
    return None if argument is None else argument.spec


def _native(argument: Any) -> Any:
    if argument is None:
        return None
    if type(argument) is tuple:
        return tuple([_native(each) for each in argument])
    array = argument.array
    return argument.native() if array is None else array


def _node(argument: Any) -> Any:
    if argument is None:
        return None
    if type(argument) is tuple:
        nodes = tuple([_node(each) for each in argument])
        return nodes if any(nodes) else None
    return node_of(argument)


def _is_tracked(argument: Any) -> bool:
    return _node(argument) is not None


def _without_data(argument: Any) -> Any:
    if argument is None:
        return None
    if type(argument) is tuple:
        return tuple([_without_data(each) for each in argument])
    spec = argument.spec
    return wrap(NO_DATA, spec_of(spec.shape, spec.dtype, Device(META)))


def _plan(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Plan:
    keyed = operator.keyed
    facts = params if keyed is None else [params[i] for i in keyed]
    key = (*[_spec(argument) for argument in arguments], *facts)
    try:
        plan = operator.plans.get(key)
    except TypeError:  # a parameter without a hash: decided anew each time
        return _decide(operator, arguments, params)
    if plan is None:
        if len(operator.plans) >= _PLANS_PER_OPERATOR:
            operator.plans.clear()
        plan = operator.plans[key] = _decide(operator, arguments, params)
    return plan


def _decide(operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]) -> Plan:
    device = _common_device(operator, arguments, params)
    if operator.geometry is not None:
        return Plan(None, None)  # it also depends on strides: nothing can be decided here
    if operator.rule is None and device.type == META:
        return Plan(None, None)
    kernel: Kernel | None = None
    if device.type != META:
        kernel = backend(device.type).resolve(operator.name)
        if kernel is None and operator.body is None:
            raise declined(operator, arguments)
    if operator.rule is None:
        return Plan(kernel, infer(operator, arguments, params) if kernel is not None else None)
    known = dict(zip(operator.tensors, [_spec(argument) for argument in arguments], strict=True))
    known.update(zip(operator.parameters, params, strict=True))
    spec = operator.rule(*[known[name] for name in operator.rule_names])
    return Plan(_compute_nothing(spec) if device.type == META else kernel, spec)


def _compute_nothing(spec: Any) -> Kernel:
    result = (NO_DATA,) * len(spec) if type(spec) is tuple else NO_DATA
    return lambda *arguments: result


def _common_device(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...]
) -> Device:
    tensors = flatten(arguments)
    if not tensors:
        return params[operator.parameters.index("device")]
    device: Device = tensors[0].spec.device
    for tensor in tensors:
        if tensor.spec.device is not device:
            raise DeviceError(
                operator.name,
                "tensors",
                expected="all on one device",
                got=f"{device} and {tensor.spec.device}",
                hint=f"move one with .to({str(device)!r})",
            )
    return device


def _fall_back(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...], tracked: bool
) -> Any:
    if operator.body is None:
        raise declined(operator, arguments)
    return _run_body(operator, arguments, params, tracked)


def _run_body(
    operator: Operator, arguments: tuple[Any, ...], params: tuple[Any, ...], tracked: bool
) -> Any:
    assert operator.body is not None
    tensors = flatten(arguments)
    if tensors and tensors[0].spec.device.type != META:
        backend(tensors[0].spec.device.type).fallbacks[operator.name] += 1
    if not (tracked and operator.pulls):
        return operator.body(*arguments, *params)
    with no_grad():
        out = operator.body(*arguments, *params)
    spec = tuple([each.spec for each in out]) if type(out) is tuple else out.spec
    record(operator, arguments, params, out, spec)
    return out


def _kernel_from_body(operator: Operator) -> Any:
    """The body as the last kernel in pluggy's order: native arrays in, native arrays out."""

    def for_backend(owner: Backend) -> Kernel:
        def lift(argument: Any) -> Any:
            if type(argument) is tuple:
                return tuple([lift(each) for each in argument])
            if argument is None:
                return None
            shape, dtype = owner.service("array_spec")(argument)
            return wrap(argument, spec_of(shape, dtype, owner.device_of(argument)))

        def run(*values: Any) -> Any:
            assert operator.body is not None
            count = len(operator.tensors)
            with no_grad():
                out = operator.body(*[lift(value) for value in values[:count]], *values[count:])
            return _native(out)

        return run

    return for_backend


def _look(operator: Operator, base: Value, params: tuple[Any, ...], tracked: bool) -> Any:
    """A view: another layout of the same storage. No kernel is called."""
    assert operator.geometry is not None
    storage = base.settle()
    spec = base.spec
    shape, strides, offset = operator.geometry(spec.shape, *base.layout, *params)
    dtype = spec.dtype if operator.view_dtype is None else operator.view_dtype(spec.dtype)
    out = wrap_view(storage, (strides, offset), spec_of(shape, dtype, spec.device))
    if tracked:
        record(operator, (base,), params, out, out.spec)
    origin = base.origin
    step = (operator, params)
    out.origin = Origin(base, (step,)) if origin is None else Origin(origin.base, (*origin.steps, step))
    return out


def _write(
    operator: Operator,
    kernel: Kernel,
    arguments: tuple[Any, ...],
    params: tuple[Any, ...],
    tracked: bool,
) -> Any:
    """Run a kernel that changes tensors in place; gives them back."""
    targets = tuple([arguments[position] for position in operator.writes])
    written = flatten(targets)
    for target in written:
        if tracked:
            _refuse_leaf(operator, target)
        target.settle()
    if kernel(*[_native(argument) for argument in arguments], *params) is None:
        return _fall_back(operator, arguments, params, tracked)
    for target in written:
        target.memory.version += 1
    if tracked:
        assert operator.rebase is not None, f"{operator.name} writes with gradient but has no body"
        operator.rebase(*arguments, *params)
    return targets[0] if len(targets) == 1 else targets


def _refuse_leaf(operator: Operator, target: Value) -> None:
    node: Any = target.node if target.origin is None else target.origin.base.node
    if type(node) is Leaf and node.wanted:
        kind = "a leaf" if target.origin is None else "a view of a leaf"
        raise InPlaceError(
            f"{operator.name}: {kind} that requires grad cannot be written in place; "
            "do it under plugrad.no_grad(), or write to a clone()"
        )
